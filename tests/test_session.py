"""What a command begins with: a home that is one, parts by name, and hints that make the same lock again."""

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from setup_llm_dev.cli.home import settle_home
from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.parser import parse
from setup_llm_dev.cli.session import DEFAULT_RECIPE, open_session
from setup_llm_dev.errors import Refused, SetupError, UsageError
from setup_llm_dev.stages.parts import PARTS
from tests.ground import tool, tool_environment

NOBODY = 54321  # no system has a passwd entry for it


def arguments(*words: str) -> argparse.Namespace:
    return parse(words, str)


# HOME -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("home", ["", "/", "here", "./here"])
def test_a_home_that_is_none_is_refused_with_advice(tmp_path: Path, home: str) -> None:
    for command in ("apply", "status", "undo"):
        done = tool(command, home=tmp_path, HOME=home)
        assert done.returncode == 3, done.stderr
        assert "HOME" in done.stderr
        assert "--home DIR --workspace DIR" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_that_the_system_does_not_know_is_refused_too(tmp_path: Path) -> None:
    """Within one process: whom nobody knows may not be allowed to read the Python that runs this."""
    script = (
        "import argparse, os, pwd; from setup_llm_dev.cli.home import settle_home; "
        "from setup_llm_dev.errors import Refused\n"
        f"os.setuid({NOBODY})\n"
        "try: settle_home(argparse.Namespace(home=None, workspace=None))\n"
        "except Refused as error: print(error, error.hint)"
    )
    environment = tool_environment(tmp_path)
    del environment["HOME"]
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--home DIR" in done.stdout


@pytest.mark.parametrize("named", ["argument", "variable"])
def test_with_both_folders_named_no_home_is_needed(tmp_path: Path, named: str) -> None:
    data, work = tmp_path / "d", tmp_path / "w"
    environment = {"HOME": "/", "SETUP_LLM_DEV_HOME": str(data) if named == "variable" else ""}
    option = ("--home", str(data)) if named == "argument" else ()
    done = tool("plan", "--json", *option, "--workspace", str(work), "--torch", "cpu", home=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["data"], document["workspace"]) == (str(data), str(work))
    assert str(data) in done.stderr, "where caches are looked for is said"


def test_our_data_folder_stands_in_for_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    words = arguments("apply", "--home", str(tmp_path / "d"), "--workspace", str(tmp_path / "w"))
    assert settle_home(words) is not None
    assert os.environ["HOME"] == str(tmp_path / "d")
    assert "XDG_CACHE_HOME" not in os.environ, "the specification: relative ones are ignored"
    session = open_session(words, Output(json=True))
    assert session.host.home == tmp_path / "d"
    assert session.layout.hub_cache.is_relative_to(tmp_path / "d")


def test_a_tilde_needs_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setenv("SETUP_LLM_DEV_HOME", "~/data")
    with pytest.raises(Refused):
        settle_home(arguments("apply", "--workspace", str(tmp_path)))


@pytest.mark.parametrize(
    "name", ["SETUP_LLM_DEV_HOME", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "UV_CACHE_DIR"]
)
def test_a_variable_with_a_relative_folder_is_named(tmp_path: Path, name: str) -> None:
    done = tool("status", home=tmp_path, **{name: "some/where"})
    assert done.returncode == 2, done.stderr
    assert name in done.stderr
    assert "some/where" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_relative_home_is_2_as_in_the_variable_and_a_relative_workspace_is_below_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for relative in ("d", "./d", "../d"):
        with pytest.raises(UsageError, match="--home must be an absolute path") as error:
            open_session(arguments("apply", "--home", relative), Output(json=True))
        assert error.value.hint is not None
    home = str(tmp_path / "d")
    session = open_session(arguments("apply", "--home", home, "--workspace", "w"), Output(json=True))
    assert (session.layout.data, session.layout.workspace) == (tmp_path / "d", tmp_path / "w")


# parts ----------------------------------------------------------------------------------------------------


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SETUP_LLM_DEV_HOME", raising=False)
    return tmp_path


def parts_of(*words: str) -> frozenset[str]:
    return open_session(arguments("apply", *words), Output(json=True)).options.parts


def test_the_recipe_may_stand_after_the_parts() -> None:
    for words in (("--skip", "smoke", "my.toml"), ("--only=packages", "my.toml"), ("my.toml", "--skip", "smoke")):
        assert arguments("apply", *words).recipe == "my.toml"


def test_parts_are_one_word_or_several_times_one(at_home: Path) -> None:
    left = frozenset(PARTS) - {"smoke", "ide"}
    assert parts_of("--skip", "smoke,ide") == left
    assert parts_of("--skip", "smoke", "--skip", "ide") == left
    assert parts_of("--skip", "smoke, ide") == left
    assert parts_of("--only", "packages") == {"python", "packages"}
    assert parts_of() == frozenset(PARTS)


@pytest.mark.parametrize(
    ("word", "near"), [("smokes", "smoke"), ("smoke,modle", "model"), ("everything", "ide"), (",", "ide")]
)
def test_a_part_that_is_none_is_named_with_the_nearest(word: str, near: str) -> None:
    with pytest.raises(UsageError) as error:
        arguments("apply", "--skip", word)
    assert (word.rpartition(",")[2] or word) in str(error.value)
    assert near in str(error.value.hint)


def test_a_list_with_blanks_never_does_less_than_it_says(at_home: Path) -> None:
    """`--skip smoke model` could mean a recipe named model: it is an answer with 2, not a guess."""
    for words in (("--skip", "smoke", "model"), ("--skip", "smoke", "model", "ide")):
        with pytest.raises(SetupError) as error:
            parts_of(*words)
        assert error.value.exit_code == 2


# again ----------------------------------------------------------------------------------------------------


def test_the_hint_makes_the_same_lock(at_home: Path) -> None:
    given = (
        DEFAULT_RECIPE, "--home", str(at_home / "d"), "--workspace", str(at_home / "my work"), "--torch", "cpu",
        "--python", sys.executable, "--assume", "gpu=none", "--skip", "ide", "--skip", "smoke", "--require", "model",
    )  # fmt: skip
    first = open_session(arguments("apply", *given), Output(json=True))
    command, *again = shlex.split(first.options.again)
    assert command == "setup-llm-dev"
    second = open_session(arguments(*again), Output(json=True))
    assert (second.options, second.layout, second.recipe) == (first.options, first.layout, first.recipe)
    assert first.options.torch == "cpu"


def test_the_hint_names_nothing_that_was_not_given(at_home: Path) -> None:
    session = open_session(arguments("status"), Output(json=True))
    assert session.options.again == f"setup-llm-dev apply {DEFAULT_RECIPE}"
