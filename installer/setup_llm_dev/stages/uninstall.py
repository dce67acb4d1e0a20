"""uninstall: every run of every workspace read backwards, then what is left in our own folder; nothing else."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath

from setup_llm_dev.documents.events import Event, Failed, Undone
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import Busy, Interrupted, SetupError
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.ide.running import running_from
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.host.state import RunMemory, read_run
from setup_llm_dev.host.temporary import drop_temporary
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.ide_trees import kept_paths, our_paths, remove_ours
from setup_llm_dev.stages.undo import refuse_busy, take_back

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
    ("scratch", (r".+",)),
)
_MEMORY: tuple[tuple[str, _Shape], ...] = (
    ("backups", (r"made\.json|.+\.\d{8}T\d{12}Z\.[0-9a-f]{16}",)),
    ("logs", (r"\d{8}T\d{12}Z-\d+\.log",)),
    ("journals", (r"\d{8}T\d{12}Z-\d+\.jsonl",)),
)
"""Removed last and only when all else is gone: with them an interrupted or failed uninstall goes on."""
_LED_TO = {
    "environments": ("environment", "packages", "link", "ide-interpreter"),
    "models": ("model",),
    "ide": ("ide", "ide-launcher", "ide-desktop"),
    "locks": ("pylock",),
    "programs": ("smoke-program",),
    "proofs": ("smoke",),
}
"""A place, and the steps that made it or that lead to it: as long as one of them stands, it is not cleared."""
_LOCK = ("run.lock", "run.owner")
_HALF_WAY = re.compile(r"\..+\.(removed|tmp|new)")
"""What a kill left of a removal or a write of ours."""


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
    """`runs`: those that stand, the newest first; `workspaces`: of every run that we know of, undone or not."""

    runs: tuple[RunMemory, ...]
    workspaces: tuple[Path, ...]
    places: tuple[Place, ...]
    kept: tuple[Kept, ...]

    @property
    def empty(self) -> bool:
        return not self.runs and not any(place.paths for place in self.places)


def inventory(host: Host, layout: Layout) -> Inventory:
    """What goes and what stays. Only reads."""
    known = [read_run(path) for path in sorted(Path(layout.journals).glob("*.jsonl"))]
    workspaces = dict.fromkeys(Path(run.workspace) for run in known if run.workspace)
    places = tuple(_place(host, layout, name, shape) for name, shape in (*_SHAPES, *_MEMORY))
    return Inventory(
        runs=tuple(_standing(run) for run in reversed(known) if run.steps and (run.kept or not run.finished_undo)),
        workspaces=tuple(workspaces),
        places=places,
        kept=kept_things(host, layout),
    )


def refuse_running(host: Host, layout: Layout, found: Inventory) -> None:
    """Raises Busy (7) while a PyCharm runs that is ours, or whose settings would be changed."""
    who = running_from(host, layout.ides) if host.files.is_dir(layout.ides) else None
    if who is not None:
        raise Busy(who, hint=message("close PyCharm, then run the same command again"))
    for run in found.runs:
        refuse_busy(host, run)


def _standing(run: RunMemory) -> RunMemory:
    """What an undo left because others used it, goes now."""
    return replace(run, undone=run.undone - run.kept, finished_undo=False)


def uninstall(host: Host, layout: Layout, found: Inventory) -> Iterator[Event]:
    """Take everything of ours back. What can't be is a `Failed` event (9) and does not stop the rest.

    Raises Busy (7) before any effect while a PyCharm runs that stands in the way. Hold the run's lock. Safe to be
    killed anywhere: journals and logs go last, and only when nothing failed.
    """
    refuse_running(host, layout, found)
    failed = False
    for event in _everything(host, layout, found):
        failed = failed or isinstance(event, Failed)
        yield event
    if failed:
        return
    for name, shape in _MEMORY:
        yield from _clear(host, layout, _place(host, layout, name, shape))
    leave(host, layout)


def leave(host: Host, layout: Layout) -> None:
    """Remove the run's lock, and the data folder if nothing is in it any more: when all else of ours is gone.

    With the lock held where names of open files can be removed, so that nobody takes a lock that then vanishes; on
    Windows, which refuses that, once more after it was released.
    """
    with suppress(SetupError):
        for name in reversed(_LOCK):
            host.files.remove(layout.data / name)
    host.files.remove_empty_dir(layout.data)
    with suppress(SetupError, OSError):
        host.files.flush_dir(layout.data.parent)  # nothing that was removed comes back after a power cut


def _everything(host: Host, layout: Layout, found: Inventory) -> Iterator[Event]:
    drop_temporary()
    stuck: list[str] = []
    for run in found.runs:
        for event in _undo(host, run, stuck):
            if isinstance(event, Failed):
                stuck.append(event.step)
            yield event
    held = {name: [step for step in dict.fromkeys(stuck) if step in steps] for name, steps in _LED_TO.items()}
    if not held["environments"]:
        yield from _links(host, layout, found)
    for place in found.places:
        if by := held.get(place.name):
            yield from _stays(host, place, by)
        elif place.name not in dict(_MEMORY):
            yield from _clear(host, layout, place)
    for run in found.runs:
        host.files.remove_empty_dir(Path(run.workspace))
    if any(workspace.parent == host.home / "llm-dev" for workspace in found.workspaces):
        host.files.remove_empty_dir(host.home / "llm-dev")


def _undo(host: Host, run: RunMemory, stuck: Sequence[str]) -> Iterator[Event]:
    """A journal that can't be written (the disk is full) does not stop what would free some space."""
    try:
        yield from take_back(host, run, stuck=tuple(stuck))
    except Interrupted:
        raise
    except (SetupError, OSError) as error:
        yield _failure("undo", run.path, error)


