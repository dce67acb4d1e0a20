"""undo: the journal read backwards, whatever is left of it, and whatever the user did since."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path, PurePath

import pytest

from setup_llm_dev.documents.events import Event, Failed, Undone
from setup_llm_dev.errors import Interrupted
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.state import JournalWriter, last_run, run_name, standing_runs
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.execute import execute
from setup_llm_dev.stages.sharing import user_of
from setup_llm_dev.stages.undo import undo
from setup_llm_dev.steps.link import SwitchLink
from setup_llm_dev.steps.step import Satisfied, Step
from setup_llm_dev.steps.write import WriteFiles
from tests.ground import scratch_host


class World:
    """A run of three real steps with its journal: our files, the user's starting point, a link."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host = scratch_host(root / "home")
        self.journals = root / "journals"
        for name in ("one", "two"):
            (root / "environments" / name).mkdir(parents=True)

    @property
    def work(self) -> Path:
        return self.root / "work"

    def steps(self, target: str = "one", text: str = "first") -> tuple[Step, ...]:
        places = self.root / "environments"
        return (
            WriteFiles("own", self.work, (("lock", text.encode()), (".own/x", b"x")), message("own"), ours=True),
            WriteFiles("start", self.work, (("train.py", b"train"), ("data/d", b"d")), message("start"), ours=False),
            SwitchLink(self.work / ".venv", places / target, places),
        )

    def run(self, target: str = "one", text: str = "first") -> Path:
        steps = self.steps(target, text)
        name = run_name(self.host.now())
        writer = JournalWriter(
            self.journals, name, "small", str(self.work), {s.id: (s.kind, s.record()) for s in steps}
        )
        for event in execute(steps, self.host, recipe="small", run=name):
            writer.keep(event)
        self.host.files.write(self.work / "report.json", text.encode())
        digest = sha256(text.encode()).hexdigest()
        writer.note({"report": str(self.work / "report.json"), "report_sha256": digest})
        return self.journals / f"{name}.jsonl"

    def undo(self, host: Host | None = None) -> list[Event]:
        memory = last_run(self.journals, self.work)
        return [] if memory is None else list(undo(host or self.host, memory))

    def tree(self) -> dict[str, str]:
        found = {}
        for path in sorted(self.work.rglob("*")):
            name = str(path.relative_to(self.work))
            if path.is_symlink():
                found[name] = "-> " + Path(os.readlink(path)).name
            elif path.is_file():
                found[name] = path.read_text()
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_run_is_taken_back_to_nothing_last_step_first(world: World) -> None:
    world.run()
    events = world.undo()
    assert [event.step for event in events if isinstance(event, Undone)] == ["report", "link", "start", "own"]
    assert not world.work.exists()
    assert world.undo() == []


def test_of_two_runs_the_last_one_and_then_the_first(world: World) -> None:
    world.run("one", "first")
    before = world.tree()
    world.run("two", "second")
    assert world.tree()[".venv"] == "-> two"
    world.undo()
    assert world.tree() == {name: text for name, text in before.items() if name != "report.json"}
    world.undo()
    assert not world.work.exists()


def test_what_the_user_changed_stays_and_is_named(world: World) -> None:
    world.run()
    (world.work / "train.py").write_text("my own work")
    (world.work / "data" / "mine").write_text("mine")
    (world.work / "report.json").write_text("notes")
    events = world.undo()
    left = [str(sentence) for event in events if isinstance(event, Undone) for sentence in event.left]
    assert [str(world.work / "train.py") in sentence for sentence in left] == [True]
    assert world.tree() == {"train.py": "my own work", "data/mine": "mine", "report.json": "notes"}
    assert world.undo() == [], "the run is undone as far as it can be"


def test_a_link_that_the_user_moved_stays(world: World) -> None:
    world.run()
    (world.work / ".venv").unlink()
    (world.work / ".venv").mkdir()
    events = world.undo()
    assert any(".venv" in str(s) for e in events if isinstance(e, Undone) for s in e.left)
    assert (world.work / ".venv").is_dir()


def test_at_every_tear_of_the_journal_only_ours_goes_and_a_second_undo_finds_nothing(tmp_path: Path) -> None:
    whole = World(tmp_path / "whole").run().read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    cuts = sorted({cut for end in ends[1:] for cut in (end - 1, end, end + 9)} & set(range(len(whole) + 1)))
    for number, cut in enumerate(cuts):
        world = World(tmp_path / str(number))
        path = world.run()
        (world.work / "mine").write_text("mine")
        data = path.read_bytes()
        path.write_bytes(data[: min(cut, len(data))] + b"\0" * (number % 3))
        events = world.undo()
        assert not [event for event in events if isinstance(event, Failed)]
        assert world.tree()["mine"] == "mine"
        assert world.undo() == [], f"torn at byte {cut}"


