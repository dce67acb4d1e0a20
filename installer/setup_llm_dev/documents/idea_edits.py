"""Edits of one project file: made at the byte, each remembered with what stood there, so that it can be taken back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from setup_llm_dev.documents.jetbrains_xml import Element, tag_lines
from setup_llm_dev.documents.xml_nodes import Node, Unreadable, parse
from setup_llm_dev.documents.xml_text import (
    Edit,
    appended,
    attribute_span,
    indentation,
    quoted,
    removed,
    splice,
    taken_back,
)
from setup_llm_dev.errors import Refused
from setup_llm_dev.messages import message


@dataclass(frozen=True)
class Change:
    """New bytes of a file. edits: (what was written, what stood there) in the order of the file; none if it was made.

    >>> Change.of(b"abc", [Edit(1, 2, b"B")])
    Change(data=b'aBc', edits=((b'B', b'b'),))
    """

    data: bytes
    edits: tuple[tuple[bytes, bytes], ...] = ()

    @classmethod
    def of(cls, data: bytes, edits: Iterable[Edit]) -> "Change | None":
        """None where there is nothing to change."""
        wanted = sorted(edits, key=lambda edit: (edit.start, edit.end))
        if not wanted:
            return None
        return cls(splice(data, wanted), tuple((edit.text, data[edit.start : edit.end]) for edit in wanted))


def made(data: bytes) -> Change:
    """A file that is ours from its first byte."""
    return Change(data)


def checked(data: bytes, path: str, folder: PurePath, root: str) -> Node:
    """The tree of a project file. Raises Refused (3) for what no IDE wrote; the file is left as it is."""
    try:
        tree = parse(data)
        if tree.tag != root:
            raise Unreadable(message("its element is <{found}>, not <{wanted}>", found=tree.tag, wanted=root))
    except Unreadable as error:
        raise Refused(
            message("{file} can't be read, so it is left as it is: {why}", file=str(folder / path), why=error.why),
            hint=message("mend it, or move it away so that PyCharm makes a new one, then run the same command again"),
        ) from error
    return tree


def appended_elements(data: bytes, node: Node, elements: Sequence[Element]) -> tuple[Edit, ...]:
    """`elements` as the last children of `node`: an edit each where its end tag has a line of its own, else one."""
    lines = [list(tag_lines(element)) for element in elements]
    if not lines:
        return ()
    if node.self_closing or indentation(data, node.close_start) is None:
        return (appended(data, node, [line for group in lines for line in group]),)
    return tuple(appended(data, node, group) for group in lines)


def with_attributes(data: bytes, node: Node, wanted: Mapping[str, str]) -> tuple[Edit, ...]:
    """The start tag with these values, as one edit: a value alone would not be found again later."""
    if all(node.get(name) == value for name, value in wanted.items()):
        return ()
    tag = data[node.start : node.open_end]
    edits, missing = [], b""
    for name, value in wanted.items():
        span = attribute_span(data, node, name)
        if span is None:
            missing += f" {name}={quoted(value)}".encode()
        elif node.get(name) != value:
            start, end = (offset - node.start for offset in span)
            edits.append(Edit(start - 1, end + 1, quoted(value).encode()))
    if missing:
        end = len(tag.rstrip(b">").rstrip(b"/").rstrip())
        edits.append(Edit(end, end, missing))
    return (Edit(node.start, node.open_end, splice(tag, edits)),)


def without(data: bytes, edits: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bool]:
    """`data`, which somebody changed since, without our edits; whether all of them are out of it now.

    What was replaced is put back where our text stands exactly once; what was added is also found in another
    indentation, and is out when it is not there at all.
    """
    clean = True
    for text, before in reversed(tuple(edits)):
        if not before and text.strip() not in data:
            continue
        back = taken_back(data, text, before) if before or _on_own_lines(data, text) else _moved(data, text)
        clean = clean and back is not None
        data = data if back is None else back
    return data, clean


def _on_own_lines(data: bytes, text: bytes) -> bool:
    """Whether what was added stands where it was put: indented as it was, not as the end of a deeper indentation."""
    at = data.find(text)
    return at >= 0 and (text[:1] not in (b" ", b"\t") or at == 0 or data[at - 1 : at] in (b"\n", b"\r"))


def _moved(data: bytes, text: bytes) -> bytes | None:
    """Without the one element that `text` is, wherever its lines went."""
    bare = text.strip()
    if data.count(bare) != 1:
        return None
    try:
        found = _at(parse(data), data.index(bare))
    except Unreadable:
        return None
    if found is None or data[found.start : found.end] != bare:
        return None
    return splice(data, [removed(data, found)])


def _at(node: Node, offset: int) -> Node | None:
    if node.start == offset:
        return node
    around = next((child for child in node.children if child.start <= offset < child.end), None)
    return None if around is None else _at(around, offset)
