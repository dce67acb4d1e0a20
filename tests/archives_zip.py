"""Zips to accept and to reject, and files that can be read as two kinds of archive."""

import gzip
import struct
from collections.abc import Iterable
from dataclasses import replace

from setup_llm_dev.host.archives.extract import Limits
from setup_llm_dev.host.archives.rules import Rule
from tests.archives import Case, Entry, file, tar_gz, zip_file

_SECOND_NAME = struct.pack("<2HBL1s", 0x7075, 6, 1, 0, b"b")
_METHODS = (1, 6, 9, 12, 14, 93, 95, 97, 99)  # 12 bzip2, 14 LZMA, 93 Zstandard, 95 xz, 99 AES


def zip_cases() -> Iterable[Case]:
    """All that are read as zip, and the double-faced."""
    yield from _zip_accept()
    yield from _zip_reject()
    yield from _both()


def _zip_accept() -> Iterable[Case]:
    a = Entry(b"a")
    wide = struct.pack("<2H2Q", 1, 16, 4, 6)
    utf8 = "é/中".encode()
    narrow = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
    for name, data, tree in (
        ("one file", zip_file(a), {"a": b"data"}),
        ("stored", zip_file(Entry(b"a", method=0)), {"a": b"data"}),
        ("empty file", zip_file(Entry(b"a", b"", method=0)), {"a": b""}),
        ("empty file, deflated", zip_file(Entry(b"a", b"")), {"a": b""}),
        ("folders", zip_file(Entry(b"d/", b"", method=0, mode=0o40755), Entry(b"d/e/f")), {"d/e/f": b"data"}),
        ("comment", zip_file(a, comment=b"a remark"), {"a": b"data"}),
        ("names in UTF-8", zip_file(Entry(utf8)), {utf8.decode(): b"data"}),
        ("ASCII without the flag", zip_file(Entry(b"a", flags=0)), {"a": b"data"}),
        ("made by DOS", zip_file(Entry(b"a", system=0, attributes=0x20)), {"a": b"data"}),
        ("a link", zip_file(a, Entry(b"l", b"a", mode=0o120777)), {"a": b"data", "l": "-> a"}),
        ("descriptor", zip_file(Entry(b"a", flags=0x808), Entry(b"b")), {"a": b"data", "b": b"data"}),
        ("descriptor unsigned", zip_file(replace(a, flags=8, descriptor=struct.pack("<3L", *a.numbers())), Entry(b"b")),
         {"a": b"data", "b": b"data"}),
        ("wide end", zip_file(a, wide=True), {"a": b"data"}),
        ("wide end, narrow says full", zip_file(a, wide=True, count=0xFFFF, wide_count=1), {"a": b"data"}),
        ("wide numbers", zip_file(replace(a, extra=wide, **narrow)), {"a": b"data"}),  # type: ignore[arg-type]
        ("an extra field", zip_file(replace(a, extra=struct.pack("<2H3s", 0xCAFE, 3, b"abc"))), {"a": b"data"}),
    ):  # fmt: skip
        yield Case(f"zip: {name}", "zip", data, tree)  # type: ignore[arg-type]
    yield Case(
        "zip: one root",
        "zip",
        zip_file(Entry(b"r/a"), Entry(b"r/b/c")),
        {"a": b"data", "b/c": b"data"},
        single_root=True,
    )
    yield Case("iffy: zip: a date that isn't one", "zip", zip_file(a).replace(b"\x21\x5a", b"\0\0"), {"a": b"data"})
    yield Case(
        "iffy: zip: a zip inside, stored",
        "zip",
        zip_file(Entry(b"in.zip", zip_file(a), method=0)),
        {"in.zip": zip_file(a)},
    )
    backwards = zip_file(Entry(b"a", offset=_second()), Entry(b"b", offset=0))
    yield Case("iffy: zip: directory in another order", "zip", _swapped(backwards), {"a": b"data", "b": b"data"})


def _second() -> int:
    return len(Entry(b"b").local_header() + Entry(b"b").packed_data())


def _swapped(data: bytes) -> bytes:
    """The local parts of the members `a` and `b` in the other order."""
    size = _second()
    return data[size : 2 * size] + data[:size] + data[2 * size :]


