"""The guides of the user's workspace speak of what is there; that it trains and predicts, tests/e2e shows."""

import subprocess
import sys

import pytest
from smoke_outcome import SOURCES

STARTER = SOURCES / "starter" / "text_classification"
GUIDES = ("README.md", "README.zh-CN.md")


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


def test_predicting_before_training_says_so_without_loading_any_library() -> None:
    """With `-S` no installed package can be imported: the sentence must not need torch."""
    script = STARTER / "predict.py"
    done = subprocess.run([sys.executable, "-S", "-B", script], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 2, done.stderr
    assert "run train.py first" in done.stderr
