"""A page of result on stdout: headings and aligned rows, in colour only on a terminal that wants it."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TextIO

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.widths import cells, inert, one_line, padded, spelled, wrapped
from setup_llm_dev.messages import Message

if TYPE_CHECKING:
    from rich.console import Console

Style = Literal["", "strong", "dim", "good", "warn", "bad"]
_COLORS = {"": "", "strong": "bold", "dim": "dim", "good": "green", "warn": "yellow", "bad": "bold red"}
_NARROW = 48  # columns; below this a label stands above its text
_LABEL = 26  # columns that a label may take


class Row(NamedTuple):
    """`text` beside `label`; a row without a label continues the one above."""

    label: str
    text: str
    style: Style = ""


class Sheet:
    """Writes through `output`. Sentences are translated here, names from outside must be made inert."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._width = terminal_width(output.stdout)
        self._console = _console(output)
        self._begun = False

    def say(self, sentence: Message) -> str:
        """Translated, and on one line: a line break in a name from outside must not begin a line of ours."""
        return one_line(self._output.translate(sentence))

    def line(self, text: str, style: Style = "", indent: int = 0) -> None:
        """A paragraph, broken to the terminal's width."""
        room = None if self._width is None else self._width - indent
        for piece in wrapped(text, room):
            self._put([(" " * indent + piece, style)])
        self._begun = True

    def heading(self, sentence: Message) -> None:
        """A title with an empty line above it, unless it is the first thing."""
        if self._begun:
            self._put([("", "")])
        self.line(self.say(sentence), "strong")

    def rows(self, rows: Sequence[Row], indent: int = 2) -> None:
        """Labels in one column, texts in the next; on a narrow terminal one below the other."""
        if self._width is not None and self._width < _NARROW:
            return self._stacked(rows, indent)
        column = max((min(cells(row.label), _LABEL) for row in rows), default=0)
        left = indent + column + 2 if column else indent
        for row in rows:
            room = None if self._width is None else max(self._width - left, 20)
            first, *rest = wrapped(row.text, room)
            label = " " * indent + padded(row.label, column) + "  " if column else " " * indent
            self._put([(label, row.style if row.label else ""), (first, "" if row.label else row.style)])
            for piece in rest:
                self._put([(" " * left + piece, "" if row.label else row.style)])
        self._begun = True
        return None

    def section(self, title: Message, rows: Sequence[Row]) -> None:
        """A heading and its rows; nothing where there are none."""
        if rows:
            self.heading(title)
            self.rows(rows)

    def _stacked(self, rows: Sequence[Row], indent: int) -> None:
        for row in rows:
            if row.label:
                self.line(row.label, row.style, indent)
            if row.text:
                self.line(row.text, "", indent + 2)

    def _put(self, spans: Sequence[tuple[str, Style]]) -> None:
        encoding = self._output.stdout.encoding
        spans = [(spelled(text, encoding), style) for text, style in spans]
        if self._console is None or self._output.json:
            self._output.text("".join(text for text, _ in spans).rstrip())
            return
        from rich.text import Text

        text = Text.assemble(*((text, _COLORS[style]) for text, style in spans))
        text.rstrip()
        self._console.print(text, soft_wrap=True)


def named(table: dict[str, Any], names: dict[str, Message], say: Callable[[Message], str]) -> list[Row]:
    """A table of ours as rows: known keys by their names, others as they are, values made inert."""
    return [
        Row(say(names[key]) if key in names else inert(key), inert(str(value)))
        for key, value in table.items()
        if value not in (None, "")
    ]


def terminal_width(stream: TextIO) -> int | None:
    """Columns of the terminal behind `stream`; None where there is none, then nothing is broken."""
    if not stream.isatty():
        return None
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def plain_terminal() -> bool:
    """Whether the surroundings ask for no cursor tricks and no colours."""
    return os.environ.get("TERM", "") == "dumb"


def _console(output: Output) -> "Console | None":
    wanted = output.color and not os.environ.get("NO_COLOR") and not plain_terminal()
    if not wanted or not output.stdout.isatty():
        return None
    from rich.console import Console

    return Console(file=output.stdout, highlight=False, markup=False, emoji=False)
