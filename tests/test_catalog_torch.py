"""The catalogue of PyTorch's builds checked as data: what one row says must agree with what the others say."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, get_args

import msgspec
import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from manifests.torch_text import in_order, torch_text
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.torch_catalog import Release, TorchCatalog
from setup_llm_dev.documents.torch_rows import Evidence, Fact
from tests.golden import catalog

TORCH = catalog().torch
FILE = manifests_folder() / "catalog" / "torch.toml"
PLATFORMS = {"linux_x86_64", "linux_arm64", "windows_x86_64", "macos_arm64"}
# What shipped between 2.4 and 2.15, by the list of files of the package index.
SHIPPED = (
    "2.15.0 2.14.1 2.14.0 2.13.0 2.12.1 2.12.0 2.11.0 2.10.0 2.9.1 2.9.0 2.8.0 2.7.1 2.7.0 2.6.0 "
    "2.5.1 2.5.0 2.4.1 2.4.0"
)


def releases() -> list[Any]:
    return [pytest.param(release, id=release.series) for release in TORCH.releases]


def facts(value: Any, path: str = "torch") -> Iterator[tuple[str, Fact]]:
    """Every row of the file, wherever it stands."""
    if isinstance(value, Fact):
        yield path, value
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from facts(inner, f"{path}.{key}")
    if isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from facts(inner, f"{path}[{number}]")


def test_every_row_has_evidence_and_a_date() -> None:
    rows = list(facts(TORCH))
    assert len(rows) > 300
    assert not [path for path, row in rows if row.evidence not in get_args(Evidence)]
    assert not [path for path, row in rows if not date(2024, 1, 1) <= row.date <= TORCH.collected]
    assert datetime.now(UTC).date() >= TORCH.collected


def test_a_table_without_evidence_is_refused() -> None:
    """So the test above can't be passed by a row that is no fact."""
    text = FILE.read_text("utf-8")
    for key in ("evidence", "date"):
        broken = re.sub(rf", {key} = [^,}}]+", "", text, count=1)
        assert broken != text
        with pytest.raises(msgspec.ValidationError, match=key):
            msgspec.toml.decode(broken, type=TorchCatalog)


def test_the_file_is_what_its_writer_writes() -> None:
    """Sorted, one row a line, nothing lost: the robot's next change is the only difference."""
    assert torch_text(TORCH) == FILE.read_text("utf-8")
    assert in_order(TORCH) == TORCH
    assert msgspec.toml.decode(torch_text(TORCH), type=TorchCatalog) == TORCH


def test_rows_in_disorder_are_put_in_order() -> None:
    shuffled = msgspec.structs.replace(
        TORCH,
        releases=tuple(
            msgspec.structs.replace(
                release,
                builds=release.builds[::-1],
                floors=release.floors[::-1],
                companions=release.companions[::-1],
                patches=release.patches[::-1],
            )
            for release in TORCH.releases[::-1]
        ),
        cubin=TORCH.cubin[::-1],
        rocm=dict(reversed(TORCH.rocm.items())),
        cuda=dict(reversed(TORCH.cuda.items())),
        capability=TORCH.capability[::-1],
    )
    assert shuffled != TORCH
    assert torch_text(shuffled) == FILE.read_text("utf-8")


def test_releases_are_whole_unique_and_newest_first() -> None:
    patches = [patch for release in TORCH.releases for patch in release.patches]
    assert patches == SHIPPED.split()
    assert patches == sorted(set(patches), key=Version, reverse=True)


@pytest.mark.parametrize("release", releases())
def test_patches_belong_to_their_series(release: Release) -> None:
    assert all(patch.startswith(f"{release.series}.") for patch in release.patches)


@pytest.mark.parametrize("release", releases())
def test_pythons_are_feature_releases_newest_last(release: Release) -> None:
    assert all(re.fullmatch(r"3\.\d+", python) for python in release.pythons)
    assert list(release.pythons) == sorted(set(release.pythons), key=Version)
    for lack in release.lacks:
        assert lack.platform in PLATFORMS
        assert set(lack.pythons) < set(release.pythons)


@pytest.mark.parametrize("release", releases())
def test_no_row_stands_twice(release: Release) -> None:
    for rows in (
        [(b.platform, b.variant) for b in release.builds],
        [(f.platform, f.pythons, f.variants) for f in release.floors],
        [(c.torch, c.name) for c in release.companions],
        [lack.platform for lack in release.lacks],
    ):
        assert not [row for row, count in Counter(rows).items() if count > 1]