def _links(host: Host, layout: Layout, found: Inventory) -> Iterator[Event]:
    """Links into our environments that no undo knew as ours (the user set one back): they would lead nowhere."""
    for workspace in found.workspaces:
        link = workspace / ".venv"
        if host.files.link_target(link) is None:
            continue
        if host.files.resolve(link).is_relative_to(host.files.resolve(layout.environments)):
            yield from _try(host, "link", link, host.files.remove)


def _stays(host: Host, place: Place, steps: Sequence[str]) -> Iterator[Event]:
    there = [str(path) for path in place.paths if host.files.exists(path)]
    if there:
        text = message(
            "{paths} stays, since {steps} could not be taken back", paths=", ".join(there), steps=", ".join(steps)
        )
        yield Failed(step=place.name, phase="switch", seconds=0.0, text=text, exit_code=9)


def _clear(host: Host, layout: Layout, place: Place) -> Iterator[Event]:
    act = _remove(host) if place.name != "ide" else partial(remove_ours, host)
    events = [event for path in place.paths for event in _try(host, place.name, path, act)]
    left = tuple(sentence for event in events if isinstance(event, Undone) for sentence in event.left)
    failures = [event for event in events if isinstance(event, Failed)]
    for child in host.files.list_dir(place.folder) if place.name == "environments" else ():
        host.files.remove_empty_dir(place.folder / child)
    host.files.remove_empty_dir(place.folder)
    if failures:
        yield from failures
    elif events:
        yield Undone(step=place.name, summary=_removed(place.folder), left=left)


def _try(host: Host, name: str, path: Path, act: Callable[[PurePath], tuple[Message, ...] | None]) -> Iterator[Event]:
    host.cancel.raise_if_set()
    try:
        left = act(path)
    except (SetupError, OSError) as error:
        yield _failure(name, path, error)
        return
    yield Undone(step=name, summary=_removed(path), left=left or ())


def _failure(name: str, path: Path, error: SetupError | OSError) -> Failed:
    shown = error if isinstance(error, SetupError) else system_error(error, error.filename or path)
    return Failed(step=name, phase="switch", seconds=0.0, text=shown.message, hint=shown.hint, exit_code=9)


def _remove(host: Host) -> Callable[[PurePath], None]:
    def act(path: PurePath) -> None:
        if host.files.is_dir(path) and host.files.link_target(path) is None:
            host.files.remove_tree(path)
        else:
            host.files.remove(path)

    return act


def _removed(path: Path) -> Message:
    return message("removed: {path}", path=str(path))


def _place(host: Host, layout: Layout, name: str, shape: _Shape) -> Place:
    folder = Path(layout.data) / name
    if name == "ide":
        paths = our_paths(host, folder)
    else:
        paths = tuple(path for path, ours in _looked_at(host, folder, shape) if ours)
    if name == "scratch":
        beside = (Path(layout.data) / name for name in host.files.list_dir(layout.data))
        paths += tuple(path for path in beside if _HALF_WAY.fullmatch(path.name))
    return Place(name, folder, paths, sum(map(_size, paths)))


def _looked_at(host: Host, folder: Path, shape: _Shape) -> Iterator[tuple[Path, bool]]:
    """What lies in a folder, and whether it is ours; folders between are entered instead, links never."""
    for name in host.files.list_dir(folder):
        path = folder / name
        if _HALF_WAY.fullmatch(name):
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
    for why, path in kept_paths(host, layout.ides):
        yield Kept(why, path)
    for path in _foreign(host, layout):
        yield Kept(message("not made by setup-llm-dev"), path)


def _foreign(host: Host, layout: Layout) -> Iterator[Path]:
    data, shapes = Path(layout.data), dict((*_SHAPES, *_MEMORY))
    for name in host.files.list_dir(data):
        if name in shapes and host.files.link_target(data / name) is None and host.files.is_dir(data / name):
            found = _looked_at(host, data / name, shapes[name]) if name != "ide" else ()
            yield from (path for path, ours in found if not ours)
        elif name not in _LOCK and not _HALF_WAY.fullmatch(name):
            yield data / name
