"""execute: the order of what happens, what stops it, and what a failure never touches."""

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from setup_llm_dev.documents.events import Applied, Began, Event, Failed, Progressed, Skipped, Started
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.errors import CheckFailed, Corrupt, Dispensable, Interrupted, SetupError, Unreachable
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.execute import execute
from setup_llm_dev.steps.step import Progress, Satisfied, Step, Unsatisfied
from tests.ground import scratch_host


@dataclass(frozen=True)
class Touch:
    """Makes the file `folder / id`; `work` happens before that, and may raise."""

    id: str
    folder: Path
    phase: Phase = "stage"
    needs: tuple[str, ...] = ()
    optional: bool = False
    work: Callable[[Host, Progress], None] | None = None
    lies: bool = False
    kind: ClassVar[str] = "touch"

    def describe(self) -> Message:
        return message("touch {name}", name=self.id)

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        if host.files.is_file(self.folder / self.id):
            return Satisfied()
        return Unsatisfied(message("{name} is missing", name=self.id))

    def apply(self, host: Host, progress: Progress) -> Receipt:
        if self.work is not None:
            self.work(host, progress)
        if not self.lies:
            (self.folder / self.id).touch()
        return {"made": self.id}

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        host.files.remove(self.folder / self.id)
        return ()

    def record(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return scratch_host(tmp_path / "home")


def happen(steps: Iterable[Step], host: Host) -> list[Event]:
    return list(execute(tuple(steps), host, recipe="small", run="r"))


def told(events: Iterable[Event]) -> list[tuple[str, str]]:
    return [(type(e).__name__, e.step) for e in events if isinstance(e, Started | Applied | Skipped | Failed)]


def fails(error: BaseException) -> Callable[[Host, Progress], None]:
    def work(_host: Host, _progress: Progress) -> None:
        raise error

    return work


def failure_of(events: Iterable[Event]) -> Failed:
    (failed,) = [event for event in events if isinstance(event, Failed)]
    return failed


def test_stages_then_checks_then_switches(host: Host, tmp_path: Path) -> None:
    steps = [Touch("c", tmp_path, "check"), Touch("s", tmp_path, "switch"), Touch("a", tmp_path), Touch("b", tmp_path)]
    events = happen(steps, host)
    assert isinstance(events[0], Began)
    order = [name for kind, name in told(events) if kind == "Applied"]
    assert (set(order[:2]), order[2:]) == ({"a", "b"}, ["c", "s"])
    assert all(event.at <= later.at for event, later in pairwise(events))


def test_a_second_run_skips_everything(host: Host, tmp_path: Path) -> None:
    steps = [Touch("a", tmp_path), Touch("s", tmp_path, "switch")]
    happen(steps, host)
    assert told(happen(steps, host)) == [("Skipped", "a"), ("Skipped", "s")]


def test_staging_steps_go_side_by_side(host: Host, tmp_path: Path) -> None:
    """Each waits until the other has begun: one after the other they would wait for ever."""
    meeting = threading.Barrier(3, timeout=30)

    def meet(*_: object) -> None:
        meeting.wait()

    steps = [Touch(name, tmp_path, work=meet) for name in "abc"]
    assert [kind for kind, _ in told(happen(steps, host))].count("Applied") == 3


def test_a_step_waits_for_what_it_needs(host: Host, tmp_path: Path) -> None:
    def after(*names: str) -> Callable[[Host, Progress], None]:
        def work(*_: object) -> None:
            assert set(names) <= set(os.listdir(tmp_path))

        return work

    steps = [
        Touch("c", tmp_path, needs=("a", "b"), work=after("a", "b")),
        Touch("b", tmp_path, needs=("a", "not-in-this-run"), work=after("a")),
        Touch("a", tmp_path),
    ]
    assert [name for kind, name in told(happen(steps, host)) if kind == "Applied"] == ["a", "b", "c"]


@pytest.mark.parametrize("phase", ["stage", "check"])
def test_a_failure_switches_nothing(host: Host, tmp_path: Path, phase: Phase) -> None:
    error = Corrupt(message("damaged"), hint=message("again"))
    steps = [
        Touch("a", tmp_path, phase, work=fails(error)),
        Touch("later", tmp_path, phase, needs=("a",)),
        Touch("s", tmp_path, "switch"),
    ]
    failed = failure_of(happen(steps, host))
    assert (failed.step, failed.exit_code, str(failed.text), str(failed.hint)) == ("a", 5, "damaged", "again")
    assert failed.error is error
    assert sorted(os.listdir(tmp_path)) == ["home"]


def test_after_a_failed_switch_no_other_follows(host: Host, tmp_path: Path) -> None:
    steps = [
        Touch("one", tmp_path, "switch"),
        Touch("two", tmp_path, "switch", work=fails(PermissionError(13, "no", "/x"))),
        Touch("three", tmp_path, "switch"),
    ]
    events = happen(steps, host)
    assert told(events)[-1] == ("Failed", "two")
    assert failure_of(events).exit_code == 6
    assert not (tmp_path / "three").exists()


def test_a_step_that_ends_without_being_satisfied_has_failed(host: Host, tmp_path: Path) -> None:
    failed = failure_of(happen([Touch("a", tmp_path, lies=True), Touch("s", tmp_path, "switch")], host))
    assert "a is missing" in str(failed.text)
    assert not (tmp_path / "s").exists()


def test_an_optional_step_that_fails_otherwise_ends_the_run(host: Host, tmp_path: Path) -> None:
    steps = [
        Touch("ide", tmp_path, optional=True, work=fails(CheckFailed(message("no")))),
        Touch("s", tmp_path, "switch"),
    ]
    events = happen(steps, host)
    assert not failure_of(events).forgiven
    assert sorted(os.listdir(tmp_path)) == ["home"]


def test_what_an_optional_step_can_do_without_is_forgiven(host: Host, tmp_path: Path) -> None:
    for optional in (True, False):
        place = tmp_path / str(optional)
        place.mkdir()
        broken = Touch("git", place, "switch", optional=optional, work=fails(Dispensable(message("no"))))
        failed = failure_of(happen([broken, Touch("link", place, "switch")], host))
        assert (failed.forgiven, failed.exit_code) == (optional, 6)
        assert (place / "link").exists() is optional


def test_the_host_of_an_optional_step_may_be_out_of_reach_and_the_rest_goes_on(host: Host, tmp_path: Path) -> None:
    steps = [
        Touch("ide", tmp_path, optional=True, work=fails(Unreachable(message("no"), url="http://127.0.0.1:9"))),
        Touch("after-ide", tmp_path, needs=("ide",)),
        Touch("a", tmp_path),
        Touch("s", tmp_path, "switch"),
    ]
    events = happen(steps, host)
    assert failure_of(events).step == "ide"
    assert failure_of(events).forgiven
    assert sorted(os.listdir(tmp_path)) == ["a", "home", "s"]


def test_a_bug_in_a_step_is_1_and_keeps_its_traceback(host: Host, tmp_path: Path) -> None:
    failed = failure_of(happen([Touch("a", tmp_path, work=fails(ZeroDivisionError("oops")))], host))
    assert failed.exit_code == 1
    assert "ZeroDivisionError" in str(failed.text)
    assert isinstance(failed.error, SetupError)
    assert isinstance(failed.error.__cause__, ZeroDivisionError)


def test_progress_comes_out_between_start_and_end(host: Host, tmp_path: Path) -> None:
    def work(_host: Host, progress: Progress) -> None:
        progress(1.0, 2.0, "bytes", None)
        progress(2.0, 2.0, "bytes", message("done"))

    events = happen([Touch("a", tmp_path, work=work)], host)
    middle = [event for event in events if isinstance(event, Progressed)]
    assert [(event.done, event.total, event.unit) for event in middle] == [(1.0, 2.0, "bytes"), (2.0, 2.0, "bytes")]
    assert events.index(middle[-1]) < len(events) - 1


def test_cancelling_stops_before_the_next_step_and_names_the_signal(tmp_path: Path) -> None:
    cancel = Cancel()
    host = scratch_host(tmp_path / "home", cancel=cancel)
    steps = [Touch("a", tmp_path, work=lambda *_: cancel.set(15)), Touch("s", tmp_path, "switch")]
    events = happen(steps, host)
    interrupted = [event.error for event in events if isinstance(event, Failed)]
    assert [error.code for error in interrupted if isinstance(error, Interrupted)] == [143]
    assert not (tmp_path / "s").exists()


def test_nobody_waits_long_for_a_lane_that_does_not_listen(tmp_path: Path) -> None:
    cancel, free = Cancel(), threading.Event()
    host = scratch_host(tmp_path / "home", cancel=cancel)

    def deaf(_host: Host, _progress: Progress) -> None:
        cancel.set()
        free.wait(60)

    events = happen([Touch("a", tmp_path, work=deaf), Touch("s", tmp_path, "switch")], host)
    assert isinstance(failure_of(events).error, Interrupted)
    assert not (tmp_path / "a").exists(), "the lane is still at work, and nobody waited for it"
    free.set()


def test_every_failure_of_side_by_side_steps_is_told(host: Host, tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=30)

    def work(*_: object) -> None:
        meeting.wait()
        raise Corrupt(message("bad"))

    events = happen([Touch("a", tmp_path, work=work), Touch("b", tmp_path, work=work)], host)
    assert {event.step for event in events if isinstance(event, Failed)} == {"a", "b"}
