"""`recipes`: list, show and check recipes, and print the JSON Schema of a recipe file."""

import argparse
import copy
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output
    from setup_llm_dev.documents.recipe import Recipe
    from setup_llm_dev.errors import UsageError

_OS = {"darwin": "macos", "win32": "windows"}
_ARCH = {"amd64": "x86_64", "aarch64": "arm64"}
# The summaries of our own recipes: written in TOML, where nobody looks for sentences to translate.
_SUMMARIES = (
    message("Python, PyTorch, the libraries of a fine-tune, and PyCharm; to be extended"),
    message("Fine-tune a BERT for text classification"),
)


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, help: Message) -> argparse.ArgumentParser:
        child = verbs.add_parser(name, help=_(help), description=_(help))
        _understand_too(child, parser)
        return child

    verb("list", message("the recipes that come with the tool"))
    show = verb("show", message("one recipe, merged with what it extends and overridden for this machine"))
    show.add_argument("recipe", metavar="NAME", help=_(message("name of a recipe, or path of a file")))
    check = verb("check", message("judge recipe files: every problem at once, with file and line"))
    check.add_argument("recipes", metavar="FILE", nargs="+", help=_(message("path of a file, or name of a recipe")))
    verb("schema", message("the JSON Schema of a recipe file, for editors"))


def _understand_too(child: argparse.ArgumentParser, parser: argparse.ArgumentParser) -> None:
    """The options of every command may stand after the verb too.

    argparse lets a verb's defaults overwrite what was said before it, hence copies without a default.
    """
    for action in parser._actions:
        if action.option_strings and action.dest != "help":
            copied = copy.copy(action)
            copied.default = argparse.SUPPRESS
            child._add_action(copied)


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """0, or 2 where `check` found a problem. Raises UsageError for a recipe that can't be read."""
    from setup_llm_dev.documents.manifests import manifests_folder

    folder = manifests_folder() / "recipes"
    match arguments.verb:
        case "list":
            return _list(folder, output)
        case "show":
            return _show(arguments.recipe, folder, output)
        case "check":
            return _check(tuple(arguments.recipes), folder, output)
        case _:
            return _schema(output)


def _list(folder: Path, output: "Output") -> int:
    from setup_llm_dev.documents.recipe_reading import names, parent_of

    rows = [(_read(name, folder), parent_of(name, folder=folder)) for name in names(folder)]
    listed = [_listed(recipe, parent) for recipe, parent in rows]
    output.document({"schema": "recipes/1", "recipes": listed})
    width = max((len(recipe.name) for recipe, _ in rows), default=0)
    for recipe, _ in rows:
        note = "" if recipe.applicable else "  " + output.translate(message("(only to be extended)"))
        output.text(f"{recipe.name:{width}}  {output.translate(_summary(recipe))}{note}")
    return 0


def _summary(recipe: "Recipe") -> Message:
    return next((s for s in _SUMMARIES if str(s) == recipe.summary), Message("{text}", {"text": recipe.summary}))


def _listed(recipe: "Recipe", parent: str | None) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "extends": parent,
        "applicable": recipe.applicable,
        "model": recipe.model.source if recipe.model else None,
    }


def _show(name: str, folder: Path, output: "Output") -> int:
    from setup_llm_dev.documents.codec import to_plain
    from setup_llm_dev.documents.recipe import digest

    recipe = _read(name, folder)
    document = {
        "schema": "recipe/1", "digest": digest(recipe), "applicable": recipe.applicable,
        "recipe": to_plain(recipe),
    }  # fmt: skip
    output.document(document)
    if not output.json:
        output.text(_toml(recipe))
    return 0


def _toml(recipe: "Recipe") -> str:
    """As one would write it: head keys first, no key without a value."""
    import tomli_w

    from setup_llm_dev.documents.codec import to_plain

    table: dict[str, Any] = _without_none(to_plain(recipe))
    head = {key: table.pop(key) for key in ("schema", "name", "summary")}
    return tomli_w.dumps(head | table).rstrip()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(v) for key, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list) else value


def _check(recipes: tuple[str, ...], folder: Path, output: "Output") -> int:
    from setup_llm_dev.documents.recipe_reading import RecipeError, check_recipe
    from setup_llm_dev.errors import UsageError

    files: list[dict[str, Any]] = []
    for recipe in recipes:
        try:
            check_recipe(recipe, folder=folder)
        except UsageError as error:
            files.append(_failed(recipe, error))
            # Problems stand at their file and line, as editors read them; what has neither is said as everywhere.
            placed = isinstance(error, RecipeError)
            output.sentence(error.message if placed else message("error: {text}", text=error.message))
            if error.hint is not None:
                output.say(message("hint: {text}", text=error.hint))
        else:
            files.append({"file": recipe, "ok": True, "problems": []})
            output.text(output.translate(message("{file}: fine", file=recipe)))
    output.document({"schema": "recipes-check/1", "files": files})
    return 0 if all(file["ok"] for file in files) else 2


def _failed(recipe: str, error: "UsageError") -> dict[str, Any]:
    from setup_llm_dev.documents.codec import to_plain
    from setup_llm_dev.documents.recipe_reading import RecipeError

    if isinstance(error, RecipeError):
        problems = [to_plain(problem) for problem in error.problems]
    else:
        problems = [{"file": recipe, "line": None, "column": None, "path": "", "text": str(error)}]
    return {"file": recipe, "ok": False, "problems": problems}


def _schema(output: "Output") -> int:
    from setup_llm_dev.documents.recipe_schema import recipe_schema

    schema = recipe_schema()
    output.document(schema)
    output.text(json.dumps(schema, indent=2))
    return 0


def _read(name: str, folder: Path) -> "Recipe":
    from setup_llm_dev.documents.recipe_reading import read_recipe

    machine = platform.machine().lower()
    return read_recipe(name, folder=folder, os=_OS.get(sys.platform, "linux"), arch=_ARCH.get(machine, machine))
