"""A file of the user's, changed at one place: compare and swap, mode and owner kept, a backup where one is wanted.

Files of our own are written by `Files.write`. A file that the user or an IDE writes too needs more: nothing is taken
for granted between reading and renaming, and nothing that others wrote is lost.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from setup_llm_dev.documents.xml_nodes import SIZE_LIMIT
from setup_llm_dev.errors import Busy, RollbackIncomplete
from setup_llm_dev.host.reading import open_regular
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

TRIES = 3
"""How often a change is thought out anew before we say that the file does not hold still."""
KEPT_BACKUPS = 20
_MODE = 0o644
_FOLDER_MODE = 0o700
_BACKUP_MODE = 0o600


class Untouchable(Exception):
    """A file that we leave alone; `why` is a sentence without the file's name."""

    def __init__(self, why: Message) -> None:
        super().__init__(why)
        self.why = why


class Barred(Untouchable):
    """A file that we may not read, write or give back its owner as things are; the next time that may be otherwise."""


@dataclass(frozen=True)
class Seen:
    """What stood at `path` (links followed) when it was read; `data` is None where there was nothing.

    The stamp (device, inode, size, time of change) finds a file that was replaced by one with the same bytes.
    """

    path: Path
    data: bytes | None
    stamp: tuple[int, ...] = ()
    mode: int = _MODE
    owner: tuple[int, int] | None = None


def look(host: Host, path: PurePath, *, within: PurePath | None = None, limit: int = SIZE_LIMIT) -> Seen:
    """What stands at `path`, at most `limit` + 1 bytes of it.

    Raises Untouchable for a link that leads out of the folder `within` or to nothing, for what is no regular file, and
    Barred for a file or folder that we may not read.
    """
    real = _real(host, path, within)
    try:
        if not stat.S_ISREG(real.lstat().st_mode):
            raise Untouchable(message("it is not a regular file"))
        with open_regular(real, follow=False) as stream:
            status = os.fstat(stream.fileno())
            data = stream.read(limit + 1)
    except FileNotFoundError:
        if host.files.link_target(path) is not None:
            raise Untouchable(message("it is a link to nothing")) from None
        return Seen(real, None)
    except NotADirectoryError as error:
        raise Untouchable(message("it can't be read: {why}", why=error.strerror or str(error))) from error
    except OSError as error:
        raise Barred(message("it can't be read: {why}", why=error.strerror or str(error))) from error
    return Seen(real, data, _stamp(status), stat.S_IMODE(status.st_mode), _owner(status))


def edit_file(
    host: Host,
    path: PurePath,
    change: Callable[[bytes | None], bytes | None],
    *,
    within: PurePath | None = None,
    backups: PurePath | None = None,
) -> bool:
    """Replace the file at `path` by what `change` makes of its bytes; True if anything was written.

    `change` is given None where there is no file, and answers with the same bytes, or None, to leave everything as it
    is. It is called again when somebody writes the file in between, three times in all, and whenever what stands there
    afterwards is not what we wrote. `within`: the folder that links may not lead out of. `backups`: where the bytes of
    before are kept, once per content. Raises Untouchable, Busy (7) when the file does not come to rest, and
    SystemRefused (6) for a full disk; then the file is as it was.
    """
    written = False
    for _ in range(TRIES):
        seen = look(host, path, within=within)
        new = change(seen.data)
        if new is None or new == seen.data:
            return written
        require_writable(seen)
        if seen.data is not None and backups is not None:
            keep_backup(host, backups, path.name, seen.data)
        written = swap(host, seen, new) or written
        if written and look(host, path, within=within).data == new:
            return True
    raise restless(path)


def swap(host: Host, seen: Seen, data: bytes) -> bool:
    """Write beside, look once more, rename; False, with nothing changed, if the file is not what it was.

    What is left of the race is the moment between the look and the rename. Raises Untouchable where the owner can't be
    kept.
    """
    staged = _staged(seen.path)
    host.files.write(staged, data, mode=seen.mode)
    try:
        _keep_owner(staged, seen)
        if not _unchanged(seen):
            return False
        host.files.rename(staged, seen.path)
    finally:
        host.files.remove(staged)
    return True


def require_writable(seen: Seen) -> None:
    """A rename would get past a file's own write protection, so it is asked for; raises Barred.

    Untouchable, where something else stands in the place of one of its folders.
    """
    if seen.data is not None and not (seen.mode & stat.S_IWUSR and os.access(seen.path, os.W_OK)):
        raise Barred(message("it is write-protected"))
    _require_folder(seen.path.parent)


