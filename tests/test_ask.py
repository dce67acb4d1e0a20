"""The one question, on a real terminal: what counts as a yes, and that nothing else does."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from setup_llm_dev.cli.ask import agreed, agreed_to_remove, wants
from setup_llm_dev.cli.output import Output
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.messages import message

if sys.platform == "win32":
    pytest.skip("pseudo terminals are a thing of POSIX", allow_module_level=True)

Ask = Callable[[Output, Cancel], bool]
END = b"\x04"  # Ctrl-D on an empty line: the end of the input


@dataclass
class Terminal:
    """`keyboard` is the end at which somebody sits: what is typed goes in there, and what is shown comes out."""

    keyboard: int
    output: Output

    def answer(self, ask: Ask, typed: bytes) -> bool:
        os.write(self.keyboard, typed)
        return ask(self.output, Cancel())

    def shown(self) -> str:
        """Everything so far; the mark comes out last."""
        self.output.complain("that was all")
        shown = ""
        while "that was all" not in shown:
            shown += os.read(self.keyboard, 1 << 16).decode("utf-8", "replace")
        return shown


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    ours, theirs = os.openpty()
    with open(theirs, closefd=False) as stdin, open(theirs, "w") as stderr:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdin", stdin)
        yield Terminal(ours, Output(stdout=StringIO(), stderr=stderr, language="en"))
    os.close(ours)


def comfort(output: Output, cancel: Cancel) -> bool:
    return wants(output, cancel, message("Open the project in PyCharm now? [Y/n] "))


@pytest.mark.parametrize("ask", [agreed, agreed_to_remove, comfort])
def test_the_end_of_the_input_is_a_no_and_said(terminal: Terminal, ask: Ask) -> None:
    assert terminal.answer(ask, END) is False
    assert "the input ended without an answer: taken for a no" in terminal.shown()


@pytest.mark.parametrize("ask", [agreed, agreed_to_remove, comfort])
def test_bytes_that_are_no_text_are_a_no(terminal: Terminal, ask: Ask) -> None:
    assert terminal.answer(ask, b"\xff\xfe\n") is False


@pytest.mark.parametrize(("ask", "enter"), [(agreed, True), (agreed_to_remove, False), (comfort, True)])
def test_a_word_and_an_empty_line(terminal: Terminal, ask: Ask, enter: bool) -> None:
    assert [terminal.answer(ask, line) for line in (b"y\n", b" YES \n", "是\n".encode())] == [True, True, True]
    assert [terminal.answer(ask, line) for line in (b"n\n", b"maybe\n")] == [False, False]
    assert terminal.answer(ask, b"\n") is enter
    assert "the input ended" not in terminal.shown()


def test_with_nobody_there_only_comfort_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        output = Output(stdout=StringIO(), stderr=StringIO(), language="en")
        assert agreed(output, Cancel()) is True
        assert comfort(output, Cancel()) is False
