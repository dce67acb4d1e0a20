"""Whose a data folder is, and where it may lie: nothing of the user's is swept, taken over or removed by mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.leftovers import is_half_way
from setup_llm_dev.host.state import JournalWriter
from setup_llm_dev.stages.data_folder import MARKER, claim, is_ours
from setup_llm_dev.stages.sweep import sweep
from setup_llm_dev.stages.uninstall import leave
from tests.ground import SOURCE, layout_in, scratch_host, tool
from tests.oracle import changes, manifest

RUN = "20260101T000000000000Z-12"
DEAD = 2**22 + 7
"""No process has this number: the kernel gives none above 2**22."""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return layout_in(tmp_path)


def filled(layout: Layout, *names: str) -> Path:
    data = Path(layout.data)
    data.mkdir(exist_ok=True)
    for name in names:
        place = data / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("mine")
    return data


# whose it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [None, (), ("run.lock",), ("run.lock", "run.owner", "made-folders.json"), (f".{MARKER}.{DEAD}.k3x_0a9z.tmp",)],
    ids=["absent", "empty", "locked", "noted", "killed while marking"],
)
def test_a_folder_without_anybodys_work_is_taken_and_marked(layout: Layout, names: tuple[str, ...] | None) -> None:
    if names is not None:
        filled(layout, *names)
    claim(Files(), layout)
    assert is_ours(Files(), layout)
    marker = Path(layout.data) / MARKER
    assert b"setup-llm-dev" in marker.read_bytes()
    before = marker.stat().st_mtime_ns
    claim(Files(), layout)
    assert marker.stat().st_mtime_ns == before
    assert not [name for name in os.listdir(layout.data) if name.endswith(".tmp")]


@pytest.mark.parametrize(
    "name", ["notes.txt", ".bashrc", "models/x/config.json", "journals/diary.jsonl", f"journals/{RUN}.jsonl", ".a.tmp"]
)
def test_a_folder_with_something_else_in_it_is_not_ours(layout: Layout, name: str) -> None:
    filled(layout, name)
    before = manifest(Path(layout.data))
    with pytest.raises(Refused) as refused:
        claim(Files(), layout)
    assert f"--home {layout.data}/setup-llm-dev" in str(refused.value.hint)
    assert changes(before, manifest(Path(layout.data))) == []


def test_a_link_of_that_name_is_no_marker(layout: Layout) -> None:
    data = filled(layout, "notes.txt")
    (data / MARKER).symlink_to(data / "notes.txt")
    with pytest.raises(Refused):
        claim(Files(), layout)


def test_a_journal_proves_a_folder_that_has_no_marker(layout: Layout) -> None:
    data = filled(layout, "models/0123456789ab/config.json")
    writer = JournalWriter(layout.journals, RUN, "small", str(layout.workspace), {})
    writer._open = False
    writer._write({"report": "x"})
    claim(Files(), layout)
    assert (data / MARKER).is_file()


def test_a_file_in_its_place_is_named(layout: Layout) -> None:
    Path(layout.data).write_text("mine")
    with pytest.raises(Refused) as refused:
        claim(Files(), layout)
    assert "not a folder" in str(refused.value)


def test_the_marker_stays_with_what_is_the_users_and_goes_with_the_rest(layout: Layout, tmp_path: Path) -> None:
    host = scratch_host(tmp_path)
    claim(Files(), layout)
    data = filled(layout, "run.lock", "notes.txt")
    leave(host, layout)
    assert sorted(os.listdir(data)) == [MARKER, "notes.txt"]
    claim(Files(), layout)
    (data / "notes.txt").unlink()
    leave(host, layout)
    assert not data.exists()


# what is swept --------------------------------------------------------------------------------------------


def test_only_names_of_our_own_shape_are_swept(layout: Layout, tmp_path: Path) -> None:
    theirs = (
        "scratch/thesis.tex", "environments/py/311/pyvenv.cfg", ".notes.tmp", ".old.new", "models/.draft.removed",
        "environments/small/0123456789ab-1.bak/x", f"models/.config.{os.getpid()}.abcdefgh.tmp",
    )  # fmt: skip
    ours = (
        "scratch/tmp.abc/x", "environments/small/0123456789ab-1/x", f".models.{DEAD}.removed/x",
        f"locks/.pylock.{DEAD}.abc_1234.tmp", f"environments/small/.gone.{DEAD}.removed/x",
    )  # fmt: skip
    filled(layout, *theirs)
    before = manifest(tmp_path)
    filled(layout, *ours)
    sweep(scratch_host(tmp_path), layout)
    assert [line for line in changes(before, manifest(tmp_path)) if line != "new: data/locks"] == []


def test_nothing_is_swept_through_a_link(layout: Layout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for name in ("tmp.abc/x", "small/0123456789ab-1/x", f".x.{DEAD}.removed/x"):
        (elsewhere / name).parent.mkdir(parents=True)
        (elsewhere / name).write_text("mine")
    data = filled(layout)
    for name in ("scratch", "environments", "models"):
        (data / name).symlink_to(elsewhere)
    before = manifest(tmp_path)
    sweep(scratch_host(tmp_path), layout)
    assert changes(before, manifest(tmp_path)) == []


@pytest.mark.parametrize("name", [".x.tmp", ".x.PID", "x.PID.tmp", ".x.PID.a.b.tmp", ".x.ALIVE.new"])
def test_what_is_not_half_way(name: str) -> None:
    assert not is_half_way(name.replace("PID", str(DEAD)).replace("ALIVE", str(os.getpid())))
    assert is_half_way(f".x.{DEAD}.new")


# the command line -----------------------------------------------------------------------------------------

WORDS = (
    ("apply", "-y"), ("plan",), ("status",), ("verify",), ("verify", "--python", sys.executable), ("undo",),
    ("uninstall", "-y"),
)  # fmt: skip


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_a_folder_that_is_not_ours_is_named_and_untouched(tmp_path: Path, words: tuple[str, ...]) -> None:
    home = tmp_path / "home"
    for name in ("work/scratch/notes.txt", "work/.draft.tmp", "work/store/wheels/a.whl", "work/logs/day01.log"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("mine")
    before = manifest(home)
    done = tool(*words, "--home", str(home / "work"), home=home)
    assert done.returncode == 3, done.stderr
    assert str(home / "work") in done.stderr
    assert str(home / "work" / "setup-llm-dev") in done.stderr
    assert changes(before, manifest(home)) == []


@pytest.mark.parametrize("command", ["apply", "plan"])
@pytest.mark.parametrize(
    ("option", "folder"),
    [("--home", ""), ("--home", ".."), ("--workspace", ""), ("--workspace", ".."), ("--workspace", "data/scratch/x"),
     ("--workspace", "data"), ("--home", "link"), ("--workspace", "link/data/environments/x")],
)  # fmt: skip
def test_neither_folder_is_the_home_nor_the_project_in_the_data(
    tmp_path: Path, command: str, option: str, folder: str
) -> None:
    home = tmp_path / "user" / "home"
    (home / "data").mkdir(parents=True)
    (home / "link").symlink_to(home)
    before = manifest(tmp_path)
    named = ("--home", str(home / "data")) if option != "--home" else ()
    done = tool(command, *named, option, os.path.normpath(home / folder), home=home)
    assert done.returncode == 3, done.stderr
    assert "hint:" in done.stderr
    assert changes(before, manifest(tmp_path)) == []


def test_a_marked_folder_is_made_before_anything_else_in_it(tmp_path: Path) -> None:
    """Killed at any of the first changes, the same command finds a folder that it may take."""
    script = """
