"""How a PyCharm goes, with undo and with uninstall: only ours, only while it is closed, only when nobody uses it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.machine import Done, Machine
from tests.e2e.toy import PYCHARM, Toy
from tests.oracle import MARKER, changes, done_holds, manifest

NEWER = "2026.4.1"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture
def newer(toy: Toy) -> Iterator[None]:
    """A release that came out after the first project was set up."""
    row = toy.jetbrains.archive(NEWER, "264.1.1")
    toy.jetbrains.products["PCP"].remove(row)
    yield
    if row in toy.jetbrains.products["PCP"]:
        toy.jetbrains.products["PCP"].remove(row)


def out_now(toy: Toy) -> None:
    toy.jetbrains.archive(NEWER, "264.1.1")


def ide(machine: Machine, version: str = PYCHARM) -> Path:
    return machine.data / "ide" / f"pycharm-{version}"


def command(machine: Machine) -> str:
    return os.readlink(machine.home / ".local/bin/pycharm")


def menu(machine: Machine) -> str:
    return (machine.home / ".local/share/applications/setup-llm-dev-pycharm.desktop").read_text()


def of_project(machine: Machine, toy: Toy, word: str, folder: Path, *more: str) -> Done:
    return machine.run(word, str(toy.recipe), "--workspace", str(folder), *more)


WAITED = {"ide-memory", "ide-interpreter"}
"""They were put off for PyCharm's offer to import older settings; with the other project those are gone too."""


def drifted(status: Done) -> set[str]:
    return {step["id"] for step in status.document()["steps"] if not step["satisfied"]}


@contextmanager
def running_out_of(tree: Path) -> Iterator[None]:
    """A real process whose program lies in that tree, as PyCharm's own Java does."""
    program = tree / "jbr" / "bin" / "java"
    program.parent.mkdir(parents=True, exist_ok=True)
    before = program.read_bytes() if program.exists() else None
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "300"]) as child:
        try:
            yield
        finally:
            child.kill()
    if before is None:
        program.unlink(missing_ok=True)
    elif program.exists():
        program.write_bytes(before)


# uninstall ------------------------------------------------------------------------------------------------


