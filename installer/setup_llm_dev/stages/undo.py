"""undo: the journal of a run read backwards."""

import base64
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from setup_llm_dev.documents.events import Event, Failed, Undone
from setup_llm_dev.documents.journal import encode_line
from setup_llm_dev.errors import Refused, RollbackIncomplete, SetupError
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.state import RunMemory, drop_torn_tail
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.sharing import hand_over, user_of, why_kept_for_earlier
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
    Raises Busy (7) before any effect if something can't be taken back now, because an IDE runs.
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
    drop_torn_tail(memory.path, host.files)
    yield from _report(host, memory)
    for name, kind, record, receipt in reversed(memory.steps):
        host.cancel.raise_if_set()
        if name in memory.undone:
            continue
        try:
            _refuse_held(name, record, failed)
            kept = _kept(host, memory, name, kind, record, others)
            left = kept or step_of(kind, record).undo(host, receipt)
        except (SetupError, OSError) as error:
            failed.append(name)
            shown = error if isinstance(error, SetupError) else system_error(error, error.filename or name)
            yield Failed(step=name, phase="switch", seconds=0.0, text=shown.message, hint=shown.hint, exit_code=9)
            continue
        # Who takes everything back one day has to know that this one still stands.
        _note(host, memory, {"undone": name} | ({"kept": "yes"} if kept else {}))
        said = () if kept else tuple(hand_over(host, kind, record, _elsewhere(memory, others)))
        yield Undone(step=name, summary=_summary(name), left=(*left, *said))
    if len(failed) == len(stuck):
        _note(host, memory, {"undo": "finished"})


def _refuse_held(name: str, record: Mapping[str, Any], failed: Sequence[str]) -> None:
    by = next((other for other in failed if name in _STANDS_ON.get(other, ())), None)
    if by is not None:
        raise RollbackIncomplete(
            message("{path} stays as long as {step} does", path=record.get("folder", name), step=by)
        )  # fmt: skip


def _kept(
    host: Host, memory: RunMemory, name: str, kind: str, record: Mapping[str, Any], others: Sequence[RunMemory]
) -> tuple[Message, ...]:
    """Why a step is not taken back, if it is not."""
    user = user_of(host, name, kind, record, _elsewhere(memory, others))
    if user is not None:
        return (message("{step} stays: {place} uses it", step=name, place=user),)
    why = why_kept_for_earlier(name, kind, record, [run for run in others if run.workspace == memory.workspace])
    return () if why is None else (why,)


def _elsewhere(memory: RunMemory, others: Sequence[RunMemory]) -> list[RunMemory]:
    return [run for run in others if run.workspace != memory.workspace]


def _report(host: Host, memory: RunMemory) -> Iterator[Event]:
    """The report is ours as long as it has the bytes that we wrote."""
    for note in memory.notes:
        place = Path(note["report"])
        if not place.is_file():
            continue
        if hashlib.sha256(place.read_bytes()).hexdigest() == note["report_sha256"]:
            if note.get("before"):
                host.files.write(place, base64.b64decode(note["before"]))
            else:
                host.files.remove(place)
                host.files.remove_empty_dir(place.parent)
            yield Undone(step="report", summary=_summary("report"))


def _summary(name: str) -> Message:
    return message("undone: {step}", step=name)


def _note(host: Host, memory: RunMemory, entry: dict[str, str]) -> None:
    host.files.append(memory.path, encode_line(entry))
