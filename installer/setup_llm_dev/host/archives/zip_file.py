"""Our own reader of zip files: its two directories must tell one story, and nothing may be between or around them."""

import calendar
import stat
import struct
from collections.abc import Callable
from typing import BinaryIO

from setup_llm_dev.host.archives.gzip_stream import crc32, inflater
from setup_llm_dev.host.archives.members import Unpacking
from setup_llm_dev.host.archives.rules import Limits, Rule, UnsafeArchive, decoded
from setup_llm_dev.host.archives.tar import is_header
from setup_llm_dev.host.archives.zip_directory import (
    DESCRIPTOR,
    FULL32,
    Entry,
    exactly,
    extras,
    find_directory,
    read_entries,
    wide_numbers,
)

_LOCAL = struct.Struct("<4s5H3L2H")
_READ = 1 << 18
_PIECE = 1 << 20


def read_zip(stream: BinaryIO, unpacking: Unpacking, limits: Limits, each: Callable[[], None]) -> None:
    """Every member to `unpacking`, in the order of their bytes; `each` is called after each piece of at most 1 MiB.

    Raises `UnsafeArchive`, and whatever `each` and the disk raise.
    """
    length = stream.seek(0, 2)
    directory = find_directory(stream, length)
    if directory.entries > limits.members:
        raise UnsafeArchive(Rule.COUNT)
    stream.seek(0)
    if is_header(stream.read(512)):
        raise UnsafeArchive(Rule.TWO_KINDS)
    entries = read_entries(exactly(stream, directory.offset, directory.size), directory, limits)
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.offset != end:
            raise UnsafeArchive(Rule.OVERLAP if entry.offset < end else Rule.PREFIX, entry.raw)
        end = _Member(stream, entry, directory.offset).take(unpacking, limits, each)
    if end != directory.offset:
        raise UnsafeArchive(Rule.PREFIX)


class _Member:
    """One member: its local header compared with the central directory, then its bytes."""

    def __init__(self, stream: BinaryIO, entry: Entry, limit: int) -> None:
        self._stream = stream
        self._entry = entry
        self._limit = limit  # where the central directory begins: no member reaches into it

    def take(self, unpacking: Unpacking, limits: Limits, each: Callable[[], None]) -> int:
        """Hand the member on; returns where it ends, its descriptor included."""
        entry = self._entry
        start, wide = self._local_header()
        end = start + entry.packed
        if end > self._limit:
            raise UnsafeArchive(Rule.OVERLAP, entry.raw)
        self._stream.seek(start)
        self._hand_on(unpacking, _Bytes(self._stream, entry, each), limits)
        return self._descriptor(end, wide) if entry.flags & DESCRIPTOR else end

    def _local_header(self) -> tuple[int, bool]:
        """Where the bytes begin, and whether the header has zip64 numbers; both directories must agree."""
        entry = self._entry
        fixed = _LOCAL.unpack(exactly(self._stream, entry.offset, _LOCAL.size))
        magic, _, flags, method, _, _, crc, packed, size, name_length, extra_length = fixed
        names = exactly(self._stream, entry.offset + _LOCAL.size, name_length + extra_length)
        if magic != b"PK\3\4" or names[:name_length] != entry.raw or (flags, method) != (entry.flags, entry.method):
            raise UnsafeArchive(Rule.DISAGREE, entry.raw)
        extra = extras(names[name_length:], entry.raw)
        if 0x7075 in extra and extra[0x7075][5:] != entry.raw:
            raise UnsafeArchive(Rule.DISAGREE, entry.raw)
        wide = 1 in extra
        if wide and FULL32 in (size, packed):
            size, packed = wide_numbers(extra, (size, packed), entry.raw)
        told = crc, packed, size
        if told != (entry.crc, entry.packed, entry.size) and not (flags & DESCRIPTOR and not any(told)):
            raise UnsafeArchive(Rule.DISAGREE, entry.raw)
        return entry.offset + _LOCAL.size + len(names), wide

    def _hand_on(self, unpacking: Unpacking, content: "_Bytes", limits: Limits) -> None:
        entry = self._entry
        kind = stat.S_IFMT(entry.mode)
        if entry.mode & 0o6000:
            raise UnsafeArchive(Rule.SETUID, entry.raw)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            raise UnsafeArchive(Rule.SPECIAL, entry.raw)
        named_folder = entry.path.endswith("/")
        if named_folder:
            if kind not in (0, stat.S_IFDIR) or entry.size:
                raise UnsafeArchive(Rule.KIND, entry.raw)
            unpacking.folder(entry.path[:-1], again=False)
            content.drain()
        elif kind == stat.S_IFDIR or entry.dos_folder:
            raise UnsafeArchive(Rule.KIND, entry.raw)
        elif kind == stat.S_IFLNK:
            if entry.size > limits.path:
                raise UnsafeArchive(Rule.NAME_LENGTH, entry.raw)
            unpacking.link(entry.path, decoded(content.drain()))
        else:
            program = bool(entry.mode & 0o111)
            unpacking.file(entry.path, entry.size, content.more, program=program, mtime=_seconds(entry.time))

    def _descriptor(self, at: int, wide: bool) -> int:
        """The numbers once more, behind the bytes; returns where they end."""
        entry = self._entry
        numbers = struct.Struct("<LQQ" if wide else "<LLL")
        signed = exactly(self._stream, at, 4) == b"PK\7\x08"
        at += 4 if signed else 0
        if numbers.unpack(exactly(self._stream, at, numbers.size)) != (entry.crc, entry.packed, entry.size):
            raise UnsafeArchive(Rule.DISAGREE, entry.raw)
        return at + numbers.size


