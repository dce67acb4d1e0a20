"""The lock that an earlier run left in the project folder: whether it answers what is asked now."""

import hashlib
import tomllib
from collections.abc import Callable
from pathlib import PurePath

import msgspec

from setup_llm_dev.components.python import own_pylock
from setup_llm_dev.documents.codec import from_stored
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import ArchiveIdeLock, Lock
from setup_llm_dev.documents.lock_rules import first_problem
from setup_llm_dev.documents.recipe import Recipe, digest
from setup_llm_dev.errors import UsageError
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.elsewhere import for_other_pythons, from_elsewhere
from setup_llm_dev.stages.generations import complete_generation
from setup_llm_dev.stages.here import machine_here
from setup_llm_dev.stages.options import Options
from setup_llm_dev.steps.ide_tree import read_facts


def stored_lock(
    host: Host, layout: Layout, recipe: Recipe, options: Options, say: Callable[[Message], None]
) -> tuple[Lock, str] | None:
    """The workspace's lock and its pylock, if they answer this recipe, these options and this platform.

    Says so where only the platform is another. Raises UsageError (2) if damaged.
    """
    text = host.files.read_text(layout.lock_file)
    if text is None:
        return None
    lock = read_lock(text, layout.lock_file)
    if (lock.recipe_digest, lock.request_digest) != (digest(recipe), options.digest):
        return None
    if lock.model is None and recipe.model is not None and "model" in options.parts:
        return None  # made when the model was left out
    if (why := from_elsewhere(host, lock)) is not None:
        say(why)
        return None
    _refuse_unnamed_archive(host, layout, lock, options)
    pylock = told_pylock(host, layout, lock)
    if pylock is not None:
        return lock, pylock
    raise UsageError(
        message(
            "{file} is missing, or has changed since the lock was made",
            file=str(layout.workspace / lock.packages.pylock),
        ),
        hint=message("put the right file back, or make a new lock with `setup-llm-dev apply --upgrade`"),
    )


def told_pylock(host: Host, layout: Layout, lock: Lock) -> str | None:
    """The packages that a lock names by their hash: as they stand in the project, or as we keep them ourselves.

    A run may have been killed between the two files, or a hand changed one: ours is the same as it was then.
    """
    for place in (layout.workspace / lock.packages.pylock, own_pylock(layout, lock)):
        pylock = host.files.read_text(place)
        if pylock is not None and hashlib.sha256(pylock.encode()).hexdigest() == lock.packages.sha256:
            return pylock
    return None


def read_lock(text: str, path: PurePath) -> Lock:
    """Raises UsageError (2) naming file and place; a lock is never read «as far as it goes».

    It may come from anybody: what a value may be is said in `lock_rules`.
    """
    try:
        lock = from_stored(tomllib.loads(text), Lock)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise _unusable(path, message("{text}", text=str(error))) from error
    problem = first_problem(lock)
    if problem is not None:
        raise _unusable(path, problem)
    return lock


def _refuse_unnamed_archive(host: Host, layout: Layout, lock: Lock, options: Options) -> None:
    """Which file of this machine is an archive is up to whoever gives the command, not to whoever wrote the lock."""
    ide = lock.ide
    if "ide" not in options.parts or options.pycharm_archive is not None or not isinstance(ide, ArchiveIdeLock):
        return
    if not ide.url.lower().startswith("file:"):
        return
    facts = read_facts(host, layout.ides / f"pycharm-{ide.version}.json")
    if facts is None or facts.archive_sha256 != ide.sha256:
        raise UsageError(
            message("{file} names an archive of PyCharm that is not installed: {url}",
                    file=str(layout.lock_file), url=ide.url),
            hint=message("give it with --pycharm-archive FILE --pycharm-sha256 HEX, or make a new lock with "
                         "`setup-llm-dev apply --upgrade`"),
        )  # fmt: skip


def _unusable(path: PurePath, why: Message) -> UsageError:
    return UsageError(
        message("{file}: {why}", file=str(path), why=why),
        hint=message("make a new lock with `setup-llm-dev apply --upgrade`"),
    )


def made_for_other_pythons(
    host: Host, layout: Layout, lock: Lock, options: Options, say: Callable[[Message], None]
) -> bool:
    """Asked only where the lock has no environment yet: one that is here proves that a Python fitted."""
    if complete_generation(host, layout, lock) is not None:
        return False
    why = for_other_pythons(machine_here(host, layout, options, interpreters=True), lock)
    if why is not None:
        say(why)
    return why is not None
