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

_SHARED = ("packages", "pylock", "model", "smoke-program", "smoke", "ide", "ide-launcher", "ide-desktop", "ide-memory")


def undo(host: Host, memory: RunMemory, others: Sequence[RunMemory] = ()) -> Iterator[Event]:
    """Take back every step of a run, the last one first; a step that can't be undone does not stop the others.

    `others` are the other runs that stand: what their workspaces still use, and what an earlier run on this one made
    already, stays and is named. Each step is noted in the journal, so that an interrupted undo goes on where it ended.
    """
    failures = 0
    drop_torn_tail(memory.path, host.files)
    yield from _report(host, memory)
    for name, kind, record, receipt in reversed(memory.steps):
        host.cancel.raise_if_set()
        if name in memory.undone:
            continue
        try:
            kept = _kept(host, memory, name, record, others)
            left = kept or step_of(kind, record).undo(host, receipt)
        except (SetupError, OSError) as error:
            failures += 1
            shown = error if isinstance(error, SetupError) else system_error(error, error.filename or name)
            yield Failed(step=name, phase="switch", seconds=0.0, text=shown.message, hint=shown.hint, exit_code=9)
            continue
        # Who takes everything back one day has to know that this one still stands.
        _note(host, memory, {"undone": name} | ({"kept": "yes"} if kept else {}))
        yield Undone(step=name, summary=_summary(name), left=left)
    if not failures:
        _note(host, memory, {"undo": "finished"})


def _kept(
    host: Host, memory: RunMemory, name: str, record: Mapping[str, Any], others: Sequence[RunMemory]
) -> tuple[Message, ...]:
    """Why a step is not taken back, if it is not."""
    user = _user_of(host, name, record, [run for run in others if run.workspace != memory.workspace])
    if user is not None:
        return (message("{step} stays: {place} uses it", step=name, place=user),)
    if _made_before(name, record, [run for run in others if run.workspace == memory.workspace]):
        return (message("{step} stays: an earlier run made it", step=name),)
    return ()


def _user_of(host: Host, name: str, record: Mapping[str, Any], others: Sequence[RunMemory]) -> str | None:
    """Another workspace that works with what this step made, if there is one: its link still stands."""
    if name != "environment" and name not in _SHARED:
        return None
    links = [r for run in others for step, kind, r, _ in run.steps if kind == "link" and step not in run.undone]
    for link in links:
        place = Path(link["place"])
        stands = host.files.link_target(place) is not None and _same(host, place, Path(link["target"]))
        if stands and (name != "environment" or link["target"] == record.get("folder")):
            return str(Path(link["place"]).parent)
    return None


def _same(host: Host, one: Path, other: Path) -> bool:
    return host.files.resolve(one) == host.files.resolve(other)


def _made_before(name: str, record: Mapping[str, Any], older: Sequence[RunMemory]) -> bool:
    """An earlier run that stands made the same thing; this one only mended it."""
    made = [(step, earlier) for run in older for step, _, earlier, _ in run.steps if step not in run.undone]
    return name in _SHARED and (name, dict(record)) in made


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
