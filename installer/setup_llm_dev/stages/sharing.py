"""What projects share: who still works with what a step made, and what goes over to them when it is taken back."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from setup_llm_dev.documents.journal import encode_line
from setup_llm_dev.errors import Interrupted, SetupError
from setup_llm_dev.host.state import RunMemory, drop_torn_tail
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.ide_tree import read_facts, updated_itself
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
_HOMES = {"ide": "folder", "launcher": "home", "desktop-entry": "home"}
"""What is of use to a project that works with the PyCharm of another one as with an installed one: where that is."""


def why_kept_for_others(
    host: Host, name: str, kind: str, record: _Record, others: Sequence[RunMemory]
) -> Message | None:
    """That another workspace works with what this step made, or did before it was moved or removed."""
    user = user_of(host, name, kind, record, others)
    if user is None:
        return None
    if host.files.exists(Path(user)):
        return message("{step} stays: {place} uses it", step=name, place=user)
    return message(
        "{step} stays: {place} worked with it, is not there any more, and may have been moved; "
        "`setup-llm-dev uninstall` removes everything",
        step=name, place=user,
    )  # fmt: skip


def user_of(host: Host, name: str, kind: str, record: _Record, others: Sequence[RunMemory]) -> str | None:
    """Another workspace that works with what this step made, if there is one: its link still stands.

    A workspace whose last journal does not say what it found ready, since an earlier version wrote it, is taken for a
    user of everything that is shared. One that is not where it was may have been moved, and works on there.
    """
    if name != "environment" and name not in _SHARED:
        return None
    for runs in _by_workspace(others):
        gone = not host.files.exists(Path(runs[0].workspace))
        place = _given(runs) if gone else _shown(host, runs)
        if place is None:
            continue
        if (
            (name != "environment" and runs[0].uses is None)
            or any(_same(kind, record, k, r) for run in runs for _, k, r in relied_on(run))
            or (name == "environment" and _one_place(place[1], record["folder"]))
        ):
            return str(place[0].parent)
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


def why_kept_for_its_user(host: Host, name: str, kind: str, record: _Record) -> Message | None:
    """That it starts a PyCharm that has updated itself since: that one stays, and would be out of reach."""
    if kind not in _HANDED_OVER:
        return None
    home = Path(record["home"])
    facts = read_facts(host, home.with_name(f"{home.name}.json"))
    if facts is None or not updated_itself(host, home, facts):
        return None
    return message("{step} stays: it starts {path}, which has updated itself", step=name, path=str(home))


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
                yield from _made_if_possible(host, run, found[0], kind, found[1])
                break


def relied_on(run: RunMemory) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Steps that a run carried out or found satisfied, and that were not taken back since: id, kind, record."""
    for name, kind, record in (*((n, k, r) for n, k, r, _ in run.steps), *(run.uses or ())):
        if name not in run.undone:
            yield name, kind, record


def _made_if_possible(host: Host, run: RunMemory, name: str, kind: str, record: dict[str, Any]) -> Iterator[Message]:
    try:
        yield from _made_for(host, run, name, kind, record)
    except Interrupted:
        raise
    except (SetupError, OSError):
        host.cancel.raise_if_set()


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
    found: dict[Path, list[RunMemory]] = {}
    for run in runs:
        found.setdefault(Path(run.workspace).resolve(), []).append(run)
    return list(found.values())


def _shown(host: Host, runs: Sequence[RunMemory]) -> tuple[Path, Path] | None:
    """The link of a workspace and its target, if that is still an environment that one of these runs gave it."""
    for place, target in _links(runs):
        if host.files.link_target(place) is not None and host.files.resolve(place) == host.files.resolve(target):
            return place, target
    return None


def _given(runs: Sequence[RunMemory]) -> tuple[Path, Path] | None:
    """The newest link that was made in a workspace, and its target, whether or not it stands."""
    return next(iter(_links(runs)), None)


def _links(runs: Sequence[RunMemory]) -> list[tuple[Path, Path]]:
    records = (record for run in runs for _, kind, record in relied_on(run) if kind == "link")
    return [(Path(record["place"]), Path(record["target"])) for record in records]


def _same(kind: str, record: _Record, other_kind: str, other: _Record) -> bool:
    if other_kind == "installed-ide" and kind in _HOMES:
        return _one_place(record[_HOMES[kind]], other["home"])
    if kind != other_kind:
        return False
    fields = _SAME.get(kind)
    return all(_one_place(record.get(f), other.get(f)) for f in fields or {*record, *other})


def _one_place(one: object, other: object) -> bool:
    """Whether two fields are equal, or lead to one place: a home that is a link may have been spelled both ways."""
    if one == other or not (isinstance(one, str | Path) and isinstance(other, str | Path)):
        return one == other
    return Path(one).is_absolute() and Path(one).resolve() == Path(other).resolve()
