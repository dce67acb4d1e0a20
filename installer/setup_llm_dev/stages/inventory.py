"""What of ours is on this machine, and what beside it is not: read before an uninstall, and after it. Only reads."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.leftovers import HALF_WAY
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.host.state import RunMemory, read_run
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.data_folder import MARKER
from setup_llm_dev.stages.ide_trees import kept_paths, our_paths
from setup_llm_dev.stages.made_folders import MADE

# By the shape of what we make there, since `--home` may name a folder in which somebody else keeps a `models` too.
_Shape = tuple[str, ...]
_SHAPES: tuple[tuple[str, _Shape], ...] = (  # a folder, and what names in it and below look like, level by level
    ("environments", (r".+", r"[0-9a-f]{12}-\d+")),
    ("models", (r"[0-9a-f]{12}|hub-.+\.json|partial",)),
    ("store", (r"sha256|partials?|wheels",)),
    ("ide", ()),  # by what we wrote down of each tree, see ide_trees
    ("locks", (r"pylock\.[0-9a-f]{12}\.toml",)),
    ("programs", (r"smoke-[0-9a-f]{12}\.pyz",)),
    ("proofs", (r"[0-9a-f]{24}\.json",)),
    ("scratch", (r"tmp\..+",)),
)
_SHAPES_OF_MEMORY: tuple[tuple[str, _Shape], ...] = (
    ("backups", (r"made\.json|.+\.\d{8}T\d{12}Z\.[0-9a-f]{16}",)),
    ("logs", (r"\d{8}T\d{12}Z-\d+\.log",)),
    ("journals", (r"\d{8}T\d{12}Z-\d+\.jsonl",)),
)
MEMORY = tuple(name for name, _ in _SHAPES_OF_MEMORY)
"""Removed last and only when all else is gone: with them an interrupted or failed uninstall goes on."""
LOCK = ("run.lock", "run.owner")
_ALL = dict((*_SHAPES, *_SHAPES_OF_MEMORY))


@dataclass(frozen=True)
class Place:
    """What of ours lies in one folder of the data folder; `bytes` as the files say, clones counted twice."""

    name: str
    folder: Path
    paths: tuple[Path, ...]
    bytes: int


@dataclass(frozen=True)
class Kept:
    """Something that stays, and why."""

    why: Message
    path: Path


@dataclass(frozen=True)
class Inventory:
    """`runs`: those that stand, the newest first; `workspaces`: of every run that we know of, undone or not.

    `moved`: project folders that are not where a run made them, or came to where they are from elsewhere.
    """

    runs: tuple[RunMemory, ...]
    workspaces: tuple[Path, ...]
    places: tuple[Place, ...]
    kept: tuple[Kept, ...]
    moved: tuple[Kept, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.runs and not any(place.paths for place in self.places)


def inventory(host: Host, layout: Layout) -> Inventory:
    """What goes and what stays. Only reads."""
    known = [read_run(path) for path in sorted(Path(layout.journals).glob("*.jsonl"))]
    workspaces = dict.fromkeys(Path(run.workspace) for run in known if run.workspace)
    places = tuple(place_of(host, layout, name) for name in _ALL)
    standing = [_standing(run) for run in reversed(known) if run.steps and (run.kept or not run.finished_undo)]
    return Inventory(
        runs=tuple(standing),
        workspaces=tuple(workspaces),
        places=places,
        kept=kept_things(host, layout),
        moved=tuple(_moved(host, standing)),
    )


def _standing(run: RunMemory) -> RunMemory:
    """What an undo left because others used it, goes now."""
    return replace(run, undone=run.undone - run.kept, finished_undo=False)


def _moved(host: Host, runs: list[RunMemory]) -> Iterator[Kept]:
    """What of ours lies in folders that no journal leads to: a project was moved, and nobody told us where."""
    made = {(name, run.workspace) for run in runs for name, _, _, _ in run.steps}
    for workspace in dict.fromkeys(run.workspace for run in runs):
        if not host.files.exists(Path(workspace)):
            yield Kept(
                message(
                    "a project folder that is not there any more; if it was moved, what was made in it is still in it"
                ),
                Path(workspace),
            )
    for run in runs:
        for name, kind, record in run.uses or ():
            if kind == "write" and record["ours"] and (name, run.workspace) not in made:
                yield from _found_in(host, Path(run.workspace), record)


def _found_in(host: Host, workspace: Path, record: dict[str, Any]) -> Iterator[Kept]:
    folder = Path(record["folder"])
    if folder.is_relative_to(workspace):
        for place in (folder / name for name in record["digests"]):
            if host.files.exists(place):
                yield Kept(message("was there before setup-llm-dev came to this folder: it may have been moved"), place)


def place_of(host: Host, layout: Layout, name: str) -> Place:
    """What of ours lies in the folder `name` of the data folder now."""
    folder = Path(layout.data) / name
    if name == "ide":
        paths = our_paths(host, folder)
    else:
        paths = tuple(path for path, ours in _looked_at(host, folder, _ALL[name]) if ours)
    if name == "scratch":
        beside = (Path(layout.data) / name for name in host.files.list_dir(layout.data))
        paths += tuple(path for path in beside if HALF_WAY.fullmatch(path.name))
    return Place(name, folder, paths, sum(map(_size, paths)))


def _looked_at(host: Host, folder: Path, shape: _Shape) -> Iterator[tuple[Path, bool]]:
    """What lies in a folder, and whether it is ours; folders between are entered instead, links never."""
    for name in host.files.list_dir(folder):
        path = folder / name
        if HALF_WAY.fullmatch(name):
            yield path, True
        elif len(shape) > 1 and host.files.is_dir(path) and host.files.link_target(path) is None:
            yield from _looked_at(host, path, shape[1:])
        else:
            yield path, len(shape) == 1 and re.fullmatch(shape[0], name) is not None


def _size(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(Path(parent, name).lstat().st_size for parent, _, files in os.walk(path) for name in files)


def kept_things(host: Host, layout: Layout) -> tuple[Kept, ...]:
    """The user's own, if it is there; and in our folder what we did not make. Only reads."""
    return tuple(_kept(host, layout))


def _kept(host: Host, layout: Layout) -> Iterator[Kept]:
    own = (
        (message("the Hugging Face cache, shared with everything else that you run"), layout.hub_cache),
        (message("uv's cache, shared with everything else that you run"), Uv(host, Surroundings()).cache_dir()),
        (message("your settings"), layout.config / "config.toml"),
    )
    for why, path in own:
        if host.files.exists(path):
            yield Kept(why, Path(path))
    inside = [Kept(why, path) for why, path in kept_paths(host, layout.ides)]
    inside += [Kept(message("not made by setup-llm-dev"), path) for path in _foreign(host, layout)]
    yield from inside
    if inside and host.files.exists(layout.data / MARKER):
        why = message("it tells the next run that this folder is setup-llm-dev's, although something else is in it")
        yield Kept(why, Path(layout.data / MARKER))


def _foreign(host: Host, layout: Layout) -> Iterator[Path]:
    data = Path(layout.data)
    for name in host.files.list_dir(data):
        if name in _ALL and host.files.link_target(data / name) is None and host.files.is_dir(data / name):
            found = _looked_at(host, data / name, _ALL[name]) if name != "ide" else ()
            yield from (path for path, ours in found if not ours)
        elif name not in (*LOCK, MADE, MARKER) and not HALF_WAY.fullmatch(name):
            yield data / name
