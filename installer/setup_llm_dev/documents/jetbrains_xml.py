"""Writes XML the way JetBrains' IDEs do: two spaces, ` />`, UTF-8 without a byte order mark."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from setup_llm_dev.documents.xml_text import quoted

_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff$/\\]")


@dataclass(frozen=True)
class Element:
    """One element: attributes in the order in which they are written; these files hold no text."""

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple["Element", ...] = ()


def element(tag: str, /, *children: Element, **attributes: str) -> Element:
    """An element whose attributes are all Python names; the others are made with `Element` itself.

    >>> document(element("mapping", directory="", vcs="Git"), declaration=False)
    b'<mapping directory="" vcs="Git" />\\n'
    """
    return Element(tag, tuple(attributes.items()), children)


def option(name: str, value: str) -> Element:
    return element("option", name=name, value=value)


def document(root: Element, *, declaration: bool = True) -> bytes:
    """The bytes of the file. Raises ValueError for a value that XML can't hold (a control character)."""
    head = ['<?xml version="1.0" encoding="UTF-8"?>'] if declaration else []
    return "\n".join([*head, *("  " * depth + text for depth, text in tag_lines(root)), ""]).encode()


def tag_lines(node: Element, depth: int = 0) -> Iterator[tuple[int, str]]:
    """Each tag on a line of its own, with how deep it stands below `node`; ValueError as `document`."""
    start = "<" + node.name + "".join(f" {key}={quoted(value)}" for key, value in node.attributes)
    if not node.children:
        yield depth, start + " />"
        return
    yield depth, start + ">"
    for child in node.children:
        yield from tag_lines(child, depth + 1)
    yield depth, f"</{node.name}>"


def writable_name(text: str) -> str:
    """`text` as the name of an SDK, a module or its file: what the IDE could not read back becomes `_`."""
    return _NOT_IN_NAMES.sub("_", text)
