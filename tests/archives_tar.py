"""tar.gz archives to accept, odd ones that are fine (iffy), and those to reject with their rule."""

import gzip
from collections.abc import Iterable, Sequence

from setup_llm_dev.host.archives.extract import Limits
from setup_llm_dev.host.archives.rules import Rule
from tests.archives import (
    END,
    GNU,
    Case,
    Entry,
    binary,
    file,
    folder,
    hard_link,
    header,
    long_name,
    padded,
    pax,
    record,
    symlink,
    tar_gz,
    zip_file,
)


def tar_cases() -> Iterable[Case]:
    """All that are read as tar.gz."""
    yield from _tar_accept()
    yield from _tar_iffy()
    yield from _tar_reject()
    yield from _gzip()


def _tar(id_: str, members: Sequence[bytes], tree: dict[str, bytes | str], *, single_root: bool = False) -> Case:
    return Case(id_, "tar.gz", tar_gz(*members), tree, single_root=single_root)


def _no(id_: str, members: Sequence[bytes], *rules: Rule, limits: Limits = Limits(), single_root: bool = False) -> Case:  # noqa: B008
    rule = rules[0] if len(rules) == 1 else rules
    return Case(id_, "tar.gz", tar_gz(*members), rule=rule, limits=limits, single_root=single_root)


def _tar_accept() -> Iterable[Case]:
    deep = b"/".join([b"d" * 20] * 12)
    yield _tar("file", [file(b"a", b"one")], {"a": b"one"})
    yield _tar("empty file", [file(b"a", b"")], {"a": b""})
    yield _tar("folders implied", [file(b"a/b/c")], {"a/b/c": b"data"})
    yield _tar("folders said", [folder(b"a/"), folder(b"a/b"), file(b"a/b/c")], {"a/b/c": b"data"})
    yield _tar("folder said after its file", [file(b"a/b"), folder(b"a/")], {"a/b": b"data"})
    yield _tar("empty folder", [folder(b"a/"), file(b"b")], {"a": "folder", "b": b"data"})
    yield _tar("block of 512", [file(b"a", b"x" * 512), file(b"b")], {"a": b"x" * 512, "b": b"data"})
    yield _tar("old regular kind", [file(b"a", kind=b"\0")], {"a": b"data"})
    yield _tar("ustar prefix", [file(b"c", prefix=b"a/b")], {"a/b/c": b"data"})
    yield _tar("GNU has no prefix", [file(b"c", prefix=b"a/b", magic=GNU)], {"c": b"data"})
    yield _tar("GNU long name", [long_name(deep), file(b"cut", magic=GNU)], {deep.decode(): b"data"})
    yield _tar(
        "GNU long link",
        [file(deep[:98]), long_name(b"../" * 5 + deep[:98], b"K"), symlink(b"e/e/e/e/e/l", b"cut")],
        {deep[:98].decode(): b"data", "e/e/e/e/e/l": "-> " + "../" * 5 + deep[:98].decode()},
    )
    yield _tar("pax path", [pax(record(b"path", "é/中".encode())), file(b"ascii")], {"é/中": b"data"})
    yield _tar(
        "pax size",
        [pax(record(b"size", b"4")), header(b"a", size=0) + padded(b"data"), file(b"b")],
        {"a": b"data", "b": b"data"},
    )
    yield _tar(
        "pax linkpath", [file(b"t"), pax(record(b"linkpath", b"t")), symlink(b"l", b"cut")], {"t": b"data", "l": "-> t"}
    )
    yield _tar(
        "pax remarks",
        [pax(record(b"SCHILY.xattr.user.x", b"\xff\0"), record(b"mtime", b"12.5")), file(b"a")],
        {"a": b"data"},
    )
    yield _tar("pax remark for all", [pax(record(b"comment", b"0" * 40), kind=b"g"), file(b"a")], {"a": b"data"})
    yield _tar("a link", [file(b"a"), symlink(b"l", b"a")], {"a": b"data", "l": "-> a"})
    yield _tar("a link before its target", [symlink(b"l", b"a"), file(b"a")], {"a": b"data", "l": "-> a"})
    yield _tar(
        "a link up and down",
        [file(b"a/b/c"), symlink(b"d/e/l", b"../../a/b")],
        {"a/b/c": b"data", "d/e/l": "-> ../../a/b"},
    )
    yield _tar(
        "a chain of links",
        [file(b"a"), *(symlink(b"l%d" % n, b"l%d" % (n + 1)) for n in range(8)), symlink(b"l8", b"a")],
        {"a": b"data", "l8": "-> a", **{f"l{n}": f"-> l{n + 1}" for n in range(8)}},
    )
    yield _tar(
        "a link over a link",
        [file(b"a/b/c"), symlink(b"l", b"a/b"), symlink(b"m", b"l/../b/c")],
        {"a/b/c": b"data", "l": "-> a/b", "m": "-> l/../b/c"},
    )
    yield _tar(
        "hard links",
        [file(b"a/b", b"x"), hard_link(b"c", b"a/b"), hard_link(b"d/e", b"c")],
        {"a/b": b"x", "c": b"x", "d/e": b"x"},
    )
    yield _tar(
        "one root",
        [folder(b"r/"), file(b"r/a"), symlink(b"r/s/l", b"../a")],
        {"a": b"data", "s/l": "-> ../a"},
        single_root=True,
    )
    yield _tar("binary size", [header(b"a", size=binary(4)) + padded(b"data")], {"a": b"data"})
    yield _tar(
        "names that only look bad",
        [
            file(name)
            for name in (b"...x", b"a..b", b"console.log", b"com", b"com10", b"nulls", b"-rf", b"$HOME", b"a b", b"%41")
        ],
        dict.fromkeys(["...x", "a..b", "console.log", "com", "com10", "nulls", "-rf", "$HOME", "a b", "%41"], b"data"),
    )