def test_uninstall_keeps_what_is_not_ours_among_the_ides_and_says_so(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    mine, kept = ide(toy_machine) / "mine.txt", ide(toy_machine).with_name(f"pycharm-{PYCHARM}.kept")
    notes, half = toy_machine.data / "ide/pycharm-toolbox-notes.txt", toy_machine.data / "ide/.setup-llm-dev.9999999.x"
    own = toy_machine.data / "ide/pycharm-2024.1"  # put there by hand: nobody wrote down what it was made of
    for folder in (kept, half, own / "bin"):
        folder.mkdir(parents=True)
    for place in (mine, notes, kept / "pycharm64.vmoptions", own / "bin/pycharm", half / "x"):
        place.write_text("mine")
    done = toy_machine.run("uninstall", "-y", "--json")
    assert done.code == 0, done.said
    files = {path for path, entry in manifest(toy_machine.data).items() if entry.kind == "file"}
    assert files - {MARKER} == {f"ide/{path.relative_to(toy_machine.data / 'ide')}"
                     for path in (mine, notes, kept / "pycharm64.vmoptions", own / "bin/pycharm")}  # fmt: skip
    told = {entry["path"] for entry in done.document()["kept"]}
    assert told >= {str(ide(toy_machine)), str(kept), str(notes), str(own)}
    for path in (ide(toy_machine), kept, notes, own):
        assert f"  {path}: " in done.err, "said before anything goes, too"
    before = manifest(toy_machine.data)
    again = toy_machine.run("uninstall", "-y")
    assert again.code == 0, again.said
    assert "Nothing that setup-llm-dev made is on this machine" in again.out
    assert changes(before, manifest(toy_machine.data)) == []


def test_uninstall_leaves_a_pycharm_that_has_updated_itself(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    told = ide(toy_machine) / "product-info.json"
    told.write_text(json.dumps(json.loads(told.read_text()) | {"version": "2026.3.9"}))
    before = manifest(ide(toy_machine))
    done = toy_machine.run("uninstall", "-y")
    assert done.code == 0, done.said
    assert changes(before, manifest(ide(toy_machine))) == []
    assert done.out.count(str(ide(toy_machine))) >= 1, "said after, too"
    _can_be_started(toy_machine)


def _can_be_started(machine: Machine) -> None:
    assert Path(command(machine)).is_file()
    assert f"{ide(machine)}/bin/pycharm" in menu(machine)


def test_undo_leaves_a_pycharm_that_has_updated_itself_and_what_starts_it(toy: Toy, toy_machine: Machine) -> None:
    """Also where another project has found it and works with it; and once the user removes it, the rest can go."""
    one, two = toy_machine.home / "one", toy_machine.home / "two"
    assert toy.apply(toy_machine, "--workspace", str(one)).code == 0
    told = ide(toy_machine) / "product-info.json"
    newer = {"version": "2026.4.1", "dataDirectoryName": "PyCharm2026.4"}
    told.write_text(json.dumps(json.loads(told.read_text()) | newer))
    assert toy.apply(toy_machine, "--workspace", str(two)).code == 0
    assert 'kind = "installed"' in (two / "setup-llm-dev.lock.toml").read_text()
    undone = of_project(toy_machine, toy, "undo", one)
    assert undone.code == 0, undone.said
    for step in ("ide", "ide-launcher", "ide-desktop"):
        assert f"{step} stays: {two} uses it" in undone.out
    _can_be_started(toy_machine)
    assert of_project(toy_machine, toy, "undo", two).code == 0
    _can_be_started(toy_machine)
    shutil.rmtree(ide(toy_machine))
    gone = toy_machine.run("uninstall", "-y")
    assert gone.code == 0, gone.said
    assert not os.path.lexists(toy_machine.home / ".local/bin/pycharm")
    assert not (toy_machine.home / ".local/share/applications").exists()


def test_undo_of_its_only_project_leaves_a_pycharm_that_has_updated_itself_startable(
    toy: Toy, toy_machine: Machine
) -> None:
    assert toy.apply(toy_machine).code == 0
    told = ide(toy_machine) / "product-info.json"
    told.write_text(json.dumps(json.loads(told.read_text()) | {"version": "2026.4.1"}))
    undone = toy_machine.run("undo", str(toy.recipe))
    assert undone.code == 0, undone.said
    assert f"ide-launcher stays: it starts {ide(toy_machine)}" in undone.out
    _can_be_started(toy_machine)


def test_without_journals_uninstall_still_takes_the_pycharm_but_not_what_was_put_into_it(
    toy: Toy, toy_machine: Machine
) -> None:
    assert toy.apply(toy_machine).code == 0
    (ide(toy_machine) / "mine.txt").write_text("mine")
    shutil.rmtree(toy_machine.data / "journals")
    done = toy_machine.run("uninstall", "-y")
    assert done.code == 0, done.said
    assert [path.name for path in ide(toy_machine).rglob("*")] == ["mine.txt"]
    assert "mine.txt" in done.err


@LINUX
@pytest.mark.parametrize("word", ["uninstall", "undo"])
def test_while_our_pycharm_runs_nothing_goes(toy: Toy, toy_machine: Machine, word: str) -> None:
    assert toy.apply(toy_machine).code == 0
    words = ("uninstall", "-y") if word == "uninstall" else ("undo", str(toy.recipe))
    with running_out_of(ide(toy_machine)):
        before = manifest(toy_machine.home, without=("run.lock",))
        done = toy_machine.run(*words)
        assert done.code == 7, done.said
        assert "PyCharm is running" in done.err
        after = manifest(toy_machine.home, without=("run.lock",))
        assert [c for c in changes(before, after, times=False) if "run.lock" not in c] == []
    assert toy_machine.run(*words).code == 0
    assert not ide(toy_machine).exists()


@LINUX
@pytest.mark.parametrize("word", ["uninstall", "undo"])
def test_while_any_pycharm_has_our_entry_in_its_settings_nothing_goes(
    toy: Toy, toy_machine: Machine, word: str
) -> None:
    """One of the user's own, in another folder, that shares the settings."""
    assert toy.apply(toy_machine).code == 0
    selector = f"-Didea.paths.selector=PyCharm{PYCHARM.rpartition('.')[0]}"
    words = [sys.executable, "-c", "import time; time.sleep(300)", selector, "com.intellij.idea.Main"]
    with subprocess.Popen(words, env=toy_machine.environment()) as child:
        try:
            done = toy_machine.run(*(("uninstall", "-y") if word == "uninstall" else ("undo", str(toy.recipe))))
        finally:
            child.kill()
    assert done.code == 7, done.said
    assert done_holds(toy_machine.workspace) == []
    assert toy_machine.run("status", str(toy.recipe)).code == 0


# projects with different PyCharms -------------------------------------------------------------------------


def test_undo_takes_the_newer_pycharm_that_only_its_project_used(toy: Toy, toy_machine: Machine, newer: None) -> None:
    one, two = toy_machine.home / "one", toy_machine.home / "two"
    assert toy.apply(toy_machine, "--workspace", str(one)).code == 0
    before, entry = command(toy_machine), menu(toy_machine)
    out_now(toy)
    done = toy.apply(toy_machine, "--workspace", str(two), "--upgrade")
    assert done.code == 0, done.said
    assert NEWER in command(toy_machine)
    undone = of_project(toy_machine, toy, "undo", two)
    assert undone.code == 0, undone.said
    assert not ide(toy_machine, NEWER).exists()
    assert (command(toy_machine), menu(toy_machine)) == (before, entry)
    status = of_project(toy_machine, toy, "status", one, "--json")
    assert status.code == 0, status.said


def test_undo_of_the_older_one_leaves_the_command_to_the_newer(toy: Toy, toy_machine: Machine, newer: None) -> None:
    one, two = toy_machine.home / "one", toy_machine.home / "two"
    assert toy.apply(toy_machine, "--workspace", str(one)).code == 0
    out_now(toy)
    assert toy.apply(toy_machine, "--workspace", str(two), "--upgrade").code == 0
    undone = of_project(toy_machine, toy, "undo", one)
    assert undone.code == 0, undone.said
    assert "changed since" not in undone.out
    assert not ide(toy_machine).exists()
    assert not drifted(of_project(toy_machine, toy, "status", two, "--json")) - WAITED
    assert of_project(toy_machine, toy, "undo", two).code == 0
    assert not os.path.lexists(toy_machine.home / ".local/bin/pycharm")
    assert not (toy_machine.home / ".local/share/applications").exists()


def test_projects_with_different_pycharms_do_not_take_the_command_from_each_other(
    toy: Toy, toy_machine: Machine, newer: None
) -> None:
    one, two = toy_machine.home / "one", toy_machine.home / "two"
    assert toy.apply(toy_machine, "--workspace", str(one)).code == 0
    out_now(toy)
    assert toy.apply(toy_machine, "--workspace", str(two), "--upgrade").code == 0
    for folder in (one, two, one):
        done = toy.apply(toy_machine, "--workspace", str(folder), "--json")
        assert done.document()["changed"] is False, done.said
        assert NEWER in command(toy_machine)
        assert NEWER in menu(toy_machine)


def test_undo_hands_the_command_to_the_project_that_has_relied_on_it(
    toy: Toy, toy_machine: Machine, newer: None
) -> None:
    """The newer one came first, so the older one found a command that was good enough; now it needs its own."""
    one, two = toy_machine.home / "one", toy_machine.home / "two"
    assert toy.apply(toy_machine, "--workspace", str(one)).code == 0
    lock = {path.name: path.read_bytes() for path in (*one.glob("*.lock.toml"), *one.glob("pylock*.toml"))}
    assert of_project(toy_machine, toy, "undo", one).code == 0
    out_now(toy)
    assert toy.apply(toy_machine, "--workspace", str(two)).code == 0
    one.mkdir()
    for name, data in lock.items():
        (one / name).write_bytes(data)
    assert toy.apply(toy_machine, "--workspace", str(one)).code == 0
    assert NEWER in command(toy_machine)
    assert of_project(toy_machine, toy, "undo", two).code == 0
    assert not ide(toy_machine, NEWER).exists()
    assert PYCHARM in command(toy_machine)
    assert PYCHARM in menu(toy_machine)
    assert not drifted(of_project(toy_machine, toy, "status", one, "--json")) - WAITED
    assert of_project(toy_machine, toy, "undo", one).code == 0
    assert not os.path.lexists(toy_machine.home / ".local/bin/pycharm")


def test_what_another_project_found_ready_stays_for_it(toy: Toy, toy_machine: Machine) -> None:
    """The second one made nothing that is shared, so its journal holds no step of it."""
    one, two = toy_machine.home / "one", toy_machine.home / "two"
    for folder in (one, two):
        assert toy.apply(toy_machine, "--workspace", str(folder)).code == 0
    undone = of_project(toy_machine, toy, "undo", one)
    assert undone.code == 0, undone.said
    for step in ("ide", "ide-launcher", "ide-desktop", "model", "environment", "packages"):
        assert f"{step} stays: {two} uses it" in undone.out
    assert done_holds(two) == []
    assert of_project(toy_machine, toy, "status", two, "--json").code == 0