def test_an_undo_that_was_stopped_goes_on(world: World) -> None:
    world.run()
    cancel = Cancel()
    stopped = scratch_host(world.root / "home", cancel=cancel)
    memory = last_run(world.journals, world.work)
    assert memory is not None
    done = []
    with pytest.raises(Interrupted):
        for event in undo(stopped, memory):
            done.append(event)
            if isinstance(event, Undone) and event.step == "link":
                cancel.set()
    (world.work / ".venv").symlink_to(world.root)  # what was undone is the user's again
    assert [e.step for e in world.undo() if isinstance(e, Undone)] == ["start", "own"]
    assert world.tree() == {".venv": f"-> {world.root.name}"}


class SignalWhileRemoving(Files):
    """Files where a signal comes while one is removed; `stop` is how the removal ends then."""

    def __init__(self, cancel: Cancel, stop: Callable[[], object]) -> None:
        super().__init__(cancel)
        self._token, self._stop = cancel, stop

    def remove(self, path: PurePath) -> None:
        del path
        self._token.set()
        self._stop()


def out_of_order() -> None:
    raise OSError(errno.EINTR, "interrupted")


@pytest.mark.parametrize("answer", ["at once", "with an error"])
def test_a_signal_in_the_middle_of_a_step_ends_the_undo_and_the_next_one_finishes(world: World, answer: str) -> None:
    world.run()
    cancel = Cancel()
    stopped = scratch_host(world.root / "home", cancel=cancel)
    stop = cancel.raise_if_set if answer == "at once" else out_of_order
    memory = last_run(world.journals, world.work)
    assert memory is not None
    (world.work / "report.json").unlink()
    events: list[Event] = []
    with pytest.raises(Interrupted) as error:
        events.extend(undo(replace(stopped, files=SignalWhileRemoving(cancel, stop)), memory))
    assert error.value.code == 130
    assert events == [], "no step of the run was tried after the signal"
    assert (world.work / "train.py").exists()
    assert [event for event in world.undo() if isinstance(event, Failed)] == []
    assert not world.work.exists()


def test_a_run_of_a_newer_version_is_named_and_stays_to_be_undone(world: World) -> None:
    steps = world.steps()
    records = {s.id: (s.kind, s.record()) for s in steps} | {"link": ("teleport", {})}
    writer = JournalWriter(world.journals, "20990101T0Z-1", "small", str(world.work), records)
    for event in execute(steps, world.host, recipe="small", run="x"):
        writer.keep(event)
    for _ in range(2):
        failed = [event for event in world.undo() if isinstance(event, Failed)]
        assert [(event.step, event.exit_code) for event in failed] == [("link", 9)]
        assert "teleport" in str(failed[0].text)
    assert world.tree() == {".venv": "-> one"}


def test_a_report_that_became_a_link_is_somebodys(world: World) -> None:
    world.run(text="ours")
    (world.work / "report.json").rename(world.work / "kept.json")
    (world.work / "report.json").symlink_to("kept.json")
    world.undo()
    assert (world.work / "report.json").readlink() == Path("kept.json")
    assert (world.work / "kept.json").read_text() == "ours"


@pytest.mark.parametrize("kind", ["unreadable", "in a folder that can't be written"])
def test_a_report_that_can_not_be_taken_back_does_not_keep_the_rest(world: World, kind: str) -> None:
    world.run()

    class Stuck(Files):
        def remove(self, path: PurePath) -> None:
            if path.name == "report.json":
                raise PermissionError(errno.EACCES, kind, str(path))
            super().remove(path)

    events = world.undo(replace(world.host, files=Stuck()))
    assert [(e.step, e.exit_code) for e in events if isinstance(e, Failed)] == [("report", 9)]
    assert world.tree() == {"report.json": "first"}
    assert [e.step for e in world.undo() if isinstance(e, Undone)] == ["report"]
    assert not world.work.exists()


def test_a_journal_that_can_not_be_written_for_a_while_knows_everything_in_the_end(world: World) -> None:
    """Until some space is free, which is what the undo makes."""
    world.run()
    full = [True]

    class Full(Files):
        def append(self, path: PurePath, data: bytes) -> None:
            if full:
                super().append(path, data[:3])
                raise OSError(errno.ENOSPC, "full", str(path))
            super().append(path, data)

        def remove(self, path: PurePath) -> None:
            super().remove(path)
            if path.name == "train.py":
                full.clear()

    events = world.undo(replace(world.host, files=Full()))
    assert not [event for event in events if isinstance(event, Failed)]
    assert world.tree() == {}
    assert world.undo() == []


def test_a_journal_that_stays_full_is_said_and_the_next_undo_ends_it(world: World) -> None:
    world.run()

    class Full(Files):
        def append(self, path: PurePath, data: bytes) -> None:
            raise OSError(errno.ENOSPC, "full", str(path))

    events = world.undo(replace(world.host, files=Full()))
    assert [(event.step, event.exit_code) for event in events if isinstance(event, Failed)] == [("journal", 9)]
    assert world.tree() == {}
    assert not [event for event in world.undo() if isinstance(event, Failed)]
    assert world.undo() == []


