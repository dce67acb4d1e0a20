"""`recipes` and `completion`: what they print for people and for programs."""

import io
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from setup_llm_dev.cli import completion, recipes
from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.parser import parse
from setup_llm_dev.errors import UsageError


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def command(*words: str) -> Said:
    arguments = parse(["recipes", *words], str)
    out, err = io.StringIO(), io.StringIO()
    code = recipes.run(arguments, Output(json=arguments.json, stdout=out, stderr=err))
    return Said(code, out.getvalue(), err.getvalue())


def wrong(folder: Path) -> Path:
    file = folder / "wrong.toml"
    file.write_text('name = "wrong"\n[smoke]\ntsak = "x"\nbudget_seconds = 1\n')
    return file


def test_list() -> None:
    said = command("list")
    assert said.code == 0
    [line] = [line for line in said.out.splitlines() if line.startswith("text-classification")]
    assert "Fine-tune a BERT" in line
    [line] = [line for line in said.out.splitlines() if line.startswith("base ")]
    assert line.endswith("(only to be extended)")


def test_list_for_programs() -> None:
    document = command("list", "--json").document
    assert document["schema"] == "recipes/1"
    listed = {recipe["name"]: recipe for recipe in document["recipes"]}
    assert listed["text-classification"] == {
        "name": "text-classification",
        "summary": "Fine-tune a BERT for text classification",
        "extends": "base",
        "applicable": True,
        "model": "hf:google-bert/bert-base-uncased",
    }
    assert listed["base"]["applicable"] is False
    assert command("--json", "list").document == document


def test_show_is_a_recipe_again(tmp_path: Path) -> None:
    said = command("show", "text-classification")
    assert said.code == 0
    shown = tomllib.loads(said.out)
    assert shown["packages"]["requires"][0].startswith("transformers")
    copy = tmp_path / "copy.toml"
    copy.write_text(said.out)
    first, second = (command("show", name, "--json").document for name in ("text-classification", str(copy)))
    assert first == second
    assert first["schema"] == "recipe/1"
    assert len(first["digest"]) == 64
    assert first["recipe"]["model"]["revision"] == "main"


def test_show_of_what_is_not_there() -> None:
    with pytest.raises(UsageError, match="there is no recipe “text”"):
        command("show", "text")


def test_check(tmp_path: Path) -> None:
    file = wrong(tmp_path)
    said = command("check", "base", str(file), "nothing")
    assert said.code == 2
    assert said.out.splitlines() == [
        "base: fine",
        f"{file}:3: smoke.tsak: unknown key; did you mean task?",
        f"{file}:4: smoke.budget_seconds: must be from 5 to 3600 seconds, not 1",
        "error: there is no recipe “nothing”",
    ]
    assert "hint: the recipes are: " in said.err
    assert command("check", "base", "text-classification").code == 0


def test_check_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    said = command("check", str(tmp_path / "nofile.toml"))
    assert said.code == 2
    assert said.out.startswith("error: there is no file ")
    assert said.err.startswith("hint: ")


def test_the_summaries_of_our_recipes_are_there_in_chinese_too() -> None:
    """A recipe's file is no place where sentences to translate are looked for, so they are said again in the code."""
    known = {str(sentence) for sentence in recipes._SUMMARIES}
    assert known == {recipe["summary"] for recipe in command("list", "--json").document["recipes"]}


def test_check_for_programs(tmp_path: Path) -> None:
    file = wrong(tmp_path)
    said = command("check", str(file), "base", "--json")
    assert said.code == 2
    assert said.document == {
        "schema": "recipes-check/1",
        "files": [
            {
                "file": str(file),
                "ok": False,
                "problems": [
                    {
                        "file": str(file),
                        "line": 3,
                        "column": 1,
                        "path": "smoke.tsak",
                        "text": "unknown key; did you mean task?",
                    },
                    {
                        "file": str(file),
                        "line": 4,
                        "column": 1,
                        "path": "smoke.budget_seconds",
                        "text": "must be from 5 to 3600 seconds, not 1",
                    },
                ],
            },
            {"file": "base", "ok": True, "problems": []},
        ],
    }


def test_schema_is_the_same_with_and_without_json() -> None:
    document = command("schema", "--json").document
    assert document == json.loads(command("schema").out)
    assert document["$schema"].startswith("https://json-schema.org/")


@pytest.mark.parametrize("words", [(), ("show",), ("check",), ("lst",), ("list", "x")])
def test_wrong_words(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        command(*words)


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_completion_knows_the_commands(shell: str) -> None:
    out = io.StringIO()
    assert completion.run(parse(["completion", shell], str), Output(stdout=out)) == 0
    script = out.getvalue()
    for word in ("recipes", "schema", "json"):
        assert word in script


def test_the_completion_is_a_script_that_bash_reads(tmp_path: Path) -> None:
    out = io.StringIO()
    completion.run(parse(["completion", "bash"], str), Output(stdout=out))
    script = tmp_path / "completion.bash"
    script.write_text(out.getvalue())
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_only_the_named_command_costs_time() -> None:
    program = (
        "import sys\nfrom setup_llm_dev.cli import completion, recipes\n"
        "heavy = {'msgspec', 'packaging', 'shtab', 'tomllib', 'tomli_w', 'rich', 'requests'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
