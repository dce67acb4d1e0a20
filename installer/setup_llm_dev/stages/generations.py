"""Which generation a run works on: the newest complete one of this lock, or a fresh number."""

import json
from pathlib import Path, PurePath

from setup_llm_dev.components.python import Generation, generation_digest
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.host.world import Host
from setup_llm_dev.steps.environment import COMPLETE


def complete_generation(host: Host, layout: Layout, lock: Lock) -> Generation | None:
    """The one that `.venv` names if it was made from this lock, else the newest such; its files are not looked at."""
    found = [folder for folder in _numbered(host, layout, lock) if host.files.is_file(folder / COMPLETE)]
    if not found:
        return None
    linked = host.files.link_target(layout.venv)
    folder = next((f for f in found if str(f) == linked), found[-1])
    marker = json.loads(host.files.read_text(folder / COMPLETE) or "{}")
    return Generation(folder, Path(marker.get("interpreter", "")), str(marker.get("python", "")))


def fresh_generation(host: Host, layout: Layout, lock: Lock, interpreter: PurePath, version: str) -> Generation:
    """A folder that no complete generation has; what an interrupted run left there is made anew by its first step."""
    numbers = [
        int(folder.name.rpartition("-")[2])
        for folder in _numbered(host, layout, lock)
        if host.files.is_file(folder / COMPLETE)
    ]
    number = max(numbers, default=0) + 1
    folder = layout.environments / lock.recipe / f"{generation_digest(lock)}-{number}"
    return Generation(folder, interpreter, version)


def _numbered(host: Host, layout: Layout, lock: Lock) -> list[PurePath]:
    parent = layout.environments / lock.recipe
    digest = generation_digest(lock)
    names = [name for name in host.files.list_dir(parent) if name.rpartition("-")[0] == digest]
    numbered = [name for name in names if name.rpartition("-")[2].isdigit()]
    return [parent / name for name in sorted(numbered, key=lambda name: int(name.rpartition("-")[2]))]
