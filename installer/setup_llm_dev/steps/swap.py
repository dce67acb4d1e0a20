"""Replace a file that another program may be writing too: only if it still holds what was read."""

import contextlib
import os
import stat
from pathlib import Path, PurePath

from setup_llm_dev.documents.xml_text import SIZE_LIMIT
from setup_llm_dev.errors import Busy, Refused
from setup_llm_dev.host.user_files import Untouchable, look
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

ATTEMPTS = 3
"""How often a change is thought out anew before we say that the file does not hold still."""


def read_user_file(host: Host, path: PurePath) -> bytes | None:
    """The bytes, None where there is no such file. Raises Refused (3) for something that is there and can't be read."""
    try:
        data = look(host, path, Path(path.anchor), SIZE_LIMIT).data
        if data is None and host.files.exists(path):
            raise Untouchable(message("it is a link to nothing"))
    except Untouchable as error:
        raise Refused(
            message("{file} can't be read, so it is left as it is: {why}", file=str(path), why=error.why),
            hint=message("move it away, then run the same command again"),
        ) from error
    return data


def swap(host: Host, path: PurePath, expected: bytes | None, data: bytes) -> bool:
    """Write `data` in one rename if `path` still holds `expected`; False, and nothing written, if it does not.

    A link is followed and stays a link; a file that is there keeps its mode and owner. What is left of the race is the
    moment between a read and a rename.
    """
    place = host.files.resolve(path)
    beside = _beside(place)
    host.files.write(beside, data)
    _dress(beside, place)
    if read_user_file(host, path) != expected:
        host.files.remove(beside)
        return False
    host.files.rename(beside, place)
    return True


def clear(host: Host, path: PurePath) -> None:
    """Remove what a `swap` that was killed left beside the file; the next one overwrites it."""
    host.files.remove(_beside(host.files.resolve(path)))


def restless(path: PurePath) -> Busy:
    """For the one who gave up after ATTEMPTS."""
    return Busy(
        message("another program keeps changing {file}", file=str(path)),
        hint=message("close the programs that use this project, then run the same command again"),
    )


def _beside(place: Path) -> Path:
    return place.with_name(f".{place.name}.setup-llm-dev.tmp")


def _dress(beside: Path, place: Path) -> None:
    """Mode and owner of the file that is there: a run as root must not take it from its user."""
    try:
        old = place.stat()
    except OSError:
        return
    new = beside.stat()
    if hasattr(os, "chown") and (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(PermissionError):  # a group that we are not in
            os.chown(beside, old.st_uid, old.st_gid)
    beside.chmod(stat.S_IMODE(old.st_mode))
