"""Pull the plug: after exit 0 nothing is lost, and at any other moment the same command heals."""

import os
import random
import shutil
import time
from collections.abc import Iterator

import pytest

from tests.e2e.machine import Machine, no_orphan
from tests.e2e.toy import Toy
from tests.kill.sweep import differences, tree
from tests.oracle import done_holds
from tests.power.disk import Disk, skip_without_power_switch

pytestmark = pytest.mark.nightly
CUTS = int(os.environ.get("SETUP_LLM_DEV_TEST_CUTS", "10"))
SEED = int(os.environ.get("SETUP_LLM_DEV_TEST_SEED", "20261122"))


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    skip_without_power_switch()
    with Disk(tmp_path_factory.mktemp("power")) as disk:
        yield disk


def bare_machine(toy: Toy, disk: Disk) -> Machine:
    """Everything that a run writes is on the disk: home, data folder, project, uv's cache, temporary files."""
    disk.format()
    (disk.place / "tmp").mkdir()
    home = disk.place / "home"
    return toy.machine(home, UV_CACHE_DIR=str(home / ".cache" / "uv"), TMPDIR=str(disk.place / "tmp"))


def tree_without_cache(machine: Machine) -> dict[str, str]:
    """`run.owner` says who is at work, to those who wait; the next run writes it anew."""
    found = tree(machine.home).items()
    return {path: line for path, line in found if not path.startswith(".cache") and not path.endswith("run.owner")}


def settled(machine: Machine, toy: Toy) -> list[str]:
    """What contradicts «done», by an oracle that shares no code with the tool, and by the tool itself."""
    wrong = done_holds(machine.workspace)
    status = machine.run("status", str(toy.recipe), "--full")
    if status.code != 0:
        wrong.append(f"status: {status.said}")
    again = toy.apply(machine, "--json")
    if again.code != 0 or again.document()["changed"]:
        wrong.append(f"the second run: {again.said}")
    return wrong


@pytest.fixture(scope="module")
def undisturbed(toy: Toy, disk: Disk) -> tuple[float, dict[str, str]]:
    """How long a run takes here, and the tree that it leaves."""
    machine = bare_machine(toy, disk)
    began = time.monotonic()
    done = toy.apply(machine)
    seconds = time.monotonic() - began
    assert done.code == 0, done.said
    return seconds, tree_without_cache(machine)


def test_after_exit_0_nothing_is_lost(toy: Toy, disk: Disk, undisturbed: tuple[float, dict[str, str]]) -> None:
    for number in range(CUTS):
        machine = bare_machine(toy, disk)
        done = toy.apply(machine)
        disk.cut()
        disk.restore()
        assert done.code == 0, done.said
        assert differences(undisturbed[1], tree_without_cache(machine)) == [], f"cut {number}"
        assert settled(machine, toy) == [], f"cut {number}"


def test_after_exit_0_of_an_uninstall_nothing_comes_back(toy: Toy, disk: Disk) -> None:
    machine = bare_machine(toy, disk)
    assert toy.apply(machine).code == 0
    done = machine.run("uninstall", "-y")
    disk.cut()
    disk.restore()
    assert done.code == 0, done.said
    assert not machine.data.exists()
    assert not machine.workspace.exists()


def test_cut_at_any_moment_the_same_command_heals(
    toy: Toy, disk: Disk, undisturbed: tuple[float, dict[str, str]]
) -> None:
    """What uv's cache lost is the point of this: it flushes nothing, and later runs install from it."""
    chance = random.Random(SEED)  # noqa: S311 - moments, no secrets
    for number in range(CUTS):
        machine = bare_machine(toy, disk)
        moment = chance.uniform(0.0, undisturbed[0])
        with machine.start(*toy.words()) as running:
            time.sleep(moment)
            disk.cut()
            running.kill()
        no_orphan(disk.place)  # children die with the command; what they still use can't be unmounted
        disk.restore()
        where = f"cut {number}, {moment:.2f} s after the start, seed {SEED}"
        shutil.rmtree(disk.place / "tmp", ignore_errors=True)  # a new start empties it
        (disk.place / "tmp").mkdir()
        done = toy.apply(machine)
        assert done.code == 0, f"{where}: {done.said}"
        assert differences(undisturbed[1], tree_without_cache(machine)) == [], where
        assert settled(machine, toy) == [], where