# what projects share --------------------------------------------------------------------------------------


class Shared:
    """Workspaces on one environment each, and one program that some of them use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host = scratch_host(root / "home")
        self.journals = root / "journals"

    @property
    def program(self) -> Path:
        return self.root / "programs" / "smoke.pyz"

    def run(self, name: str, *, program: bytes | None = b"x", told: bool = True, environment: str = "") -> None:
        """`told`: whether the journal says what the run found satisfied, as those of earlier versions do not."""
        work, target = self.root / name, self.root / "environments" / (environment or name)
        target.mkdir(parents=True, exist_ok=True)
        steps: list[Step] = [
            WriteFiles("own", work, (("lock", name.encode()),), message("own"), ours=True),
            SwitchLink(work / ".venv", target, self.root / "environments"),
        ]
        if program is not None:
            files = ((self.program.name, program),)
            steps.insert(0, WriteFiles("smoke-program", self.program.parent, files, message("program"), ours=True))
        found = [step.id for step in steps if isinstance(step.check(self.host), Satisfied)]
        run = run_name(self.host.now())
        records = {step.id: (step.kind, step.record()) for step in steps}
        writer = JournalWriter(self.journals, run, "small", str(work), records, satisfied=found if told else None)
        for event in execute(steps, self.host, recipe="small", run=run):
            writer.keep(event)

    def undo(self, name: str) -> list[str]:
        """What was left, in words."""
        memory = last_run(self.journals, self.root / name)
        assert memory is not None
        others = [run for run in standing_runs(self.journals) if run.path != memory.path]
        events = list(undo(self.host, memory, others))
        assert not [event for event in events if isinstance(event, Failed)]
        return [str(sentence) for event in events if isinstance(event, Undone) for sentence in event.left]


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


def test_what_another_project_found_ready_stays_and_says_whose_it_is(shared: Shared) -> None:
    shared.run("one")
    shared.run("two")
    assert shared.undo("one") == [f"smoke-program stays: {shared.root / 'two'} uses it"]
    assert shared.program.exists()


@pytest.mark.parametrize("other", [b"another", None])
def test_what_no_other_project_uses_goes(shared: Shared, other: bytes | None) -> None:
    shared.run("one", program=other)
    shared.run("two")
    assert shared.undo("two") == []
    assert not shared.program.exists() or shared.program.read_bytes() == other


def test_a_project_that_is_gone_uses_nothing(shared: Shared) -> None:
    shared.run("one")
    shared.run("two")
    (shared.root / "two" / ".venv").unlink()
    assert shared.undo("one") == []
    assert not shared.program.exists()


def test_a_project_that_is_not_where_it_was_may_still_use_what_is_shared(shared: Shared) -> None:
    shared.run("one")
    shared.run("two")
    (shared.root / "two").rename(shared.root / "moved")
    [left] = shared.undo("one")
    assert left.startswith(f"smoke-program stays: {shared.root / 'two'} worked with it")
    assert "setup-llm-dev uninstall" in left
    assert shared.program.exists()


def test_an_environment_of_a_project_that_was_moved_is_used_whatever_its_journal_tells(shared: Shared) -> None:
    shared.run("one", told=False)
    shared.run("two", environment="one")
    (shared.root / "one").rename(shared.root / "moved")
    host, runs = shared.host, standing_runs(shared.journals)
    others = [run for run in runs if run.workspace == str(shared.root / "one")]
    record = {"folder": str(shared.root / "environments" / "one")}
    assert user_of(host, "environment", "environment", record, others) == str(shared.root / "one")
    elsewhere = {"folder": str(shared.root / "environments" / "two")}
    assert user_of(host, "environment", "environment", elsewhere, others) is None


def test_a_home_that_is_a_link_is_one_home_by_both_its_names(shared: Shared) -> None:
    link = shared.root.with_name("link")
    link.symlink_to(shared.root)
    through = Shared(link)
    through.run("one")
    shared.run("two")
    assert shared.undo("one") == [f"smoke-program stays: {shared.root / 'two'} uses it"]
    assert shared.program.exists()
    assert not (shared.root / "one").exists()


def test_of_a_journal_of_an_earlier_version_it_is_supposed_that_all_is_used(shared: Shared) -> None:
    shared.run("one", program=None, told=False)
    shared.run("two")
    assert shared.undo("two") == [f"smoke-program stays: {shared.root / 'one'} uses it"]
    shared.run("one", program=None, environment="newer")  # the next run there tells
    shared.run("three", program=b"third")
    assert shared.undo("three") == []


def test_what_an_earlier_run_found_ready_stays_for_it(shared: Shared) -> None:
    shared.run("two")
    shared.run("one")
    (shared.root / "two" / ".venv").unlink()
    shared.program.unlink()
    shared.run("one", environment="newer")
    assert shared.undo("one") == ["smoke-program stays: an earlier run works with it"]
    assert shared.program.exists()
