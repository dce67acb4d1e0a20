"""undo: the journal of a run read backwards."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from setup_llm_dev.documents.events import Event, Failed, Undone
from setup_llm_dev.documents.journal import encode_line
from setup_llm_dev.errors import SetupError
from setup_llm_dev.host.files import system_error
from setup_llm_dev.host.state import RunMemory, drop_torn_tail
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.registry import step_of

_SHARED = ("packages", "pylock", "model", "smoke-program", "smoke")


def undo(host: Host, memory: RunMemory, others: Sequence[RunMemory] = ()) -> Iterator[Event]:
    """Take back every step of a run, the last one first; a step that can't be undone does not stop the others.

    What other workspaces still use, by `others` (their runs that stand), stays and is named. Each is noted in the
    journal, so that an interrupted undo goes on where it ended.
    """
    failures = 0
    drop_torn_tail(memory.path, host.files)
    yield from _report(host, memory)
    for name, kind, record, receipt in reversed(memory.steps):
        host.cancel.raise_if_set()
        if name in memory.undone:
            continue
        try:
            user = _user_of(host, name, record, others)
            if user is None:
                left = step_of(kind, record).undo(host, receipt)
            else:
                left = (message("{step} stays: {place} uses it", step=name, place=user),)
        except (SetupError, OSError) as error:
            failures += 1
            shown = error if isinstance(error, SetupError) else system_error(error, error.filename or name)
            yield Failed(step=name, phase="switch", seconds=0.0, text=shown.message, hint=shown.hint, exit_code=9)
            continue
        _note(host, memory, {"undone": name})
        yield Undone(step=name, summary=_summary(name), left=left)
    if not failures:
        _note(host, memory, {"undo": "finished"})


def _user_of(host: Host, name: str, record: Mapping[str, Any], others: Sequence[RunMemory]) -> str | None:
    """Another workspace that works with what this step made, if there is one: its link still stands."""
    if name != "environment" and name not in _SHARED:
        return None
    links = [r for run in others for step, kind, r, _ in run.steps if kind == "link" and step not in run.undone]
    for link in links:
        stands = host.files.link_target(Path(link["place"])) == link["target"]
        if stands and (name != "environment" or link["target"] == record.get("folder")):
            return str(Path(link["place"]).parent)
    return None


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