def _require_folder(folder: Path) -> None:
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise Untouchable(message("{path} is not a folder", path=str(folder)))
    if not os.access(folder, os.W_OK):
        raise Barred(message("its folder is write-protected"))


@contextlib.contextmanager
def unfinished_if_barred(path: PurePath) -> Iterator[None]:
    """Around an undo: Barred becomes RollbackIncomplete (9), so that it counts as not done, and is tried again."""
    try:
        yield
    except Barred as error:
        raise RollbackIncomplete(
            message("{path} could not be taken back: {why}", path=str(path), why=error.why),
            hint=message("make it readable and writable, then run the same command again"),
        ) from error


def restless(path: PurePath) -> Busy:
    """For the one who gave up after TRIES."""
    return Busy(
        message("{path} is being written by another program", path=str(path)),
        hint=message("close that program, then run the same command again"),
    )


def remove_unchanged(host: Host, path: PurePath, data: bytes, *, within: PurePath | None = None) -> bool:
    """Remove a file that still holds these bytes; False if it holds others. Raises Untouchable, Barred."""
    seen = look(host, path, within=within, limit=len(data))
    if seen.data is None:
        return True
    if seen.data != data:
        return False
    _require_folder(seen.path.parent)
    host.files.remove(seen.path)
    return True


def drop_staged(host: Host, path: PurePath) -> None:
    """What a kill between writing and renaming left beside the file."""
    staged = _staged(Path(path))
    for name in host.files.list_dir(staged.parent):
        if name == staged.name or (name.startswith(f".{staged.name}.") and name.endswith(".tmp")):
            host.files.remove(staged.parent / name)


def keep_backup(host: Host, folder: PurePath, name: str, data: bytes) -> PurePath:
    """A copy of `data` as `name.DATE.HASH` in `folder`, once per content; only the newest 20 are kept."""
    digest = hashlib.sha256(data).hexdigest()[:16]
    known = _backups(host, folder, name)
    for other in known:
        if other.endswith(f".{digest}") and host.files.read_bytes(folder / other, len(data) + 1) == data:
            return folder / other
    place = folder / f"{name}.{host.now():%Y%m%dT%H%M%S%fZ}.{digest}"
    host.files.make_dir(folder, _FOLDER_MODE)
    host.files.write(place, data, mode=_BACKUP_MODE)
    for old in known[: max(0, len(known) + 1 - KEPT_BACKUPS)]:
        host.files.remove(folder / old)
    return place


def _backups(host: Host, folder: PurePath, name: str) -> tuple[str, ...]:
    """Names of our copies, the oldest first; other files in that folder are not ours to count."""
    return tuple(other for other in host.files.list_dir(folder) if other.startswith(f"{name}.2"))


def _real(host: Host, path: PurePath, within: PurePath | None) -> Path:
    try:
        real = host.files.resolve(path)
    except PermissionError as error:
        raise Barred(message("it can't be read: {why}", why=error.strerror or str(error))) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise Untouchable(message("it can't be read: {why}", why=str(error))) from error
    if within is not None and not real.is_relative_to(host.files.resolve(within)):
        raise Untouchable(message("it is a link to {target}", target=str(real)))
    return real


def _staged(path: Path) -> Path:
    """The IDE reads `*.xml` only."""
    return path.with_name(f".{path.name}.setup-llm-dev")


def _unchanged(seen: Seen) -> bool:
    try:
        with open_regular(seen.path) as stream:
            same = _stamp(os.fstat(stream.fileno())) == seen.stamp
            return same and stream.read(SIZE_LIMIT + 1) == seen.data
    except FileNotFoundError:
        return seen.data is None
    except OSError:  # a folder or a FIFO by now, or no longer ours to read
        return False


def _keep_owner(staged: Path, seen: Seen) -> None:
    if seen.owner is None or _owner(staged.stat()) == seen.owner:
        return
    try:
        os.chown(staged, *seen.owner)
        staged.chmod(seen.mode)  # the system drops some bits when the owner changes
    except OSError as error:
        raise Barred(message("it belongs to another user or group, which we could not keep")) from error


def _owner(status: os.stat_result) -> tuple[int, int] | None:
    return (status.st_uid, status.st_gid) if hasattr(os, "chown") else None


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
