"""The README against the code: commands, options, exit codes, recipes, settings, links, and what must not be in it."""

import argparse
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_llm_dev import errors
from setup_llm_dev.cli.commands import COMMANDS
from setup_llm_dev.cli.language import CHINESE, translator
from setup_llm_dev.cli.parser import full_parser, parse
from setup_llm_dev.cli.session import REQUIRABLE
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe_reading import RecipeError, check_recipe
from setup_llm_dev.host.mirror_settings import MIRRORS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENGLISH, CHINESE_PART = README.split("\n## 中文说明\n")
PARTS = pytest.mark.parametrize("part", [ENGLISH, CHINESE_PART], ids=["english", "chinese"])
TOP_LEVEL = {"installer", "manifests", "tests", "pyproject.toml", "README.md", "Makefile", "LICENSE", "CHANGELOG.md"}
PROSE = ("README.md", "CHANGELOG.md", "installer/ARCHITECTURE.md")
# Patterns, so that this file does not hold what it looks for.
FORBIDDEN = (r"(?<![\w~.…/-])/(work|opt|root|tmp|home)\b", r"pypi[.]org", r"pythonhosted[.]org", r"download[.]pytorch")


def rows(part: str, *head: str) -> list[list[str]]:
    """The cells of the table whose head is `head`."""
    lines = part.split("\n")
    begin = lines.index(f"| {' | '.join(head)} |") + 2
    table: list[list[str]] = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def blocks(part: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)


def typed(part: str) -> Iterator[str]:
    """What the reader is told to type: lines of console blocks, and code within sentences."""
    for block in blocks(part, "console"):
        yield from (line[2:].strip() for line in block.split("\n") if line.startswith("$ "))
    sentences = re.sub(r"```.*?```", "", part, flags=re.DOTALL)
    yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", sentences))


def command_lines(part: str) -> list[list[str]]:
    """Every command line of ours, without comment, redirection and pipe."""
    ours = (re.split(r"[|>]", line)[0] for line in typed(part) if re.match(r"setup-llm-dev(\s|$)", line))
    return [shlex.split(line, comments=True)[1:] for line in ours]


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Every option of a parser and of its commands."""
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*(options_of(child) for child in action.choices.values()))
    return found


def codes(part: str, *head: str) -> set[int]:
    return {int(code) for row in rows(part, *head) for code in row[0].split(",")}


def test_the_command_tables_say_what_help_says() -> None:
    chinese = translator(CHINESE)
    assert rows(ENGLISH, "command", "does") == [[f"`{c.name}`", str(c.help)] for c in COMMANDS]
    assert rows(CHINESE_PART, "命令", "作用") == [[f"`{c.name}`", c.help.render(chinese)] for c in COMMANDS]


@PARTS
def test_every_command_line_is_understood(part: str) -> None:
    lines = command_lines(part)
    assert len(lines) > 12
    for line in lines:
        parse(line, str)  # raises UsageError otherwise
    assert {c.name for c in COMMANDS} <= {word for line in typed(part) for word in line.split()}


@PARTS
def test_every_option_that_is_mentioned_exists(part: str) -> None:
    mentioned = {
        option
        for line in typed(part)
        if not line.startswith(("pip ", ".venv/"))
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", line.split("|")[0])
        if line.startswith(("setup-llm-dev", "-"))
    }
    assert mentioned <= options_of(full_parser()), "an option that the parser does not know"
    assert "--upgrade" in mentioned


def test_the_options_of_every_command_are_all_in_the_table() -> None:
    parsers = full_parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    common = set.intersection(*(options_of(child) for child in parsers.values()))  # type: ignore[union-attr]
    table = " ".join(row[0] for row in rows(ENGLISH, "option", "does"))
    short = {"-q": "--quiet", "-v": "--verbose", "-y": "--yes"}
    named = set(re.findall(r"--?[a-z][a-z0-9-]*", table))
    assert named | {short[o] for o in named & set(short)} == common - {"-h", "--help", "--version"}


@pytest.mark.parametrize(("part", "head"), [(ENGLISH, ("code", "means")), (CHINESE_PART, ("码", "含义"))])
def test_the_exit_codes_are_those_of_the_errors(part: str, head: tuple[str, str]) -> None:
    classes: list[type[errors.SetupError]] = [errors.SetupError, *errors.SetupError.__subclasses__()]
    ours = {kind.exit_code for kind in classes if kind is not errors.Interrupted}
    ended = {128 + number for number in (1, signal.SIGINT, signal.SIGTERM)}
    assert codes(part, *head) == {0} | ours | ended


def test_the_words_of_require_exist() -> None:
    for word in re.findall(r"--require (\w+)", README):
        assert word in REQUIRABLE


@PARTS
def test_every_make_target_that_is_mentioned_exists(part: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    mentioned = {line.split()[1] for line in typed(part) if line.startswith("make ")}
    assert {"setup", "test"} <= mentioned <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


@PARTS
def test_the_recipe_can_be_copied(part: str, tmp_path: Path) -> None:
    recipes = [block for block in blocks(part, "toml") if block.startswith("schema")]
    assert len(recipes) == 1
    file = tmp_path / "my-reviews.toml"
    file.write_text(recipes[0], encoding="utf-8")
    check_recipe(str(file), folder=manifests_folder() / "recipes")


def test_the_mistake_is_found_as_shown(tmp_path: Path) -> None:
    recipe = next(block for block in blocks(ENGLISH, "toml") if block.startswith("schema"))
    file = tmp_path / "my-reviews.toml"
    file.write_text(recipe.replace("learning_rate", "lerning_rate"), encoding="utf-8")
    with pytest.raises(RecipeError) as raised:
        check_recipe(str(file), folder=manifests_folder() / "recipes")
    shown = str(raised.value).replace(f"{tmp_path}/", "")
    assert shown in ENGLISH, shown


@PARTS
def test_the_mirrors_are_those_that_are_read(part: str) -> None:
    block = next(block for block in blocks(part, "toml") if block.startswith("[mirrors]"))
    keys = set(re.findall(r"^(\w+) =", block, re.MULTILINE))
    variables = {name.lower() for name in re.findall(r"SETUP_LLM_DEV_MIRRORS_([A-Z_]+[A-Z])", part)}
    assert keys == variables == set(MIRRORS)


def test_the_two_commands_come_first() -> None:
    top = README.split("\n")[:30]
    assert "$ make setup" in top
    assert "$ make test" in top
    assert any("中文" in line for line in top)


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (ROOT / target).is_file(), target


@pytest.mark.parametrize("name", PROSE)
def test_nothing_of_one_machine_is_in_the_texts(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    found = [match.group(0) for pattern in FORBIDDEN for match in re.finditer(pattern, text)]
    assert found == []


def test_the_top_level_holds_what_it_may() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what else lies here is not ours to judge")
    top = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} == TOP_LEVEL
