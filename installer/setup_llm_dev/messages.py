"""Sentences for people, kept as template and arguments until the command line translates them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """A sentence: an English template in `str.format` syntax, which is also the key of its translation.

    `str(message)` is the English sentence; machine-readable output always uses that one.
    """

    template: str
    arguments: Mapping[str, "str | int | float | Message"] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.render(lambda template: template)

    def render(self, translate: Callable[[str], str]) -> str:
        """The sentence in the language of `translate`, arguments that are sentences included."""
        filled = {
            name: value.render(translate) if isinstance(value, Message) else _visible(value)
            for name, value in self.arguments.items()
        }
        return translate(self.template).format(**filled)


def message(template: str, /, **arguments: "str | int | float | Message") -> Message:
    """A `Message`; templates are literals, since the translation catalogue is extracted from these calls."""
    return Message(template, arguments)


def _visible(value: str | int | float) -> str | int | float:
    """Control characters in names from outside must not reach a terminal (escape sequences, bidi marks)."""
    if not isinstance(value, str):
        return value
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in value)