class _Bytes:
    """A member's bytes, decompressed, counted and checked; the last call of `more` has seen all of them."""

    def __init__(self, stream: BinaryIO, entry: Entry, each: Callable[[], None]) -> None:
        self._stream = stream
        self._entry = entry
        self._each = each
        self._packed_left = entry.packed
        self._left = entry.size
        self._crc = 0
        self._inflater, self._error = inflater(-15)
        self._waiting: bytes = b""

    def more(self) -> bytes:
        """The next piece of at most 1 MiB, b"" at the end, where size and checksum must be right."""
        self._each()
        piece = self._inflated() if self._entry.method else self._read(_PIECE)
        self._left -= len(piece)
        self._crc = crc32(piece, self._crc)
        if self._left < 0 or (not piece and (self._left or self._crc != self._entry.crc)):
            raise UnsafeArchive(Rule.DAMAGED, self._entry.raw)
        return piece

    def drain(self) -> bytes:
        """All of it; for small things."""
        found = b""
        while piece := self.more():
            found += piece
        return found

    def _inflated(self) -> bytes:
        while not self._inflater.eof:
            data = self._waiting or self._read(_READ)
            try:
                piece = self._inflater.decompress(data, _PIECE)
            except self._error:
                raise UnsafeArchive(Rule.DAMAGED, self._entry.raw) from None
            self._waiting = self._inflater.unconsumed_tail
            if piece:
                return piece
            if not data and not self._inflater.eof:
                raise UnsafeArchive(Rule.DAMAGED, self._entry.raw)
        if self._inflater.unused_data or self._packed_left:
            raise UnsafeArchive(Rule.DAMAGED, self._entry.raw)
        return b""

    def _read(self, limit: int) -> bytes:
        wanted = min(limit, self._packed_left)
        data = self._stream.read(wanted) if wanted else b""
        if wanted and not data:
            raise UnsafeArchive(Rule.TRUNCATED, self._entry.raw)
        self._packed_left -= len(data)
        return data


def _seconds(time: tuple[int, int]) -> int:
    """DOS has no time zone and starts in 1980; taken as UTC, odd dates as its first day."""
    clock, day = time
    date = (day >> 9) + 1980, (day >> 5) & 15, day & 31
    if not 1 <= date[1] <= 12 or not date[2]:
        return calendar.timegm((1980, 1, 1, 0, 0, 0))
    return calendar.timegm((*date, clock >> 11, (clock >> 5) & 63, (clock & 31) * 2))
