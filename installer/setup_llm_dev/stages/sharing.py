"""What projects share: who still works with what a step made, and what goes over to them when it is taken back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from setup_llm_dev.documents.journal import encode_line
from setup_llm_dev.errors import SetupError
from setup_llm_dev.host.state import RunMemory, drop_torn_tail
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.registry import step_of
from setup_llm_dev.steps.step import Remembering, Satisfied, silent

_Record = Mapping[str, Any]

_SHARED = ("packages", "pylock", "model", "smoke-program", "smoke", "ide", "ide-launcher", "ide-desktop", "ide-memory")
_SAME: dict[str, tuple[str, ...]] = {
    "environment": ("folder",),
    "packages": ("folder",),
    "ide": ("folder",),
    "launcher": ("place", "home"),
    "desktop-entry": ("place", "home"),
    "ide-memory": ("settings", "file_name"),
    "hub-model": ("proof",),
    "package-model": ("folder",),
    "modelscope-model": ("folder",),
}
"""By which fields two steps of a kind made the same thing; by all of them where nothing is said."""
_HANDED_OVER = ("launcher", "desktop-entry")
"""There is one for all projects: it starts the newest PyCharm, and where that goes, the next one."""


def user_of(host: Host, name: str, kind: str, record: _Record, others: Sequence[RunMemory]) -> str | None:
    """Another workspace that works with what this step made, if there is one: its link still stands.

    A workspace whose last journal does not say what it found ready, since an earlier version wrote it, is taken for a
    user of everything that is shared.
    """
    if name != "environment" and name not in _SHARED:
        return None
    for runs in _by_workspace(others):
        place = _shown(host, runs)
        if place is None:
            continue
        if name != "environment" and runs[0].uses is None:
            return str(place.parent)
        if any(_same(kind, record, k, r) for run in runs for _, k, r in relied_on(run)) or (
            name == "environment" and host.files.resolve(place) == host.files.resolve(Path(record["folder"]))
        ):
            return str(place.parent)
    return None


def why_kept_for_earlier(name: str, kind: str, record: _Record, older: Sequence[RunMemory]) -> Message | None:
    """That an earlier run on this workspace, which stands, made or found the same thing; this one only mended it."""
    if name not in _SHARED:
        return None
    for run in older:
        if any(_same(kind, record, k, r) for s, k, r, _ in run.steps if s not in run.undone):
            return message("{step} stays: an earlier run made it", step=name)
        if any(_same(kind, record, k, r) for _, k, r in relied_on(run)):
            return message("{step} stays: an earlier run works with it", step=name)
    return None


def hand_over(host: Host, kind: str, record: _Record, others: Sequence[RunMemory]) -> Iterator[Message]:
    """What was taken back is made anew for a project that had found it good enough; its journal knows it from now on.

    What can't be made now, the next run on that project makes.
    """
    if kind not in _HANDED_OVER:
        return
    for runs in _by_workspace(others):
        for run in runs if _shown(host, runs) is not None else ():
            found = next(((s, r) for s, k, r in (run.uses or ()) if k == kind and r["place"] == record["place"]), None)
            if found is not None and found[0] not in {name for name, _, _, _ in run.steps}:
                with suppress(SetupError, OSError):
                    yield from _made_for(host, run, found[0], kind, found[1])
                break


def relied_on(run: RunMemory) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Steps that a run carried out or found satisfied, and that were not taken back since: id, kind, record."""
    for name, kind, record in (*((n, k, r) for n, k, r, _ in run.steps), *(run.uses or ())):
        if name not in run.undone:
            yield name, kind, record


def _made_for(host: Host, run: RunMemory, name: str, kind: str, record: dict[str, Any]) -> Iterator[Message]:
    step = step_of(kind, record)
    if not host.files.is_dir(Path(record["home"])) or isinstance(step.check(host), Satisfied):
        return
    before = step.before(host) if isinstance(step, Remembering) else {}
    drop_torn_tail(run.path, host.files)
    entry = {"started": name, "kind": kind, "record": record, "phase": step.phase, "before": before}
    host.files.append(run.path, encode_line(entry))
    receipt = step.apply(host, silent)
    host.files.append(run.path, encode_line({"applied": name, "receipt": receipt, "seconds": 0.0}))
    yield message("{path} starts the PyCharm of {place} now", path=record["place"], place=run.workspace)


def _by_workspace(runs: Sequence[RunMemory]) -> list[list[RunMemory]]:
    """In the order of the runs, which is the newest first."""
    found: dict[str, list[RunMemory]] = {}
    for run in runs:
        found.setdefault(run.workspace, []).append(run)
    return list(found.values())


def _shown(host: Host, runs: Sequence[RunMemory]) -> Path | None:
    """The link of a workspace, if it still leads to an environment that one of these runs gave it."""
    links = [record for run in runs for _, kind, record in relied_on(run) if kind == "link"]
    for link in links:
        place = Path(link["place"])
        stands = host.files.link_target(place) is not None
        if stands and host.files.resolve(place) == host.files.resolve(Path(link["target"])):
            return place
    return None


def _same(kind: str, record: _Record, other_kind: str, other: _Record) -> bool:
    if kind != other_kind:
        return False
    fields = _SAME.get(kind)
    return record == other if fields is None else all(record.get(f) == other.get(f) for f in fields)
