"""The journal: torn anywhere, it tells what happened before the tear and nothing else; one run at a time."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from setup_llm_dev.documents.events import Applied, Began, Failed, Progressed, Skipped, Started
from setup_llm_dev.documents.journal import decode_lines, encode_line
from setup_llm_dev.errors import Busy, Interrupted
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.state import JournalWriter, last_run, one_run, read_run, run_name
from setup_llm_dev.messages import message
from tests.ground import SOURCE

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
entries = st.dictionaries(st.text(), values, max_size=4)


@settings(max_examples=40, deadline=None)
@given(st.lists(entries, max_size=5))
def test_what_was_written_is_read(written: list[dict[str, Any]]) -> None:
    assert decode_lines(b"".join(map(encode_line, written))) == tuple(written)


@settings(max_examples=40, deadline=None)
@given(st.lists(entries, min_size=1, max_size=4), st.data())
def test_torn_or_damaged_anywhere_a_true_beginning_is_left(written: list[dict[str, Any]], data: st.DataObject) -> None:
    whole = b"".join(map(encode_line, written))
    cut = data.draw(st.integers(0, len(whole)))
    tail = data.draw(st.sampled_from([b"", b"\0" * 40, b"garbage\n", b"0 {}\n", b"\xff\xfe\n\n"]))
    read = decode_lines(whole[:cut] + tail)
    assert read == tuple(written[: len(read)])
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    read = decode_lines(flipped)
    assert read == tuple(written[: len(read)])


def began(step: str) -> Started:
    return Started(step=step, phase="stage", summary=message("s"), why=message("w"))


def ended(step: str, **receipt: Any) -> Applied:
    return Applied(step=step, phase="stage", seconds=1.0, receipt=receipt)


WORK = Path("/home/user/work")


def journal(folder: Path) -> JournalWriter:
    return JournalWriter(
        folder, "20260101T000000Z-1", "small", str(WORK), {name: ("write", {"n": name}) for name in "abc"}
    )


def test_nothing_is_made_before_the_first_change(tmp_path: Path) -> None:
    writer = journal(tmp_path / "journals")
    writer.keep(Began(recipe="small", steps=("a",), run="r"))
    writer.keep(Skipped(step="a", phase="stage", summary=message("s")))
    writer.keep(Progressed(step="a", done=1.0))
    writer.note({"report_sha256": "x"})
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_read_back_in_its_order_with_the_receipts_it_has(tmp_path: Path) -> None:
    writer = journal(tmp_path)
    events = (began("a"), began("b"), ended("b", x=1),
              Failed(step="a", phase="stage", seconds=0.0, text=message("no"), exit_code=4))  # fmt: skip
    for event in events:
        writer.keep(event)
    writer.note({"report": "/r", "report_sha256": "x"})
    memory = last_run(tmp_path, WORK)
    assert memory is not None
    assert memory.steps == (("a", "write", {"n": "a"}, {}), ("b", "write", {"n": "b"}, {"x": 1}))
    assert memory.notes == ({"report": "/r", "report_sha256": "x"},)
    assert last_run(tmp_path, WORK / "another") is None


def test_torn_at_every_byte_of_its_last_lines_a_run_is_never_misread(tmp_path: Path) -> None:
    writer = journal(tmp_path)
    for event in (began("a"), ended("a", x=1), began("b"), ended("b", x=2)):
        writer.keep(event)
    (path,) = tmp_path.glob("*.jsonl")
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    full = read_run(path).steps
    start = len(whole) - sum(map(len, lines[-3:]))
    for cut in range(start, len(whole) + 1):
        for tail in (b"", b"\0" * 512):
            path.write_bytes(whole[:cut] + tail)
            steps = read_run(path).steps
            assert [s[:3] for s in steps] == [s[:3] for s in full[: len(steps)]]
            assert all(s[3] in ({}, f[3]) for s, f in zip(steps, full, strict=False))
            assert len(steps) >= 1


def test_an_empty_or_foreign_journal_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_bytes(b"")
    (tmp_path / "2.jsonl").write_bytes(b"\0" * 100)
    (tmp_path / "3.jsonl").write_text(json.dumps({"began": "x"}))
    assert last_run(tmp_path, WORK) is None
    assert last_run(tmp_path / "none", WORK) is None


def test_names_sort_by_time() -> None:
    first, later = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, 7, tzinfo=UTC)
    assert run_name(first) < run_name(later)
    assert run_name(first).endswith(f"-{os.getpid()}")


# one run at a time ----------------------------------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.state import one_run
with one_run(Path(sys.argv[1]), wait=False, cancel=Cancel(), on_wait=print):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is released, at the latest at the end of `with`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        env={"PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        release(child)


def release(child: subprocess.Popen[str]) -> None:
    if child.stdin is not None:
        child.stdin.close()


def test_without_waiting_a_second_run_is_busy_and_the_owner_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "data" / "run.lock"
    with holder(lock) as child, pytest.raises(Busy) as error, one_run(lock, wait=False, cancel=Cancel(), on_wait=print):
        pass
    assert error.value.exit_code == 7
    assert f"process {child.pid}" in str(error.value)
    assert "--no-wait" in str(error.value.hint)


def test_a_second_run_waits_says_so_once_and_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    with holder(tmp_path / "run.lock") as child:

        def on_wait(owner: str) -> None:
            said.append(owner)
            threading.Timer(0.6, release, (child,)).start()

        with one_run(tmp_path / "run.lock", wait=True, cancel=Cancel(), on_wait=on_wait):
            assert child.wait() == 0
    assert said == [f"process {child.pid}"]


def test_a_killed_owner_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path / "run.lock") as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
        with one_run(tmp_path / "run.lock", wait=False, cancel=Cancel(), on_wait=print):
            pass


def test_a_run_that_waits_while_an_uninstall_ends_makes_the_folder_anew(tmp_path: Path) -> None:
    """And one that has opened the lock just before its name went does not go on with a lock that keeps nobody out."""
    lock = tmp_path / "data" / "run.lock"
    made: list[bool] = []

    def make() -> None:
        made.append(lock.parent.exists())
        lock.parent.mkdir(exist_ok=True)

    with holder(lock) as child:

        def on_wait(_: str) -> None:
            shutil.rmtree(lock.parent)
            release(child)

        with one_run(lock, wait=True, cancel=Cancel(), on_wait=on_wait, make=make):
            assert child.wait() == 0
            assert lock.exists()
            assert (tmp_path / "data" / "run.owner").read_text() == f"process {os.getpid()}"
            with pytest.raises(Busy), one_run(lock, wait=False, cancel=Cancel(), on_wait=print):
                pass
    assert made[:2] == [True, False]


def test_a_lock_whose_name_was_taken_by_another_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "run.lock"
    acquire = FileLock.acquire
    swapped: list[Path] = []

    def raced(self: FileLock, **words: Any) -> Any:
        answer = acquire(self, **words)
        if not swapped:
            swapped.append(lock)
            lock.replace(tmp_path / "gone")
            lock.touch()
        return answer

    monkeypatch.setattr(FileLock, "acquire", raced)
    with one_run(lock, wait=False, cancel=Cancel(), on_wait=print):
        monkeypatch.undo()
        with pytest.raises(Busy), one_run(lock, wait=False, cancel=Cancel(), on_wait=print):
            pass


def test_who_waits_can_be_stopped(tmp_path: Path) -> None:
    cancel = Cancel()
    with (
        holder(tmp_path / "run.lock"),
        pytest.raises(Interrupted),
        one_run(tmp_path / "run.lock", wait=True, cancel=cancel, on_wait=lambda _: cancel.set()),
    ):
        pass


def test_many_at_once_take_turns(tmp_path: Path) -> None:
    code = HOLDER.replace("wait=False", "wait=True").replace("sys.stdin.read()", "print('left', flush=True)")
    log = tmp_path / "log"
    with log.open("a") as stream:
        children = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(tmp_path / "run.lock")], env={"PYTHONPATH": str(SOURCE)}, stdout=stream
            )
            for _ in range(5)
        ]
        assert [child.wait(60) for child in children] == [0] * 5
    lines = [line for line in log.read_text().splitlines() if line in ("held", "left")]
    assert lines == ["held", "left"] * 5
