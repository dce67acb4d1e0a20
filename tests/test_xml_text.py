"""XML by byte positions: where things stand, what is refused, and edits that keep every other byte."""

import doctest
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings

from setup_llm_dev.documents import xml_nodes, xml_text
from setup_llm_dev.documents.xml_nodes import Node, Unreadable, parse
from setup_llm_dev.documents.xml_text import (
    Edit,
    appended,
    attribute_span,
    indent_unit,
    indentation,
    line_end,
    quoted,
    removed,
    splice,
    taken_back,
)
from tests.tables.trees import tables

LINES = [(0, "<jdk>"), (1, "<name />"), (0, "</jdk>")]
TRICKY = (
    b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\r\n<!-- <a> --><a>\r\n"
    b"<b x=\"1>2\" y='\"' />\t<c\n k = 'v'></c ><![CDATA[</a>]]><?pi <d>?><d>&#60;<e/></d\n></a>\r\n<!-- > -->"
)


def everything(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from everything(child)


def tags(data: bytes) -> list[tuple[bytes, bytes]]:
    """Start and end tag of every element; of a self-closing one the second is empty."""
    found = everything(parse(data))
    return [(data[node.start : node.open_end], data[node.close_start : node.end]) for node in found]


def test_tags_stand_where_it_says() -> None:
    assert tags(TRICKY) == [
        (b"<a>", b"</a>"),
        (b'<b x="1>2" y=\'"\' />', b""),
        (b"<c\n k = 'v'>", b"</c >"),
        (b"<d>", b"</d\n>"),
        (b"<e/>", b""),
    ]
    assert parse(TRICKY).children[0].attributes == {"x": "1>2", "y": '"'}
    assert [(node.line, node.column) for node in parse(TRICKY).children[:2]] == [(3, 1), (3, 21)]


def test_offsets_are_right_beyond_the_pieces_in_which_expat_is_fed() -> None:
    data = b"<a>" + b"<b/>\n" * 150_000 + b"<c d='\xc3\xa4'>" + b"x" * 5_000_000 + b"</c></a>"
    last = parse(data).children[-1]
    assert data[last.start : last.open_end] == b"<c d='\xc3\xa4'>"
    assert data[last.close_start :] == b"</c></a>"


BOMB = b'<!DOCTYPE a [<!ENTITY x "%s"><!ENTITY y "%s">]><a>&y;</a>' % (b"ha" * 9, b"&x;" * 9)
REFUSED = {
    "a bomb": (BOMB, "DOCTYPE"),
    "an external entity": (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "DOCTYPE"),
    "an external DTD": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>', "DOCTYPE"),
    "too large": (b"<a>" + b" " * (16 << 20) + b"</a>", "larger than 16 MiB"),
    "too deep": (b"<a>" * 10_000 + b"</a>" * 10_000, "deeper than 64"),
    "too many": (b"<a>" + b"<b/>" * 200_000 + b"</a>", "more than 200000 elements"),
    "cut off": (b"<application><component name='P", "not well-formed"),
    "an end tag missing": (b"<a>\n<b></a>", "mismatched tag in line 2, column 6"),
    "nothing": (b"", "not well-formed"),
    "only a comment": (b"<!-- nothing -->", "not well-formed"),
    "two elements": (b"<a/><b/>", "not well-formed"),
    "two equal attributes": (b"<a x='1' x='2'/>", "duplicate attribute"),
    "an unknown entity": (b"<a>&nbsp;</a>", "undefined entity"),
    "UTF-16": ("<a/>".encode("utf-16"), "not in UTF-8"),
    "UTF-16 without a mark": ("<a/>".encode("utf-16-le"), "not in UTF-8"),
    "UTF-32": ("<a/>".encode("utf-32"), "not in UTF-8"),
    "Latin-1 bytes": ("<a b='ä'/>".encode("latin-1"), "offset 6"),
    "Latin-1 said": (b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "ISO-8859-1"),
    "UTF-16 said": (b"<?xml version='1.0' encoding='UTF-16'?><a/>", "UTF-16"),
    "a control character": (b"<a>\x1b</a>", "not well-formed"),
    "XML 1.1": (b"<?xml version='1.1'?><a/>", "version 1.1"),
    "two marks": (b"\xef\xbb\xbf" * 2 + b"<a/>", "not well-formed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_ide_wrote_is_refused_with_its_reason(case: str) -> None:
    data, words = REFUSED[case]
    with pytest.raises(Unreadable) as refusal:
        parse(data)
    assert words in str(refusal.value.why)


def test_64_levels_and_16_mebibytes_are_read() -> None:
    assert parse(b"<a>" * 64 + b"</a>" * 64).tag == "a"
    assert parse(b"<a>" + b" " * ((16 << 20) - 7) + b"</a>").tag == "a"


APPENDED = {
    "its own line": (
        b"<p>\n <q>\n  <r/>\n </q>\n</p>\n",
        b"<p>\n <q>\n  <r/>\n  <jdk>\n   <name />\n  </jdk>\n </q>\n</p>\n",
    ),
    "tabs and CRLF": (
        b"<p>\r\n\t<q>\r\n\t</q>\r\n</p>",
        b"<p>\r\n\t<q>\r\n\t\t<jdk>\r\n\t\t\t<name />\r\n\t\t</jdk>\r\n\t</q>\r\n</p>",
    ),
    "self-closing": (
        b"<p>\n  <q  x='/' />\n</p>",
        b"<p>\n  <q  x='/'>\n    <jdk>\n      <name />\n    </jdk>\n  </q>\n</p>",
    ),
    "tight": (
        b"<p>\n  <q/></p>",
        b"<p>\n  <q>\n    <jdk>\n      <name />\n    </jdk>\n  </q></p>",
    ),
    "one line": (
        b"<p><q></q></p>",
        b"<p><q>\n  <jdk>\n    <name />\n  </jdk>\n</q></p>",
    ),
    "behind text": (
        b"<p>\n  <q>text</q>\n</p>",
        b"<p>\n  <q>text\n    <jdk>\n      <name />\n    </jdk>\n  </q>\n</p>",
    ),
    "carriage returns": (
        b"<p>\r  <q>\r  </q>\r</p>",
        b"<p>\r  <q>\r    <jdk>\r      <name />\r    </jdk>\r  </q>\r</p>",
    ),
}


@pytest.mark.parametrize("case", APPENDED)
def test_a_child_comes_last_in_the_files_own_layout(case: str) -> None:
    data, wanted = APPENDED[case]
    edit = appended(data, parse(data).children[0], LINES)
    new = splice(data, [edit])
    assert new == wanted
    assert taken_back(new, edit.text, data[edit.start : edit.end]) == data


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_any_document_is_seen_as_another_parser_sees_it(data: bytes) -> None:
    if b"x:" in data:
        data = data.replace(b"x:", b"x-")  # the other parser wants prefixes to be declared
    ours = [(node.tag, dict(node.attributes)) for node in everything(parse(data))]
    theirs = [(node.tag, node.attrib) for node in ElementTree.fromstring(data).iter()]  # noqa: S314 - made by this test
    assert ours == theirs
    for node in everything(parse(data)):
        again = parse(data[node.start : node.end])
        assert (again.tag, len(again.children), again.end) == (node.tag, len(node.children), node.end - node.start)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_a_child_of_any_element_goes_as_it_came(data: bytes) -> None:
    for node in everything(parse(data)):
        edit = appended(data, node, [(0, '<jdk uuid="5b6f0f3e">'), (0, "</jdk>")])
        new = splice(data, [edit])
        child = next(found for found in everything(parse(new)) if found.get("uuid") == "5b6f0f3e")
        assert new[child.start : child.end].endswith(b"</jdk>")
        assert taken_back(new, edit.text, data[edit.start : edit.end]) == data


def test_edits_may_touch_but_not_overlap() -> None:
    assert splice(b"abc", [Edit(2, 3, b"C"), Edit(0, 2, b"")]) == b"C"
    for wrong in ([Edit(0, 2, b""), Edit(1, 3, b"")], [Edit(2, 4, b"")], [Edit(2, 1, b"")]):
        with pytest.raises(ValueError, match="overlaps"):
            splice(b"abc", wrong)


def test_line_ends_and_indentation_around_a_place() -> None:
    mixed = b"<a>\r\n  <b/>\n\t<c/>\r</a>"
    assert [line_end(mixed, mixed.index(tag)) for tag in (b"<a>", b"<b", b"<c", b"</a>")] == [
        b"\r\n", b"\r\n", b"\n", b"\r",
    ]  # fmt: skip
    assert line_end(b"<a/>") == b"\n"
    assert [indentation(mixed, mixed.index(tag)) for tag in (b"<b", b"<c", b"/>")] == [b"  ", b"\t", None]
    assert indentation(b"\xef\xbb\xbf<a/>", 3) == b""
    assert indent_unit(mixed, parse(mixed)) == b"  "
    assert indent_unit(b"<a><b/></a>", parse(b"<a><b/></a>")) == b"  "


def test_an_element_is_taken_out_with_its_line_or_alone() -> None:
    for data, wanted in (
        (b"<a>\n  <b/>\n  <c/>\n</a>", b"<a>\n  <c/>\n</a>"),
        (b"<a>\r\n  <b>\r\n  </b> \r\n</a>", b"<a>\r\n</a>"),
        (b"<a><b/><c/></a>", b"<a><c/></a>"),
        (b"<a>\n  <b/><c/></a>", b"<a>\n  <c/></a>"),
    ):
        assert splice(data, [removed(data, parse(data).children[0])]) == wanted


def test_what_stands_twice_is_not_taken_back() -> None:
    assert taken_back(b"abab", b"ab", b"") is None
    assert taken_back(b"", b"", b"x") is None


def test_attributes_are_found_by_name() -> None:
    data = b'<a b=\'c="1"\' c = "2" d="b=\'3\'"/>'
    node = parse(data)
    spans = {name: attribute_span(data, node, name) for name in "bcd"}
    assert {name: data[slice(*span)] for name, span in spans.items() if span} == {
        "b": b'c="1"', "c": b"2", "d": b"b='3'",
    }  # fmt: skip
    assert attribute_span(data, node, "a") is None


def test_values_come_back_as_they_were() -> None:
    value = "a\n\t\r\"'<&>]]> 🚀"
    assert parse(f"<a b={quoted(value)} />".encode()).get("b") == value
    with pytest.raises(ValueError, match=r"U\+001B"):
        quoted("\x1b")


def test_examples_in_the_documentation() -> None:
    assert doctest.testmod(xml_text).failed == doctest.testmod(xml_nodes).failed == 0
