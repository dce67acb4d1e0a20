"""From a name or a path to a Recipe: the text is read, judged, and merged with what it extends."""

import re
import stat
import tomllib
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from setup_llm_dev.documents.recipe import NAME_PATTERN, Recipe
from setup_llm_dev.documents.recipe_rules import table_problems
from setup_llm_dev.documents.recipe_values import nearest, shown
from setup_llm_dev.documents.toml_text import (
    DEPTH_LIMIT,
    SIZE_LIMIT,
    STEERING_IN_TEXT,
    Place,
    TomlPath,
    TooDeepError,
    nearest_place,
    place_of,
    places_of,
)
from setup_llm_dev.errors import SystemRefused, UsageError
from setup_llm_dev.messages import Message, message

_GENERATIONS = 8  # how long a chain of `extends` may be
_SHOWN_PROBLEMS = 50
_COUNTED_PROBLEMS = 1000  # finding the nearest name of a hundred thousand unknown keys would take minutes
_OWN_KEYS = ("extends", "override")  # resolved here, so that a Recipe has none of them
_NOT_INHERITED = ("name", "summary")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong in a recipe: `line`, `column` from 1; `path` is dotted, "" for the file as a whole."""

    file: str
    line: int
    column: int
    path: str
    text: Message

    @property
    def sentence(self) -> Message:
        """`file:line: dotted.path: text`, or with the column where there is no path."""
        if self.path:
            return Message("{file}:{line}: {path}: {text}", self._arguments)
        return Message("{file}:{line}:{column}: {text}", self._arguments)

    @property
    def _arguments(self) -> dict[str, str | int | Message]:
        return {
            "file": self.file, "line": self.line, "column": self.column, "path": self.path, "text": self.text
        }  # fmt: skip


class RecipeError(UsageError):
    """All that is wrong with a recipe and those it extends, in the order of the files and their lines.

    `hint`: where the schema does not help, since the text can't be read.
    """

    def __init__(self, problems: tuple[Problem, ...], *, hint: Message | None = None) -> None:
        schema = message("see `{command}`", command="setup-llm-dev recipes schema")
        super().__init__(_together(problems), hint=hint or schema)
        self.problems = problems


def read_recipe(name_or_path: str, *, folder: Path, os: str, arch: str) -> Recipe:
    """The recipe named so in `folder`, or in the file of that path, merged for a machine of `os` and `arch`.

    Raises RecipeError (all problems at once), UsageError (no such recipe), SystemRefused (unreadable file).
    """
    return msgspec.convert(_merged(_find(name_or_path, folder), folder, os, arch, ()), Recipe, strict=True)


def check_recipe(name_or_path: str, *, folder: Path) -> None:
    """Raises as `read_recipe` does; every override is judged, whichever machine it is for."""
    _merged(_find(name_or_path, folder), folder, "", "", ())


def names(folder: Path) -> tuple[str, ...]:
    """The recipes in `folder`, by name."""
    return tuple(sorted(f.stem for f in folder.glob("*.toml") if re.fullmatch(NAME_PATTERN, f.stem)))


def parent_of(name: str, *, folder: Path) -> str | None:
    """What the recipe of that name says it extends."""
    return _table(_find(name, folder)).get("extends")


def _find(name_or_path: str, folder: Path) -> Path:
    if "/" in name_or_path or "\\" in name_or_path or name_or_path.endswith(".toml"):
        return Path(name_or_path)
    known = names(folder)
    if name_or_path in known:
        return folder / f"{name_or_path}.toml"
    if near := nearest(name_or_path, known):
        hint = message("did you mean {near}? The recipes are: {names}", near=near, names=", ".join(known))
    else:
        hint = message("the recipes are: {names}", names=", ".join(known))
    raise UsageError(message("there is no recipe “{name}”", name=shown(name_or_path)), hint=hint)


def _merged(file: Path, folder: Path, os: str, arch: str, children: tuple[Path, ...]) -> dict[str, Any]:
    """The file's table on top of its parent's; each file's own override is merged in before its child is."""
    text = _text(file)
    table, places = _parse(file, text)
    problems = _problems(file, table, places)
    inherited: dict[str, Any] = {}
    hint: Message | None = None
    try:
        inherited = _inherited(file, table, places, folder, os, arch, (*children, file.resolve()))
    except RecipeError as error:
        hint = None if problems else error.hint
        problems = (*problems, *error.problems)
    if problems:
        raise RecipeError(_in_order(problems, file), hint=hint)
    merged = _over(_over(inherited, table), _chosen_override(table, os, arch))
    if "model" in merged and "source" not in merged["model"]:
        raise RecipeError((_problem(file, places, ("model",), message("lacks the key {key}", key="source")),))
    return {key: value for key, value in merged.items() if key not in _OWN_KEYS}


def _inherited(
    file: Path, table: Mapping[str, Any], places: Mapping[TomlPath, Place], folder: Path,
    os: str, arch: str, lineage: tuple[Path, ...],
) -> dict[str, Any]:  # fmt: skip
    parent = table.get("extends")
    if not isinstance(parent, str) or not re.fullmatch(NAME_PATTERN, parent):
        return {}
    found = next((f for f in (file.parent / f"{parent}.toml", folder / f"{parent}.toml") if f.is_file()), None)
    if found is None:
        text = _no_parent(parent, names(folder))
    elif found.resolve() in lineage:
        text = message("the recipes extend one another in a circle: {circle}", circle=_circle(lineage, found))
    elif len(lineage) >= _GENERATIONS:
        text = message("more than {limit} recipes extend one another", limit=_GENERATIONS)
    else:
        merged = _merged(found, folder, os, arch, lineage)
        return {key: value for key, value in merged.items() if key not in _NOT_INHERITED}
    raise RecipeError((_problem(file, places, ("extends",), text),))


