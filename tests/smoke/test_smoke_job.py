"""The job file: defaults, relative paths, and every mistake named at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from smoke_run.causes import CauseError
from smoke_run.job import parse_job, read_job

DOCUMENT: dict[str, Any] = {"schema": "smoke-job/1", "task": "text-classification", "model": "model"}


def test_a_short_job_gets_defaults_and_paths_beside_its_file(tmp_path: Path) -> None:
    file = tmp_path / "smoke.json"
    file.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    job = read_job(file)
    assert job.model == tmp_path / "model"
    assert (job.device, job.threads, job.learning_rate, job.fault) == ("auto", 1, 3e-4, None)


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    job = parse_job({**DOCUMENT, "fault": "lr0", "max_steps": 9}, tmp_path, fault=None, max_steps=3)
    assert (job.fault, job.max_steps) == ("lr0", 3)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    wrong = {"schema": "smoke-job/9", "task": "text-classification", "bugdet_seconds": 3, "threads": "two"}
    with pytest.raises(CauseError) as caught:
        parse_job(wrong, tmp_path)
    for words in (
        "smoke-job/9",
        "nearest: 'budget_seconds'",
        "model is missing",
        "threads has the wrong type",
    ):
        assert words in str(caught.value)
    assert caught.value.cause == "job-invalid"


@pytest.mark.parametrize(
    "change",
    [
        {"device": "tpu"},
        {"learning_rate": 0},
        {"budget_seconds": float("nan")},
        {"threads": True},
        {"max_steps": 0},
        {"train_data": "mine.jsonl"},
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CauseError, match=next(iter(change))):
        parse_job({**DOCUMENT, **change}, tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"'])
def test_a_file_that_holds_no_job_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "smoke.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CauseError):
        read_job(file)