def _tar_iffy() -> Iterable[Case]:
    yield _tar("iffy: a folder twice", [folder(b"a/"), folder(b"a/"), file(b"a/b")], {"a/b": b"data"})
    yield _tar(
        "iffy: a link to nothing, inside", [file(b"a"), symlink(b"l", b"later/x")], {"a": b"data", "l": "-> later/x"}
    )
    yield _tar("iffy: a link to its own folder", [file(b"a/b"), symlink(b"a/l", b".")], {"a/b": b"data", "a/l": "-> ."})
    yield _tar(
        "iffy: sticky and 777",
        [file(b"a", mode=0o1777), header(b"f", b"5", mode=0o1777)],
        {"a": b"data", "f": "folder"},
    )
    yield _tar("iffy: mode with the kind in it", [file(b"a", mode=0o100644)], {"a": b"data"})
    yield _tar("iffy: mtime negative", [file(b"a", mtime=binary(-5))], {"a": b"data"})
    yield _tar("iffy: mtime 2^63", [file(b"a", mtime=binary(1 << 63))], {"a": b"data"})
    yield _tar("iffy: pax mtime before 1970", [pax(record(b"mtime", b"-99999999999.25")), file(b"a")], {"a": b"data"})
    yield Case("iffy: padding after the end", "tar.gz", tar_gz(file(b"a"), end=bytes(10240)), {"a": b"data"})
    yield Case("iffy: two gzip members", "tar.gz", _split(2), {"a": b"data", "b": b"data"})
    yield Case("iffy: a gzip member a byte", "tar.gz", _split(2560), {"a": b"data", "b": b"data"})
    yield Case("iffy: zeros after gzip", "tar.gz", tar_gz(file(b"a")) + bytes(512), {"a": b"data"})
    yield Case("iffy: gzip with a name and a remark", "tar.gz", _gzip_fields(tar_gz(file(b"a"))), {"a": b"data"})


