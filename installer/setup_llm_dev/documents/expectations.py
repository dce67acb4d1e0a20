"""What the checks of the smoke program expect, as sentences that can be translated.

The program stands apart and sends finished English sentences; here they are said again, with places for the numbers.
"""

import re
from string import Formatter

from setup_llm_dev.messages import Message, message

_ANY = ""
EXPECTATIONS: tuple[Message, ...] = (
    message("no particular build"),
    message("parameters, gradients and optimizer state on {device}, at most one GPU", device=_ANY),
    message("only the head is new, all other parameters equal the file bit for bit"),
    message("every loss and gradient finite, no loss 0.0"),
    message(
        "all {total} parameter tensors changed and had a gradient, {steps} updates applied", total=_ANY, steps=_ANY
    ),
    message("the model brought a trained head"),
    message("a loss a step"),
    message("at most {share} of the first", share=_ANY),
    message(
        "accuracy ≥ {accuracy}, precision, recall and F1 ≥ {others}, all above before; after a training cut short for "
        "time, accuracy ≥ {floor} and a fallen loss", accuracy=_ANY, others=_ANY, floor=_ANY,
    ),
    message("accuracy ≥ {accuracy}, precision, recall and F1 ≥ {others}, all above before", accuracy=_ANY, others=_ANY),
    message("parameters bit-equal, logits within {allowed}", allowed=_ANY),
    message("training within {room} s, of {budget} s in all", room=_ANY, budget=_ANY),
    message("some seconds left for training, of {budget} s in all", budget=_ANY),
    message("a check that fails"),
    message("the run ends without an error"),
    message("an answer"),
    message("as installed by the lock"),
)  # fmt: skip


def expectation(text: str) -> Message:
    """The sentence that `text` is; one without a translation where it is none of ours.

    >>> expectation("at most 0.9 of the first").arguments
    {'share': '0.9'}
    """
    for known in EXPECTATIONS:
        if found := re.fullmatch(_pattern(known.template), text):
            return Message(known.template, found.groupdict())
    return Message("{text}", {"text": text})


def _pattern(template: str) -> str:
    parts = Formatter().parse(template)
    return "".join(re.escape(text) + (f"(?P<{name}>[^ ,;]+)" if name else "") for text, name, *_ in parts)
