"""The job: what to smoke, with which model, on which device, within how many seconds."""

import difflib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from smoke_run.causes import CauseError

SCHEMA = "smoke-job/1"
DEVICES = ("auto", "cpu", "cuda", "xpu", "mps")
NUMBER = (int, float)
OPTIONAL_TEXT = (str, type(None))
KINDS: dict[str, tuple[type, ...]] = {
    "task": (str,),
    "model": (str,),
    "budget_seconds": NUMBER,
    "learning_rate": NUMBER,
    "device": (str,),
    "threads": (int,),
    "expect_variant": OPTIONAL_TEXT,
    "seed": (int,),
    "scratch": OPTIONAL_TEXT,
    "train_data": OPTIONAL_TEXT,
    "eval_data": OPTIONAL_TEXT,
    "max_steps": (int, type(None)),
    "fault": OPTIONAL_TEXT,
}


@dataclass(frozen=True)
class Job:
    """One smoke fine-tune, fully decided; paths are absolute, None means the default of the program.

    `learning_rate` is that of AdamW; `budget_seconds` covers the whole run, imports included; `max_steps`
    caps the optimizer steps (a shortened run, said in the output); `fault` names a deliberate defect.
    """

    task: str
    model: Path
    budget_seconds: float = 60.0
    learning_rate: float = 3e-4
    device: str = "auto"
    threads: int = 1
    expect_variant: str | None = None
    seed: int = 1
    scratch: Path | None = None
    train_data: Path | None = None
    eval_data: Path | None = None
    max_steps: int | None = None
    fault: str | None = None


def read_job(path: Path, **changes: Any) -> Job:
    """Read the job file at `path`; `changes` win over what it says. Raises CauseError `job-invalid`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CauseError("job-invalid", f"there is no job file at {path}") from None
    except (OSError, ValueError) as error:
        raise CauseError("job-invalid", f"{path} can't be read as JSON: {error}") from error
    return parse_job(document, path.resolve().parent, **changes)


def parse_job(document: Any, folder: Path, **changes: Any) -> Job:
    """Turn a `smoke-job/1` document into a Job; relative paths start at `folder`.

    Every problem is named at once in one CauseError `job-invalid`.
    """
    if not isinstance(document, dict):
        raise CauseError("job-invalid", "the job must be a JSON object")
    values = {**document, **{key: value for key, value in changes.items() if value is not None}}
    schema = values.pop("schema", None)
    problems = [] if schema == SCHEMA else [f"schema is {schema!r}, expected {SCHEMA!r}"]
    problems += _problems(values)
    if problems:
        raise CauseError("job-invalid", "; ".join(problems))
    for key in ("model", "scratch", "train_data", "eval_data"):
        if values.get(key) is not None:
            values[key] = folder / values[key]
    return Job(**values)


def _problems(values: dict[str, Any]) -> list[str]:
    problems = [_unknown(key) for key in values if key not in KINDS]
    problems += [f"{field} is missing" for field in ("task", "model") if field not in values]
    for key, kinds in KINDS.items():
        if key in values and (not isinstance(values[key], kinds) or isinstance(values[key], bool)):
            problems.append(f"{key} has the wrong type: {values[key]!r}")
    return problems or _out_of_range(values)


def _out_of_range(values: dict[str, Any]) -> list[str]:
    problems = []
    if values.get("device", "auto") not in DEVICES:
        problems.append(f"device is {values['device']!r}, expected one of {', '.join(DEVICES)}")
    for key in ("budget_seconds", "learning_rate", "threads", "max_steps"):
        value = values.get(key)
        if value is not None and not 0 < value < float("inf"):
            problems.append(f"{key} must be above 0, not {value}")
    if (values.get("train_data") is None) != (values.get("eval_data") is None):
        problems.append("train_data and eval_data go together: give both or neither")
    return problems


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key, [field.name for field in fields(Job)], n=1)
    return f"unknown key {key!r}" + (f" (nearest: {near[0]!r})" if near else "")