def _no_parent(parent: str, known: tuple[str, ...]) -> Message:
    if near := nearest(parent, known):
        return message("there is no recipe “{name}”; did you mean {near}?", name=parent, near=near)
    return message("there is no recipe “{name}”; there is {known}", name=parent, known=", ".join(known))


def _circle(lineage: tuple[Path, ...], again: Path) -> str:
    return " → ".join(f.stem for f in (*lineage[lineage.index(again.resolve()) :], again))


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merge, everything else (lists too) is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _chosen_override(table: Mapping[str, Any], os: str, arch: str) -> dict[str, Any]:
    here = {"os": os, "arch": arch}
    for override in table.get("override", ()):
        if all(here[key] == wanted for key, wanted in override["when"].items()):
            return {key: value for key, value in override.items() if key != "when"}
    return {}


# ---- one file


def _table(file: Path) -> dict[str, Any]:
    return _parse(file, _text(file))[0]


def _text(file: Path) -> str:
    """The text of a regular file of at most SIZE_LIMIT bytes that is plain UTF-8."""
    data = _bytes(file)
    if data.startswith(b"\xef\xbb\xbf"):
        raise _broken(file, Place(1, 1), message("begins with a byte order mark; save it as UTF-8 without one"))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        place = place_of(before, len(before))
        raise _broken(file, place, message("is not UTF-8; save it as UTF-8")) from None
    text = text.replace("\r\n", "\n")  # TOML allows both, and editors on Windows save the one
    if not text.strip():
        raise _broken(file, Place(1, 1), message("is empty"))
    if found := STEERING_IN_TEXT.search(text):
        raise _broken(file, place_of(text, found.start()), _steering(found[0]))
    return text


def _steering(character: str) -> Message:
    if character == "\r":
        return message("a line ends in CR; save the file with line ends LF")
    return message("contains the control character {code}", code=f"U+{ord(character):04X}")


def _bytes(file: Path) -> bytes:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise UsageError(message("{file} is not a file", file=shown(str(file))), hint=_what_to_name())
        with file.open("rb") as stream:
            data = stream.read(SIZE_LIMIT + 1)
    except PermissionError as error:
        raise SystemRefused(
            message("{file} can't be read: permission denied", file=str(file)),
            hint=message("make it readable for you, then run the same command again"),
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UsageError(message("there is no file {file}", file=shown(str(file))), hint=_what_to_name()) from error
    if len(data) > SIZE_LIMIT:
        raise _broken(file, Place(1, 1), message("is larger than {limit} bytes", limit=SIZE_LIMIT))
    return data


def _what_to_name() -> Message:
    return message("name a recipe file, or a recipe of `setup-llm-dev recipes list`")


def _parse(file: Path, text: str) -> tuple[dict[str, Any], dict[TomlPath, Place]]:
    try:
        places = places_of(text)
        return tomllib.loads(text), places
    except TooDeepError as error:
        raise _broken(file, error.place, message("is nested deeper than {limit} levels", limit=DEPTH_LIMIT)) from None
    except (ValueError, RecursionError) as error:  # ValueError: a number of thousands of digits
        raise _broken(file, _place_in(str(error), text), _syntax(str(error))) from None


def _place_in(error: str, text: str) -> Place:
    if found := re.search(r"\(at line (\d+), column (\d+)\)$", error):
        return Place(int(found[1]), int(found[2]))
    return place_of(text, len(text)) if error.endswith("(at end of document)") else Place(1, 1)


def _syntax(error: str) -> Message:
    return message("is no TOML: {why}", why=shown(re.sub(r" \(at [^()]*\)$", "", error)))


def _problems(file: Path, table: Mapping[str, Any], places: Mapping[TomlPath, Place]) -> tuple[Problem, ...]:
    judged = islice(table_problems(table), _COUNTED_PROBLEMS)
    found = [_problem(file, places, path, text) for path, text in judged]
    if "name" not in table:
        found.append(_problem(file, places, (), message("lacks the key {key}", key="name")))
    return tuple(found)


def _in_order(problems: tuple[Problem, ...], first: Path) -> tuple[Problem, ...]:
    """The file's own problems by line, then those of the recipes it extends."""
    return tuple(sorted(problems, key=lambda p: (0, p.line, p.column) if p.file == str(first) else (1, 0, 0)))


def _problem(file: Path, places: Mapping[TomlPath, Place], path: TomlPath, text: Message) -> Problem:
    place = nearest_place(places, path)
    return Problem(file=str(file), line=place.line, column=place.column, path=_dotted(path), text=text)


def _dotted(path: TomlPath) -> str:
    """`packages.requires[2]`; parts that no bare key can be are quoted."""
    dotted = ""
    for part in path:
        if isinstance(part, int):
            dotted += f"[{part}]"
        else:
            word = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{shown(part)}"'
            dotted += f".{word}" if dotted else word
    return dotted


def _broken(file: Path, place: Place, text: Message) -> RecipeError:
    """What can't be read as far as the rules of recipes."""
    problem = Problem(file=str(file), line=place.line, column=place.column, path="", text=text)
    return RecipeError((problem,), hint=message("mend the file there; nothing else in it was judged yet"))


def _together(problems: tuple[Problem, ...]) -> Message:
    """One sentence a line; the template is only their frame, so there is nothing in it to translate."""
    sentences = [p.sentence for p in problems[:_SHOWN_PROBLEMS]]
    if left := len(problems) - len(sentences):
        sentences.append(message("… and {count} more", count=left))
    return Message("\n".join(f"{{p{i}}}" for i in range(len(sentences))), {f"p{i}": s for i, s in enumerate(sentences)})
