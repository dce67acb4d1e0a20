"""From members to a tree on the disk: what the rules allow is written, links last."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from setup_llm_dev.host.archives.ground import Ground, ground
from setup_llm_dev.host.archives.rules import Limits, Rule, UnsafeArchive
from setup_llm_dev.host.archives.tree import Tree

_UTIME_TAKES_DESCRIPTORS = os.utime in os.supports_fd


class Unpacking:
    """Takes members from a reader (see `Intake`) and writes them below `root`, a fresh folder of ours.

    Raises `UnsafeArchive` before a member that may not be is written, `OSError` and `Moved` where the disk refuses.
    `bytes` and `files` say how far it is; another thread may read them.
    """

    def __init__(self, root: Path, limits: Limits, *, single_root: bool, on: Callable[[Path], Ground] = ground) -> None:
        self.bytes = 0
        self.files = 0
        self._limits = limits
        self._ground = on(root)
        self._links: list[tuple[str, str, str]] = []
        self._tree = Tree(limits, self._make_folder, single_root=single_root)

    @property
    def root_name(self) -> str:
        """The name of the folder at the top, "" where there is none yet."""
        return self._tree.root_name or ""

    def folder(self, path: str, *, again: bool = True) -> None:
        self._tree.folder(path, again=again)

    def file(self, path: str, size: int, more: Callable[[], bytes | memoryview], *, program: bool, mtime: int) -> None:
        """A regular file of `size` bytes, from `more` until it gives none."""
        self._measure(path, size)
        folder, name = self._tree.file(path)
        with _once(path):
            file = self._ground.create(folder, name, program=program)
        try:
            while part := more():
                _write_all(file, part)
            if _UTIME_TAKES_DESCRIPTORS:
                os.utime(file, (mtime, mtime))
        finally:
            os.close(file)
        self.files += 1

    def link(self, path: str, target: str) -> None:
        """A symbolic link; nothing is written before every other member is there."""
        folder, name = self._tree.link(path, target)
        self._links.append((folder, name, target))

    def hard_link(self, path: str, target: str) -> None:
        folder, name = self._tree.hard_link(path, target)
        with _once(path):
            copied = self._ground.hard_link(folder, name, target)
        self._measure(path, copied)
        self.files += 1

    def finish(self) -> None:
        """The second pass: links, once it is known where each leads; then the folders are looked at again."""
        if not self._tree.root.nodes:
            raise UnsafeArchive(Rule.NOTHING)
        self._tree.check_links()
        for folder, name, target in self._links:
            with _once(f"{folder}/{name}"):
                self._ground.link(folder, name, target)
        self._ground.check()

    def close(self) -> None:
        self._ground.close()

    def _make_folder(self, path: str) -> None:
        with _once(path):
            self._ground.make_folder(path)

    def _measure(self, path: str, size: int) -> None:
        if size > self._limits.single:
            raise UnsafeArchive(Rule.SINGLE, path)
        self.bytes += size
        if self.bytes > self._limits.total:
            raise UnsafeArchive(Rule.TOTAL, path)


@contextlib.contextmanager
def _once(path: str) -> Iterator[None]:
    """A new name that is there already: the file system takes two names for one that our rules take for two."""
    try:
        yield
    except FileExistsError:
        raise UnsafeArchive(Rule.TWIN, path) from None


def _write_all(file: int, data: bytes | memoryview) -> None:
    written = os.write(file, data)
    while written < len(data):
        data = memoryview(data)[written:]
        written = os.write(file, data)
