"""The private folder that an archive is unpacked into, and the one rename that makes a tree of it visible."""

import ctypes
import errno
import os
import sys
import tempfile
from pathlib import Path

from setup_llm_dev.host.leftovers import drop_left_folders

_OURS = ".setup-llm-dev."
_NOREPLACE = 1  # linux/fs.h
_EXCL = 4  # macOS, sys/stdio.h


def new_staging(parent: Path) -> Path:
    """A fresh 0700 folder in `parent`; its name says whose it is, so that a later run can sweep it."""
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{_OURS}{os.getpid()}.", dir=parent))


def drop_stale_staging(folder: Path) -> None:
    """Remove what killed processes of ours left in `folder` while unpacking."""
    drop_left_folders(folder, _OURS)


def publish(tree: Path, target: Path) -> None:
    """Rename `tree` to `target`, which must not exist (not even as an empty folder), and flush the new name."""
    if os.name == "nt":
        os.rename(tree, target)  # noqa: PTH104  # refuses an existing target by itself; no folder flush there
        return
    source = os.open(tree.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        place = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _rename_new(source, tree.name, place, target)
            os.fsync(place)
        finally:
            os.close(place)
    finally:
        os.close(source)


def _rename_new(source: int, name: str, place: int, target: Path) -> None:
    """`rename` replaces an empty folder without a word, so the kernel is asked not to, where it can be."""
    if _renamed_exclusively(source, name, place, target):
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.rename(name, target.name, src_dir_fd=source, dst_dir_fd=place)


def _renamed_exclusively(source: int, name: str, place: int, target: Path) -> bool:
    """Whether the system has such a call for this file system; raises OSError where it has and refuses."""
    symbol, flag = ("renameatx_np", _EXCL) if sys.platform == "darwin" else ("renameat2", _NOREPLACE)
    call = getattr(ctypes.CDLL(None, use_errno=True), symbol, None)
    if call is None:
        return False
    if call(source, os.fsencode(name), place, os.fsencode(target.name), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(target))