@pytest.mark.parametrize("release", releases())
def test_platforms_are_known(release: Release) -> None:
    named = {*release.pypi_default, *(b.platform for b in release.builds), *(f.platform for f in release.floors)}
    assert named <= PLATFORMS


@pytest.mark.parametrize("release", releases())
def test_the_default_of_the_package_index_is_a_published_variant_that_was_seen_there(release: Release) -> None:
    assert set(release.pypi_default) == PLATFORMS
    for platform, variant in release.pypi_default.items():
        (row,) = [b for b in release.builds if (b.platform, b.variant) == (platform, variant)]
        assert row.evidence == "pypi"
    assert release.pypi_default["linux_x86_64"].startswith("cu")
    assert release.pypi_default["windows_x86_64"] == "cpu"
    assert release.pypi_default["macos_arm64"] == "mps"


@pytest.mark.parametrize("release", releases())
def test_a_platform_with_builds_has_a_floor_and_a_build_without_gpu(release: Release) -> None:
    for platform in PLATFORMS:
        variants = [b.variant for b in release.builds if b.platform == platform]
        assert variants[-1] in ("cpu", "mps"), "the build without a GPU stands last"
        for _, floor in release.systems_on(platform, variants[-1]):
            assert (floor is None) == platform.startswith("windows")


def test_floors_are_those_of_the_tags() -> None:
    """manylinux1 and 2014 up to 2.6 (arm64: 2.5), then manylinux_2_28; macOS 14 from 2.12, and for 3.14 in 2.10."""
    floors = {
        (r.series, p, python): floor
        for r in TORCH.releases
        for p in PLATFORMS
        for python, floor in r.systems_on(p, r.pypi_default[p])
    }
    assert floors["2.6", "linux_x86_64", "3.12"] == "2.17"
    assert floors["2.7", "linux_x86_64", "3.12"] == "2.28"
    assert floors["2.5", "linux_arm64", "3.12"] == "2.17"
    assert floors["2.6", "linux_arm64", "3.12"] == "2.28"
    assert floors["2.11", "macos_arm64", "3.12"] == "11.0"
    assert floors["2.12", "macos_arm64", "3.12"] == "14.0"
    assert floors["2.10", "macos_arm64", "3.13"] == "11.0"
    assert floors["2.10", "macos_arm64", "3.14"] == "14.0"
    of_26 = next(release for release in TORCH.releases if release.series == "2.6")
    assert {floor for _, floor in of_26.systems_on("linux_x86_64", "cu126")} == {"2.28"}
    assert ("2.5", "linux_x86_64", "3.13") in floors
    assert ("2.5", "windows_x86_64", "3.13") not in floors


@pytest.mark.parametrize("release", releases())
def test_every_build_for_a_gpu_says_what_it_has_code_for(release: Release) -> None:
    for build in release.builds:
        assert bool(build.sm) == (build.code is not None) == build.variant.startswith("cu"), build
        if build.variant.startswith("cu"):
            assert build.variant in TORCH.cuda
        if build.variant.startswith("rocm"):
            assert build.variant in TORCH.rocm
            assert build.platform == "linux_x86_64"


@pytest.mark.parametrize("release", releases())
def test_capabilities_are_known_and_in_order(release: Release) -> None:
    known = {rule.code for rule in TORCH.cubin}
    for build in release.builds:
        assert set(build.sm) | set(build.ptx) <= known
        assert list(build.sm) == sorted(set(build.sm))
        assert set(build.ptx) <= set(build.sm), "PTX is of something that is compiled in"


@pytest.mark.parametrize("release", releases())
def test_code_fits_its_toolkit(release: Release) -> None:
    """CUDA 13 has no compiler for cards before Turing, CUDA before 12.8 none for Blackwell."""
    for build in release.builds:
        if build.sm:
            toolkit = Version(TORCH.cuda[build.variant].toolkit)
            assert min(build.sm) >= 75 or toolkit < Version("13")
            assert max(build.sm) < 100 or toolkit >= Version("12.8")