def _zip_reject() -> Iterable[Case]:
    a, b = Entry(b"a"), Entry(b"b")
    packed = len(a.packed_data())
    wrong = b"PK\7\x08" + struct.pack("<3L", 1, packed, 4)
    far = struct.pack("<2HQ", 1, 8, 1 << 63)
    entries: tuple[tuple[str, bytes, Rule | tuple[Rule, ...]], ...] = (
        ("no bytes", b"", Rule.UNKNOWN),
        ("text", b"text " * 50, Rule.UNKNOWN),
        ("nothing in it", zip_file(), Rule.NOTHING),
        ("out", zip_file(Entry(b"../a")), Rule.TRAVERSAL),
        ("absolute", zip_file(Entry(b"/a")), Rule.ABSOLUTE),
        ("backslash", zip_file(Entry(b"..\\a")), Rule.BACKSLASH),
        ("drive", zip_file(Entry(b"C:a")), Rule.COLON),
        ("NUL", zip_file(Entry(b"a\0.txt")), Rule.CONTROL),
        ("reserved", zip_file(Entry(b"NUL")), Rule.RESERVED),
        ("trailing dot", zip_file(Entry(b"a.")), Rule.TRAILING),
        ("empty name", zip_file(Entry(b"")), Rule.EMPTY_NAME),
        ("a slash", zip_file(Entry(b"/", b"", mode=0o40755)), Rule.EMPTY_NAME),
        ("invalid UTF-8", zip_file(Entry(b"\xff")), Rule.ENCODING),
        ("an old encoding", zip_file(Entry(b"\x82", flags=0)), Rule.ENCODING),
        ("another name in the extra field", zip_file(replace(a, extra=_SECOND_NAME)), Rule.DISAGREE),
        ("another name in the local extra field",
         zip_file(replace(a, extra=bytes(10), local={"extra": _SECOND_NAME})),
         (Rule.DISAGREE, Rule.EXTENSION)),
        ("twice", zip_file(a, a), Rule.DUPLICATE),
        ("folder twice", zip_file(Entry(b"d/", b"", mode=0o40755), Entry(b"d/", b"", mode=0o40755)), Rule.DUPLICATE),
        ("case twins", zip_file(a, Entry(b"A")), Rule.TWIN),
        ("accent twins", zip_file(Entry("é".encode()), Entry("e\u0301".encode())), Rule.TWIN),
        ("file as folder", zip_file(a, Entry(b"a/b")), Rule.FILE_AS_FOLDER),
        ("link absolute", zip_file(Entry(b"l", b"/etc", mode=0o120777)), Rule.LINK_ABSOLUTE),
        ("link out", zip_file(Entry(b"l", b"../x", mode=0o120777)), Rule.LINK_OUT),
        ("link of 70,000", zip_file(Entry(b"l", b"x" * 70_000, mode=0o120777)), Rule.NAME_LENGTH),
        ("link with NUL", zip_file(Entry(b"l", b"a\0b", mode=0o120777)), Rule.LINK_TARGET),
        ("through a link", zip_file(Entry(b"l", b"a", mode=0o120777), Entry(b"l/x")), Rule.THROUGH_LINK),
        ("device", zip_file(Entry(b"a", b"", mode=0o20644)), Rule.SPECIAL),
        ("pipe", zip_file(Entry(b"a", b"", mode=0o10644)), Rule.SPECIAL),
        ("socket", zip_file(Entry(b"a", b"", mode=0o140644)), Rule.SPECIAL),
        ("setuid", zip_file(Entry(b"a", mode=0o104755)), Rule.SETUID),
        ("folder with bytes", zip_file(Entry(b"d/", b"data", mode=0o40755)), Rule.KIND),
        ("folder that is a file", zip_file(Entry(b"d/", b"", mode=0o100644)), Rule.KIND),
        ("file that is a folder", zip_file(Entry(b"d", b"", mode=0o40755)), Rule.KIND),
        ("file that is a folder for DOS", zip_file(Entry(b"d", b"", system=0, attributes=0x10)), Rule.KIND),
        ("encrypted", zip_file(replace(a, flags=0x801)), Rule.ENCRYPTED),
        ("strongly encrypted", zip_file(replace(a, flags=0x841)), Rule.ENCRYPTED),
        ("directory encrypted", zip_file(replace(a, flags=0x2800)), Rule.ENCRYPTED),
        ("patched", zip_file(replace(a, flags=0x820)), Rule.METHOD),
        *((f"method {n}", zip_file(replace(a, method=n, packed=4)), Rule.METHOD) for n in _METHODS),
        ("local name differs", zip_file(replace(a, local={"name": b"b"})), Rule.DISAGREE),
        ("local method differs", zip_file(replace(a, local={"method": 0})), Rule.DISAGREE),
        ("local flags differ", zip_file(replace(a, local={"flags": 0})), Rule.DISAGREE),
        ("local crc differs", zip_file(replace(a, local={"crc": 1})), Rule.DISAGREE),
        ("local size differs", zip_file(replace(a, local={"size": 5})), Rule.DISAGREE),
        ("local packed size differs", zip_file(replace(a, local={"packed": packed + 1})), Rule.DISAGREE),
        ("descriptor differs", zip_file(replace(a, flags=0x808, descriptor=wrong)), Rule.DISAGREE),
        ("descriptor missing", zip_file(replace(a, flags=0x808, descriptor=b"")), Rule.DISAGREE),
        ("descriptor of a stored member", zip_file(replace(a, flags=0x808, method=0)), Rule.DISAGREE),
        ("crc wrong", zip_file(replace(a, crc=1)), Rule.DAMAGED),
        ("size too small", zip_file(replace(a, size=3)), Rule.DAMAGED),
        ("size too large", zip_file(replace(a, size=5)), Rule.DAMAGED),
        ("stored sizes differ", zip_file(Entry(b"a", method=0, size=3)), Rule.DISAGREE),
        ("deflate cut", zip_file(replace(a, raw=a.packed_data()[:-1])), Rule.DAMAGED),
        ("deflate with bytes behind", zip_file(replace(a, raw=a.packed_data() + b"xx")), Rule.DAMAGED),
        ("no deflate", zip_file(replace(a, raw=b"\xff" * 8)), Rule.DAMAGED),
        ("bytes before", zip_file(a, before=b"#!/bin/sh\n"), Rule.PREFIX),
        ("bytes before, offsets not moved", b"#!/bin/sh\n" + zip_file(a), Rule.DISAGREE),
        ("bytes between", zip_file(a, between=b"hidden"), Rule.PREFIX),
        ("bytes after", zip_file(a, after=b"hidden"), Rule.GARBAGE),
        ("comment too short", zip_file(a, comment=b"remark")[:-2], Rule.GARBAGE),
        ("end record in the comment", zip_file(a, comment=zip_file()), Rule.TWO_KINDS),
        ("a zip in the comment", zip_file(a, comment=zip_file(b)), Rule.TWO_KINDS),
        ("two zips in a row", zip_file(a) + zip_file(b), Rule.DISAGREE),
        ("overlap", zip_file(a, replace(b, offset=0)), (Rule.DISAGREE, Rule.OVERLAP)),
        ("overlap, one body", _quoted(), (Rule.DISAGREE, Rule.OVERLAP, Rule.DAMAGED)),
        ("a gap", zip_file(a, replace(b, offset=_second() + 2)), Rule.PREFIX),
        ("offset beyond", zip_file(replace(a, offset=10**6)), Rule.PREFIX),
        ("offset of directory moved", zip_file(a, shift=1), Rule.DISAGREE),
        ("member reaches into the directory", zip_file(Entry(b"a", method=0, packed=60, size=60)),
         (Rule.OVERLAP, Rule.DISAGREE)),
        ("count too small", zip_file(a, b, count=1), Rule.DISAGREE),
        ("count too large", zip_file(a, count=2), Rule.DISAGREE),
        ("several volumes", zip_file(a, disk=1), Rule.VOLUMES),
        ("member on another volume", zip_file(replace(a, disk=1)), Rule.VOLUMES),
        ("wide end says another count", zip_file(a, wide=True, wide_count=2), Rule.DISAGREE),
        ("wide end missing", zip_file(a, count=0xFFFF), Rule.DISAGREE),
        ("wide number missing", zip_file(replace(a, size=0xFFFFFFFF)), Rule.DISAGREE),
        ("wide number not wanted", zip_file(replace(a, extra=struct.pack("<2HQ", 1, 8, 4))), Rule.DISAGREE),
        ("wide number cut", zip_file(replace(a, size=0xFFFFFFFF, extra=struct.pack("<2HL", 1, 4, 4))), Rule.DISAGREE),
        ("wide number 2^63", zip_file(replace(a, size=0xFFFFFFFF, extra=far)), Rule.TOTAL),
        ("wide offset 2^63", zip_file(replace(a, offset=0xFFFFFFFF, extra=far)), Rule.PREFIX),
        ("extra field cut", zip_file(replace(a, extra=struct.pack("<2H", 7, 9))), Rule.EXTENSION),
        ("extra field twice", zip_file(replace(a, extra=struct.pack("<4H", 7, 0, 7, 0))), Rule.EXTENSION),
        ("directory cut", zip_file(a)[:-30], Rule.UNKNOWN),
    )  # fmt: skip
    for name, data, rule in entries:
        yield Case(f"zip: {name}", "zip", data, rule=rule)
    yield Case("zip: two roots", "zip", zip_file(Entry(b"r/a"), Entry(b"s/a")), rule=Rule.TWO_ROOTS, single_root=True)
    yield Case(
        "zip: too many",
        "zip",
        zip_file(*(Entry(b"%d" % n) for n in range(11))),
        rule=Rule.COUNT,
        limits=Limits(members=10),
    )
    yield Case(
        "zip: too tight",
        "zip",
        zip_file(Entry(b"a", bytes(200_000))),
        rule=Rule.RATIO,
        limits=Limits(ratio_from=100_000),
    )
    yield Case(
        "zip: one file too large",
        "zip",
        zip_file(Entry(b"a", bytes(2000))),
        rule=Rule.SINGLE,
        limits=Limits(single=1999),
    )


