"""Our own reader of tar streams (ustar, GNU, pax): strict, forward only, each member handed on as it comes."""

import re
from collections.abc import Callable
from typing import Protocol

from setup_llm_dev.host.archives.rules import Limits, Rule, UnsafeArchive, decoded

_BLOCK = 512
_EXTENSION_BYTES = 1 << 16
_PADDING = 16 << 20
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_POSIX, _GNU = b"ustar\x0000", b"ustar  \x00"
_GLOBAL_KEYS = {"comment", "mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "charset", "hdrcharset"}
_LATEST = (1 << 31) - 1  # 2038; file systems and zips of today take that


class Intake(Protocol):
    """What a reader tells of each member; `more` gives the file's bytes in pieces, `size` in all, b"" at the end."""

    def folder(self, path: str) -> None: ...

    def file(self, path: str, size: int, more: Callable[[], bytes | memoryview], *, program: bool, mtime: int) -> None:
        """A regular file; all its bytes are taken before this returns."""

    def link(self, path: str, target: str) -> None: ...

    def hard_link(self, path: str, target: str) -> None: ...


class Inflow:
    """The unpacked stream as a reader wants it: exactly so many bytes, or pieces up to a length."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more  # the next piece, b"" at the end
        self._piece = b""
        self._at = 0

    def block(self) -> bytes:
        """512 bytes, or fewer at the end of the stream."""
        at = self._at
        found = self._piece[at : at + _BLOCK]
        self._at = at + len(found)
        while len(found) < _BLOCK and self._next():
            added = self._piece[: _BLOCK - len(found)]
            self._at = len(added)
            found += added
        return found

    def part(self, limit: int) -> memoryview:
        """At least one and at most `limit` bytes, without copying."""
        if self._at == len(self._piece) and not self._next():
            raise UnsafeArchive(Rule.TRUNCATED)
        found = memoryview(self._piece)[self._at : self._at + limit]
        self._at += len(found)
        return found

    def exactly(self, size: int) -> bytes:
        """So many bytes in one; for small things."""
        found = bytearray()
        while len(found) < size:
            found += self.part(size - len(found))
        return bytes(found)

    def skip(self, size: int) -> None:
        while size:
            size -= len(self.part(size))

    def rest_is_zero(self, limit: int) -> bool:
        """Reads to the end of the stream; whether only zeros came. More than `limit` of them is an error."""
        seen = 0
        while self._at < len(self._piece) or self._next():
            piece = self._piece[self._at :]
            self._at = len(self._piece)
            seen += len(piece)
            if piece.strip(b"\0"):
                return False
            if seen > limit:
                raise UnsafeArchive(Rule.PADDING)
        return True

    def _next(self) -> bool:
        self._piece, self._at = self._more(), 0
        return bool(self._piece)


def read_tar(inflow: Inflow, intake: Intake, limits: Limits) -> None:
    """Every member to `intake`, then the end mark, then nothing but zeros; raises `UnsafeArchive`."""
    reader = _Reader(inflow, intake, limits)
    while (header := inflow.block()) != bytes(_BLOCK):
        if len(header) < _BLOCK:
            raise UnsafeArchive(Rule.TRUNCATED)
        reader.take(header)
    if reader.has_extension or inflow.block() != bytes(_BLOCK):
        raise UnsafeArchive(Rule.TRUNCATED)
    if not inflow.rest_is_zero(_PADDING):
        raise UnsafeArchive(Rule.GARBAGE)


def is_header(block: bytes) -> bool:
    """Whether 512 bytes are a tar header, going by its checksum."""
    try:
        return len(block) == _BLOCK and _number(block[148:156]) == sum(block) - sum(block[148:156]) + 256
    except ValueError:
        return False


class _Reader:
    """Headers one by one; an extension header holds for the next member only."""

    def __init__(self, inflow: Inflow, intake: Intake, limits: Limits) -> None:
        self._inflow = inflow
        self._intake = intake
        self._limits = limits
        self._pax: dict[str, str] | None = None
        self._long: dict[bytes, str] = {}
        self._first = True
        self._globals = 0

    @property
    def has_extension(self) -> bool:
        return self._pax is not None or bool(self._long)

    def take(self, header: bytes) -> None:
        if not is_header(header):
            raise UnsafeArchive(Rule.UNKNOWN if self._first else Rule.DAMAGED)
        self._first = False
        magic = header[257:265]
        if magic not in (_POSIX, _GNU):
            raise UnsafeArchive(Rule.UNKNOWN, header[:100].rstrip(b"\0"))
        kind = header[156:157]
        if kind in b"xgLK":
            self._extension(kind, header)
        else:
            self._member(kind, header, magic)
            self._pax = None
            self._long.clear()

    # members -----------------------------------------------------------------------------------------------

    def _member(self, kind: bytes, header: bytes, magic: bytes) -> None:
        pax = self._pax or {}
        path = self._name(header, magic, pax)
        size = self._size(header, pax, path)
        mode = _field(header[100:108], path)
        if kind not in (b"0", b"\0", b"1", b"2", b"5"):
            raise UnsafeArchive(Rule.SPARSE if kind == b"S" else Rule.SPECIAL, path)
        if mode & 0o6000:
            raise UnsafeArchive(Rule.SETUID, path)
        if kind in (b"0", b"\0"):
            self._file(path, size, program=bool(mode & 0o111), mtime=_mtime(header, pax, path))
            return
        if size:
            raise UnsafeArchive(Rule.KIND, path)
        if kind == b"5":
            self._intake.folder(path.removesuffix("/"))
        elif kind == b"2":
            self._intake.link(path, self._target(header, pax, path))
        else:
            self._intake.hard_link(path, self._target(header, pax, path))

    def _file(self, path: str, size: int, *, program: bool, mtime: int) -> None:
        left = size

        def more() -> memoryview:
            nonlocal left
            part = self._inflow.part(left) if left else memoryview(b"")
            left -= len(part)
            return part

        self._intake.file(path, size, more, program=program, mtime=mtime)
        self._inflow.skip(-size % _BLOCK)

    def _name(self, header: bytes, magic: bytes, pax: dict[str, str]) -> str:
        if "path" in pax:
            return pax["path"]
        if b"L" in self._long:
            return self._long[b"L"]
        name = _text(header[:100])
        prefix = _text(header[345:500]) if magic == _POSIX else b""
        return decoded(prefix + b"/" + name if prefix else name)

    def _target(self, header: bytes, pax: dict[str, str], path: str) -> str:
        if "linkpath" in pax:
            return pax["linkpath"]
        if b"K" in self._long:
            return self._long[b"K"]
        try:
            return decoded(_text(header[157:257]))
        except UnsafeArchive as error:
            raise UnsafeArchive(error.rule, path) from None

    def _size(self, header: bytes, pax: dict[str, str], path: str) -> int:
        if "size" not in pax:
            return _field(header[124:136], path)
        if not re.fullmatch("[0-9]{1,19}", pax["size"], re.ASCII):
            raise UnsafeArchive(Rule.EXTENSION, path)
        return int(pax["size"])

    # extension headers -------------------------------------------------------------------------------------

    def _extension(self, kind: bytes, header: bytes) -> None:
        """pax, or GNU's long names, but not both for one member, and each once."""
        size = _field(header[124:136], "")
        if not 0 < size <= _EXTENSION_BYTES or self._pax is not None or kind in self._long:
            raise UnsafeArchive(Rule.EXTENSION, header[:100].rstrip(b"\0"))
        if kind in b"xg" and self._long:
            raise UnsafeArchive(Rule.EXTENSION, header[:100].rstrip(b"\0"))
        data = self._inflow.exactly(size)
        self._inflow.skip(-size % _BLOCK)
        if kind == b"x":
            self._pax = _records(data)
        elif kind == b"g":
            self._global(_records(data))
        else:
            self._long[kind] = decoded(_text(data))

    def _global(self, records: dict[str, str]) -> None:
        """Remarks on the whole archive (git writes one); what would rename or resize every member is refused."""
        self._globals += 1
        odd = [key for key in records if key not in _GLOBAL_KEYS]
        if odd or self._globals > self._limits.members:
            raise UnsafeArchive(Rule.EXTENSION, odd[0] if odd else "")


def _records(data: bytes) -> dict[str, str]:
    """pax records, each `LENGTH KEY=VALUE\\n`; the last of a key wins, as POSIX says."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data):
        digits, space, _ = data[at : at + 8].partition(b" ")
        if not space or not digits.isdigit() or digits.startswith(b"0"):
            raise UnsafeArchive(Rule.EXTENSION, data[at : at + 40])
        end = at + int(digits)
        key, equals, value = data[at + len(digits) + 1 : end].partition(b"=")
        if end > len(data) or not key or not equals or not value.endswith(b"\n"):
            raise UnsafeArchive(Rule.EXTENSION, data[at : at + 40])
        _keep(records, key, value[:-1])
        at = end
    return records


def _keep(records: dict[str, str], key: bytes, value: bytes) -> None:
    if key.startswith((b"GNU.sparse.", b"SCHILY.realsize")):
        raise UnsafeArchive(Rule.SPARSE, key)
    if key == b"hdrcharset" and value != b"ISO-IR 10646 2000 UTF-8":
        raise UnsafeArchive(Rule.ENCODING, value)
    if key in (b"path", b"linkpath") and (b"\0" in value or not value):
        raise UnsafeArchive(Rule.CONTROL if value else Rule.EMPTY_NAME, value)
    if key in (b"path", b"linkpath", b"size", b"mtime"):
        records[key.decode()] = decoded(value)
    else:
        records[key.decode("utf-8", "backslashreplace")] = ""  # attributes and remarks: nothing of them is used


def _text(field: bytes) -> bytes:
    """A field up to its NUL; bytes behind it would be seen by some readers and not by others."""
    text, _, rest = field.partition(b"\0")
    if rest.strip(b"\0"):
        raise UnsafeArchive(Rule.CONTROL, field.rstrip(b"\0"))
    return text


def _field(field: bytes, path: str) -> int:
    """A number of a header that must be there and must not be negative."""
    try:
        value = _number(field)
    except ValueError:
        raise UnsafeArchive(Rule.DAMAGED, path) from None
    if value < 0:
        raise UnsafeArchive(Rule.DAMAGED, path)
    return value


def _number(field: bytes) -> int:
    """Octal digits, or GNU's binary form where octal is too short."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big")
        bits = len(field) * 8
        return value - (1 << bits) if field[0] & 0x40 else value - (1 << (bits - 1))
    match = _OCTAL.fullmatch(field)
    if not match:
        raise ValueError(field)
    return int(match[1] or b"0", 8)


def _mtime(header: bytes, pax: dict[str, str], path: str) -> int:
    """Seconds; clamped, since no file system takes every number that a tar can hold."""
    if "mtime" in pax:
        if not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]*)?", pax["mtime"], re.ASCII):
            raise UnsafeArchive(Rule.EXTENSION, path)
        value = int(pax["mtime"].partition(".")[0])
    else:
        try:
            value = _number(header[136:148])
        except ValueError:
            raise UnsafeArchive(Rule.DAMAGED, path) from None
    return min(max(value, 0), _LATEST)
