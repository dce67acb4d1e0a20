"""SIGKILL before any change of the disk: the same command heals, and the tree is that of an undisturbed run."""

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.machine import Machine
from tests.e2e.toy import Toy
from tests.kill.lived_in import users_files, users_settings
from tests.kill.sweep import Sweep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
SAMPLE = 3
"""Kill points of each command in the normal tests; `make nightly` takes all."""
COMMANDS = ("apply", "update", "undo", "uninstall")


def sweep_of(command: str, toy: Toy, place: Path) -> Sweep:
    """apply on a bare machine (`first`), and where an IDE has foreign interpreters; apply again with a newer package in
    the recipe; undo of an apply; uninstall of two projects."""

    def applied(machine: Machine) -> None:
        assert toy.apply(machine).code == 0

    def applied_older(machine: Machine) -> None:
        older = toy.folder / "older" / "toy.toml"
        older.parent.mkdir(exist_ok=True)
        older.write_text(toy.recipe.read_text().replace("tiny-two>=1", "tiny-two==1.4"))
        words = (word if word != str(toy.recipe) else str(older) for word in toy.words())
        assert machine.run(*words).code == 0

    def applied_twice(machine: Machine) -> None:
        applied(machine)
        sweep.note_table(machine)  # the newest entry goes first
        assert toy.apply(machine, "--workspace", str(machine.home / "another")).code == 0

    words, prepare = {
        "first": (toy.words(), _nothing),
        "apply": (toy.words(), _nothing),
        "update": (toy.words(), applied_older),
        "undo": (("undo", str(toy.recipe)), applied),
        "uninstall": (("uninstall", "-y"), applied_twice),
    }[command]
    sweep = Sweep(toy, place, words, prepare, inhabit=users_files if command == "first" else _inhabited)
    return sweep


def _nothing(_machine: Machine) -> None:
    """The command starts on what is the user's alone."""


def _inhabited(home: Path) -> None:
    users_files(home)
    users_settings(home)


@pytest.mark.parametrize("command", COMMANDS)
def test_some_kill_points(command: str, toy: Toy, tmp_path: Path) -> None:
    sweep = sweep_of(command, toy, tmp_path / "machine")
    total, wanted = sweep.undisturbed()
    for number in range(SAMPLE):
        sweep.at(1 + (total - 1) * number // SAMPLE, wanted)
    assert command != "uninstall" or not [path for path in wanted if "setup-llm-dev" in path or "another/" in path]
    assert sweep.failures == []
    assert sweep.killed == SAMPLE


@pytest.mark.nightly
@pytest.mark.parametrize("command", ["first", *COMMANDS])
def test_every_kill_point(command: str, toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = sweep_of(command, toy, tmp_path / "machine")
    total, wanted = sweep.undisturbed()
    step = int(os.environ.get("SETUP_LLM_DEV_TEST_EVERY", "1"))
    for point in range(1, total + 1, step):
        sweep.at(point, wanted)
    with capsys.disabled():
        print(f"\n{command}: {total} changes of the disk, {sweep.killed} kills, {len(sweep.failures)} failures")
    assert sweep.failures == []