def _quoted() -> bytes:
    """Two names for one body, the way of the small zip bombs: the first member's bytes hold the second's header."""
    inner = Entry(b"b", method=0)
    body = inner.local_header() + inner.data
    outer = Entry(b"a", body, method=0)
    return zip_file(outer, replace(inner, offset=len(outer.local_header()))).replace(body + body, body, 1)


def _both() -> Iterable[Case]:
    """One file, two kinds of archive: who reads it decides what is in it."""
    inner = zip_file(Entry(b"evil"))
    tar_first = file(b"a", inner) + inner
    yield Case("tar that ends as a zip", "zip", tar_first, rule=(Rule.DISAGREE, Rule.TWO_KINDS, Rule.PREFIX))
    yield Case("zip that begins as a tar", "zip", _zip_with_tar_header(), rule=Rule.TWO_KINDS)
    yield Case("gzip that ends as a zip", "tar.gz", _gzip_ending_as_zip(), rule=Rule.TWO_KINDS)


def _zip_with_tar_header() -> bytes:
    """A stored member whose first 512 bytes, local header included, carry the checksum of a tar header."""
    fill = bytearray(2000)
    start = len(Entry(b"a").local_header())
    wanted = 0
    for number in range(1 << 16):  # bytes behind the block change the member's CRC, which stands in the block
        fill[1000:1002] = number.to_bytes(2, "big")
        found = zip_file(Entry(b"a", bytes(fill), method=0))
        total = sum(found[:512]) - sum(found[148:156]) + 256
        if total == wanted:
            return found
        if not number:
            wanted = total
            fill[148 - start : 156 - start] = b"%06o\0 " % wanted
    raise AssertionError("no such number")


def _gzip_ending_as_zip() -> bytes:
    """The end record of a zip stands in the extra field of a last, empty gzip member, whose rest is its comment."""
    rest = gzip.compress(b"", mtime=0)[10:]
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 0, 0, len(rest))
    last = b"\x1f\x8b\x08\x04" + bytes(6) + struct.pack("<H", len(end)) + end + rest
    return tar_gz(file(b"a")) + last
