"""The central directory of a zip: where it is, and what it says of each member; strict, and only one may be found."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from setup_llm_dev.host.archives.rules import Limits, Rule, UnsafeArchive, decoded

_EOCD = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCATOR = struct.Struct("<4sLQL")
_EOCD64 = struct.Struct("<4sQ2H2L4Q")
_DIRECTORY_BYTES = 48 << 20
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_PATCHED = 0x0020
_UTF8 = 0x0800
_UNIX, _DARWIN = 3, 19
DESCRIPTOR = 0x0008  # the flag: sizes and checksum stand behind the bytes
FULL32 = 0xFFFFFFFF  # the number does not fit here: see zip64's extra field


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the central directory; sizes and offset in bytes, zip64 fields already in their place."""

    raw: bytes
    path: str
    system: int
    flags: int
    method: int
    time: tuple[int, int]
    crc: int
    packed: int
    size: int
    mode: int  # of Unix, 0 where another system made it
    dos_folder: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Directory:
    offset: int
    size: int
    entries: int


def find_directory(stream: BinaryIO, length: int) -> Directory:
    """Where the central directory is, from the one record at the end of the file that can be its end."""
    start = max(0, length - _EOCD.size - 0xFFFF)
    tail = exactly(stream, start, length - start)
    at = _only_end(tail)
    _, disk, first_disk, here, count, size, offset, _ = _EOCD.unpack_from(tail, at)
    end = start + at
    found = Directory(offset, size, count)
    if disk or first_disk or here != count:
        raise UnsafeArchive(Rule.VOLUMES if disk != 0xFFFF else Rule.DISAGREE)
    wide = _zip64(stream, end)
    if wide is not None:
        found, end = _widened(found, wide[0]), wide[1]
    elif count == 0xFFFF or FULL32 in (size, offset):
        raise UnsafeArchive(Rule.DISAGREE)
    if found.offset + found.size != end or found.size > _DIRECTORY_BYTES:
        raise UnsafeArchive(Rule.DISAGREE if found.size <= _DIRECTORY_BYTES else Rule.COUNT)
    return found


def _only_end(tail: bytes) -> int:
    """The end record whose comment reaches exactly to the end of the file; two such are a trap for readers."""
    ends: list[int] = []
    at = tail.find(b"PK\5\6")
    anything = at >= 0
    while at >= 0:
        if at + _EOCD.size <= len(tail) and at + _EOCD.size + _EOCD.unpack_from(tail, at)[7] == len(tail):
            ends.append(at)
        at = tail.find(b"PK\5\6", at + 1)
    if not ends:
        raise UnsafeArchive(Rule.GARBAGE if anything else Rule.UNKNOWN)
    if len(ends) > 1 or b"PK\5\6" in tail[ends[0] + 4 :]:
        raise UnsafeArchive(Rule.TWO_KINDS)
    return ends[0]


def _zip64(stream: BinaryIO, end: int) -> tuple[Directory, int] | None:
    """The wide end record right before the narrow one at `end`, and where it begins."""
    if end < _LOCATOR.size + _EOCD64.size:
        return None
    magic, disk, at, disks = _LOCATOR.unpack(exactly(stream, end - _LOCATOR.size, _LOCATOR.size))
    if magic != b"PK\6\7":
        return None
    if disk or disks > 1:
        raise UnsafeArchive(Rule.VOLUMES)
    if at != end - _LOCATOR.size - _EOCD64.size:
        raise UnsafeArchive(Rule.DISAGREE)
    magic, size, _, _, disk, first, here, count, bytes_, offset = _EOCD64.unpack(exactly(stream, at, _EOCD64.size))
    if magic != b"PK\6\6" or size != _EOCD64.size - 12 or disk or first or here != count:
        raise UnsafeArchive(Rule.DISAGREE)
    return Directory(offset, bytes_, count), at


def _widened(narrow: Directory, wide: Directory) -> Directory:
    """Where the narrow record says a number, the wide one must say the same."""
    for small, large, full in (
        (narrow.entries, wide.entries, 0xFFFF),
        (narrow.size, wide.size, FULL32),
        (narrow.offset, wide.offset, FULL32),
    ):
        if small not in (full, large):
            raise UnsafeArchive(Rule.DISAGREE)
    return wide


