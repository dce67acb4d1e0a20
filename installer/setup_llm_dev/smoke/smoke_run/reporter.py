"""What the program says: one JSON object a line for programs, or readable lines for people."""

import json
import math
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from smoke_run.causes import CAUSES
from smoke_run.judgement import Check


def take_stdout() -> TextIO:
    """Keep the real standard output for the report and send everything else that writes there to stderr.

    The file descriptor itself is swapped, so that C libraries can't write into the report either.
    """
    sys.stdout.flush()
    own = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return own


class Reporter:
    """Writes events to `stream`, as JSON lines or, with `plain`, as sentences; remembers the checks."""

    def __init__(self, stream: TextIO, plain: bool) -> None:
        self._stream = stream
        self._plain = plain
        self.checks: list[Check] = []

    def event(self, kind: str, /, **values: Any) -> None:
        """Write one event at once."""
        if self._plain:
            line = PLAIN[kind](values)
        else:
            # allow_nan=False: a NaN would make the line something other than JSON
            line = json.dumps({"event": kind, **_finite(values)}, ensure_ascii=False, allow_nan=False)
        print(line, file=self._stream, flush=True)

    def check(self, check: Check) -> None:
        """Write one check, with the sentence and hint of its cause, and remember it."""
        self.checks.append(check)
        cause = CAUSES[check.cause] if check.cause else None
        self.event(
            "check",
            id=check.id,
            status=check.status,
            measured=check.measured,
            expected=check.expected,
            cause=check.cause,
            cause_text=cause.text if cause else None,
            hint=cause.hint if cause else None,
        )


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


def _plain_check(values: dict[str, Any]) -> str:
    if values["cause"] == "earlier-failure":
        return f"  {values['status']:<15} {values['id']}: {values['cause_text']}"
    line = f"  {values['status']:<15} {values['id']}: {_short(values['measured'])}"
    line += f" (expected {values['expected']})"
    if values["cause"]:
        line += f"\n{'':18}{values['cause_text']}; {values['hint']}"
    return line


def _plain_verdict(values: dict[str, Any]) -> str:
    metrics = ", ".join(f"{key} {_short(value)}" for key, value in values["metrics"].items())
    because = f" ({', '.join(values['failed'])})" if values["failed"] else ""
    return f"{values['verdict'].upper()}{because}\n  {metrics}"


def _short(value: Any) -> str:
    match value:
        case float():
            return f"{value:.4g}"
        case dict():
            return ", ".join(f"{key} {_short(item)}" for key, item in value.items())
        case list() | tuple():
            return " ".join(_short(item) for item in value)
        case _:
            return str(value)


PLAIN: dict[str, Callable[[dict[str, Any]], str]] = {
    "fault": lambda values: f"DELIBERATE FAULT {values['name']}: {values['text']}; this run can't pass",
    "phase": lambda values: f"{values['name']}: {values['seconds']:.1f} s",
    "progress": lambda values: f"  step {values['done']} of {values['total']}, loss {_short(values['loss'])}",
    "facts": lambda values: "\n".join(f"  {key}: {_short(value)}" for key, value in values.items()),
    "check": _plain_check,
    "verdict": _plain_verdict,
}