@pytest.mark.parametrize("release", releases())
def test_each_release_has_its_companions(release: Release) -> None:
    """The set of one release, as their METADATA pin each other."""
    for patch in release.patches:
        rows = {c.name: c.wanted for c in release.companions if c.torch == patch}
        assert {"torchvision", "triton"} <= set(rows) <= {"torchvision", "torchaudio", "triton"}
        assert ("torchaudio" in rows) == (Version(patch) <= Version("2.11.0")), "the last torchaudio is 2.11.0"
        assert rows.get("torchaudio", f"=={patch}") == f"=={patch}"
        for wanted in rows.values():
            assert len(SpecifierSet(wanted)) == 1


def test_companions_that_are_known_from_metadata() -> None:
    by_patch = {
        (c.torch, c.name): c.wanted for r in TORCH.releases for c in r.companions if c.evidence == "pypi"
    }  # fmt: skip
    assert by_patch["2.4.1", "torchvision"] == "==0.19.1"
    assert by_patch["2.7.1", "triton"] == "==3.3.1"
    assert by_patch["2.11.0", "torchaudio"] == "==2.11.0"
    assert by_patch["2.14.0", "torchvision"] == "==0.29.0"
    assert by_patch["2.14.1", "torchvision"] == "==0.29.2"
    assert by_patch["2.15.0", "triton"] == "~=3.9.0"


def test_triton_goes_with_cuda_alone() -> None:
    newest = TORCH.releases[0]
    assert any(line.startswith("triton") for line in newest.companions_of("2.15.0", "cu132"))
    for variant in ("cpu", "rocm7.2", "xpu", "mps"):
        assert newest.companions_of("2.15.0", variant) == ("torchvision==0.29.2",)


@pytest.mark.parametrize("name", TORCH.cuda)
def test_a_cuda_variant_is_named_after_its_toolkit(name: str) -> None:
    cuda = TORCH.cuda[name]
    assert name == "cu" + cuda.toolkit.replace(".", "")
    floors = {"11": (450, 452), "12": (525, 528), "13": (580, 580)}
    assert cuda.driver.windows is not None
    assert (Version(cuda.driver.linux).major, Version(cuda.driver.windows).major) == floors[cuda.toolkit[:2]]
    if cuda.own_driver:
        assert Version(cuda.own_driver.linux) >= Version(cuda.driver.linux)


def test_every_code_has_one_rule_and_every_rule_code() -> None:
    rules = [rule.code for rule in TORCH.cubin]
    assert rules == sorted(set(rules))
    assert {sm for r in TORCH.releases for build in r.builds for sm in build.sm} <= set(rules)


@pytest.mark.parametrize(
    ("code", "device", "toolkit", "runs"),
    [
        (86, 89, "13.0", True),  # RTX 40 on code for RTX 30
        (60, 61, "12.6", True),  # GTX 10
        (80, 87, "13.0", False),  # Orin
        (80, 87, "13.2", True),
        (120, 121, "13.0", True),  # GB10
        (90, 100, "13.0", False),
        (89, 86, "13.0", False),
        (110, 101, "13.0", True),
        (110, 112, "13.0", False),
    ],
)
def test_which_devices_code_runs_on(code: int, device: int, toolkit: str, runs: bool) -> None:
    rule = next(rule for rule in TORCH.cubin if rule.code == code)
    assert rule.runs_on(device, toolkit) is runs


@pytest.mark.parametrize(
    ("name", "chip"),
    [
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "sm_89"),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", "sm_86"),
        ("Tesla P40", "sm_61"),
        ("NVIDIA L4", "sm_89"),
        ("NVIDIA A100-SXM4-80GB", "sm_80"),
        ("NVIDIA H100 80GB HBM3", "sm_90"),
        ("Quadro RTX 5000", "sm_75"),
        ("NVIDIA RTX 5000 Ada Generation", "sm_89"),
        ("Tesla P100-PCIE-16GB", "sm_60"),
        ("NVIDIA Something New", None),
        ("NVIDIA XT4", None),
    ],
)
def test_capability_by_name(name: str, chip: str | None) -> None:
    assert TORCH.chip_of(name) == chip


def test_no_card_stands_under_two_capabilities() -> None:
    names = Counter(name for row in TORCH.capability for name in row.names)
    assert not [name for name, count in names.items() if count > 1]
    assert not [chip for chip, count in Counter(row.chip for row in TORCH.capability).items() if count > 1]
