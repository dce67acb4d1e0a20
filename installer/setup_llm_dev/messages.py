"""Sentences for people, kept as template and arguments until the command line translates them."""

from collections.abc import Callable, Mapping


class Message:
    """A sentence: an English template in `str.format` syntax, which is also the key of its translation.

    `str(message)` is the English sentence; machine-readable output always uses that one. Frozen by hand: the
    codec decides how a sentence is spelled, and msgspec would spell a dataclass by its fields without asking.
    """

    __slots__ = ("arguments", "template")

    template: str
    arguments: "Mapping[str, str | int | float | Message]"

    def __init__(self, template: str, arguments: "Mapping[str, str | int | float | Message] | None" = None) -> None:
        object.__setattr__(self, "template", template)
        object.__setattr__(self, "arguments", dict(arguments or {}))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Message is frozen; {name} can't be set")

    def __reduce__(self) -> tuple[object, ...]:
        return Message, (self.template, self.arguments)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return (self.template, self.arguments) == (other.template, other.arguments)

    def __hash__(self) -> int:
        return hash((self.template, *sorted(self.arguments)))

    def __repr__(self) -> str:
        return f"Message({self.template!r}, {self.arguments!r})"

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
