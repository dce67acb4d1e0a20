"""Which generation a run works on: the newest complete one of this lock, or a fresh number."""

from pathlib import Path, PurePath

from setup_llm_dev.components.python import Generation, generation_digest
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.host.state import standing_runs
from setup_llm_dev.host.world import Host
from setup_llm_dev.steps.environment import read_marker


def complete_generation(host: Host, layout: Layout, lock: Lock) -> Generation | None:
    """The one that `.venv` names if it was made from this lock, else the newest such; its files are not looked at."""
    return next(iter(complete_generations(host, layout, lock)), None)


def complete_generations(host: Host, layout: Layout, lock: Lock) -> tuple[Generation, ...]:
    """All that were made from this lock: the one that `.venv` names, then the others, the newest first."""
    found = [(f, m) for f in reversed(_numbered(host, layout, lock)) if (m := read_marker(host, f)) is not None]
    linked = host.files.resolve(layout.venv)
    found.sort(key=lambda pair: host.files.resolve(pair[0]) != linked)
    return tuple(Generation(f, Path(str(m.get("interpreter", ""))), str(m.get("python", ""))) for f, m in found)


def fresh_generation(host: Host, layout: Layout, lock: Lock, interpreter: PurePath, version: str) -> Generation:
    """A folder that no complete generation has, and none that is in use, whatever became of it.

    What an interrupted run left there is made anew by its first step.
    """
    used = in_use(host, layout)
    taken = [
        int(folder.name.rpartition("-")[2])
        for folder in _numbered(host, layout, lock)
        if read_marker(host, folder) is not None or host.files.resolve(folder) in used
    ]
    number = max(taken, default=0) + 1
    folder = layout.environments / lock.recipe / f"{generation_digest(lock)}-{number}"
    return Generation(folder, interpreter, version)


def in_use(host: Host, layout: Layout) -> frozenset[PurePath]:
    """Generations that a workspace shows its user now: this one, and those of every run that stands."""
    links = [layout.venv]
    for run in standing_runs(layout.journals):
        links += [Path(record["place"]) for _, kind, record, _ in run.steps if kind == "link"]
    return frozenset(host.files.resolve(link) for link in links if host.files.link_target(link) is not None)


def _numbered(host: Host, layout: Layout, lock: Lock) -> list[PurePath]:
    parent = layout.environments / lock.recipe
    digest = generation_digest(lock)
    names = [name for name in host.files.list_dir(parent) if name.rpartition("-")[0] == digest]
    numbered = [name for name in names if name.rpartition("-")[2].isdigit()]
    return [parent / name for name in sorted(numbered, key=lambda name: int(name.rpartition("-")[2]))]
