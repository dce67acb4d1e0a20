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


def agreed(output: "Output", cancel: "Cancel") -> bool:
    """Asked once, and only where somebody can answer. Raises Interrupted when a signal comes instead of an answer."""
    if output.json or not sys.stdin or not sys.stdin.isatty() or not output.stderr.isatty():
        return True
    output.complain(output.translate(message("Go on? [Y/n] ")))
    return _line(cancel).strip().lower() in ("", "y", "yes", "j", "是", "好")


def wants(output: "Output", cancel: "Cancel", question: "Message") -> bool:
    """A question that is only about comfort: no answer is a no."""
    if output.json or output.quiet or not sys.stdin or not sys.stdin.isatty() or not output.stderr.isatty():
        return False
    output.complain(output.translate(question))
    return _line(cancel).strip().lower() in ("", "y", "yes", "j", "是", "好")


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
