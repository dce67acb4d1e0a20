"""The files of the user's workspace: they train and predict, and the guides speak of what is there."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from smoke_outcome import SMOKE, SOURCES

STARTER = SOURCES / "starter" / "text_classification"
GUIDES = ("README.md", "README.zh-CN.md")


@pytest.fixture
def workspace(tmp_path: Path, smoke_model: Path) -> Path:
    folder = tmp_path / "my first workspace"
    shutil.copytree(STARTER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SMOKE / "smoke_run" / "data" / "sentiment", folder / "data")
    (folder / ".setup-llm-dev").mkdir()
    settings = {"model": str(smoke_model), "learning_rate": 3e-4}
    (folder / ".setup-llm-dev" / "smoke.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def test_a_beginner_trains_and_then_predicts(workspace: Path, smoke_python: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(smoke_python), *arguments],
            capture_output=True,
            encoding="utf-8",
            cwd=workspace,
            timeout=600,
            check=False,
        )

    early = run("predict.py")
    assert early.returncode == 2
    assert "run train.py first" in early.stderr
    trained = run("train.py")
    assert trained.returncode == 0, trained.stderr
    assert "after: 1.00" in trained.stdout or "after: 0.9" in trained.stdout
    predicted = run("predict.py", "The soup was marvelous.", "The soup was disgusting.")
    assert predicted.returncode == 0, predicted.stderr
    after, before = predicted.stdout.split("before training")
    assert [line.split()[0] for line in after.splitlines()[1:]] == ["positive", "negative"]
    assert "marvelous" in before


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guides_name_what_is_there(guide: str) -> None:
    text = (STARTER / guide).read_text(encoding="utf-8")
    for name in ("train.py", "predict.py", "data/train.jsonl", "data/eval.jsonl", "checkpoints/", ".venv"):
        assert name in text
    other = GUIDES[1 - GUIDES.index(guide)]
    assert f"({other})" in text


def test_both_guides_show_the_same_commands() -> None:
    commands = [
        [part for part in (STARTER / guide).read_text(encoding="utf-8").split("`") if part.startswith(".venv")]
        for guide in GUIDES
    ]
    assert [line.replace("模型文件夹", "FOLDER") for line in commands[1]] == commands[0]
