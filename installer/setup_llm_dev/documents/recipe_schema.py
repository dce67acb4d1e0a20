"""The JSON Schema of a recipe file, for editors: made from the same types that read it."""

from typing import Any

import msgspec

from setup_llm_dev.documents.recipe import NAME_PATTERN, Recipe
from setup_llm_dev.documents.recipe_rules import WHEN

_FIXED = ("name", "schema")  # what an override can't change


def recipe_schema() -> dict[str, Any]:
    """JSON Schema 2020-12, with `extends` and `override`, which a Recipe has no more once it is merged."""
    (_, components) = msgspec.json.schema_components([Recipe], ref_template="#/$defs/{name}")
    definitions: dict[str, Any] = dict(components)
    recipe = definitions.pop("Recipe")
    # A table may get what it lacks from the recipe it extends.
    definitions["ModelWish"].pop("required", None)
    for definition in (recipe, *definitions.values()):
        definition.pop("title", None)
        _drop_none(definition["properties"])
    properties = recipe["properties"]
    changed = {key: value for key, value in properties.items() if key not in _FIXED}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Recipe of setup-llm-dev",
        "type": "object",
        "properties": properties | {"extends": _EXTENDS, "override": _override(changed)},
        "required": ["name"],
        "additionalProperties": False,
        "$defs": definitions,
    }


_EXTENDS = {
    "type": "string",
    "pattern": NAME_PATTERN,
    "description": "Another recipe, beside this one or of ours: tables merge, lists replace",
}


def _override(properties: dict[str, Any]) -> dict[str, Any]:
    when = {
        "type": "object",
        "description": "The machine it is for; all that is named must hold",
        "properties": {key: {"enum": list(words)} for key, words in WHEN.items()},
        "minProperties": 1,
        "additionalProperties": False,
    }
    return {
        "type": "array",
        "description": "The first whose `when` holds is merged in",
        "items": {
            "type": "object",
            "properties": {"when": when, **properties},
            "required": ["when"],
            "additionalProperties": False,
        },
    }


def _drop_none(properties: dict[str, Any]) -> None:
    """TOML has no null: what may be None in a Recipe is left out of the file."""
    for key, value in properties.items():
        options = [o for o in value.pop("anyOf", ()) if o != {"type": "null"}]
        if options:
            properties[key] = {k: v for k, v in value.items() if k != "default"} | options[0]
        elif value.get("default", ...) is None:
            del value["default"]
