"""undo: the journal of a run read backwards."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from setup_llm_dev.documents.events import Event, Failed, Undone
from setup_llm_dev.documents.journal import encode_line
from setup_llm_dev.errors import SetupError
from setup_llm_dev.host.files import system_error
from setup_llm_dev.host.state import RunMemory, drop_torn_tail
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.registry import step_of


def undo(host: Host, memory: RunMemory) -> Iterator[Event]:
    """Take back every step of a run, the last one first; a step that can't be undone does not stop the others.

    Each is noted in the journal, so that an interrupted undo goes on where it ended.
    """
    failures = 0
    drop_torn_tail(memory.path, host.files)
    yield from _report(host, memory)
    for name, kind, record, receipt in reversed(memory.steps):
        host.cancel.raise_if_set()
        if name in memory.undone:
            continue
        try:
            step = step_of(kind, record)
            left = step.undo(host, receipt)
        except (SetupError, OSError) as error:
            failures += 1
            shown = error if isinstance(error, SetupError) else system_error(error, error.filename or name)
            yield Failed(step=name, phase="switch", seconds=0.0, text=shown.message, hint=shown.hint, exit_code=9)
            continue
        _note(host, memory, {"undone": name})
        yield Undone(step=name, summary=_summary(name), left=left)
    if not failures:
        _note(host, memory, {"undo": "finished"})


def _report(host: Host, memory: RunMemory) -> Iterator[Event]:
    """The report is ours as long as it has the bytes that we wrote."""
    for note in memory.notes:
        place = Path(note["report"])
        if not place.is_file():
            continue
        if hashlib.sha256(place.read_bytes()).hexdigest() == note["report_sha256"]:
            host.files.remove(place)
            host.files.remove_empty_dir(place.parent)
            yield Undone(step="report", summary=_summary("report"))


def _summary(name: str) -> Message:
    return message("undone: {step}", step=name)


def _note(host: Host, memory: RunMemory, entry: dict[str, str]) -> None:
    host.files.append(memory.path, encode_line(entry))
