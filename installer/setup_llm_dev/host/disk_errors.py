"""Errors of the operating system in words: what was full, forbidden or gone, and what to do about it."""

import errno
import os
from pathlib import Path, PurePath

from setup_llm_dev.errors import SetupError, SystemRefused
from setup_llm_dev.messages import Message, message


def system_error(error: OSError, path: PurePath | str) -> SetupError:
    """An operating-system error in words, exit code 6."""
    if error.errno == errno.ENOSPC:
        return SystemRefused(_full(path), hint=message("free some space, then run the same command again"))
    if error.errno == errno.EDQUOT:
        return SystemRefused(
            message("your disk quota is used up: {path}", path=str(path)),
            hint=message("free some space, then run the same command again"),
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return SystemRefused(
            message("no permission to write {path}", path=str(path)),
            hint=message("choose another place with --home DIR or --workspace DIR"),
        )
    if error.errno == errno.EROFS:
        return SystemRefused(
            message("{path} is on a read-only file system", path=str(path)),
            hint=message("choose another place with --home DIR or --workspace DIR"),
        )
    return SystemRefused(message("{path}: {why}", path=str(path), why=error.strerror or str(error)))


def _full(path: PurePath | str) -> Message:
    probe = Path(path)
    while not probe.exists() and probe != probe.parent:
        probe = probe.parent
    if hasattr(os, "statvfs"):
        status = os.statvfs(probe)
        if status.f_files and not status.f_favail and status.f_bavail:
            return message("no inodes left on the file system of {path}", path=str(path))
    return message("no space left on the file system of {path}", path=str(path))
