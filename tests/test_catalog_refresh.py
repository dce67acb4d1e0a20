"""The robot and the builds of torch, against indexes on loopback: what it learns, what it keeps, and what it says."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from setup_llm_dev.documents.catalog import read_catalog
from setup_llm_dev.documents.torch_catalog import TorchCatalog
from setup_llm_dev.documents.torch_rows import Published
from tests.golden import catalog as shipped
from tests.test_refresh import ROBOT, catalog, source
from tests.upstream.index import Index, Section, pytorch, simple
from tests.upstream.wheels import build_wheel, torch_wheel

__all__ = ["catalog"]  # the fixture: a copy that may be written to
LINUX, ARM, WINDOWS = "manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "win_amd64"
TODAY = datetime.now(UTC).date()
Robot = Callable[[Index], list[str]]


@pytest.fixture
def robot(tmp_path: Path, catalog: Path) -> Robot:
    def running(maker: Index) -> list[str]:
        environment = {
            **source(),
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "PIP_CONFIG_FILE": "/dev/null",
            "LANG": "C",
        }
        words = ("--torch", "--torch-index", f"{maker.url}/whl", "--no-default-index")
        done = subprocess.run(
            [sys.executable, ROBOT, "--catalog", catalog, *words],
            env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return [line for line in done.stdout.splitlines() if line.startswith("torch.toml")]

    return running


def wheels(folder: Path, *rows: str) -> Path:
    """`2.15.0+cu134 manylinux_2_28_x86_64`, for Python 3.12."""
    folder.mkdir(exist_ok=True)
    for row in rows:
        version, platform = row.split()
        release, _, variant = version.partition("+")
        torch_wheel(folder, release, variant or None, tag=f"cp312-cp312-{platform}")
    return folder


def root_page(folder: Path) -> Section:
    """The page that lists every variant together."""
    return Section("/whl", folder, python=False, json=False, elsewhere=True)


def row_of(torch: TorchCatalog, series: str, variant: str, platform: str = "linux_x86_64") -> Published | None:
    (release,) = [r for r in torch.releases if r.series == series]
    return next((b for b in release.builds if (b.platform, b.variant) == (platform, variant)), None)


def test_what_was_only_announced_is_confirmed_or_taken_out(robot: Robot, catalog: Path, tmp_path: Path) -> None:
    rows = (f"2.15.0+cu134 {LINUX}", f"2.14.1+rocm7.2 {LINUX}", f"2.15.0+cu132 {LINUX}", f"2.14.1+xpu {WINDOWS}")
    with Index(root_page(wheels(tmp_path / "all", *rows))) as maker:
        said = robot(maker)
        assert robot(maker) == [], "nothing new the second time"
    torch = read_catalog(catalog).torch
    confirmed = row_of(torch, "2.15", "cu134")
    assert confirmed is not None
    assert (confirmed.evidence, confirmed.date, confirmed.code) == ("index", TODAY, "wheel-table")
    assert confirmed.sm == (75, 80, 86, 90, 100, 120), "no index tells what code it has: that stays"
    assert row_of(torch, "2.15", "rocm7.2") is None
    assert row_of(torch, "2.15", "rocm7.14") is not None, "nothing was listed of that variant: nobody knows"
    assert row_of(torch, "2.15", "xpu") is not None
    assert row_of(torch, "2.15", "xpu", "windows_x86_64") is None
    assert "torch.toml: 2.15+cu134 on linux_x86_64 is published: it was wheel-table" in said
    assert "torch.toml: 2.15+rocm7.2 on linux_x86_64 is not published: taken out" in said
    assert torch.collected == TODAY


def test_new_builds_inherit_the_code_of_their_nearest_relative(robot: Robot, catalog: Path, tmp_path: Path) -> None:
    rows = (f"2.15.0+cu130 {LINUX}", f"2.15.0+cu130 {ARM}", f"2.15.0+rocm7.1 {LINUX}", f"2.15.0+cu999 {LINUX}")
    with Index(root_page(wheels(tmp_path / "all", *rows))) as maker:
        said = robot(maker)
    torch = read_catalog(catalog).torch
    x86, arm = row_of(torch, "2.15", "cu130"), row_of(torch, "2.15", "cu130", "linux_arm64")
    assert x86 is not None and arm is not None
    assert (x86.sm, x86.code, x86.evidence) == ((75, 80, 86, 90, 100, 120), "inferred", "index")
    assert arm.sm == (80, 90, 100, 110, 120)
    assert row_of(torch, "2.15", "rocm7.1") is not None
    assert row_of(torch, "2.15", "cu999") is None
    assert "torch.toml: 2.15+cu130 on linux_x86_64 is new, with the code of 2.14+cu130" in said
    assert any("cu999" in line and "left to a person" in line for line in said)


def test_patches_pythons_and_series(robot: Robot, catalog: Path, tmp_path: Path) -> None:
    folder = wheels(tmp_path / "all", f"2.15.1+cu132 {LINUX}", f"2.16.0+cu132 {LINUX}")
    torch_wheel(folder, "2.14.1", "cpu", tag=f"cp315-cp315-{LINUX}")
    torch_wheel(folder, "2.14.1", "cpu", tag=f"cp316-cp316t-{LINUX}")
    with Index(root_page(folder)) as maker:
        said = robot(maker)
    by_series = {release.series: release for release in read_catalog(catalog).torch.releases}
    assert by_series["2.15"].patches == ("2.15.1", "2.15.0")
    assert by_series["2.14"].pythons[-1] == "3.15", "free-threaded wheels are for another Python"
    assert "2.16" not in by_series
    assert "torch.toml: 2.16 is on torch's index and not in it: its rows are written by hand" in said


def test_pages_of_single_variants_do_as_well(robot: Robot, catalog: Path, tmp_path: Path) -> None:
    folder = wheels(tmp_path / "cu134", f"2.15.0+cu134 {LINUX}")
    with Index(pytorch(folder, "cu134")) as maker:
        assert robot(maker) == ["torch.toml: 2.15+cu134 on linux_x86_64 is published: it was wheel-table"]


def test_facts_that_no_index_tells_stay_as_they_are(robot: Robot, catalog: Path, tmp_path: Path) -> None:
    rows = (f"2.15.0+cu132 {LINUX}", f"2.14.1+cu126 {LINUX}", f"2.13.0+cu129 {LINUX}", f"2.9.1+cu128 {ARM}")
    with Index(root_page(wheels(tmp_path / "all", *rows))) as maker:
        robot(maker)
    before, after = shipped().torch, read_catalog(catalog).torch

    def by_hand(torch: TorchCatalog) -> list[object]:
        builds = [(r.series, b.platform, b.variant, b.sm, b.ptx, b.code, b.advertised)
                  for r in torch.releases for b in r.builds]  # fmt: skip
        rest = [(r.floors, r.companions, r.lacks, r.pypi_default, r.note) for r in torch.releases]
        return [*builds, *rest, torch.cuda, torch.cubin, torch.capability, torch.driver_branches, torch.rocm]

    assert by_hand(after) == by_hand(before)
    changed = msgspec.structs.replace(before, collected=TODAY)
    assert after != changed, "some evidence is better now"


def test_the_package_index_tells_of_a_newer_release_and_its_torchvision(catalog: Path, tmp_path: Path) -> None:
    general = tmp_path / "general"
    torch_wheel(general, "2.16.0", "cu132", tag=f"cp315-cp315-{LINUX}", labelled=False)
    build_wheel(general, "torchvision", "0.31.0")
    environment = {**source(), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LANG": "C"}
    with Index(simple(general)) as maker:
        words = ("--torch", "--torch-index", "http://127.0.0.1:9/whl", "--default-index", maker.address())
        done = subprocess.run(
            [sys.executable, ROBOT, "--catalog", catalog, *words],
            env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    assert "torch 2.16.0 with torchvision 0.31.0 is not in it" in done.stdout, done.stdout + done.stderr
    assert "not reached: http://127.0.0.1:9/whl" in done.stdout
    assert read_catalog(catalog).torch.collected == date(2026, 11, 21) == shipped().torch.collected
