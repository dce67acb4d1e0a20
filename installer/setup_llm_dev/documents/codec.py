"""How documents become JSON and TOML and come back: one codec, two spellings of a sentence."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, TypeVar

import msgspec

from setup_llm_dev.messages import Message

T = TypeVar("T")


def to_plain(document: object) -> Any:
    """Builtin values for `--json`: a sentence is its English text, a path its string."""
    return msgspec.to_builtins(document, enc_hook=_plain)


def to_json(document: object) -> bytes:
    """One line of JSON, sentences in English."""
    return msgspec.json.encode(document, enc_hook=_plain)


def to_stored(document: object) -> Any:
    """Builtin values that `from_stored` reads back: a sentence keeps template and arguments."""
    return msgspec.to_builtins(document, enc_hook=_stored)


def from_stored(value: Any, kind: type[T]) -> T:
    """The document back; raises `msgspec.ValidationError` naming the path of the first wrong value."""
    return msgspec.convert(value, kind, strict=True, dec_hook=_read)


def _plain(value: object) -> object:
    if isinstance(value, Message | PurePath | BaseException) or _is_version(type(value)):
        return str(value)
    raise NotImplementedError(type(value).__name__)


def _is_version(kind: type) -> bool:
    """Whether it is packaging's, which few documents hold, and whose import costs as much as all of them."""
    return (kind.__module__, kind.__name__) == ("packaging.version", "Version")


def _stored(value: object) -> object:
    if isinstance(value, Message):
        return {"template": value.template, "arguments": _arguments(value.arguments)}
    return _plain(value)


def _arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _stored(a) if isinstance(a, Message) else a for name, a in arguments.items()}


def _read(kind: type, value: Any) -> Any:
    if kind is Message:
        return Message("{text}", {"text": value}) if isinstance(value, str) else _sentence(value)
    if issubclass(kind, PurePath) or _is_version(kind):
        return kind(value)
    raise NotImplementedError(kind.__name__)


def _sentence(value: Any) -> Message:
    told = value.get("arguments", {}) if isinstance(value, dict) else None
    if not isinstance(told, dict) or not isinstance(value.get("template"), str):
        raise ValueError("Expected a sentence")
    arguments = {name: _sentence(a) if isinstance(a, dict) else a for name, a in told.items()}
    if not all(isinstance(a, str | int | float | Message) for a in arguments.values()):
        raise ValueError("Expected a sentence with words and numbers")
    return Message(value["template"], arguments)
