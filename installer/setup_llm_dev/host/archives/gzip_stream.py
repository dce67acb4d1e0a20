"""gzip, piece by piece: members in a row, zero padding at the end, and nothing else behind it."""

import zlib
from collections.abc import Iterator
from typing import Protocol

from setup_llm_dev.host.archives.rules import Limits, Rule, UnsafeArchive

PIECE = 1 << 20
_MEMBERS = 50_000  # bgzip makes one for every 64 KiB
_PADDING = 16 << 20
_SLICE = 1 << 14  # so that thousands of tiny members are not copied over and over
_SILENT = 4 << 20  # bytes in with nothing out: endless names in a header, endless empty blocks
_MAGIC = b"\x1f\x8b\x08"
_END_OF_ZIP = b"PK\x05\x06"
_ZIP_TAIL = 22 + 0xFFFF


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes | memoryview, max_length: int = ..., /) -> bytes: ...


def inflater(window: int) -> tuple[_Inflater, type[Exception]]:
    """A decompressor and its error, by zlib's window number (31: gzip, -15: bare); isal's is twice as fast."""
    try:
        from isal import isal_zlib
    except ImportError:  # no build of it for this processor
        return zlib.decompressobj(window), zlib.error
    error: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub has the instance for the class
    return isal_zlib.decompressobj(window), error


def crc32(data: bytes, value: int = 0) -> int:
    """The checksum of zip; isal's where there is one."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.crc32(data, value)
    return isal_zlib.crc32(data, value)


class Gunzip:
    """Feed the bytes of a gzip file in order, then `finish`; raises `UnsafeArchive` for what is not one.

    The ratio limit is looked at after every piece of at most 1 MiB, so a bomb costs that much memory.
    """

    def __init__(self, limits: Limits) -> None:
        self.bytes_in = 0
        self.bytes_out = 0
        self._limits = limits
        self._members = 0
        self._inflater: _Inflater | None = None
        self._error: type[Exception] = zlib.error
        self._padding = 0
        self._silent = 0
        self._tail = b""
        self._unused = 0  # bytes that the member which ended did not want

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out of `data`, in pieces of at most 1 MiB."""
        self.bytes_in += len(data)
        self._tail = (self._tail + data)[-_ZIP_TAIL:] if len(data) < _ZIP_TAIL else data[-_ZIP_TAIL:]
        view, at = memoryview(data), 0
        while at < len(view):
            if self._inflater is None:
                if self._is_padding(data, at):
                    return
                self._begin()
            here = view[at : at + _SLICE] if self._members > 1 else view[at:]
            out = self.bytes_out
            yield from self._inflate(here)
            self._silent = 0 if self.bytes_out > out else self._silent + len(here) - self._unused
            if self._silent > _SILENT:
                raise UnsafeArchive(Rule.PIECES)
            at += len(here) - self._unused

    def finish(self) -> None:
        """The file ends here."""
        if self._inflater is not None or not self._members:
            raise UnsafeArchive(Rule.TRUNCATED)
        _refuse_zip(self._tail)

    def _begin(self) -> None:
        self._members += 1
        if self._members > _MEMBERS:
            raise UnsafeArchive(Rule.PIECES)
        self._inflater, self._error = inflater(31)

    def _inflate(self, data: bytes | memoryview) -> Iterator[bytes]:
        """One member's share of `data`; `_unused` says how much it left over."""
        while self._inflater is not None:
            try:
                piece = self._inflater.decompress(data, PIECE)
            except self._error:
                raise UnsafeArchive(Rule.DAMAGED) from None
            self.bytes_out += len(piece)
            if self.bytes_out > max(self._limits.ratio_from, self._limits.ratio * self.bytes_in):
                raise UnsafeArchive(Rule.RATIO)
            if piece:
                yield piece
            if self._inflater.eof:
                self._unused = len(self._inflater.unused_data)
                self._inflater = None
                return
            data = self._inflater.unconsumed_tail
            if not data and len(piece) < PIECE:
                self._unused = 0
                return

    def _is_padding(self, data: bytes, at: int) -> bool:
        """Whether the last member is over and only zeros follow; anything but those and a member is an error."""
        if not self._members:
            if not _MAGIC.startswith(data[:3]):
                raise UnsafeArchive(Rule.UNKNOWN)
            return False
        if data[at] == _MAGIC[0] and not self._padding:
            return False
        if data[at:].strip(b"\0"):
            raise UnsafeArchive(Rule.GARBAGE)
        self._padding += len(data) - at
        if self._padding > _PADDING:
            raise UnsafeArchive(Rule.PADDING)
        return True


def _refuse_zip(tail: bytes) -> None:
    """A file that ends like a zip is one for readers that start from the end."""
    start = tail.find(_END_OF_ZIP)
    while start >= 0:
        if start + 22 + int.from_bytes(tail[start + 20 : start + 22], "little") == len(tail) >= start + 22:
            raise UnsafeArchive(Rule.TWO_KINDS)
        start = tail.find(_END_OF_ZIP, start + 1)
