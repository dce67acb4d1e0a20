"""What a recipe may say: known keys, types and values, all problems of one table found at once."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.documents.recipe_values import RULES, Rule, name_problem, nearest, shown
from setup_llm_dev.documents.toml_text import STEERING_IN_VALUE, TomlPath
from setup_llm_dev.messages import Message, message

WHEN = {"os": ("linux", "macos", "windows"), "arch": ("x86_64", "arm64")}
_LONGEST = 500  # characters of one value
_KINDS = {
    str: message("text"),
    bool: message("true or false"),
    int: message("a whole number"),
    float: message("a number"),
}


class Problem(NamedTuple):
    """What is wrong with the value at `path`."""

    path: TomlPath
    text: Message


def table_problems(table: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything wrong in one file's own table; what `extends` brings in is judged in its own file."""
    extra = {"extends": _extends, "override": _overrides}
    yield from _struct(Recipe, table, (), extra)


Judge = Callable[[TomlPath, Any], Iterator[Problem]]


def _struct(kind: type, table: Mapping[str, Any], path: TomlPath, extra: Mapping[str, Judge]) -> Iterator[Problem]:
    types = get_type_hints(kind)
    for key, value in table.items():
        if key in extra:
            yield from extra[key]((*path, key), value)
        elif key in types:
            yield from _value(types[key], value, (*path, key))
        else:
            yield Problem((*path, key), _unknown(key, (*types, *extra)))


def _value(kind: Any, value: Any, path: TomlPath) -> Iterator[Problem]:
    options = [k for k in get_args(kind) or (kind,) if k is not type(None)]
    struct = options[0] if isinstance(options[0], type) and issubclass(options[0], msgspec.Struct) else None
    if get_origin(kind) is tuple:
        yield from _list(options[0], value, path)
    elif struct is None:
        yield from _leaf(kind, value, path)
    elif not isinstance(value, dict):
        yield Problem(path, message("must be a table of keys, not {given}", given=_kind_of(value)))
    else:
        yield from _struct(struct, value, path, {})
        yield from _missing(struct, value, path)


def _missing(struct: type, table: Mapping[str, Any], path: TomlPath) -> Iterator[Problem]:
    """Only for elements of lists, since lists replace: a table may get the rest from its parent."""
    if not isinstance(path[-1], int):
        return
    for field in msgspec.structs.fields(struct):
        if field.required and field.name not in table:
            yield Problem(path, message("lacks the key {key}", key=field.name))


def _list(kind: Any, value: Any, path: TomlPath) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(path, message("must be a list, not {given}", given=_kind_of(value)))
        return
    for index, element in enumerate(value):
        yield from _value(kind, element, (*path, index))


def _leaf(kind: Any, value: Any, path: TomlPath) -> Iterator[Problem]:
    if get_origin(kind) is None or type(None) in get_args(kind):
        plain = next(k for k in get_args(kind) or (kind,) if k is not type(None))
        wanted = (int, float) if plain is float else (plain,)
        if type(value) not in wanted:
            yield Problem(path, _wrong_type(plain, value))
            return
    elif not any(type(value) is type(word) and value == word for word in get_args(kind)):
        words = ", ".join(str(w) for w in get_args(kind))
        yield Problem(path, message("must be {words}, not {value}", words=words, value=shown(value)))
        return
    if text := _text_problem(value) or _rule(path)(value):
        yield Problem(path, text)


def _wrong_type(wanted: type, value: Any) -> Message:
    if wanted is str and not isinstance(value, dict | list):
        return message("must be text in quotes, not {given}", given=_kind_of(value))
    return message("must be {wanted}, not {given}", wanted=_KINDS[wanted], given=_kind_of(value))


def _kind_of(value: Any) -> Message:
    for kind, word in ((dict, message("a table")), (list, message("a list")), (str, message("text"))):
        if isinstance(value, kind):
            return word
    return Message("{value}", {"value": shown(value)})


def _text_problem(value: Any) -> Message | None:
    if not isinstance(value, str):
        return None
    if len(value) > _LONGEST:
        return message("is longer than {limit} characters", limit=_LONGEST)
    if found := STEERING_IN_VALUE.search(value):
        return message("contains the control character {code}", code=f"U+{ord(found[0]):04X}")
    return None


def _unknown(key: str, known: tuple[str, ...]) -> Message:
    if home := _HOMES.get(key):
        return message("unknown key; it belongs in [{table}]", table=home)
    if near := nearest(key, known):
        return message("unknown key; did you mean {near}?", near=near)
    return message("unknown key; the keys here are {known}", known=", ".join(known))


def _homes() -> dict[str, str]:
    """Keys that exist in exactly one table: where to move one that stands in the wrong place."""
    homes: dict[str, list[str]] = {}
    for table, kind in get_type_hints(Recipe).items():
        struct = next((k for k in get_args(kind) or (kind,) if isinstance(k, type)), None)
        if struct is not None and issubclass(struct, msgspec.Struct) and get_origin(kind) is not tuple:
            for field in msgspec.structs.fields(struct):
                homes.setdefault(field.name, []).append(table)
    return {key: tables[0] for key, tables in homes.items() if len(tables) == 1}


_HOMES = _homes()


# ---- extends and override


def _extends(path: TomlPath, value: Any) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield Problem(path, _wrong_type(str, value))
    elif text := _text_problem(value) or name_problem(value):
        yield Problem(path, text)


def _overrides(path: TomlPath, value: Any) -> Iterator[Problem]:
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        yield Problem(path, message("must be written as [[override]] tables"))
        return
    for index, table in enumerate(value):
        here = (*path, index)
        if "when" not in table:
            yield Problem(here, message("lacks the key {key}", key="when"))
        fixed = dict.fromkeys(("name", "schema", "extends", "override"), _not_here)
        yield from _struct(Recipe, table, here, {"when": _when, **fixed})


def _not_here(path: TomlPath, _: Any) -> Iterator[Problem]:
    yield Problem(path, message("can't be changed by an override"))


def _when(path: TomlPath, value: Any) -> Iterator[Problem]:
    if not isinstance(value, dict) or not value:
        yield Problem(path, message("must say when, such as {example}", example='{ os = "windows" }'))
        return
    for key, wanted in value.items():
        if key not in WHEN:
            yield Problem((*path, key), _unknown(key, tuple(WHEN)))
        elif wanted not in WHEN[key]:
            yield Problem(
                (*path, key),
                message("must be one of {words}, not {value}", words=", ".join(WHEN[key]), value=shown(wanted)),
            )


def _rule(path: TomlPath) -> Rule:
    """The rule of a value: by its dotted path without list indexes and without the override it stands in."""
    words = [part for part in path if isinstance(part, str)]
    return RULES.get(".".join(words[1:] if words[0] == "override" else words), lambda _: None)
