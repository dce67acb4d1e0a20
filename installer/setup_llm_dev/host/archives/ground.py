"""Writing below one folder of ours and nowhere else: by folder descriptors, and never through a link."""

import contextlib
import errno
import os
import shutil
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

_OPEN_FOLDERS = 32  # descriptors kept; some systems give a process 64 in all
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
FOLDER_MODE = 0o755
PROGRAM_MODE = 0o755
FILE_MODE = 0o644


class Moved(Exception):
    """A folder that we made is no longer the one that stands there: somebody works against us."""


class Ground(Protocol):
    """Where an archive is unpacked. Folders are `a/b`, `""` is the ground itself; all raise OSError and `Moved`."""

    def make_folder(self, path: str) -> None: ...

    def create(self, folder: str, name: str, *, program: bool) -> int:
        """A new file; returns a descriptor that the caller closes."""

    def link(self, folder: str, name: str, target: str) -> None: ...

    def hard_link(self, folder: str, name: str, source: str) -> int:
        """A second name of an earlier file, or a copy where the disk gives none; returns how many bytes it copied."""

    def check(self) -> None:
        """Every folder must still be the one that was made."""

    def close(self) -> None: ...


def ground(root: Path) -> Ground:
    """The safest way of writing that this system has; `root` is a fresh folder of ours."""
    if os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW"):
        return DescriptorGround(root)
    return PathGround(root)


class DescriptorGround:
    """Linux and macOS: each folder is opened from its parent's descriptor, and must be the one that we made."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _FOLDER)
        self._open: OrderedDict[str, int] = OrderedDict()
        self._made: dict[str, tuple[int, int]] = {}
        os.fchmod(self._root, FOLDER_MODE)
        self._masked = self._umask_bites()

    def make_folder(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        above = self._folder(parent)
        os.mkdir(name, FOLDER_MODE, dir_fd=above)
        here = os.open(name, _FOLDER, dir_fd=above)
        self._keep(path, here)
        status = os.fstat(here)
        self._made[path] = status.st_dev, status.st_ino
        if self._masked:
            os.fchmod(here, FOLDER_MODE)

    def create(self, folder: str, name: str, *, program: bool) -> int:
        mode = PROGRAM_MODE if program else FILE_MODE
        file = os.open(name, _NEW_FILE, mode, dir_fd=self._folder(folder))
        if self._masked:
            os.fchmod(file, mode)
        return file

    def link(self, folder: str, name: str, target: str) -> None:
        os.symlink(target, name, dir_fd=self._folder(folder))

    def hard_link(self, folder: str, name: str, source: str) -> int:
        parent, _, original = source.rpartition("/")
        from_folder = os.dup(self._folder(parent))  # the next look-up may close it
        try:
            to_folder = self._folder(folder)
            try:
                os.link(original, name, src_dir_fd=from_folder, dst_dir_fd=to_folder, follow_symlinks=False)
                return 0
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                    raise
                flags = os.O_RDONLY | os.O_NOFOLLOW
                return _copied(self, os.open(original, flags, dir_fd=from_folder), folder, name)
        finally:
            os.close(from_folder)

    def check(self) -> None:
        self._drop_all()
        for path in self._made:
            self._folder(path)

    def close(self) -> None:
        self._drop_all()
        os.close(self._root)

    def _folder(self, path: str) -> int:
        """The descriptor of a folder that we made, opened along its way from the ground."""
        if not path:
            return self._root
        known = self._open.get(path)
        if known is not None:
            self._open.move_to_end(path)
            return known
        parent, _, name = path.rpartition("/")
        try:
            here = os.open(name, _FOLDER, dir_fd=self._folder(parent))
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
                raise Moved(path) from error
            raise
        status = os.fstat(here)
        if self._made.get(path) != (status.st_dev, status.st_ino):
            os.close(here)
            raise Moved(path)
        self._keep(path, here)
        return here

    def _keep(self, path: str, descriptor: int) -> None:
        self._open[path] = descriptor
        if len(self._open) > _OPEN_FOLDERS:
            os.close(self._open.popitem(last=False)[1])

    def _drop_all(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def _umask_bites(self) -> bool:
        """Whether what we make comes out with fewer rights; the mask itself can't be asked without setting it."""
        os.mkdir("mode", FOLDER_MODE, dir_fd=self._root)
        try:
            return os.stat("mode", dir_fd=self._root, follow_symlinks=False).st_mode & 0o777 != FOLDER_MODE
        finally:
            os.rmdir("mode", dir_fd=self._root)


class PathGround:
    """Windows, which opens nothing relative to a folder: whole paths, each folder asked whether it is still ours."""

    def __init__(self, root: Path) -> None:
        self._root = _long(root)
        self._made: dict[str, tuple[int, int]] = {"": self._identity("")}
        self._last = ""

    def make_folder(self, path: str) -> None:
        self._ask(path.rpartition("/")[0])
        Path(self._root, path).mkdir(mode=FOLDER_MODE)
        self._made[path] = self._identity(path)

    def create(self, folder: str, name: str, *, program: bool) -> int:
        self._ask(folder)
        path = Path(self._root, folder, name)
        file = os.open(path, _NEW_FILE, PROGRAM_MODE if program else FILE_MODE)
        if hasattr(os, "fchmod"):
            os.fchmod(file, PROGRAM_MODE if program else FILE_MODE)
        return file

    def link(self, folder: str, name: str, target: str) -> None:
        self._ask(folder)
        place = Path(self._root, folder, name)
        place.symlink_to(target.replace("/", os.sep), target_is_directory=(place.parent / target).is_dir())

    def hard_link(self, folder: str, name: str, source: str) -> int:
        self._ask(folder)
        self._ask(source.rpartition("/")[0])
        original = Path(self._root, source)
        try:
            Path(self._root, folder, name).hardlink_to(original)
            return 0
        except FileExistsError:
            raise
        except OSError:
            return _copied(self, os.open(original, os.O_RDONLY | getattr(os, "O_BINARY", 0)), folder, name)

    def check(self) -> None:
        for path in self._made:
            self._same(path)

    def close(self) -> None:
        pass

    def _ask(self, path: str) -> None:
        """A folder and all above it must be the ones that we made; files of one folder come in a row."""
        if path == self._last:
            self._same(path)
            return
        parts = path.split("/")
        for depth in range(len(parts) + 1):
            self._same("/".join(parts[:depth]))
        self._last = path

    def _same(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._identity(path) == self._made.get(path):
                return
        raise Moved(path)

    def _identity(self, path: str) -> tuple[int, int]:
        status = Path(self._root, path).lstat()
        return status.st_dev, status.st_ino


def _copied(on: Ground, source: int, folder: str, name: str) -> int:
    """Copy what the descriptor has, and close it; returns how many bytes."""
    with os.fdopen(source, "rb") as original:
        status = os.fstat(source)
        with os.fdopen(on.create(folder, name, program=bool(status.st_mode & 0o100)), "wb") as copy:
            shutil.copyfileobj(original, copy, 1 << 20)
        return status.st_size


def _long(path: Path) -> Path:
    r"""Windows takes paths over 260 characters only with `\\?\` before them."""
    if os.name != "nt" or str(path).startswith("\\\\"):
        return path
    return Path("\\\\?\\" + str(path.absolute()))
