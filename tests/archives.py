"""Archives made byte by byte: what to accept, what is odd but fine (iffy), and what to reject with which rule."""

import contextlib
import gzip
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from setup_llm_dev.host.archives.extract import Kind, Limits
from setup_llm_dev.host.archives.rules import Rule

POSIX, GNU = b"ustar\x0000", b"ustar  \x00"
END = bytes(1024)
_MTIME = 1_790_000_000


@dataclass(frozen=True)
class Case:
    """One archive and what must come of it: `tree` (path -> bytes, or "-> target" for links), or a rule.

    A tuple of rules says that readers may see either first.
    """

    id: str
    kind: Kind
    data: bytes
    tree: dict[str, bytes | str] = field(default_factory=dict)
    rule: Rule | tuple[Rule, ...] | None = None
    limits: Limits = Limits()  # noqa: RUF009  # frozen
    single_root: bool = False

    @property
    def verdict(self) -> Literal["accept", "iffy", "reject"]:
        return "reject" if self.rule else "iffy" if self.id.startswith("iffy") else "accept"


@contextlib.contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where the system has such a place, else where temporary files go."""
    memory = Path("/dev/shm")  # noqa: S108  # made with a fresh name
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


# tar -----------------------------------------------------------------------------------------------------------


def header(
    name: bytes,
    kind: bytes = b"0",
    size: int | bytes = 0,
    *,
    mode: int = 0o644,
    link: bytes = b"",
    prefix: bytes = b"",
    mtime: int | bytes = _MTIME,
    magic: bytes = POSIX,
    checksum: int | None = None,
) -> bytes:
    """512 bytes of tar header; fields given as bytes stand there as they are."""
    fields = [
        name.ljust(100, b"\0"),
        b"%07o\0" % mode,
        b"%07o\0" % 1234,
        b"%07o\0" % 5678,
        size if isinstance(size, bytes) else b"%011o\0" % size,
        mtime if isinstance(mtime, bytes) else b"%011o\0" % mtime,
        b" " * 8,
        kind,
        link.ljust(100, b"\0"),
        magic,
        b"user".ljust(32, b"\0"),
        b"group".ljust(32, b"\0"),
        b"0000000\0" * 2,
        prefix.ljust(155, b"\0"),
    ]
    block = b"".join(fields).ljust(512, b"\0")
    assert len(block) == 512, [len(f) for f in fields]
    total = sum(block) if checksum is None else checksum
    return block[:148] + b"%06o\0 " % total + block[156:]


def binary(value: int, width: int = 12) -> bytes:
    """GNU's binary number, two's complement where negative."""
    if value < 0:
        return (value + (1 << (8 * width))).to_bytes(width, "big")
    return bytes([0x80]) + value.to_bytes(width - 1, "big")


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def file(name: bytes, data: bytes = b"data", **fields: object) -> bytes:
    return header(name, size=len(data), **fields) + padded(data)  # type: ignore[arg-type]


def folder(name: bytes, **fields: object) -> bytes:
    return header(name, b"5", mode=0o755, **fields)  # type: ignore[arg-type]


def symlink(name: bytes, target: bytes) -> bytes:
    return header(name, b"2", link=target)


def hard_link(name: bytes, target: bytes) -> bytes:
    return header(name, b"1", link=target)


def record(key: bytes, value: bytes) -> bytes:
    """One pax record; its length counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    data = b"".join(records)
    return header(b"PaxHeaders/x", kind, len(data)) + padded(data)


def long_name(name: bytes, kind: bytes = b"L", end: bytes = b"\0") -> bytes:
    data = name + end
    return header(b"././@LongLink", kind, len(data), magic=GNU) + padded(data)


def tar_gz(*members: bytes, end: bytes = END, level: int = 1) -> bytes:
    return gzip.compress(b"".join(members) + end, level, mtime=0)


# zip -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One member of a zip; what is None follows from the data, what is given stands there even if it lies.

    `local` are fields in which the local header differs from the central directory.
    """

    name: bytes
    data: bytes = b"data"
    method: int = 8
    flags: int = 0x0800
    mode: int = 0o100644
    system: int = 3
    crc: int | None = None
    packed: int | None = None
    size: int | None = None
    extra: bytes = b""
    attributes: int | None = None
    descriptor: bytes | None = None
    offset: int | None = None
    raw: bytes | None = None
    disk: int = 0
    local: dict[str, object] = field(default_factory=dict)

    def packed_data(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.method == 8:
            deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
            return deflate.compress(self.data) + deflate.flush()
        return self.data

    def numbers(self) -> tuple[int, int, int]:
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        packed = len(self.packed_data()) if self.packed is None else self.packed
        return crc, packed, len(self.data) if self.size is None else self.size

    def local_header(self) -> bytes:
        seen = replace(self, **self.local)  # type: ignore[arg-type]
        numbers = (0, 0, 0) if self.flags & 8 and not self.local else seen.numbers()
        fixed = struct.pack("<4s5H3L2H", b"PK\3\4", 20, seen.flags, seen.method, 0, 0x5A21, *numbers, *seen._lengths())
        return fixed + seen.name + seen.extra

    def central_header(self, offset: int) -> bytes:
        attributes = self.mode << 16 if self.attributes is None else self.attributes
        return (
            struct.pack(
                "<4s6H3L", b"PK\1\2", self.system << 8 | 20, 20, self.flags, self.method, 0, 0x5A21, *self.numbers()
            )
            + struct.pack("<5H2L", *self._lengths(), 0, self.disk, 0, attributes, offset)
            + self.name
            + self.extra
        )

    def tail(self) -> bytes:
        if not self.flags & 8:
            return b""
        if self.descriptor is not None:
            return self.descriptor
        return b"PK\7\x08" + struct.pack("<3L", *self.numbers())

    def _lengths(self) -> tuple[int, int]:
        return len(self.name), len(self.extra)


def zip_file(
    *entries: Entry,
    comment: bytes = b"",
    before: bytes = b"",
    between: bytes = b"",
    after: bytes = b"",
    count: int | None = None,
    wide: bool = False,
    wide_count: int | None = None,
    disk: int = 0,
    shift: int = 0,
) -> bytes:
    """A whole zip; `before`, `between` (last member and directory) and `after` are foreign bytes."""
    body = before
    central = b""
    for entry in entries:
        offset = len(body) if entry.offset is None else entry.offset
        central += entry.central_header(offset)
        body += entry.local_header() + entry.packed_data() + entry.tail()
    body += between
    start, number = len(body) + shift, len(entries) if count is None else count
    end = b""
    if wide:
        many = number if wide_count is None else wide_count
        end += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, many, many, len(central), start)
        end += struct.pack("<4sLQL", b"PK\6\7", 0, start + len(central), 1)
    end += struct.pack("<4s4H2LH", b"PK\5\6", disk, disk, number, number, len(central), start, len(comment))
    return body + central + end + comment + after
