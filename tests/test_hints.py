"""What people read when their words are wrong: what happened, and after it what to do, whatever the command was."""

import json
import re
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from setup_llm_dev.cli.uninstall import _program_goes_by
from setup_llm_dev.documents.journal import encode_line
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.stages.summarize import _pasted
from tests.ground import tool
from tests.oracle import MARKER

NO_NETWORK = {"HF_ENDPOINT": "http://127.0.0.1:9", "SETUP_LLM_DEV_MIRRORS_PRESET": "none"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("apply", "--python", "/nonexistent"), 3),
        (("plan", "--machine", "nofile.json"), 2),
        (("apply", "/"), 2),
        (("apply", "nofile.toml"), 2),
        (("apply", "--pycharm-sha256", "abc"), 2),
        (("apply", "--torch", "cuda"), 2),
        (("status", "--home", "relative"), 2),
        (("recipes", "check", "nofile.toml"), 2),
        (("apply", "--home", "/proc/y"), 6),
    ],
)
def test_every_error_is_followed_by_a_hint(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    done = tool(*words, home=tmp_path, **NO_NETWORK)
    assert done.returncode == code, done.stderr
    assert "error: " in done.stdout + done.stderr
    assert re.search(r"^hint: \S", done.stderr, re.MULTILINE), done.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HF_ENDPOINT", "foo"), ("SETUP_LLM_DEV_MIRRORS_TORCH", "foo"), ("SETUP_LLM_DEV_MIRRORS_FOO", "http://x"),
     ("SETUP_LLM_DEV_LARGE_BYTES", "abc"), ("SETUP_LLM_DEV_HOMEE", "/x")],
)  # fmt: skip
@pytest.mark.parametrize("command", ["apply", "plan", "status"])
def test_a_wrong_variable_is_2_and_no_gap(tmp_path: Path, command: str, variable: str, value: str) -> None:
    done = tool(command, "--json", home=tmp_path, **(NO_NETWORK | {variable: value}))
    assert done.returncode == 2, done.stdout
    error = json.loads(done.stdout)["error"]
    assert variable in error["message"]
    assert error["hint"]
    assert not (tmp_path / "data").exists()


def test_a_variable_that_is_near_none_is_only_mentioned(tmp_path: Path) -> None:
    done = tool("status", home=tmp_path, SETUP_LLM_DEV_QUUX="1")
    assert "note: SETUP_LLM_DEV_QUUX is no variable" in done.stderr


def test_an_undo_without_a_run_names_the_projects_that_have_one(tmp_path: Path) -> None:
    other = tmp_path / "my project"
    data = tmp_path / "data"
    (data / "journals").mkdir(parents=True)
    (data / MARKER).write_text("")
    journal = data / "journals" / "20260101T000000000000Z-1.jsonl"
    journal.write_bytes(b"".join(map(encode_line, _one_run(str(other)))))
    done = tool("undo", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "there is no run to undo" in done.stdout
    assert f"setup-llm-dev undo --workspace '{other}'" in done.stdout


def _one_run(workspace: str) -> list[dict[str, object]]:
    return [
        {"began": "20260101T000000000000Z-1", "recipe": "text-classification", "workspace": workspace},
        {"started": "own", "kind": "write", "record": {}, "before": {}},
    ]


def test_only_the_environment_of_a_checkout_is_named_for_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clone around it is the user's."""
    (tmp_path / "installer" / "setup_llm_dev").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert _program_goes_by() == f"rm -r {tmp_path / '.venv'}"


def test_the_project_folder_can_be_pasted_into_a_shell() -> None:
    for folder, pasted in (("/home/a/my proj 项目", "'/home/a/my proj 项目'"), ("/home/a/b", "/home/a/b")):
        assert _pasted(_layout(PurePosixPath(folder))) == pasted
    assert _pasted(_layout(PureWindowsPath("C:/my proj"))) == '"C:\\my proj"'


def _layout(folder: PurePosixPath | PureWindowsPath) -> Layout:
    windows = isinstance(folder, PureWindowsPath)
    return Layout(data=folder, config=folder, workspace=folder, hub_cache=folder, windows=windows)
