"""Progress as people and programs meet it: JSON lines, plain lines, lanes on a terminal."""

import io
import json
import re

import pytest

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.progress import drawer
from setup_llm_dev.documents.events import Progressed, Started
from setup_llm_dev.messages import message
from tests.pages import (
    COLOR,
    EVENTS,
    MODEL,
    PACKAGES,
    TRAIN,
    WHY,
    calm_surroundings,
    drawn,
    interrupted,
    poisoned,
    terminal,
)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    calm_surroundings(monkeypatch)


def test_json_progress_is_one_object_a_line_on_stdout() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    drawn(Output(json=True, stdout=stdout, stderr=stderr), *EVENTS, *(poisoned(e) for e in EVENTS))
    lines = stdout.getvalue().splitlines()
    events = [json.loads(line) for line in lines]
    known = {"began", "skipped", "started", "progress", "applied", "failed", "undone"}
    assert {event["event"] for event in events} == known
    assert "\x1b" not in stdout.getvalue() and stderr.getvalue() == ""
    failed = next(event for event in events if event["event"] == "failed")
    assert failed["exit_code"] == 8 and "error" not in failed
    assert next(e for e in events if e["event"] == "applied")["receipt"] == {"bytes": 400_000_000}
    model = [e for e in events if e["event"] == "progress" and e["step"] == "model"]
    assert model[-1]["done"] == model[-1]["total"] and len(model) <= 25


def test_json_is_english_for_everybody() -> None:
    stdout = io.StringIO()
    drawn(Output(json=True, stdout=stdout, language="zh_CN"), *EVENTS)
    assert stdout.getvalue().isascii() and "prove each file" in stdout.getvalue()


def test_plain_progress_is_one_line_an_event_on_stderr() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    drawn(Output(stdout=stdout, stderr=stderr), *EVENTS)
    lines = stderr.getvalue().splitlines()
    assert stdout.getvalue() == ""
    assert f"· {PACKAGES}" in lines and f"✓ {PACKAGES} (15.0 s)" in lines
    assert f"✗ {TRAIN}: the smoke fine-tune did not end with a verdict" in lines
    assert "  smoke fine-tune: 12 of 24, loss 0.31 (50 %)" in lines
    assert not any("make an environment" in line for line in lines)
    assert 1 <= sum(line.startswith("  model: ") for line in lines) <= 4  # four seconds of download


def test_plain_progress_says_more_with_v() -> None:
    stderr = io.StringIO()
    drawn(Output(stderr=stderr, verbose=True), *EVENTS)
    assert "= make an environment: done already" in stderr.getvalue()
    assert "the packages are not installed yet" in stderr.getvalue()


def test_a_slow_step_is_heard_of_every_ten_seconds() -> None:
    stderr = io.StringIO()
    steps = (Progressed(step="model", done=n, total=10_000, unit="files", at=float(n)) for n in range(101))
    drawn(Output(stderr=stderr), Started(step="model", phase="stage", summary=MODEL, why=WHY), *steps)
    assert len(stderr.getvalue().splitlines()) == 1 + 10


def test_quiet_progress_says_nothing() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    drawn(Output(quiet=True, stdout=stdout, stderr=stderr), *EVENTS)
    assert stdout.getvalue() + stderr.getvalue() == ""


def test_plain_progress_of_hostile_names_stays_on_its_lines() -> None:
    stderr = io.StringIO()
    drawn(Output(stderr=stderr), *(poisoned(e) for e in EVENTS))
    assert "evil" in stderr.getvalue()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", stderr.getvalue())
    assert not any(line.startswith("✓ all is well") for line in stderr.getvalue().splitlines())


def test_plain_progress_in_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    drawn(Output(stderr=stream), *EVENTS)
    text = raw.getvalue().decode("ascii")
    assert "ok install the packages" in text and "FAILED fine-tune" in text and "\\u" not in text


@pytest.mark.parametrize("language", [None, "zh_CN"])
def test_lanes_on_a_terminal_end_with_the_cursor_shown(language: str | None) -> None:
    stdout = io.StringIO()
    with terminal(80) as (stream, shown):
        drawn(Output(stdout=stdout, stderr=stream, language=language), *EVENTS)
    text = shown()
    assert stdout.getvalue() == ""
    assert text.rfind("\x1b[?25l") < text.rfind("\x1b[?25h")
    assert "✓" in COLOR.sub("", text) and ("(4.0 s)" if language is None else "（4.0 秒）") in text


def test_lanes_give_the_terminal_back_when_interrupted() -> None:
    with terminal(80) as (stream, shown), pytest.raises(KeyboardInterrupt):
        interrupted(Output(stderr=stream))
    assert shown().rfind("\x1b[?25l") < shown().rfind("\x1b[?25h")


def test_lanes_of_hostile_names_show_no_foreign_escape() -> None:
    with terminal(80) as (stream, shown):
        drawn(Output(stderr=stream), *(poisoned(e) for e in EVENTS))
    assert "evil" in shown()
    assert "\x1b[2J" not in shown() and "\x1b]" not in shown() and "\x07" not in shown() and "\u202e" not in shown()


@pytest.mark.parametrize("reason", ["CI", "TERM", "narrow"])
def test_no_lanes_where_they_would_do_harm(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason != "narrow":
        monkeypatch.setenv(reason, "dumb")
    with terminal(20 if reason == "narrow" else 80) as (stream, shown):
        drawn(Output(stderr=stream), *EVENTS)
    assert "\x1b" not in shown() and "prove each file" in shown()


def test_talk_can_come_between() -> None:
    stderr = io.StringIO()
    with drawer(Output(stderr=stderr)) as drawing:
        drawing.say(message("looking at this machine"))
    with terminal(80) as (stream, shown), drawer(Output(stderr=stream)) as drawing:
        drawing.say(message("looking at this machine"))
    assert "looking at this machine" in stderr.getvalue() and "looking at this machine" in shown()
