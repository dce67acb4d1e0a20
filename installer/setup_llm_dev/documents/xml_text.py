"""XML by its byte positions, so that a file of the user's is changed at one place and is otherwise the same bytes.

The parser is the standard library's expat, which tells the offset of every tag in the bytes it was given; nothing is
ever written back from the tree. Only UTF-8 is read (with or without a byte order mark): the IDEs write nothing else,
and offsets in other encodings would be a guess.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.parsers import expat

from setup_llm_dev.messages import Message, message

SIZE_LIMIT = 16 << 20
DEPTH_LIMIT = 64
ELEMENT_LIMIT = 200_000
_ENCODINGS = ("utf-8", "us-ascii")
_FOREIGN_STARTS = (b"\xff\xfe", b"\xfe\xff")
_START_TAG = re.compile(rb"""<[^>"']*+(?:"[^"]*+"[^>"']*+|'[^']*+'[^>"']*+)*+>""")
_ATTRIBUTE = re.compile(rb"""([^\s=<>/"']++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")
_LINE_END = re.compile(rb"(\r\n|\n|\r)")
_LAST_LINE_END = re.compile(rb"(\r\n|\n|\r)[^\r\n]*+\Z")
_REST_OF_LINE = re.compile(rb"[ \t]*+(?:\r\n|\n|\r)")
_BLANKS = b" \t"
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
)


class Unreadable(Exception):
    """A file that we do not touch; `why` is a sentence without the file's name."""

    def __init__(self, why: Message) -> None:
        super().__init__(why)
        self.why = why


class Edit(NamedTuple):
    """Replace the bytes from `start` up to `end` (offsets into the unedited data) by `text`."""

    start: int
    end: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Node:
    """One element; offsets are into the bytes that were parsed, ends are exclusive, lines and columns count from 1.

    `start`..`open_end` is the start tag, `close_start`..`end` the end tag. Of a self-closing element (`<a />`) all but
    `start` are its end. Attribute values are decoded.
    """

    tag: str
    attributes: Mapping[str, str]
    start: int
    open_end: int
    close_start: int
    end: int
    line: int
    column: int
    children: tuple["Node", ...]

    @property
    def self_closing(self) -> bool:
        return self.open_end == self.end

    def get(self, name: str) -> str | None:
        """The value of an attribute, None if it has none of that name."""
        return self.attributes.get(name)

    def all(self, tag: str, **attributes: str) -> Iterator["Node"]:
        """Direct children of that tag whose attributes have these values."""
        for child in self.children:
            if child.tag == tag and all(child.get(key) == value for key, value in attributes.items()):
                yield child

    def first(self, tag: str, **attributes: str) -> "Node | None":
        return next(self.all(tag, **attributes), None)


def parse(data: bytes) -> Node:
    """The root element. Raises Unreadable for what no IDE wrote: see `Unreadable.why`.

    Refused: more than 16 MiB, other encodings than UTF-8, a DOCTYPE (and with it every entity), elements nested deeper
    than 64, more than 200,000 elements, and what is not well-formed.

    >>> root = parse(b'<a><b c="1&gt;0" /></a>')
    >>> root.children[0].attributes, root.children[0].start, root.close_start
    ({'c': '1>0'}, 3, 19)
    """
    _require_plain_utf8(data)
    return _Reader(data).read()


def splice(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The data with every edit made. Raises ValueError for edits that overlap or lie outside.

    >>> splice(b"abcdef", [Edit(4, 5, b"E"), Edit(1, 1, b"-")])
    b'a-bcdEf'
    """
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if not at <= edit.start <= edit.end <= len(data):
            raise ValueError(f"edit {edit.start}..{edit.end} overlaps another one or lies outside")
        pieces += [data[at : edit.start], edit.text]
        at = edit.end
    return b"".join([*pieces, data[at:]])


def line_end(data: bytes, at: int | None = None) -> bytes:
    r"""The last line end before `at`, else the file's first one, else `\n`."""
    found = _LAST_LINE_END.search(data[:at]) or _LINE_END.search(data)
    return found[1] if found else b"\n"


def line_start(data: bytes, at: int) -> int:
    """The offset after the line end before `at`; after the byte order mark in the first line."""
    mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    return max(data.rfind(b"\n", 0, at) + 1, data.rfind(b"\r", 0, at) + 1, mark)


def indentation(data: bytes, at: int) -> bytes | None:
    """The blanks between the start of the line and `at`; None if something else stands there."""
    found = data[line_start(data, at) : at]
    return None if found.strip(_BLANKS) else found


def indent_unit(data: bytes, node: Node) -> bytes:
    """By how much children are indented more than their parents in `node`; else a tab if it stands behind one, or two
    blanks.
    """
    for parent in (node, *_descend(node)):
        own = indentation(data, parent.start)
        for child in parent.children:
            more = indentation(data, child.start)
            if own is not None and more is not None and more.startswith(own) and more != own:
                return more[len(own) :]
    return b"\t" if (indentation(data, node.start) or b"").endswith(b"\t") else b"  "


def appended(data: bytes, node: Node, lines: Sequence[tuple[int, str]], *, unit: bytes | None = None) -> Edit:
    """The edit that makes `lines` the last child of `node`, in the file's own indentation and line ends.

    lines: (depth, text) pairs, depth 0 for the child's own tags; text is XML, see `quoted`. unit: what a depth adds, if
    the surroundings tell it better than `node` (see `indent_unit`). A self-closing `node` is opened.
    One edit, whatever it takes: `taken_back` with it gives the very same bytes again.
    """
    step = indent_unit(data, node) if unit is None else unit
    own = indentation(data, node.start) or b""
    eol = line_end(data, node.end)
    inner = _inner_indentation(data, node, own + step)
    text = eol.join(inner + step * depth + line.encode() for depth, line in lines)
    if node.self_closing:
        tag_end = len(data[node.start : node.end - 2].rstrip()) + node.start
        return Edit(tag_end, node.end, b">" + eol + text + eol + own + b"</" + node.tag.encode() + b">")
    if indentation(data, node.close_start) is not None:
        start = line_start(data, node.close_start)
        return Edit(start, start, text + eol)
    return Edit(node.close_start, node.close_start, eol + text + eol + own)


def taken_back(data: bytes, made: bytes, before: bytes) -> bytes | None:
    """The data with `made` (the text of an edit) replaced by what stood there; None unless it occurs exactly once."""
    if not made or data.count(made) != 1:
        return None
    at = data.index(made)
    return splice(data, [Edit(at, at + len(made), before)])


def removed(data: bytes, node: Node) -> Edit:
    """The edit that takes out an element, with its lines if it has them for itself."""
    start = line_start(data, node.start)
    if indentation(data, node.start) is None:
        return Edit(node.start, node.end, b"")
    rest = _REST_OF_LINE.match(data, node.end)
    return Edit(start, rest.end(), b"") if rest else Edit(node.start, node.end, b"")


def attribute_span(data: bytes, node: Node, name: str) -> tuple[int, int] | None:
    """Where the value of an attribute stands, without its quotes; None if there is none of that name."""
    for found in _ATTRIBUTE.finditer(data, node.start, node.open_end):
        if found[1] == name.encode():
            return found.span(2 if found[2] is not None else 3)
    return None


def quoted(value: str) -> str:
    """A value in double quotes. Raises ValueError for a control character, which XML can't hold.

    >>> quoted('a & "b"')
    '"a &amp; &quot;b&quot;"'
    """
    if found := _UNWRITABLE.search(value):
        raise ValueError(f"XML can't hold U+{ord(found[0]):04X}")
    return f'"{value.translate(_ESCAPED)}"'


def _require_plain_utf8(data: bytes) -> None:
    if len(data) > SIZE_LIMIT:
        raise Unreadable(message("it is larger than {limit} MiB", limit=SIZE_LIMIT >> 20))
    if data.startswith(_FOREIGN_STARTS) or b"\0" in data:
        raise Unreadable(message("its text is not in UTF-8"))
    try:
        data.decode()
    except UnicodeDecodeError as error:
        why = message("its text is not in UTF-8: the byte at offset {offset} is wrong", offset=error.start)
        raise Unreadable(why) from error


class _Open:
    """An element whose end tag has not come yet."""

    __slots__ = ("attributes", "children", "column", "line", "start", "tag")

    def __init__(self, tag: str, attributes: dict[str, str], start: int, line: int, column: int) -> None:
        self.tag = tag
        self.attributes = attributes
        self.start = start
        self.line = line
        self.column = column
        self.children: list[Node] = []


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._count = 0
        self._parser = expat.ParserCreate()
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._finish

    def read(self) -> Node:
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise Unreadable(
                message(
                    "it is not well-formed XML: {what} in line {line}, column {column}",
                    what=expat.ErrorString(error.code),
                    line=error.lineno,
                    column=error.offset + 1,
                )
            ) from error
        if self._root is None:
            raise Unreadable(message("it holds no element"))
        return self._root

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if version != "1.0":
            raise Unreadable(message("it is XML of version {version}, not 1.0", version=version))
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise Unreadable(message("it says that its text is in {encoding}, not in UTF-8", encoding=encoding))

    def _doctype(self, *_: object) -> None:
        raise Unreadable(message("it has a DOCTYPE, which no IDE writes"))

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._stack) >= DEPTH_LIMIT:
            raise Unreadable(message("its elements are nested deeper than {limit}", limit=DEPTH_LIMIT))
        if self._count > ELEMENT_LIMIT:
            raise Unreadable(message("it has more than {limit} elements", limit=ELEMENT_LIMIT))
        parser = self._parser
        place = (parser.CurrentByteIndex, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)
        self._stack.append(_Open(tag, attributes, *place))

    def _finish(self, _tag: str) -> None:
        """Of a self-closing element expat tells the end of the tag, of others the start of the end tag."""
        found = self._stack.pop()
        open_end = self._tag_end(found.start)
        at = self._parser.CurrentByteIndex
        closing = self._data[open_end - 2 : open_end] == b"/>"
        end = open_end if closing else self._data.index(b">", at) + 1
        node = Node(
            tag=found.tag,
            attributes=found.attributes,
            start=found.start,
            open_end=open_end,
            close_start=open_end if closing else at,
            end=end,
            line=found.line,
            column=found.column,
            children=tuple(found.children),
        )
        if self._stack:
            self._stack[-1].children.append(node)
        else:
            self._root = node

    def _tag_end(self, start: int) -> int:
        found = _START_TAG.match(self._data, start)
        if found is None:
            raise AssertionError(f"no start tag at {start}, though expat saw one")
        return found.end()


def _inner_indentation(data: bytes, node: Node, otherwise: bytes) -> bytes:
    """How the last child that begins a line is indented."""
    found = (indentation(data, child.start) for child in reversed(node.children))
    return next((blanks for blanks in found if blanks is not None), otherwise)


def _descend(node: Node) -> Iterator[Node]:
    for child in node.children:
        yield child
        yield from _descend(child)
