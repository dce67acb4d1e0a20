"""Odd archives: hard links where the disk has none, names that the disk alone takes for one, a member for each byte."""

import errno
import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setup_llm_dev.host.archives.extract import extract
from setup_llm_dev.host.archives.ground import Ground, PathGround, ground
from setup_llm_dev.host.archives.members import Unpacking
from setup_llm_dev.host.archives.rules import Limits, Rule, UnsafeArchive
from tests.archives import END, file, hard_link, quick_folder, tar_gz
from tests.test_archive import tree_of


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def without_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on FAT, or where a file has as many names as it can have."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("without_hard_links")
def test_copies_in_the_place_of_hard_links_count(tmp_path: Path) -> None:
    """Else a small archive fills the disk: a file of some gigabytes, and thousands of further names for it."""
    data = tar_gz(file(b"r/a", bytes(1000)), *(hard_link(b"r/%d" % number, b"r/a") for number in range(9)))
    facts = extract(io.BytesIO(data), "tar.gz", tmp_path / "all", limits=Limits(total=10_000))
    assert (facts.bytes, facts.files, len(os.listdir(tmp_path / "all" / "r"))) == (10_000, 10, 10)
    with pytest.raises(UnsafeArchive) as caught:
        extract(io.BytesIO(data), "tar.gz", tmp_path / "out", limits=Limits(total=9_000))
    assert caught.value.rule is Rule.TOTAL
    assert os.listdir(tmp_path) == ["all"]


@pytest.mark.parametrize("on", [ground, PathGround])
def test_a_hard_link_replaces_nothing(on: Any, tmp_path: Path) -> None:
    """A name that is new for our rules and not for the disk, such as the short one that Windows adds to a long one."""
    unpacking = Unpacking(tmp_path, Limits(), single_root=False, on=on)
    given = iter([b"data", b""])
    unpacking.file("a", 4, lambda: next(given), program=False, mtime=0)
    (tmp_path / "LONGNA~1").write_text("other")
    with pytest.raises(UnsafeArchive) as caught:
        unpacking.hard_link("LONGNA~1", "a")
    unpacking.close()
    assert caught.value.rule is Rule.TWIN
    assert (tmp_path / "LONGNA~1").read_text() == "other"


@pytest.mark.usefixtures("without_hard_links")
@pytest.mark.parametrize("on", [ground, PathGround])
def test_a_copy_is_like_its_original_and_replaces_nothing(on: Any, tmp_path: Path) -> None:
    place: Ground = on(tmp_path)
    made = place.create("", "a", program=True)
    os.write(made, b"data")
    os.close(made)
    assert place.hard_link("", "b", "a") == 4
    with pytest.raises(FileExistsError):
        place.hard_link("", "b", "a")
    place.close()
    assert (tmp_path / "b").read_bytes() == b"data"
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o755


def test_a_member_for_each_byte(tmp_path: Path) -> None:
    tar = file(b"a", b"x" * 20_000) + END
    data = b"".join(gzip.compress(tar[at : at + 1], 1, mtime=0) for at in range(len(tar)))
    extract(io.BytesIO(data), "tar.gz", tmp_path / "out")
    assert tree_of(tmp_path / "out") == {"a": b"x" * 20_000}