import os, signal, sys
from pathlib import Path
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.state import one_run
from setup_llm_dev.stages.data_folder import claim
from tests.ground import layout_in
seen = 0
def hook(event, arguments):
    global seen
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if (writes or event in ("os.mkdir", "os.rename", "os.remove", "os.chmod")) and sys.argv[1] in str(arguments[0]):
        seen += 1
        if seen == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
layout = layout_in(Path(sys.argv[1]))
sys.addaudithook(hook)
with one_run(layout.run_lock, wait=False, cancel=Cancel(), on_wait=print, make=lambda: claim(Files(), layout)):
    pass
"""
    paths = os.pathsep.join((str(SOURCE), str(SOURCE.parent)))
    for point in range(1, 30):
        home = tmp_path / str(point)
        home.mkdir()
        words = [sys.executable, "-c", script, str(home)]
        if subprocess.run([*words, str(point)], env={"PYTHONPATH": paths}).returncode == 0:
            break
        assert subprocess.run([*words, "0"], env={"PYTHONPATH": paths}).returncode == 0, point
        assert set(os.listdir(home / "data")) == {MARKER, "run.lock"}
    assert point > 5


@pytest.mark.parametrize(
    "name",
    ["report.json/", "setup-llm-dev.lock.toml/", "report.json|", "setup-llm-dev.lock.toml|", "report.json->",
     ".setup-llm-dev", "data", ".idea", ""],
)  # fmt: skip
def test_what_stands_at_a_name_of_ours_is_refused_before_anything_is_fetched(tmp_path: Path, name: str) -> None:
    """`/`: a folder, `|`: a pipe, `->`: a link to nothing, else a file; the last one is the project folder itself."""
    home, work = tmp_path / "home", tmp_path / "work"
    place = work / name.rstrip("/|->")
    place.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith("/"):
        place.mkdir()
    elif name.endswith("|"):
        os.mkfifo(place)
    elif name.endswith("->"):
        place.symlink_to("nothing")
    else:
        place.write_text("mine")
    done = tool("apply", "-y", "--workspace", str(work), home=home)
    assert done.returncode == 3, done.stderr
    assert str(place) in done.stderr
    assert "hint:" in done.stderr
    if work.is_dir():
        assert os.listdir(work) == [place.name]
