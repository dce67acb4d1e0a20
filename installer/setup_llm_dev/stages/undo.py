"""undo: the journal of a run read backwards."""

import base64
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from setup_llm_dev.documents.events import Event, Failed, Undone
from setup_llm_dev.documents.journal import encode_line
from setup_llm_dev.errors import Interrupted, Refused, RollbackIncomplete, SetupError
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.state import RunMemory, drop_torn_tail, same_folder
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.sharing import hand_over, why_kept_for_earlier, why_kept_for_its_user, why_kept_for_others
from setup_llm_dev.steps.registry import step_of
from setup_llm_dev.steps.step import Hesitating

_STANDS_ON: dict[str, tuple[str, ...]] = {
    "ide-interpreter": ("environment", "packages"),
    "link": ("environment", "packages"),
    "ide-launcher": ("ide",),
    "ide-desktop": ("ide",),
}
"""What leads to what: as long as the first is there, the others stay, or it would lead nowhere."""


def undo(host: Host, memory: RunMemory, others: Sequence[RunMemory] = ()) -> Iterator[Event]:
    """Take back every step of a run, the last one first; a step that can't be undone does not stop the others.

    `others` are the other runs that stand: what their workspaces still use, and what an earlier run on this one made
    already, stays and is named. Each step is noted in the journal, so that an interrupted undo goes on where it ended.
    Raises Busy (7) before any effect if something can't be taken back now, because an IDE runs; Interrupted, at once.
    """
    refuse_busy(host, memory, others)
    yield from take_back(host, memory, others)


def refuse_busy(host: Host, memory: RunMemory, others: Sequence[RunMemory] = ()) -> None:
    for name, kind, record, _ in memory.steps:
        if name in memory.undone or _kept(host, memory, name, kind, record, others):
            continue
        with suppress(Refused):  # a kind that this version does not know; `take_back` says so
            step = step_of(kind, record)
            if isinstance(step, Hesitating):
                step.refuse_undo(host)


def take_back(
    host: Host, memory: RunMemory, others: Sequence[RunMemory] = (), stuck: Collection[str] = ()
) -> Iterator[Event]:
    """`undo` without asking first. `stuck`: steps of other runs that could not be taken back, by their ids."""
    failed = list(stuck)
    notes = _Notes(host, memory)
    yield from _report(host, memory, failed)
    for name, kind, record, receipt in reversed(memory.steps):
        host.cancel.raise_if_set()
        if name in memory.undone:
            continue
        try:
            _refuse_held(name, record, failed)
            kept = _kept(host, memory, name, kind, record, others)
            left = kept or step_of(kind, record).undo(host, receipt)
        except Interrupted:
            raise
        except (SetupError, OSError) as error:
            host.cancel.raise_if_set()  # after a signal, whatever fails fails because of it
            failed.append(name)
            yield _failure(name, error)
            continue
        # Who takes everything back one day has to know that this one still stands.
        notes.add({"undone": name} | ({"kept": "yes"} if kept else {}))
        said = () if kept else tuple(hand_over(host, kind, record, _elsewhere(memory, others)))
        yield Undone(step=name, summary=_summary(name), left=(*left, *said))
    if len(failed) == len(stuck):
        notes.add({"undo": "finished"})
    if notes.error is not None:
        yield _failure("journal", notes.error)


def _refuse_held(name: str, record: Mapping[str, Any], failed: Sequence[str]) -> None:
    by = next((other for other in failed if name in _STANDS_ON.get(other, ())), None)
    if by is not None:
        raise RollbackIncomplete(
            message(
                "{path} stays, since {step} needs it and could not be taken back",
                path=record.get("folder", name),
                step=by,
            )
        )


def _kept(
    host: Host, memory: RunMemory, name: str, kind: str, record: Mapping[str, Any], others: Sequence[RunMemory]
) -> tuple[Message, ...]:
    """Why a step is not taken back, if it is not."""
    earlier = [run for run in others if same_folder(run.workspace, memory.workspace)]
    why = (
        why_kept_for_others(host, name, kind, record, _elsewhere(memory, others))
        or why_kept_for_earlier(name, kind, record, earlier)
        or why_kept_for_its_user(host, name, kind, record)
    )
    return () if why is None else (why,)


def _elsewhere(memory: RunMemory, others: Sequence[RunMemory]) -> list[RunMemory]:
    return [run for run in others if not same_folder(run.workspace, memory.workspace)]


def _report(host: Host, memory: RunMemory, failed: list[str]) -> Iterator[Event]:
    """The report is ours as long as it has the bytes that we wrote."""
    for note in memory.notes:
        host.cancel.raise_if_set()
        try:
            ours = _taken_out(host, note)
        except Interrupted:
            raise
        except (SetupError, OSError) as error:
            host.cancel.raise_if_set()
            failed.append("report")
            yield _failure("report", error)
            continue
        if ours:
            yield Undone(step="report", summary=_summary("report"))


def _taken_out(host: Host, note: Mapping[str, Any]) -> bool:
    place = Path(note["report"])
    if place.is_symlink():  # somebody's, set there after the run
        return False
    if not place.is_file() or hashlib.sha256(place.read_bytes()).hexdigest() != note["report_sha256"]:
        return False
    if note.get("before"):
        host.files.write(place, base64.b64decode(note["before"]))
    else:
        host.files.remove(place)
        host.files.remove_empty_dir(place.parent)
    return True


def _summary(name: str) -> Message:
    return message("undone: {step}", step=name)


def _failure(name: str, error: SetupError | OSError) -> Failed:
    shown = error if isinstance(error, SetupError) else system_error(error, error.filename or name)
    return Failed(step=name, phase="switch", seconds=0.0, text=shown.message, hint=shown.hint, exit_code=9)


class _Notes:
    """Facts on their way into the journal. Where it can't be written (the disk is full), they wait for the next one:
    what is taken back meanwhile may free some space. `error` is why some still wait.
    """

    def __init__(self, host: Host, memory: RunMemory) -> None:
        self._host, self._path = host, memory.path
        self._waiting: list[dict[str, str]] = []
        self._whole = False
        self.error: SetupError | OSError | None = None

    def add(self, entry: dict[str, str]) -> None:
        self._waiting.append(entry)
        try:
            self._write()
        except Interrupted:
            raise
        except (SetupError, OSError) as error:
            self._host.cancel.raise_if_set()
            self._whole, self.error = False, error
        else:
            self.error = None

    def _write(self) -> None:
        if not self._whole:
            drop_torn_tail(self._path, self._host.files)
            self._whole = True
        while self._waiting:
            self._host.files.append(self._path, encode_line(self._waiting[0]))
            del self._waiting[0]
