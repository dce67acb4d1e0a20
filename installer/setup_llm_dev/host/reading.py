"""The disk, only looked at: apart from writing, since detection needs nothing else and is waited for."""

import errno
import os
import stat
from pathlib import Path, PurePath
from typing import BinaryIO

from setup_llm_dev.host.cancel import Cancel

_LIMIT = 64 << 20


class Reading:
    """What can be read of the file system of this machine; no method changes it."""

    def __init__(self, cancel: Cancel | None = None) -> None:
        self._cancel = cancel or Cancel()

    def read_bytes(self, path: PurePath, limit: int = _LIMIT) -> bytes:
        """At most `limit` bytes of a regular file; raises FileNotFoundError and the other OSErrors as they are."""
        with open_regular(path) as stream:
            return stream.read(limit)

    def read_text(self, path: PurePath) -> str | None:
        """The text, or None where there is no readable file: what detection wants to know."""
        try:
            return self.read_bytes(path).decode("utf-8", "replace")
        except OSError:
            return None

    def exists(self, path: PurePath) -> bool:
        return os.path.lexists(path)

    def is_dir(self, path: PurePath) -> bool:
        return Path(path).is_dir()

    def is_file(self, path: PurePath) -> bool:
        return Path(path).is_file()

    def list_dir(self, path: PurePath) -> tuple[str, ...]:
        """Names in a folder, sorted; empty where there is no readable folder."""
        try:
            return tuple(sorted(os.listdir(path)))
        except OSError:
            return ()

    def resolve(self, path: PurePath) -> Path:
        return Path(path).resolve()

    def link_target(self, path: PurePath) -> str | None:
        """Where a symbolic link points, None for anything else."""
        try:
            return os.readlink(path)
        except OSError:
            return None

    def size(self, path: PurePath) -> int:
        """Bytes of a file; raises FileNotFoundError and the other OSErrors as they are."""
        return Path(path).stat().st_size

    def sha256(self, path: PurePath) -> str:
        """Hex digest of a file's bytes. Raises OSError as it is, Interrupted."""
        from setup_llm_dev.host.hashing import sha256_of

        return sha256_of(path, self._cancel)

    def missing_parents(self, path: PurePath) -> tuple[PurePath, ...]:
        """The folders that have to be made for `path`, the innermost first."""
        missing = []
        for folder in path.parents:
            if os.path.lexists(folder):
                break
            missing.append(folder)
        return tuple(missing)

    def free_bytes(self, path: PurePath) -> int:
        """Free bytes for us on the file system that holds `path`, or will hold it once it is made."""
        probe = Path(path)
        while not probe.exists() and probe != probe.parent:
            probe = probe.parent
        if hasattr(os, "statvfs"):
            told = os.statvfs(probe)
            return told.f_bavail * told.f_frsize
        import shutil

        return shutil.disk_usage(probe).free


def open_regular(path: PurePath, *, follow: bool = True) -> BinaryIO:
    """A regular file to read; raises OSError for anything else, where opening or reading might wait for ever (FIFO)."""
    flags = _flag("O_NONBLOCK") | _flag("O_BINARY") | (0 if follow else _flag("O_NOFOLLOW"))
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
            raise OSError(number, os.strerror(number), str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _flag(name: str) -> int:
    """Zero where the system has no such flag."""
    return int(getattr(os, name, 0))
