"""uninstall: every run of every workspace read backwards, then what is left in our own folder; nothing else."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath

from setup_llm_dev.documents.events import Event, Failed, Undone
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import Busy, Interrupted, SetupError
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.ide.running import running_from
from setup_llm_dev.host.state import RunMemory
from setup_llm_dev.host.temporary import drop_temporary
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.data_folder import MARKER
from setup_llm_dev.stages.ide_trees import remove_ours
from setup_llm_dev.stages.inventory import LOCK, MEMORY, Inventory, Place, place_of
from setup_llm_dev.stages.made_folders import MADE, drop_made, made_folders, sparing_found
from setup_llm_dev.stages.undo import refuse_busy, take_back

_LED_TO = {
    "environments": ("environment", "packages", "link", "ide-interpreter"),
    "models": ("model",),
    "ide": ("ide", "ide-launcher", "ide-desktop"),
    "locks": ("pylock",),
    "programs": ("smoke-program",),
    "proofs": ("smoke",),
}
"""A place, and the steps that made it or that lead to it: as long as one of them stands, it is not cleared."""


def refuse_running(host: Host, layout: Layout, found: Inventory) -> None:
    """Raises Busy (7) while a PyCharm runs that is ours, or whose settings would be changed."""
    who = running_from(host, layout.ides) if host.files.is_dir(layout.ides) else None
    if who is not None:
        raise Busy(who, hint=message("close PyCharm, then run the same command again"))
    for run in found.runs:
        refuse_busy(host, run)


def uninstall(host: Host, layout: Layout, found: Inventory) -> Iterator[Event]:
    """Take everything of ours back. What can't be is a `Failed` event (9) and does not stop the rest.

    Raises Busy (7) before any effect while a PyCharm runs that stands in the way. Hold the run's lock. Safe to be
    killed anywhere: journals and logs go last, and only when nothing failed. A signal ends it with Interrupted.
    """
    refuse_running(host, layout, found)
    host = sparing_found(host, layout, found.workspaces)
    failed = unread = False
    for event in _everything(host, layout, found):
        failed = failed or isinstance(event, Failed)
        unread = unread or (isinstance(event, Undone) and event.step == "ide-interpreter" and bool(event.left))
        yield event
    if failed:
        return
    for name in MEMORY:
        place = place_of(host, layout, name)
        if name == "backups" and unread and place.paths:
            yield _spared(place)
        else:
            yield from _clear(host, place)
    leave(host, layout)


def leave(host: Host, layout: Layout) -> None:
    """Remove the run's lock, the data folder if nothing is in it any more, and the empty folders that runs made for it.

    When all else of ours is gone.

    With the lock held where names of open files can be removed, so that nobody takes a lock that then vanishes; on
    Windows, which refuses that, once more after it was released.
    """
    made = made_folders(host, layout) or ()
    stays = set(host.files.list_dir(layout.data)) - {*LOCK, MADE, MARKER}
    with suppress(SetupError):
        # The lock last: whoever takes it from then on makes the folder and its marker anew. Where something of the
        # user's stays, the marker stays too, or a later run would take the folder for somebody else's.
        for name in (LOCK[1], MADE, *(() if stays else (MARKER,)), LOCK[0]):
            host.files.remove(layout.data / name)
    host.files.remove_empty_dir(layout.data)
    with suppress(SetupError, OSError):
        host.files.flush_dir(layout.data.parent)  # nothing that was removed comes back after a power cut
    drop_made(host, made)


def _everything(host: Host, layout: Layout, found: Inventory) -> Iterator[Event]:
    drop_temporary()
    stuck: list[str] = []
    for run in found.runs:
        yield from _undo(host, run, stuck)
    held = {name: [step for step in dict.fromkeys(stuck) if step in steps] for name, steps in _LED_TO.items()}
    if not held["environments"]:
        yield from _links(host, layout, found)
    for place in found.places:
        if by := held.get(place.name):
            yield from _stays(host, place, by)
        elif place.name not in MEMORY:
            yield from _clear(host, place)
    for run in found.runs:
        host.files.remove_empty_dir(Path(run.workspace))
    drop_made(host, made_folders(host, layout) or ())


def _undo(host: Host, run: RunMemory, stuck: list[str]) -> Iterator[Event]:
    """What can't be taken back joins `stuck`: if even the undo itself breaks, all that it did not come to."""
    undone = set(run.undone)
    try:
        for event in take_back(host, run, stuck=tuple(stuck)):
            if isinstance(event, Failed):
                stuck.append(event.step)
            elif isinstance(event, Undone):
                undone.add(event.step)
            yield event
    except Interrupted:
        raise
    except (SetupError, OSError) as error:
        stuck += [name for name, _, _, _ in run.steps if name not in undone]
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


def _spared(place: Place) -> Undone:
    """A table that nobody can read any more may have its only good copy here."""
    text = message("{folder} stays: it has PyCharm's table of interpreters as it was", folder=str(place.folder))
    return Undone(step=place.name, summary=text, left=(text,))


def _clear(host: Host, place: Place) -> Iterator[Event]:
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
    except Interrupted:
        raise
    except (SetupError, OSError) as error:
        host.cancel.raise_if_set()  # after a signal, whatever fails fails because of it
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
