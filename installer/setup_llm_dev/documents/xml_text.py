"""Edits of XML by byte positions: a file of the user's is changed at one place and is otherwise the same bytes.

Where things stand is what `xml_nodes` read; an edit follows the indentation and the line ends that it finds there.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from setup_llm_dev.documents.xml_nodes import Node

_ATTRIBUTE = re.compile(rb"""([^\s=<>/"']++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")
_LINE_END = re.compile(rb"(\r\n|\n|\r)")
_LAST_LINE_END = re.compile(rb"(\r\n|\n|\r)[^\r\n]*+\Z")
_REST_OF_LINE = re.compile(rb"[ \t]*+(?:\r\n|\n|\r)")
_BLANKS = b" \t"
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
)


class Edit(NamedTuple):
    """Replace the bytes from `start` up to `end` (offsets into the unedited data) by `text`."""

    start: int
    end: int
    text: bytes


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


def _inner_indentation(data: bytes, node: Node, otherwise: bytes) -> bytes:
    """How the last child that begins a line is indented."""
    found = (indentation(data, child.start) for child in reversed(node.children))
    return next((blanks for blanks in found if blanks is not None), otherwise)


def _descend(node: Node) -> Iterator[Node]:
    for child in node.children:
        yield child
        yield from _descend(child)
