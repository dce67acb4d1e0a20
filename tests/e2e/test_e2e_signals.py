"""Signals in the middle, and two runs at the same time."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.machine import Machine, no_orphan
from tests.e2e.toy import Toy
from tests.oracle import broken_files, done_holds
from tests.upstream.acts import late, stall


@pytest.fixture
def cold(toy: Toy, tmp_path: Path) -> Iterator[Machine]:
    """A machine with nothing in its cache, so that every wheel comes over the network."""
    toy.index.origin.forget()
    yield toy.machine(tmp_path / "home", UV_CACHE_DIR=str(tmp_path / "uv"))
    toy.index.heal()


def nothing_half_visible(machine: Machine) -> None:
    """The user sees no project yet, and no environment counts as complete that is not."""
    assert not machine.workspace.exists()
    for marker in machine.data.glob("environments/*/*/generation.json"):
        assert broken_files(marker.parent) == []


ENDS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_a_signal_while_packages_come(toy: Toy, cold: Machine, number: signal.Signals, code: int) -> None:
    toy.index.fault("*tiny_one*.whl", stall(200), method="GET")
    with cold.start(*toy.words()) as running:
        running.until(lambda: any(x.path.endswith(".whl") and "tiny_one" in x.path for x in toy.index.log))
        done = running.interrupt(number)
    assert done.code == code, done.said
    assert "the same command goes on" in done.err
    assert "Traceback" not in done.err
    no_orphan(cold.home.parent)
    nothing_half_visible(cold)
    toy.index.heal()
    assert toy.apply(cold).code == 0
    assert done_holds(cold.workspace) == []


def test_a_signal_while_the_index_is_asked(toy: Toy, cold: Machine) -> None:
    toy.index.fault("*/torch/", late(60))
    with cold.start(*toy.words()) as running:
        running.until_said("asking")
        done = running.interrupt(signal.SIGINT)
    assert done.code == 130, done.said
    nothing_half_visible(cold)


def test_an_interrupted_run_answers_in_json_too(toy: Toy, cold: Machine) -> None:
    toy.index.fault("*/torch/", late(60))
    with cold.start(*toy.words(), "--json") as running:
        running.until(lambda: any(x.path.endswith("/torch/") for x in toy.index.log))
        done = running.interrupt(signal.SIGTERM)
    assert done.code == 143
    assert done.document()["error"]["exit_code"] == 143


def test_a_second_run_waits_and_then_finds_it_done(toy: Toy, cold: Machine) -> None:
    toy.index.fault("*tiny_one*.whl", stall(200, seconds=3), method="GET")
    with cold.start(*toy.words()) as first:
        first.until(lambda: (cold.data / "run.lock").exists() and bool(list(cold.data.glob("environments/*/*"))))
        with cold.start(*toy.words("--json")) as second:
            second.until_said(f"process {first.child.pid}")
            busy = toy.apply(cold, "--no-wait")
            assert busy.code == 7, busy.said
            assert f"process {first.child.pid}" in busy.err
            assert first.end().code == 0
            waited = second.end()
    assert waited.code == 0, waited.said
    assert waited.document()["changed"] is False
    assert done_holds(cold.workspace) == []


def test_four_runs_at_the_same_moment(toy: Toy, cold: Machine) -> None:
    with (
        cold.start(*toy.words("--json")) as one,
        cold.start(*toy.words("--json")) as two,
        cold.start(*toy.words("--json")) as three,
        cold.start(*toy.words("--json")) as four,
    ):
        ended = [running.end() for running in (one, two, three, four)]
    assert [done.code for done in ended] == [0, 0, 0, 0], [done.err for done in ended]
    assert sum(done.document()["changed"] for done in ended) == 1
    assert done_holds(cold.workspace) == []


def test_a_lock_left_by_a_killed_run_does_not_block(toy: Toy, cold: Machine) -> None:
    toy.index.fault("*tiny_one*.whl", stall(200), method="GET")
    with cold.start(*toy.words()) as running:
        running.until(lambda: bool(list(cold.data.glob("environments/*/*/pyvenv.cfg"))))
        running.kill()
    no_orphan(cold.home.parent)
    nothing_half_visible(cold)
    toy.index.heal()
    assert toy.apply(cold, "--no-wait").code == 0
    assert done_holds(cold.workspace) == []
