"""XML as elements that know where in the bytes they stand, read by expat; nothing is ever written back from them.

Only UTF-8 is read (with or without a byte order mark): the IDEs write nothing else, and offsets in other encodings
would be a guess.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.parsers import expat

from setup_llm_dev.messages import Message, message

SIZE_LIMIT = 16 << 20
DEPTH_LIMIT = 64
ELEMENT_LIMIT = 200_000
_ENCODINGS = ("utf-8", "us-ascii")
_FOREIGN_STARTS = (b"\xff\xfe", b"\xfe\xff")
_START_TAG = re.compile(rb"""<[^>"']*+(?:"[^"]*+"[^>"']*+|'[^']*+'[^>"']*+)*+>""")


class Unreadable(Exception):
    """A file that we do not touch; `why` is a sentence without the file's name."""

    def __init__(self, why: Message) -> None:
        super().__init__(why)
        self.why = why


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
