"""What is broken in a live environment counts as drift, is never mended in place, and never costs the user theirs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from setup_llm_dev.host.files import Files
from setup_llm_dev.host.state import JournalWriter, last_run, read_run
from setup_llm_dev.host.world import real_host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.execute import execute
from setup_llm_dev.stages.undo import undo
from setup_llm_dev.steps.link import SwitchLink
from setup_llm_dev.steps.step import Step
from setup_llm_dev.steps.write import WriteFiles
from tests.e2e.machine import Machine
from tests.e2e.toy import Toy
from tests.oracle import done_holds


def gone(name: str) -> Callable[[Path], None]:
    def remove(generation: Path) -> None:
        (generation / name).unlink()

    return remove


def garbled(generation: Path) -> None:
    (generation / "generation.json").write_text("garb")


def no_table(generation: Path) -> None:
    (generation / "generation.json").write_text("[1, 2]")


DAMAGES = {
    "its Python": gone("bin/python"),
    "pyvenv.cfg": gone("pyvenv.cfg"),
    "pip's settings": gone("pip.conf"),
    "the constraints": gone("constraints.txt"),
    "the marker": gone("generation.json"),
    "a garbled marker": garbled,
    "a marker that is no table": no_table,
    "the list of files": gone("generation.files"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_environment_is_drift_and_is_made_anew(
    toy: Toy, toy_machine: Machine, damage: Callable[[Path], None]
) -> None:
    assert toy.apply(toy_machine).code == 0
    before = toy_machine.generation
    damage(before)
    status = toy_machine.run("status", str(toy.recipe))
    assert status.code in (3, 8), status.said
    healed = toy.apply(toy_machine)
    assert healed.code == 0, healed.said
    assert toy_machine.generation != before
    assert done_holds(toy_machine.workspace) == []
    assert toy_machine.run("status", str(toy.recipe)).code == 0


def test_a_live_environment_is_not_swept_before_there_is_another(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    before = toy_machine.generation
    (before / "generation.json").unlink()
    pylock = next(toy_machine.workspace.glob("pylock.*.toml"))
    pylock.write_text(pylock.read_text().replace("127.0.0.1", "127.0.0.2"))  # nothing can be fetched any more
    failed = toy.apply(toy_machine, UV_CACHE_DIR=str(toy_machine.home / "empty-cache"))
    assert failed.code in (0, 2, 4), failed.said
    assert toy_machine.python.exists()
    if failed.code:
        assert toy_machine.generation == before


def test_status_asks_for_the_parts_of_the_last_apply(toy: Toy, toy_machine: Machine) -> None:
    words = ["smoke,ide" if word == "smoke" else word for word in toy.words()]
    assert toy_machine.run(*words).code == 0
    done = toy_machine.run("status", str(toy.recipe), "--json")
    assert done.code == 0, done.said
    assert "ide-project" not in [step["id"] for step in done.document()["steps"]]
    assert toy.apply(toy_machine).code == 0
    assert "ide-project" in [s["id"] for s in toy_machine.run("status", str(toy.recipe), "--json").document()["steps"]]


def test_what_a_step_replaces_is_in_the_journal_before_the_step_begins(tmp_path: Path) -> None:
    """A writer that fails when a step has begun is a crash right after the effect: undo knows what stood there."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    (tmp_path / "ours.txt").write_text("older")
    (tmp_path / "link").symlink_to(tmp_path / "old")
    steps: tuple[Step, ...] = (
        WriteFiles("lock", tmp_path, (("ours.txt", b"newer"),), message("write"), ours=True),
        SwitchLink(tmp_path / "link", tmp_path / "new", tmp_path),
    )
    records = {step.id: (step.kind, step.record()) for step in steps}
    journal = JournalWriter(tmp_path / "journals", "run", "toy", str(tmp_path), records)
    host = real_host()
    assert list(execute(steps, host, recipe="toy", run="run", keep=journal.keep))
    assert (tmp_path / "ours.txt").read_text() == "newer"
    path = tmp_path / "journals" / "run.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in whole if b'"applied"' not in line))
    memory = read_run(path)
    assert {name: receipt["before"] for name, _, _, receipt in memory.steps if "before" in receipt} == {
        "link": str(tmp_path / "old")
    }
    list(undo(host, memory))
    assert (tmp_path / "ours.txt").read_text() == "older"
    assert (tmp_path / "link").readlink() == tmp_path / "old"


def test_a_journal_that_cannot_be_written_stops_the_step_before_its_effect(tmp_path: Path) -> None:
    step = WriteFiles("lock", tmp_path, (("ours.txt", b"newer"),), message("write"), ours=True)

    def full(_event: object, _before: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    events = list(execute([step], real_host(), recipe="toy", run="run", keep=full))
    assert events[-1].exit_code == 6  # type: ignore[union-attr]
    assert not (tmp_path / "ours.txt").exists()


def test_undo_of_a_mending_run_keeps_what_the_first_run_made(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    model = next(toy_machine.data.glob("models/*/model.safetensors"))
    model.unlink()
    assert toy.apply(toy_machine).code == 0
    assert model.is_file()
    done = toy_machine.run("undo", str(toy.recipe), "--json")
    assert done.code == 0, done.said
    assert model.is_file()
    assert last_run(toy_machine.data / "journals", toy_machine.workspace) is not None
    assert json.loads(done.out.splitlines()[-1])["left"]


def test_a_folder_that_nobody_may_enter_is_removed_all_the_same(tmp_path: Path) -> None:
    inner = tmp_path / "tree" / "closed" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    inner.chmod(0)
    inner.parent.chmod(0o500)
    Files().remove_tree(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []
