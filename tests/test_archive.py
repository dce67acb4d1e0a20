"""Archives of our own making: accepted whole, or refused by name with nothing written anywhere."""

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_llm_dev.host.archives.extract import extract
from setup_llm_dev.host.archives.rules import UnsafeArchive
from tests.archives import Case, quick_folder
from tests.archives_tar import tar_cases
from tests.archives_zip import zip_cases

CASES = (*tar_cases(), *zip_cases())


def tree_of(folder: Path) -> dict[str, bytes | str]:
    """What is below a folder: bytes of files, `-> target` of links, "folder" for empty folders."""
    found: dict[str, bytes | str] = {}
    for place in sorted(folder.rglob("*")):
        name = place.relative_to(folder).as_posix()
        if place.is_symlink():
            found[name] = f"-> {os.readlink(place)}"
        elif place.is_file():
            found[name] = place.read_bytes()
        elif not any(place.iterdir()):
            found[name] = "folder"
    return found


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where that can be: thousands of small trees are flushed here."""
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """A folder with neighbours that nobody may touch, deep enough for `..` to stay in the test's own folder."""
    yard = tmp_path / "tree/tree/yard"
    yard.mkdir(parents=True)
    for place in (tmp_path / "x", tmp_path / "tree/x", yard.parent / "x", yard / "x", yard / "etc"):
        place.write_text("canary")
    return yard


def everything(top: Path) -> dict[str, tuple[int, int, int, int]]:
    """Every name below a folder with what would show a touch: kind and mode, inode, size, time of change."""
    found = {}
    for place in [top, *sorted(top.rglob("*"))]:
        status = place.lstat()
        changed = status.st_mtime_ns if not stat.S_ISDIR(status.st_mode) else 0
        found[str(place)] = status.st_mode, status.st_ino, status.st_size if changed else 0, changed
    return found


@pytest.mark.parametrize("case", [case for case in CASES if not case.rule], ids=lambda case: case.id)
def test_accepted(case: Case, tmp_path: Path) -> None:
    facts = extract(
        io.BytesIO(case.data), case.kind, tmp_path / "out", single_root=case.single_root, limits=case.limits
    )
    assert tree_of(tmp_path / "out") == case.tree
    assert facts.files == sum(isinstance(data, bytes) for data in case.tree.values())
    assert os.listdir(tmp_path) == ["out"]
    for place in (tmp_path / "out").rglob("*"):
        if not place.is_symlink():
            status = place.stat()
            assert stat.S_IMODE(status.st_mode) in (0o755, 0o644)
            assert 0 <= status.st_mtime < 2**31


@pytest.mark.parametrize("case", [case for case in CASES if case.rule], ids=lambda case: case.id)
def test_rejected(case: Case, yard: Path, tmp_path: Path) -> None:
    before = everything(tmp_path)
    with pytest.raises(UnsafeArchive) as caught:
        extract(io.BytesIO(case.data), case.kind, yard / "out", single_root=case.single_root, limits=case.limits)
    rules = case.rule if isinstance(case.rule, tuple) else (case.rule,)
    assert caught.value.rule in rules, caught.value
    assert caught.value.exit_code == 5
    assert str(caught.value).isprintable()
    assert everything(tmp_path) == before


def test_the_list_is_as_long_as_we_say() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    verdicts = [case.verdict for case in CASES]
    assert verdicts.count("reject") > 250 and verdicts.count("accept") > 30 and verdicts.count("iffy") > 12