def _split(parts: int) -> bytes:
    data = file(b"a") + file(b"b") + bytes(512)
    data = data.ljust(2560, b"\0") if len(data) < 2560 else data
    size = -(-len(data) // parts)
    return b"".join(gzip.compress(data[at : at + size], mtime=0) for at in range(0, len(data), size)) + gzip.compress(
        bytes(512)
    )


def _gzip_fields(data: bytes) -> bytes:
    return data[:3] + b"\x18" + data[4:10] + b"name.tar\0a remark\0" + data[10:]


def _tar_reject() -> Iterable[Case]:
    yield from _names()
    yield from _places()
    yield from _links()
    yield from _kinds()
    yield from _extensions()
    yield from _sizes()


def _names() -> Iterable[Case]:
    for name, rule in (
        (b"../a", Rule.TRAVERSAL),
        (b"a/../../b", Rule.TRAVERSAL),
        (b"a/..", Rule.TRAVERSAL),
        (b"../evil/../dest/x", Rule.TRAVERSAL),
        (b"..", Rule.TRAVERSAL),
        (b"/etc/x", Rule.ABSOLUTE),
        (b"//a", Rule.ABSOLUTE),
        (b"a/", Rule.EMPTY_NAME),
        (b"a//b", Rule.EMPTY_NAME),
        (b".", Rule.DOT_NAME),
        (b"./a", Rule.DOT_NAME),
        (b"a/./b", Rule.DOT_NAME),
        (b"a\\..\\b", Rule.BACKSLASH),
        (b"\\\\server\\x", Rule.BACKSLASH),
        (b"C:x", Rule.COLON),
        (b"C:/x", Rule.COLON),
        (b"a:stream", Rule.COLON),
        (b"a\x1b[31m", Rule.CONTROL),
        (b"a\nb", Rule.CONTROL),
        (b"a\x7f", Rule.CONTROL),
        ("a\u202etxt.exe".encode(), Rule.CONTROL),
        ("a\x85".encode(), Rule.CONTROL),
        (b"what?", Rule.FORBIDDEN),
        (b"a*", Rule.FORBIDDEN),
        (b'a"b', Rule.FORBIDDEN),
        (b"a|b", Rule.FORBIDDEN),
        (b"<a>", Rule.FORBIDDEN),
        (b"CON", Rule.RESERVED),
        (b"d/nul.txt", Rule.RESERVED),
        (b"aux.tar.gz", Rule.RESERVED),
        (b"com1", Rule.RESERVED),
        ("LPT¹.x".encode(), Rule.RESERVED),
        (b"nul .txt", Rule.RESERVED),
        (b"CONIN$", Rule.RESERVED),
        (b"con/x", Rule.RESERVED),
        (b"a.", Rule.TRAILING),
        (b"a ", Rule.TRAILING),
        (b"a./b", Rule.TRAILING),
        (b"...", Rule.TRAILING),
        (b"a\xff", Rule.ENCODING),
        (b"a\xc0\xaf", Rule.ENCODING),
        (b"\xed\xa0\x80", Rule.ENCODING),
        (b"a\0b", Rule.CONTROL),
    ):
        yield _no(f"name {name!r}", [file(name)], rule)
        yield _no(f"folder {name!r}", [folder(name if name != b"a/" else b"a//")], rule)
    yield _no("name in prefix", [file(b"x", prefix=b"a/..")], Rule.TRAVERSAL)
    yield _no("empty name", [file(b"")], Rule.EMPTY_NAME)
    yield _no("empty folder name", [folder(b"")], Rule.EMPTY_NAME)
    yield _no("only a slash", [folder(b"/")], Rule.EMPTY_NAME)
    yield _no("name of 256", [pax(record(b"path", b"n" * 256)), file(b"a")], Rule.NAME_LENGTH)
    yield _no("name of 86 x 3 bytes", [pax(record(b"path", "中".encode() * 86)), file(b"a")], Rule.NAME_LENGTH)
    yield _no("path of 1025", [pax(record(b"path", b"/".join([b"n" * 204] * 5) + b"/x")), file(b"a")], Rule.NAME_LENGTH)
    yield _no("65 deep", [file(b"/".join([b"d"] * 50), prefix=b"/".join([b"d"] * 15))], Rule.DEPTH)
    yield _no("10^5 deep", [pax(record(b"path", b"/".join([b"d"] * 20_000))), file(b"a")], Rule.NAME_LENGTH, Rule.DEPTH)


def _places() -> Iterable[Case]:
    nfc, nfd = "é".encode(), "e\u0301".encode()
    yield _no("a file twice", [file(b"a"), file(b"a")], Rule.DUPLICATE)
    yield _no("a file and a link of one name", [file(b"a"), file(b"b"), symlink(b"a", b"b")], Rule.DUPLICATE)
    yield _no("a link and a file of one name", [symlink(b"a", b"b"), file(b"a")], Rule.DUPLICATE)
    yield _no("case twins", [file(b"d/a"), file(b"d/A")], Rule.TWIN)
    yield _no("case twins in folders", [file(b"a/x"), file(b"A/y")], Rule.TWIN)
    yield _no("case twins of file and folder", [file(b"a"), file(b"A/y")], Rule.TWIN)
    yield _no("case twins of link and folder", [symlink(b"a", b"x"), folder(b"A")], Rule.TWIN)
    yield _no("twins by accent", [file(nfc), file(nfd)], Rule.TWIN)
    yield _no("twins by accent in folders", [file(nfd + b"/x"), file(nfc + b"/y")], Rule.TWIN)
    yield _no("twins sharp s", [file("ß".encode()), file(b"SS")], Rule.TWIN)
    yield _no("twins Kelvin", [file("\u212a".encode()), file(b"k")], Rule.TWIN)
    yield _no("twins by a joiner", [file("a\u200db".encode()), file(b"ab")], Rule.TWIN)
    yield _no("a file as folder", [file(b"a"), file(b"a/b")], Rule.FILE_AS_FOLDER)
    yield _no("a file as folder, said", [file(b"a"), folder(b"a/")], Rule.FILE_AS_FOLDER)
    yield _no("a folder as file", [file(b"a/b"), file(b"a")], Rule.FILE_AS_FOLDER)
    yield _no("a folder as link", [folder(b"a"), symlink(b"a", b"b")], Rule.FILE_AS_FOLDER)
    yield _no("two roots", [file(b"a/x"), file(b"b/x")], Rule.TWO_ROOTS, single_root=True)
    yield _no("a file beside the root", [file(b"a/x"), file(b"x")], Rule.TWO_ROOTS, single_root=True)
    yield _no("the root is a file", [file(b"a")], Rule.TWO_ROOTS, single_root=True)
    yield _no("the root is a link", [symlink(b"a", b"b"), file(b"a/x")], Rule.TWO_ROOTS, single_root=True)
    yield _no("nothing in it", [], Rule.NOTHING)


def _links() -> Iterable[Case]:
    canary = b"../" * 12 + b"etc"
    yield _no("link absolute", [symlink(b"l", b"/etc/passwd")], Rule.LINK_ABSOLUTE)
    yield _no("link out", [symlink(b"l", b"../x")], Rule.LINK_OUT)
    yield _no("link far out", [file(b"a/b"), symlink(b"a/l", canary)], Rule.LINK_OUT)
    yield _no("link out and in again", [file(b"a/x"), symlink(b"l", b"../tree/a/x")], Rule.LINK_OUT)
    yield _no("link to beside the root", [file(b"r/a"), symlink(b"r/l", b"../x")], Rule.LINK_OUT, single_root=True)
    yield _no(
        "link out over a link", [folder(b"a/b"), symlink(b"c", b"a/b"), symlink(b"l", b"c/../../../x")], Rule.LINK_OUT
    )
    yield _no("chain of links out", [folder(b"a"), symlink(b"a/up", b".."), symlink(b"l", b"a/up/../x")], Rule.LINK_OUT)
    yield _no("link out of nowhere", [file(b"a"), symlink(b"l", b"gone/../../x")], Rule.LINK_OUT)
    yield _no("link out of a file", [file(b"a"), symlink(b"l", b"a/../../x")], Rule.LINK_OUT)
    yield _no("link back from nowhere", [file(b"a"), symlink(b"l", b"gone/../a")], Rule.LINK_OUT)
    yield _no("link to itself", [symlink(b"l", b"l")], Rule.LINK_LOOP)
    yield _no("links in a circle", [symlink(b"a", b"b"), symlink(b"b", b"c/x"), symlink(b"c", b"a")], Rule.LINK_LOOP)
    yield _no(
        "50 links in a row",
        [file(b"a"), symlink(b"l0", b"a"), *(symlink(b"l%d" % n, b"l%d" % (n - 1)) for n in range(1, 50))],
        Rule.LINK_LOOP,
    )
    yield _no(
        "50 links in a row, backwards",
        [*(symlink(b"l%d" % n, b"l%d" % (n + 1)) for n in range(50)), file(b"l50")],
        Rule.LINK_LOOP,
    )
    yield _no("link over PATH_MAX", [*_long_chain(), file(b"a")], Rule.LINK_LOOP, Rule.LINK_OUT, Rule.NAME_LENGTH)
    yield _no("link with empty target", [symlink(b"l", b"")], Rule.LINK_TARGET)
    yield _no("link with backslash", [symlink(b"l", b"..\\..\\x")], Rule.LINK_TARGET)
    yield _no("link with drive", [symlink(b"l", b"C:x")], Rule.LINK_TARGET)
    yield _no("link with NUL", [symlink(b"l", b"a\0../../x")], Rule.CONTROL)
    yield _no("link with case twin", [file(b"Aa/x"), symlink(b"l", b"aa/x")], Rule.TWIN)
    yield _no("link of invalid UTF-8", [symlink(b"l", b"\xff")], Rule.ENCODING)
    yield _no("link with slash at its end", [symlink(b"l/", b"a")], Rule.EMPTY_NAME)
    yield _no("link named nothing", [symlink(b"", b"a")], Rule.EMPTY_NAME)
    yield _no("empty-named chain", [symlink(b"a/", b".."), symlink(b"a//b", b"..")], Rule.EMPTY_NAME)
    yield _no("link replaces the folder itself", [symlink(b".", b"gone"), file(b"x")], Rule.DOT_NAME)
    yield _no("written through a link", [folder(b"a"), symlink(b"l", b"a"), file(b"l/x")], Rule.THROUGH_LINK)
    yield _no("written through a link out", [symlink(b"l", b"../.."), file(b"l/x")], Rule.THROUGH_LINK)
    yield _no("folder made through a link", [symlink(b"l", b".."), folder(b"l/x")], Rule.THROUGH_LINK)
    yield _no("link made through a link", [folder(b"a"), symlink(b"l", b"a"), symlink(b"l/m", b"x")], Rule.THROUGH_LINK)
    yield _no("a folder where a link is", [symlink(b"l", b"a"), folder(b"l")], Rule.THROUGH_LINK)
    yield _no("link with bytes", [header(b"l", b"2", 4, link=b"a") + padded(b"data")], Rule.KIND)
    yield _no("hard link out", [hard_link(b"h", b"../x")], Rule.TRAVERSAL)
    yield _no("hard link absolute", [hard_link(b"h", b"/etc/passwd")], Rule.ABSOLUTE)
    yield _no("hard link to nothing", [hard_link(b"h", b"gone")], Rule.HARD_LINK)
    yield _no("hard link forward", [hard_link(b"h", b"a"), file(b"a")], Rule.HARD_LINK)
    yield _no("hard link to itself", [hard_link(b"h", b"h")], Rule.HARD_LINK)
    yield _no("hard link to a link", [file(b"a"), symlink(b"l", b"a"), hard_link(b"h", b"l")], Rule.HARD_LINK)
    yield _no(
        "hard link to a deeper link",
        [symlink(b"a/b/l", b"../../c"), file(b"c"), hard_link(b"h", b"a/b/l")],
        Rule.HARD_LINK,
    )
    yield _no("hard link over a link", [file(b"a/x"), symlink(b"l", b"a"), hard_link(b"h", b"l/x")], Rule.HARD_LINK)
    yield _no("hard link to a folder", [folder(b"a"), hard_link(b"h", b"a")], Rule.HARD_LINK)
    yield _no("hard link over a file", [file(b"a"), file(b"b"), hard_link(b"b", b"a")], Rule.DUPLICATE)
    yield _no("written over a hard link", [file(b"a"), hard_link(b"h", b"a"), file(b"h", b"evil")], Rule.DUPLICATE)
    yield _no("hard link with bytes", [file(b"a"), header(b"h", b"1", 4, link=b"a") + padded(b"data")], Rule.KIND)
    yield _no("hard link to a case twin", [file(b"a"), hard_link(b"h", b"A")], Rule.TWIN)


def _long_chain() -> Iterable[bytes]:
    """Folders whose real path is longer than any system takes, reached over short links (CVE-2025-4517)."""
    path = b""
    for letter in b"abcdefghijklmnop":
        path += b"d" * 247
        yield pax(record(b"path", path))
        yield folder(b"cut")
        yield symlink(path[:-247][:90] + bytes([letter]), b"d" * 90)
        path += b"/"
    yield symlink(b"end", b"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/" + b"../" * 17 + b"etc")


def _kinds() -> Iterable[Case]:
    for kind, what in (
        (b"3", "character device"),
        (b"4", "block device"),
        (b"6", "pipe"),
        (b"7", "contiguous file"),
        (b"8", "kind 8"),
        (b"s", "socket"),
        (b"V", "volume name"),
        (b"M", "second volume"),
        (b"D", "GNU list of names"),
        (b"Z", "kind Z"),
        (b"\xff", "kind 255"),
    ):
        yield _no(what, [header(b"a", kind)], Rule.SPECIAL)
    yield _no("sparse GNU", [header(b"a", b"S", magic=GNU)], Rule.SPARSE)
    yield _no("sparse pax", [pax(record(b"GNU.sparse.major", b"1")), file(b"a")], Rule.SPARSE)
    yield _no("setuid", [file(b"a", mode=0o4755)], Rule.SETUID)
    yield _no("setgid", [file(b"a", mode=0o2755)], Rule.SETUID)
    yield _no("setgid folder", [header(b"a", b"5", mode=0o2755)], Rule.SETUID)
    yield _no("folder with bytes", [header(b"a", b"5", 4) + padded(b"data")], Rule.KIND)


def _extensions() -> Iterable[Case]:
    path = record(b"path", b"a")
    for name, data in (
        ("length 0", b"0 path=a\n"),
        ("length too long", b"99 path=a\n"),
        ("length too short", b"5 path=a\n"),
        ("length negative", b"-9 path=a\n"),
        ("length with plus", b"+10 path=a\n"),
        ("length without end", b"9" * 20),
        ("no equals sign", b"9 patha\n\n"),
        ("no key", b"5 =a\n"),
        ("no newline", b"9 path=ab"),
        ("nothing", b""),
    ):
        yield _no(f"pax record: {name}", [header(b"x", b"x", len(data)) + padded(data), file(b"b")], Rule.EXTENSION)
    yield _no("pax path out", [pax(record(b"path", b"../a")), file(b"b")], Rule.TRAVERSAL)
    yield _no("pax path absolute", [pax(record(b"path", b"/a")), file(b"b")], Rule.ABSOLUTE)
    yield _no("pax path with NUL", [pax(record(b"path", b"a\0b")), file(b"b")], Rule.CONTROL)
    yield _no("pax path of nothing", [pax(record(b"path", b"")), file(b"b")], Rule.EMPTY_NAME)
    yield _no("pax path invalid", [pax(record(b"path", b"\xff")), file(b"b")], Rule.ENCODING)
    yield _no("pax names in binary", [pax(record(b"hdrcharset", b"BINARY"), path), file(b"b")], Rule.ENCODING)
    yield _no(
        "pax linkpath out", [file(b"a"), pax(record(b"linkpath", b"../../x")), symlink(b"l", b"a")], Rule.LINK_OUT
    )
    yield _no("pax linkpath absolute", [pax(record(b"linkpath", b"/x")), symlink(b"l", b"a")], Rule.LINK_ABSOLUTE)
    yield _no("pax size negative", [pax(record(b"size", b"-1")), file(b"a")], Rule.EXTENSION)
    yield _no("pax size in words", [pax(record(b"size", "٤".encode())), file(b"a")], Rule.EXTENSION)
    yield _no(
        "pax size hides a member", [pax(record(b"size", b"1024")), file(b"a"), file(b"b")], Rule.TRUNCATED, Rule.DAMAGED
    )
    yield _no("pax size ends too early", [pax(record(b"size", b"0")), file(b"a", b"x" * 512)], Rule.DAMAGED)
    yield _no("pax mtime in words", [pax(record(b"mtime", b"now")), file(b"a")], Rule.EXTENSION)
    yield _no("pax for all renames", [pax(path, kind=b"g"), file(b"b")], Rule.EXTENSION)
    yield _no("pax for all resizes", [pax(record(b"size", b"9"), kind=b"g"), file(b"b")], Rule.EXTENSION)
    yield _no("pax for all relinks", [pax(record(b"linkpath", b"/"), kind=b"g"), symlink(b"b", b"c")], Rule.EXTENSION)
    yield _no("pax twice", [pax(path), pax(path), file(b"b")], Rule.EXTENSION)
    yield _no("pax and GNU together", [pax(path), long_name(b"b"), file(b"c")], Rule.EXTENSION)
    yield _no("GNU and pax together", [long_name(b"b"), pax(path), file(b"c")], Rule.EXTENSION)
    yield _no("GNU long name twice", [long_name(b"a"), long_name(b"b"), file(b"c")], Rule.EXTENSION)
    yield _no("GNU long name out", [long_name(b"../a"), file(b"c", magic=GNU)], Rule.TRAVERSAL)
    yield _no("GNU long name with NUL", [long_name(b"a\0b"), file(b"c", magic=GNU)], Rule.CONTROL)
    yield _no("GNU long name of 2^33", [header(b"L", b"L", binary(1 << 33), magic=GNU)], Rule.EXTENSION)
    yield _no("pax of 2^33", [header(b"x", b"x", binary(1 << 33))], Rule.EXTENSION)
    yield _no("extension without a member", [file(b"a"), pax(path)], Rule.TRUNCATED)


def _sizes() -> Iterable[Case]:
    yield _no("size negative", [header(b"a", size=binary(-1))], Rule.DAMAGED)
    yield _no("size -512", [header(b"a", size=binary(-512)), file(b"b")], Rule.DAMAGED)
    yield _no("size 2^63", [header(b"a", size=binary(1 << 63))], Rule.SINGLE)
    yield _no("size 2^88", [header(b"a", size=b"\x80" + b"\xff" * 11)], Rule.SINGLE)
    yield _no("size in words", [header(b"a", size=b"twelve\0\0\0\0\0\0")], Rule.DAMAGED)
    yield _no("size with sign", [header(b"a", size=b"-0000000001\0")], Rule.DAMAGED)
    yield _no("extension of negative size", [header(b"a", b"x", size=binary(-512))], Rule.DAMAGED)
    yield _no("checksum wrong", [file(b"a"), header(b"b", checksum=1)], Rule.DAMAGED)
    yield _no("first checksum wrong", [header(b"b", checksum=1)], Rule.UNKNOWN)
    yield _no("no magic", [header(b"a", magic=bytes(8))], Rule.UNKNOWN)
    yield _no("one file too large", [file(b"a", bytes(2000))], Rule.SINGLE, limits=Limits(single=1999))
    yield _no(
        "too large in all", [file(b"a", bytes(2000)), file(b"b", bytes(2000))], Rule.TOTAL, limits=Limits(total=3999)
    )
    yield _no("too many", [file(b"%d" % n, b"") for n in range(101)], Rule.COUNT, limits=Limits(members=100))
    yield _no("too many folders", [file(b"%d/a/b" % n, b"") for n in range(40)], Rule.COUNT, limits=Limits(members=100))
    yield _no("too tight", [file(b"a", bytes(200_000))], Rule.RATIO, limits=Limits(ratio_from=100_000))
    one = file(b"a")
    yield Case("no end", "tar.gz", tar_gz(one, end=b""), rule=Rule.TRUNCATED)
    yield Case("half an end", "tar.gz", tar_gz(one, end=bytes(512)), rule=Rule.TRUNCATED)
    yield Case("half a header", "tar.gz", tar_gz(one, file(b"b")[:300], end=b""), rule=Rule.TRUNCATED)
    yield Case("half a file", "tar.gz", tar_gz(header(b"a", size=1000), bytes(700), end=b""), rule=Rule.TRUNCATED)
    yield Case("a member after the end", "tar.gz", tar_gz(one, end=END + file(b"b") + END), rule=Rule.GARBAGE)
    yield Case(
        "a member after half an end", "tar.gz", tar_gz(one, end=bytes(512) + file(b"b") + END), rule=Rule.TRUNCATED
    )


def _gzip() -> Iterable[Case]:
    good = tar_gz(file(b"a"))
    wrong = bytearray(good)
    wrong[-6] ^= 1
    short = bytearray(good)
    short[-1] ^= 1
    for name, data, rule in (
        ("no bytes", b"", Rule.TRUNCATED),
        ("no gzip", b"not an archive at all", Rule.UNKNOWN),
        ("a bare tar", file(b"a") + END, Rule.UNKNOWN),
        ("an unpacked zip", zip_file(Entry(b"a")), Rule.UNKNOWN),
        ("gzip of nothing", gzip.compress(b""), Rule.TRUNCATED),
        ("gzip of zeros", gzip.compress(END), Rule.NOTHING),
        ("gzip of text", gzip.compress(b"text " * 200), Rule.UNKNOWN),
        ("gzip header only", good[:10], Rule.TRUNCATED),
        ("gzip without its trailer", good[:-8], Rule.TRUNCATED),
        ("gzip without its last byte", good[:-1], Rule.TRUNCATED),
        ("gzip with a wrong checksum", bytes(wrong), Rule.DAMAGED),
        ("gzip with a wrong length", bytes(short), Rule.DAMAGED),
        ("gzip with another method", good[:2] + b"\x07" + good[3:], Rule.UNKNOWN),
        ("text after gzip", good + b"text", Rule.GARBAGE),
        ("zeros and text after gzip", good + bytes(9) + b"x", Rule.GARBAGE),
        ("zeros and gzip after gzip", good + bytes(9) + good, Rule.GARBAGE),
        ("another tar.gz after it", good + good, Rule.GARBAGE),
        ("half a gzip after gzip", good + gzip.compress(bytes(512))[:9], Rule.TRUNCATED),
        ("a zip after gzip", good + zip_file(Entry(b"evil")), Rule.GARBAGE),
    ):
        yield Case(name, "tar.gz", data, rule=rule)
