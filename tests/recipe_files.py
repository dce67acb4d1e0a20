"""Recipe files in a scratch folder, and what is wrong with them."""

from pathlib import Path

import pytest

from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.documents.recipe_reading import RecipeError, read_recipe

SHIPPED = manifests_folder() / "recipes"
HEAD = 'schema = 1\nname = "mine"\n'
MODEL = '[model]\nsource = "hf:owner/name"\n'


def recipe(folder: Path, text: str | bytes, name: str = "mine") -> Path:
    file = folder / f"{name}.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def read(name: str | Path, folder: Path, os: str = "linux", arch: str = "x86_64") -> Recipe:
    return read_recipe(str(name), folder=folder, os=os, arch=arch)


def problems(folder: Path, text: str | bytes) -> list[str]:
    """What is wrong with a file of that text, without the folder's name."""
    with pytest.raises(RecipeError) as caught:
        read(recipe(folder, text), folder)
    assert caught.value.exit_code == 2
    lines = str(caught.value).splitlines()
    assert lines == [str(p.sentence) for p in caught.value.problems]
    return [line.removeprefix(f"{folder}/") for line in lines]


WRONG = """\
schema = 2
name = "mine"
nmae = "x"
learning_rate = 1

[python]
version = "3.11"

[torch]
variant = "cuda"

[packages]
requires = [
    "accelerate",  # fine
    "torch>=2",
    3,
]

[ide]
required = "no"

[[datasets]]
source = "builtin:sentiment"
[[datasets]]
source = "path:../../.ssh"
[[datasets]]
sorce = "x"

[smoke]
task = "text-clasification"
budget_seconds = 4
learning_rate = nan

[env]
LD_PRELOAD = "x"

[[override]]
when = { os = "winodws" }
[override.torch]
variant = "cu1"
"""
