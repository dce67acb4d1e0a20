"""The data folder as a user meets it: what is beside ours in it stays, and a moved or linked home is no riddle."""

import os
from pathlib import Path

from tests.e2e.machine import Machine
from tests.e2e.toy import Toy
from tests.oracle import MARKER, changes, manifest


def test_a_named_folder_of_its_own_goes_with_everything(toy: Toy, toy_machine: Machine) -> None:
    toy_machine.home.mkdir()
    before = manifest(toy_machine.home)
    data = toy_machine.home / "work" / "ours"
    assert toy.apply(toy_machine, "--home", str(data)).code == 0
    assert (data / MARKER).is_file()
    done = toy_machine.run("uninstall", "-y", "--home", str(data))
    assert done.code == 0, done.said
    assert changes(before, manifest(toy_machine.home), times=False) == []


def test_what_the_user_keeps_beside_ours_outlives_every_command(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    mine = ("scratch/thesis.tex", "environments/conda/base/x", ".draft.tmp", "environments/toy/mine/x",
            *(f"logs/day{number:02}.log" for number in range(40)))  # fmt: skip
    for name in mine:
        (toy_machine.data / name).parent.mkdir(parents=True, exist_ok=True)
        (toy_machine.data / name).write_text("mine")
    assert toy.apply(toy_machine, "--upgrade").code == 0
    for words in (("undo", str(toy.recipe)), ("uninstall", "-y")):
        assert toy_machine.run(*words).code == 0
    files = {path for path, entry in manifest(toy_machine.data).items() if entry.kind == "file"}
    assert files == {*mine, MARKER}
    assert toy.apply(toy_machine).code == 0, "the folder is still known for ours"


def test_a_home_through_a_link_is_undone_by_its_real_name(toy: Toy, toy_machine: Machine, tmp_path: Path) -> None:
    toy_machine.home.mkdir()
    before = manifest(toy_machine.home)
    link = tmp_path / "link"
    link.symlink_to(toy_machine.home)
    assert toy.apply(toy.machine(link)).code == 0
    done = toy_machine.run("undo", str(toy.recipe))
    assert done.code == 0, done.said
    assert "there is no run to undo" not in done.out
    assert not toy_machine.workspace.exists()
    assert toy_machine.run("uninstall", "-y").code == 0
    assert changes(before, manifest(toy_machine.home), times=False) == []


def test_a_project_that_was_moved_keeps_what_it_works_with(toy: Toy, toy_machine: Machine) -> None:
    one, two, moved = (toy_machine.home / name for name in ("one", "two", "moved"))
    for work in (one, two):
        assert toy.apply(toy_machine, "--workspace", str(work)).code == 0
    two.rename(moved)
    done = toy_machine.run("undo", str(toy.recipe), "--workspace", str(one))
    assert done.code == 0, done.said
    assert f"{two} worked with it" in done.out
    assert (moved / ".venv" / "bin" / "python").exists()
    assert (toy_machine.home / ".local/bin/pycharm").exists()
    gone = toy_machine.run("uninstall", "-y")
    assert gone.code == 0, gone.said
    assert str(two) in gone.out, "what is left in it can't be found by us, so it is said"


def test_two_projects_that_wait_for_an_uninstall_are_set_up_after_it(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    words = [(*toy.words(), "--workspace", str(toy_machine.home / name)) for name in ("one", "two")]
    with toy_machine.start("uninstall", "-y") as uninstall:
        uninstall.until((toy_machine.data / "run.owner").exists)
        with toy_machine.start(*words[0]) as first, toy_machine.start(*words[1]) as second:
            for running in (uninstall, first, second):
                done = running.end()
                assert done.code == 0, done.said
    assert sorted(os.listdir(toy_machine.data)).count(MARKER) == 1
    for name in ("one", "two"):
        assert (toy_machine.home / name / ".venv" / "bin" / "python").exists()
    assert toy_machine.run("uninstall", "-y").code == 0
    assert list(toy_machine.home.iterdir()) == []
