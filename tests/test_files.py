"""The disk: a final name is absent, old or complete; errors of the system come in words."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.files import Files
from tests.ground import SOURCE

FILES = Files()
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def left_over(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith((".tmp", ".new", ".removed"))]


# writing --------------------------------------------------------------------------------------------------


def test_a_file_is_written_with_its_folders_and_its_mode(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b" / "file"
    FILES.write(place, b"one")
    assert (place.read_bytes(), place.stat().st_mode & 0o777) == (b"one", 0o644)
    FILES.write(place, b"two", mode=0o600)
    assert (place.read_bytes(), place.stat().st_mode & 0o777) == (b"two", 0o600)
    assert os.listdir(place.parent) == ["file"]


WRITER = """
import sys
from pathlib import Path
from setup_llm_dev.host.files import Files
old, new = b"o" * 3_000_000, b"n" * 3_000_000
print("ready", flush=True)
for turn in range(100_000):
    Files().write(Path(sys.argv[1]), (old, new)[turn % 2])
"""


def test_a_kill_in_the_middle_leaves_the_old_or_the_new_bytes(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"o" * 3_000_000)
    for turn in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(place)], env={"PYTHONPATH": str(SOURCE)}, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        signal.sigtimedwait([], turn * 0.004)  # somewhere in the middle of a write
        child.kill()
        child.communicate()
        data = place.read_bytes()
        assert len(data) == 3_000_000
        assert set(data) in ({ord("o")}, {ord("n")})


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.mkdir()
    with pytest.raises(SystemRefused):
        FILES.write(place, b"new")
    assert place.is_dir()
    assert left_over(tmp_path) == []


def test_appending_goes_to_the_end(tmp_path: Path) -> None:
    for part in (b"a", b"b"):
        FILES.append(tmp_path / "log", part)
    assert (tmp_path / "log").read_bytes() == b"ab"


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda place: place.symlink_to("/dev/zero")])
def test_only_regular_files_are_read_and_nothing_is_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "x")
    with pytest.raises(OSError, match=r"Invalid argument|Is a directory"):
        FILES.read_bytes(tmp_path / "x")
    assert FILES.read_text(tmp_path / "x") is None


# links ----------------------------------------------------------------------------------------------------


def test_a_link_replaces_a_link_and_nothing_else(tmp_path: Path) -> None:
    one, two, place = tmp_path / "one", tmp_path / "two", tmp_path / "link"
    one.mkdir()
    two.mkdir()
    FILES.link(place, one)
    FILES.link(place, two)
    assert FILES.link_target(place) == str(two)
    assert left_over(tmp_path) == []
    for make in (Path.touch, Path.mkdir):
        place.unlink(missing_ok=True)
        make(place)
        with pytest.raises(SystemRefused):
            FILES.link(place, one)
        assert not place.is_symlink()
        assert left_over(tmp_path) == []


# removing -------------------------------------------------------------------------------------------------


def test_a_tree_goes_but_what_its_links_name_stays(tmp_path: Path) -> None:
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    for folder in (outside, tree / "deep"):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
    (tree / "to-folder").symlink_to(outside)
    (tree / "to-file").symlink_to(outside / "file")
    (tree / "deep").chmod(0o500)
    FILES.remove_tree(tree)
    assert sorted(os.listdir(tmp_path)) == ["outside"]
    assert (outside / "file").read_text() == "x"
    tree.symlink_to(outside)
    FILES.remove_tree(tree)
    assert (outside / "file").exists()
    assert not os.path.lexists(tree)
    FILES.remove_tree(tree)


def test_the_permissions_of_what_a_link_names_are_left_alone(tmp_path: Path) -> None:
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    outside.write_text("x")
    outside.chmod(0o400)
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    tree.chmod(0o500)
    FILES.remove_tree(tree)
    assert outside.stat().st_mode & 0o777 == 0o400


def test_a_file_where_a_tree_was_expected_goes_too(tmp_path: Path) -> None:
    """Such as a half-written file among half-removed folders: it must not stand in the way of every later run."""
    place = tmp_path / ".facts.json.4711.x.tmp"
    place.write_text("half")
    Files().remove_tree(place)
    assert os.listdir(tmp_path) == []


def test_what_a_dead_process_left_goes_and_what_only_looks_like_it_stays(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = [f".a.{gone.pid}.x.tmp", f".a.{gone.pid}.removed"]
    kept = [f".a.{os.getpid()}.x.tmp", ".a.x.tmp", f".a.{'9' * 30}.x.tmp", f".b.{gone.pid}.x.tmp", f".a.{gone.pid}.y"]
    for name in (*left, *kept):
        (tmp_path / name).write_text("")
    Files().write(tmp_path / "a", b"new")
    Files().remove(tmp_path / "a")
    Files().remove_tree(tmp_path / "a")
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


def test_only_empty_folders_are_removed_as_empty(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").touch()
    assert not FILES.remove_empty_dir(folder)
    FILES.remove(folder / "file")
    FILES.remove(folder / "file")
    assert FILES.remove_empty_dir(folder)
    assert FILES.remove_empty_dir(folder)


def test_a_scratch_folder_is_private_and_goes(tmp_path: Path) -> None:
    with FILES.scratch(tmp_path / "parent") as folder:
        (folder / "file").touch()
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


# reading --------------------------------------------------------------------------------------------------


def test_what_can_not_be_read_is_none_or_empty(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"caf\xe9")
    assert FILES.read_text(tmp_path / "text") == "caf�"
    assert FILES.read_text(tmp_path / "none") is None
    assert FILES.read_text(tmp_path) is None
    assert FILES.list_dir(tmp_path / "none") == ()
    assert FILES.link_target(tmp_path / "text") is None
    assert FILES.read_bytes(tmp_path / "text", limit=2) == b"ca"
    assert FILES.free_bytes(tmp_path / "not" / "made" / "yet") > 0


# the system says no ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words", "hint"),
    [
        (errno.ENOSPC, "no space left", "free some space"),
        (errno.EDQUOT, "quota", "free some space"),
        (errno.EACCES, "no permission", "--home"),
        (errno.EPERM, "no permission", "--home"),
        (errno.EROFS, "read-only", "--home"),
    ],
)
def test_each_refusal_has_its_words_and_its_way_out(tmp_path: Path, number: int, words: str, hint: str) -> None:
    error = system_error(OSError(number, os.strerror(number)), tmp_path / "x")
    assert error.exit_code == 6
    assert words in str(error)
    assert str(tmp_path / "x") in str(error)
    assert hint in str(error.hint)


def test_any_other_refusal_keeps_the_systems_words() -> None:
    assert "Input/output error" in str(system_error(OSError(errno.EIO, os.strerror(errno.EIO)), "/x"))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    if not ROOT or sys.platform != "linux":
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_said_and_the_old_file_stays(tiny_disk: Path) -> None:
    place = tiny_disk / "file"
    FILES.write(place, b"old")
    with pytest.raises(SystemRefused) as error:
        FILES.write(place, b"n" * (2 << 20))
    assert "no space left" in str(error.value)
    assert place.read_bytes() == b"old"
    assert os.listdir(tiny_disk) == ["file"]


def test_a_read_only_disk_is_said(tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    attempts: tuple[Callable[[], None], ...] = (
        lambda: FILES.write(tiny_disk / "file", b""),
        lambda: FILES.make_dir(tiny_disk / "folder"),
        lambda: FILES.link(tiny_disk / "link", tiny_disk),
        lambda: FILES.append(tiny_disk / "log", b""),
    )
    for attempt in attempts:
        with pytest.raises(SystemRefused) as error:
            attempt()
        assert "read-only" in str(error.value)


def test_no_inodes_is_not_no_space(tmp_path: Path) -> None:
    if not ROOT or sys.platform != "linux":
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "disk"
    place.mkdir()
    options: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=3", "tmpfs", place]
    if subprocess.run(options, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(SystemRefused) as error:
            for number in range(9):
                FILES.write(place / str(number), b"")
        assert "no inodes" in str(error.value)
    finally:
        subprocess.run(["umount", place], check=True)


NO_RIGHTS = """
import os, sys, tempfile  # which writing loads, and the user that we become may not read root's Python
from pathlib import Path
from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.files import Files
if os.geteuid() == 0:
    os.setuid(65534)
try:
    Files().write(Path(sys.argv[1]) / "file", b"")
except SystemRefused as error:
    print(error)
"""


def test_no_permission_is_said(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    child = subprocess.run(
        [sys.executable, "-c", NO_RIGHTS, closed], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True
    )
    assert f"no permission to write {closed / 'file'}" in child.stdout, child.stderr
