"""What is going on, drawn while it happens: lanes on a terminal, plain lines without, JSON for programs."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.progress_lines import JsonLines, PlainLines
from setup_llm_dev.cli.sheet import plain_terminal, terminal_width
from setup_llm_dev.documents.events import Event
from setup_llm_dev.messages import Message

_LEAST_COLUMNS = 40  # below this lanes would be cut to nothing


class Drawer(Protocol):
    """Takes the events of a run in their order, and sentences in between."""

    def show(self, event: Event) -> None: ...

    def say(self, sentence: Message) -> None: ...


class _Silent:
    """`-q`: what went wrong is told at the end."""

    def show(self, event: Event) -> None:
        del event

    def say(self, sentence: Message) -> None:
        del sentence


def drawer(output: Output) -> AbstractContextManager[Drawer]:
    """The drawer that fits: JSON lines on stdout, or on stderr lanes, plain lines or nothing.

    Leaving the block, by an exception too, gives the terminal back as it was.
    """
    if _has_lanes(output):
        from setup_llm_dev.cli.lanes import Lanes

        return Lanes(output)
    return _without_cursor(output)


@contextmanager
def _without_cursor(output: Output) -> Iterator[Drawer]:
    if output.json:
        yield JsonLines(output)
    elif output.quiet:
        yield _Silent()
    else:
        yield PlainLines(output)


def _has_lanes(output: Output) -> bool:
    if output.json or output.quiet or plain_terminal() or os.environ.get("CI"):
        return False
    return (terminal_width(output.stderr) or 0) >= _LEAST_COLUMNS
