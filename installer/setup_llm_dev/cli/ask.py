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
    return _says_yes(output, cancel, message("Go on? [Y/n] "), enter=True)


def agreed_to_remove(output: "Output", cancel: "Cancel") -> bool:
    """The same before something goes: only a yes is one, and Enter alone is not. Ask where `can_answer`."""
    return _says_yes(output, cancel, message("Go on? [y/N] "), enter=False)


def can_answer(output: "Output") -> bool:
    return not output.json and bool(sys.stdin) and sys.stdin.isatty() and output.stderr.isatty()


def wants(output: "Output", cancel: "Cancel", question: "Message") -> bool:
    """A question that is only about comfort: no answer is a no."""
    if output.quiet or not can_answer(output):
        return False
    return _says_yes(output, cancel, question, enter=True)


def _says_yes(output: "Output", cancel: "Cancel", question: "Message", *, enter: bool) -> bool:
    """`enter`: whether an empty line is a yes. The end of the input is a no: whoever hung up agreed to nothing."""
    output.complain(output.translate(question))
    line = _line(cancel)
    if not line:
        output.complain(output.translate(message("the input ended without an answer: taken for a no")))
        return False
    word = line.strip().lower()
    return word in _YES or (enter and not word)


def _line(cancel: "Cancel") -> str:
    """One line with its end, or nothing where the input ends or can't be read.

    Read in a thread of its own: a read that a signal's handler interrupts goes on after it, and knows of no token.
    The thread is left behind when a signal comes; the process ends without waiting for it.
    """
    answers: list[str] = []
    reader = threading.Thread(target=lambda: answers.append(_read()), daemon=True)
    reader.start()
    while reader.is_alive():
        reader.join(_STEP_SECONDS)
        cancel.raise_if_set()
    return answers[0] if answers else ""


def _read() -> str:
    try:
        return sys.stdin.readline()
    except (OSError, ValueError):  # the terminal is gone, or sends bytes that are no text
        return ""