def read_entries(data: bytes, directory: Directory, limits: Limits) -> list[Entry]:
    entries: list[Entry] = []
    at = 0
    while at < len(data):
        if len(entries) == directory.entries or len(data) - at < _CENTRAL.size:
            raise UnsafeArchive(Rule.DISAGREE)
        entry, at = _entry(data, at)
        entries.append(entry)
    if len(entries) != directory.entries:
        raise UnsafeArchive(Rule.DISAGREE)
    if not entries:
        raise UnsafeArchive(Rule.NOTHING)
    packed = sum(entry.packed for entry in entries)
    size = sum(entry.size for entry in entries)
    if size > limits.total:
        raise UnsafeArchive(Rule.TOTAL)
    if size > max(limits.ratio_from, limits.ratio * packed):
        raise UnsafeArchive(Rule.RATIO)
    return entries


def _entry(data: bytes, at: int) -> tuple[Entry, int]:
    """The entry of the central directory at `at`, and where the next one begins."""
    fields = _CENTRAL.unpack_from(data, at)
    magic, made_by, _, flags, method, clock, day, crc, packed, size, *lengths = fields
    name_length, extra_length, comment_length, disk, _, attributes, offset = lengths
    names = at + _CENTRAL.size
    end = names + name_length + extra_length + comment_length
    raw = data[names : names + name_length]
    if magic != b"PK\1\2" or end > len(data):
        raise UnsafeArchive(Rule.DAMAGED, raw)
    extra = extras(data[names + name_length : names + name_length + extra_length], raw)
    size, packed, offset = wide_numbers(extra, (size, packed, offset), raw)
    if disk:
        raise UnsafeArchive(Rule.VOLUMES, raw)
    system = made_by >> 8
    entry = Entry(
        raw=raw,
        path=_path(raw, flags, extra),
        system=system,
        flags=flags,
        method=method,
        time=(clock, day),
        crc=crc,
        packed=packed,
        size=size,
        mode=attributes >> 16 if system in (_UNIX, _DARWIN) else 0,
        dos_folder=bool(attributes & 0x10),
        offset=offset,
    )
    _check_method(entry)
    return entry, end


def _path(raw: bytes, flags: int, extra: dict[int, bytes]) -> str:
    """The name, which may not mean something else to readers that guess an older encoding."""
    if not flags & _UTF8 and not raw.isascii():
        raise UnsafeArchive(Rule.ENCODING, raw)
    if 0x7075 in extra and extra[0x7075][5:] != raw:  # Info-ZIP's second name
        raise UnsafeArchive(Rule.DISAGREE, raw)
    return decoded(raw)


def extras(data: bytes, raw: bytes) -> dict[int, bytes]:
    """Extra fields by their number, each once; what the fields don't fill must be too short for one."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        number, length = struct.unpack_from("<2H", data, at)
        if at + 4 + length > len(data) or number in found:
            raise UnsafeArchive(Rule.EXTENSION, raw)
        found[number] = data[at + 4 : at + 4 + length]
        at += 4 + length
    if data[at:].strip(b"\0"):
        raise UnsafeArchive(Rule.EXTENSION, raw)
    return found


def wide_numbers(extra: dict[int, bytes], narrow: tuple[int, ...], raw: bytes) -> tuple[int, ...]:
    """zip64: exactly the numbers that don't fit stand in the extra field, in this order."""
    wide = extra.get(1)
    wanted = sum(number == FULL32 for number in narrow)
    if len(wide or b"") != wanted * 8:
        raise UnsafeArchive(Rule.DISAGREE, raw)
    numbers = iter(struct.unpack(f"<{wanted}Q", wide or b""))
    return tuple(next(numbers) if number == FULL32 else number for number in narrow)


def _check_method(entry: Entry) -> None:
    if entry.flags & _ENCRYPTED:
        raise UnsafeArchive(Rule.ENCRYPTED, entry.raw)
    if entry.method not in (0, 8) or entry.flags & _PATCHED:
        raise UnsafeArchive(Rule.METHOD, entry.raw)
    if entry.method == 0 and (entry.packed != entry.size or entry.flags & DESCRIPTOR):
        raise UnsafeArchive(Rule.DISAGREE, entry.raw)


def exactly(stream: BinaryIO, at: int, size: int) -> bytes:
    stream.seek(at)
    data = b""
    while len(data) < size:
        piece = stream.read(size - len(data))
        if not piece:
            raise UnsafeArchive(Rule.TRUNCATED)
        data += piece
    return data
