"""The one question: asked where somebody can answer, and a signal ends the wait for the answer."""

import sys
import threading
from typing import TYPE_CHECKING

from setup_llm_dev.messages import message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output
    from setup_llm_dev.host.cancel import Cancel
    from setup_llm_dev.messages import Message

_STEP_SECONDS = 0.2


_YES = ("y", "yes", "j", "是", "好")


def agreed(output: "Output", cancel: "Cancel") -> bool:
    """Asked once, and only where somebody can answer. Raises Interrupted when a signal comes instead of an answer."""
    if not can_answer(output):
        return True
    output.complain(output.translate(message("Go on? [Y/n] ")))
    return _line(cancel).strip().lower() in ("", *_YES)


def agreed_to_remove(output: "Output", cancel: "Cancel") -> bool:
    """The same before something goes: only a yes is one, and Enter alone is not. Ask where `can_answer`."""
    output.complain(output.translate(message("Go on? [y/N] ")))
    return _line(cancel).strip().lower() in _YES


def can_answer(output: "Output") -> bool:
    return not output.json and bool(sys.stdin) and sys.stdin.isatty() and output.stderr.isatty()


def wants(output: "Output", cancel: "Cancel", question: "Message") -> bool:
    """A question that is only about comfort: no answer is a no."""
    if output.quiet or not can_answer(output):
        return False
    output.complain(output.translate(question))
    return _line(cancel).strip().lower() in ("", *_YES)


def _line(cancel: "Cancel") -> str:
    """Read in a thread of its own: a read that a signal's handler interrupts goes on after it, and knows of no token.

    The thread is left behind when a signal comes; the process ends without waiting for it.
    """
    answers: list[str] = []
    reader = threading.Thread(target=lambda: answers.append(sys.stdin.readline()), daemon=True)
    reader.start()
    while reader.is_alive():
        reader.join(_STEP_SECONDS)
        cancel.raise_if_set()
    return answers[0] if answers else "n"
