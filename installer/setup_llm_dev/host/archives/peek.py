"""One small file out of a tar.gz, without unpacking anything: what an archive says of itself."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

from setup_llm_dev.host.archives.gzip_stream import Gunzip
from setup_llm_dev.host.archives.rules import USUAL_LIMITS, Limits, Rule, UnsafeArchive
from setup_llm_dev.host.archives.tar import Inflow, read_tar
from setup_llm_dev.host.cancel import Cancel

_READ = 1 << 18
_MOST = 1 << 20  # bytes of the file that is looked for


def peek(path: PurePath, name: str, cancel: Cancel, limits: Limits = USUAL_LIMITS) -> bytes | None:
    """The bytes of `name` in the archive's one top folder; None where it has none.

    Reading ends where it is found. Raises Corrupt (5) for what is no such archive, OSError as it is.
    """
    with Path(path).open("rb") as stream:
        pieces = _pieces(stream, Gunzip(limits), cancel)
        try:
            read_tar(Inflow(lambda: next(pieces, b"")), _Search(name, limits), limits)
        except _Found as found:
            return found.content
    return None


class _Found(Exception):
    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = content


class _Search:
    """Passes by everything but one file."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._members = 0
        self._total = 0

    def folder(self, path: str) -> None:
        self._count(0)

    def link(self, path: str, target: str) -> None:
        self._count(0)

    def hard_link(self, path: str, target: str) -> None:
        self._count(0)

    def file(self, path: str, size: int, more: Callable[[], bytes | memoryview], *, program: bool, mtime: int) -> None:
        self._count(size)
        if path.partition("/")[2] == self._name and size <= _MOST:
            raise _Found(b"".join(iter(more, b"")))
        while more():
            pass

    def _count(self, size: int) -> None:
        self._members += 1
        self._total += size
        if self._members > self._limits.members or self._total > self._limits.total:
            raise UnsafeArchive(Rule.COUNT if self._members > self._limits.members else Rule.TOTAL)


def _pieces(stream: BinaryIO, gunzip: Gunzip, cancel: Cancel) -> Iterator[bytes]:
    while data := stream.read(_READ):
        cancel.raise_if_set()
        yield from gunzip.feed(data)
    gunzip.finish()
