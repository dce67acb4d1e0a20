"""Broken, hostile and arbitrary text: it is placed, it is cheap, and it is never a bug of ours."""

# ruff: noqa: E501 - tables of texts and sentences read best with one row a line

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setup_llm_dev.documents.recipe_reading import RecipeError
from setup_llm_dev.documents.toml_text import TomlPath, nearest_place, places_of
from setup_llm_dev.errors import UsageError
from tests.recipe_files import HEAD, SHIPPED, WRONG, problems, read, recipe


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "mine.toml:1:1: is empty"),
        (b" \n\n", "mine.toml:1:1: is empty"),
        (b"\xef\xbb\xbfschema = 1\n", "mine.toml:1:1: begins with a byte order mark; save it as UTF-8 without one"),
        (b"schema = 1\rname = 'x'\n", "mine.toml:1:11: a line ends in CR; save the file with line ends LF"),
        ("name = 'x'\nsummary = 'é'".encode("latin-1"), "mine.toml:2:12: is not UTF-8; save it as UTF-8"),
        ("summary = 'é'\nname = '\udcff'".encode(errors="surrogateescape"), "mine.toml:2:9: is not UTF-8; save it as UTF-8"),
        (b"name = 'x'\n# \0", "mine.toml:2:3: contains the control character U+0000"),
        (b"# \x1b[31mred", "mine.toml:1:3: contains the control character U+001B"),
        ("name = 'x' # \u202e".encode(), "mine.toml:1:14: contains the control character U+202E"),
        (b"x" * (1024 * 1024 + 1), "mine.toml:1:1: is larger than 1048576 bytes"),
        (b"a" + b".a" * 100_000 + b" = 1", "mine.toml:1:65: is nested deeper than 32 levels"),
        (b"[a" + b".a" * 100_000 + b"]", "mine.toml:1:66: is nested deeper than 32 levels"),
        (b"a = " + b"[" * 10_000, "mine.toml:1:37: is nested deeper than 32 levels"),
        (b"a = " + b"{a = " * 10_000, "mine.toml:1:165: is nested deeper than 32 levels"),
        (b"\n\nname = ", "mine.toml:3:8: is no TOML: Invalid value"),
        (b"name = 'x'\nname = 'y'\n", "mine.toml:2:11: is no TOML: Cannot overwrite a value"),
        (b"name = 'x'\n[smoke]\nbudget_seconds = 1" + b"0" * 5000, None),
        (b'name = """' + b'\\"""' * 100_000, None),
        (b"name = '''" + b"\"\"\"'" * 100_000, None),
    ],
)  # fmt: skip
def test_broken_text_is_placed(tmp_path: Path, text: bytes, expected: str | None) -> None:
    [found] = problems(tmp_path, text)
    assert expected is None or found == expected


def test_the_schema_is_no_advice_for_what_is_no_toml(tmp_path: Path) -> None:
    """Nor where it is the recipe that this one extends; a key that is wrong still leads there."""
    recipe(tmp_path, "[model\n")
    child = tmp_path / "child.toml"
    child.write_text('schema = 1\nname = "child"\nextends = "mine"\n')
    for file in (tmp_path / "mine.toml", child):
        with pytest.raises(RecipeError) as caught:
            read(file, tmp_path)
        assert "schema" not in str(caught.value.hint)
    with pytest.raises(RecipeError) as caught:
        read(recipe(tmp_path, HEAD + "unknown = 1\n"), tmp_path)
    assert "recipes schema" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["", "nothing.toml"])
def test_a_path_that_is_no_file_is_told_with_what_to_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path / name, tmp_path)
    assert "recipes list" in str(caught.value.hint)


def test_escapes_in_values_are_refused_and_shown_escaped(tmp_path: Path) -> None:
    text = HEAD + 'summary = "a\\u001b[31m"\n"k\\u202ey" = 1\n[model]\nsource = "hf:a/b\\n"\n'
    found = problems(tmp_path, text)
    assert found[0] == "mine.toml:3: summary: contains the control character U+001B"
    assert found[1].startswith('mine.toml:4: "k\\u202ey": unknown key')
    assert found[2] == "mine.toml:6: model.source: contains the control character U+000A"
    assert all(line.isprintable() for line in found)


def test_a_flood_of_problems_is_cut(tmp_path: Path) -> None:
    found = problems_of_flood(tmp_path)
    assert len(found) == 51
    assert found[-1] == "… and 950 more"


def problems_of_flood(folder: Path) -> list[str]:
    text = HEAD + "".join(f"key{number} = 1\n" for number in range(50_000))
    with pytest.raises(RecipeError) as caught:
        read(recipe(folder, text), folder)
    return str(caught.value).splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="the mark is read from /proc")
@pytest.mark.parametrize(
    "text",
    [
        b"a" + b".a" * 100_000 + b" = 1",
        b"a = " + b"[" * 10_000,
        b"a = 1\n" * 174_000,
        b"x" * 10 * 1024 * 1024,
    ],
    ids=["parts", "nested", "lines", "long"],
)
def test_hostile_text_takes_little_memory(tmp_path: Path, text: bytes) -> None:
    """By the high-water mark of the program's own memory: what `getrusage` tells begins with that of our parent."""
    file = recipe(tmp_path, text)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from setup_llm_dev.documents.recipe_reading import read_recipe\n"
        "from setup_llm_dev.errors import UsageError\n"
        "try: read_recipe(sys.argv[1], folder=Path('/'), os='linux', arch='x86_64')\n"
        "except UsageError: print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kibibytes = int(done.stdout)
    assert kibibytes < 100 * 1024


# ---- properties

keys = st.text("abc-_19", min_size=1, max_size=4)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.integers(-5, 5), st.text("ab#[]{}=.,\n\"'\\ ", max_size=8), st.booleans(), st.floats(0, 1)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(keys, values, max_size=4), st.booleans())
def test_every_key_is_found_at_its_line(table: dict[str, Any], multiline: bool) -> None:
    text = tomli_w.dumps(table, multiline_strings=multiline)
    lines, places = text.splitlines(), places_of(text)
    for path in _paths(tomllib.loads(text)):
        assert path in places
        place = nearest_place(places, path)
        name = next(part for part in reversed(path) if isinstance(part, str))
        if isinstance(path[-1], str):
            assert name in lines[place.line - 1][place.column - 1 :]


def _paths(value: Any, path: TomlPath = ()) -> Iterator[TomlPath]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*path, index))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_text_is_a_recipe_or_wrong_use(tmp_path: Path, data: st.DataObject) -> None:
    """A damaged recipe is never a bug of ours: only UsageError comes out, on printable lines."""
    start, end = sorted((data.draw(st.integers(0, len(WRONG))), data.draw(st.integers(0, len(WRONG)))))
    junk = data.draw(st.text("[]{}=.,\"'\\\n#ax1-\u202e\0é ", max_size=12))
    file = recipe(tmp_path, WRONG[:start] + junk + WRONG[end:])
    try:
        read(file, SHIPPED)
    except UsageError as error:
        assert all(line.isprintable() for line in str(error).splitlines())


def test_line_ends_of_windows_are_taken_as_toml_takes_them(tmp_path: Path) -> None:
    source = SHIPPED / "text-classification.toml"
    saved = tmp_path / "windows.toml"
    saved.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    assert read(saved, SHIPPED).name == "text-classification"
