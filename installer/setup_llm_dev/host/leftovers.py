"""What killed processes of ours left: names with the number of the process that made them, `PREFIX<process>.…`."""

import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

HALF_WAY = re.compile(r"\..+\.(?P<process>\d+)\.(removed|new|[a-z0-9_]+\.tmp)")
"""Names beside their target that our own writing, linking and removing uses until the last rename."""


def is_half_way(name: str) -> bool:
    """Whether a name is such a one, and the process that made it is gone."""
    found = HALF_WAY.fullmatch(name)
    return found is not None and _is_gone(int(found["process"]))


def left_behind(folder: Path, prefix: str) -> Iterator[Path]:
    """What in `folder` begins with `prefix` and the number of a process that is gone. Raises OSError."""
    for name in os.listdir(folder):
        owner = name.removeprefix(prefix).partition(".")[0]
        if name.startswith(prefix) and owner.isdecimal() and _is_gone(int(owner)):
            yield folder / name


def drop_left_folders(folder: Path, prefix: str) -> None:
    """Remove the folders among them that belong to this user; what can't be removed stays."""
    if not folder.is_dir():
        return
    for place in left_behind(folder, prefix):
        if _is_own_folder(place):
            shutil.rmtree(place, ignore_errors=True)


def remove_opened(folder: Path) -> None:
    """Remove a folder; those in it that their owner may not write or enter (wheels may bring them) are opened once."""
    try:
        shutil.rmtree(folder)
    except PermissionError:
        folder.chmod(stat.S_IRWXU)
        for parent, folders, files in os.walk(folder):
            for name in folders + (files if os.name == "nt" else []):
                place = Path(parent, name)
                if not place.is_symlink():
                    place.chmod(stat.S_IRWXU)
        shutil.rmtree(folder)


def _is_gone(process: int) -> bool:
    """Whether no such process runs. Windows has no harmless way to ask, so there nobody is gone."""
    if os.name == "nt":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    return False


def _is_own_folder(place: Path) -> bool:
    try:
        status = place.lstat()
    except FileNotFoundError:  # another run of ours was faster
        return False
    return stat.S_ISDIR(status.st_mode) and (os.name == "nt" or status.st_uid == os.getuid())
