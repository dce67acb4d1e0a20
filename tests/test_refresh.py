"""The robot of the catalogue, against makers on loopback: what it adds, what it leaves, and what it says."""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from setup_llm_dev.documents.catalog import read_catalog
from setup_llm_dev.documents.hash_catalog import read_hashes
from setup_llm_dev.documents.manifests import manifests_folder
from tests.mirrored import CLOSED, MODEL
from tests.upstream.hub import Hub
from tests.upstream.index import Index, pytorch
from tests.upstream.server import Upstream, files
from tests.upstream.wheels import torch_wheel

ROBOT = manifests_folder() / "refresh.py"
Robot = Callable[..., str]


def source() -> dict[str, str]:
    """Where the code under test lies, if somebody says so."""
    return {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A copy that may be written to."""
    return Path(shutil.copytree(manifests_folder() / "catalog", tmp_path / "catalog"))


@pytest.fixture
def robot(tmp_path: Path, catalog: Path) -> Robot:
    def running(*words: str) -> str:
        environment = {
            **source(),
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "PIP_CONFIG_FILE": "/dev/null",
            "LANG": "C",
        }
        done = subprocess.run(
            [sys.executable, ROBOT, "--catalog", catalog, *words],
            env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    return running


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("collected")]


def test_where_nobody_answers_it_says_so_and_changes_nothing(robot: Robot, catalog: Path) -> None:
    before = {path.name: path.read_bytes() for path in catalog.iterdir()}
    said = robot("--torch-index", CLOSED, "--no-default-index", "--hub", CLOSED, "--feed", CLOSED)
    assert said.splitlines()[-1] == "nothing reachable: unchanged"
    assert said.count("not reached: ") == 3
    assert {path.name: path.read_bytes() for path in catalog.iterdir()} == before


def test_new_wheels_are_added_in_their_place_and_all_else_stays(robot: Robot, catalog: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wheels"
    new = torch_wheel(folder, "2.15.0", "cpu", tag="cp312-cp312-manylinux_2_28_x86_64")
    older = torch_wheel(folder, "2.6.0", "cpu", tag="cp312-cp312-manylinux_2_28_x86_64")
    for tag in ("cp313-cp313t-manylinux_2_28_x86_64", "cp37-cp37m-manylinux1_x86_64", "cp312-cp312-linux_s390x"):
        torch_wheel(folder, "2.15.0", "cpu", tag=tag)
    torch_wheel(folder, "2.3.1", "cpu", tag="cp312-cp312-manylinux_2_28_x86_64")
    before = (catalog / "hashes.toml").read_text()
    with Index(pytorch(folder, "cpu")) as maker:
        said = robot("--torch", "--torch-index", f"{maker.url}/whl", "--no-default-index")
        assert robot("--torch", "--torch-index", f"{maker.url}/whl", "--no-default-index") == "nothing new: unchanged\n"
    assert "[pytorch] 2 new" in said
    found = read_hashes(catalog)
    assert found.pytorch == {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (older, new)}
    assert list(found.pytorch) == [older.name, new.name], "the older release first"
    after = (catalog / "hashes.toml").read_text()
    added = [line for line in lines(after) if line not in before.splitlines()]
    assert [line for line in lines(after) if line not in added] == lines(before)
    assert len(added) == 2


def test_another_hash_than_the_known_one_is_an_alarm_and_is_not_written(
    robot: Robot, catalog: Path, tmp_path: Path
) -> None:
    wheel = torch_wheel(tmp_path / "wheels", "2.15.0", "cpu", tag="cp312-cp312-manylinux_2_28_x86_64")
    with Index(pytorch(wheel.parent, "cpu")) as maker:
        robot("--torch", "--torch-index", f"{maker.url}/whl", "--no-default-index")
        known = read_hashes(catalog).pytorch[wheel.name]
        wheel.write_bytes(wheel.read_bytes() + b"more")
        torch_wheel(wheel.parent, "2.15.0", "cpu", tag="cp313-cp313-manylinux_2_28_x86_64")
        said = robot("--torch", "--torch-index", f"{maker.url}/whl", "--no-default-index")
    assert "left as it is" in said
    assert "1 new" in said
    assert read_hashes(catalog).pytorch[wheel.name] == known


def test_an_index_that_tells_no_hashes_adds_none(robot: Robot, catalog: Path, tmp_path: Path) -> None:
    wheel = torch_wheel(tmp_path / "wheels", "2.15.0", "cpu", tag="cp312-cp312-manylinux_2_28_x86_64")
    with Index(pytorch(wheel.parent, "cpu", hashes=False)) as maker:
        robot("--torch", "--torch-index", f"{maker.url}/whl", "--no-default-index")
    assert wheel.name not in read_hashes(catalog).pytorch


def unknown(catalog: Path) -> None:
    """The catalogue as it was before anybody knew the files of the hub's model."""
    path = catalog / "models.toml"
    text = path.read_text()
    start, end = text.index('commit = "'), text.rindex("[[models]]")
    path.write_text(text[:start] + "\n" + text[end:])


def test_the_files_of_a_model_are_filled_in_and_comments_stay(robot: Robot, catalog: Path) -> None:
    unknown(catalog)
    before = (catalog / "models.toml").read_text()
    tree = {"config.json": b'{"a": 1}', "model.safetensors": b"w" * 5000, "pytorch_model.bin": b"no", "README.md": b"x"}
    with Hub({MODEL: tree}) as hub:
        said = robot("--models", "--hub", hub.url)
        commit = hub.commit(MODEL)
        assert robot("--models", "--hub", hub.url) == "nothing new: unchanged\n"
    assert f"2 files of commit {commit[:12]}" in said
    facts = read_catalog(catalog).models.of(f"hf:{MODEL}")
    assert facts is not None
    assert (facts.commit, facts.evidence, facts.download_bytes) == (commit, "hub", 5008)
    assert [(f.name, f.bytes, f.sha256) for f in facts.files] == [
        (name, len(tree[name]), hashlib.sha256(tree[name]).hexdigest()) for name in ("config.json", "model.safetensors")
    ]
    after = (catalog / "models.toml").read_text().splitlines()
    comments = [line for line in before.splitlines() if line.startswith("#")]
    assert [line for line in after if line.startswith("#")] == comments
    untouched = before[before.rindex("[[models]]") :]
    assert "\n".join(after).endswith(untouched.rstrip())


def test_a_hub_that_says_other_hashes_of_the_known_commit_is_an_alarm(robot: Robot, catalog: Path) -> None:
    unknown(catalog)
    with Hub({MODEL: {"config.json": b"{}", "model.safetensors": b"w"}}) as hub:
        robot("--models", "--hub", hub.url)
    path = catalog / "models.toml"
    right = hashlib.sha256(b"w").hexdigest()
    path.write_text(path.read_text().replace(right, "ab" * 32))
    before = path.read_bytes()
    with Hub({MODEL: {"config.json": b"{}", "model.safetensors": b"w"}}) as hub:
        said = robot("--models", "--hub", hub.url)
    assert "another hash for model.safetensors; left as it is" in said
    assert path.read_bytes() == before


def test_a_release_that_the_catalogue_lacks_is_named_with_what_its_checksum_file_says(robot: Robot) -> None:
    line = f"{'ab' * 32} *pycharm-2099.1.tar.gz\n".encode()
    with Upstream(files({"/p.sha256": line})) as host:
        feed = (
            '{"PCP": [{"version": "2099.1", "build": "991.1.2", "downloads": {"linux": '
            f'{{"link": "x", "size": 7, "checksumLink": "{host.url}/p.sha256"}}}}}}, {{"version": "2020.1"}}]}}'
        )
        with Upstream(files({"/feed": feed.encode()})) as maker:
            said = robot("--ides", "--feed", f"{maker.url}/feed")
    assert "2099.1 (build 991.1.2) is not in it" in said
    assert f"linux: {'ab' * 32} *pycharm-2099.1.tar.gz (7 bytes)" in said
    assert "2020.1" not in said


def test_a_catalogue_that_can_not_be_read_ends_with_its_code(catalog: Path, tmp_path: Path) -> None:
    (catalog / "torch.toml").write_text("nonsense")
    done = subprocess.run([sys.executable, ROBOT, "--catalog", catalog], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "torch.toml" in done.stderr


def test_what_it_writes_is_toml_that_it_reads_again(catalog: Path) -> None:
    assert tomllib.loads((catalog / "hashes.toml").read_text())["index"]
