"""The program: arguments in, events out, exit code 0 for pass and 8 for fail."""

import argparse
import math
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from smoke_run.causes import CauseError, cause_of
from smoke_run.faults import FAULTS
from smoke_run.job import Job, read_job
from smoke_run.judgement import CHECKS, Check
from smoke_run.libraries import prepare_surroundings
from smoke_run.phases import Phases
from smoke_run.reporter import Reporter, take_stdout
from smoke_run.tasks import text_classification

PASSED, FAILED, INTERRUPTED = 0, 8, 130
Task = Callable[[Job, Path, Reporter, Phases], dict[str, Any]]
TASKS: dict[str, Task] = {"text-classification": text_classification.run}


def main(arguments: Sequence[str]) -> int:
    """Run one smoke fine-tune and return the exit code."""
    given = _parser().parse_args(arguments)
    stream = take_stdout()
    reporter = Reporter(stream, plain=stream.isatty() if given.plain is None else given.plain)
    phases = Phases(reporter)
    metrics: dict[str, Any] = {}
    try:
        job = read_job(given.job, fault=given.fault, max_steps=given.max_steps)
        _announce_fault(job, reporter)
        metrics = _run(job, reporter, phases)
        _expect_caught(job, reporter)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # whatever it is, the reader of the events must learn of it
        traceback.print_exc()
        _report_failure(error, phases.current, reporter)
    return _conclude(metrics, reporter)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="smoke.pyz", description="Prove this environment by a small fine-tune.")
    beside = Path(sys.argv[0]).resolve().parent / "smoke.json"
    parser.add_argument("--job", type=Path, default=beside, help="job file (default: smoke.json beside this program)")
    parser.add_argument("--fault", choices=FAULTS, help="break the run on purpose, to see that it is caught")
    parser.add_argument("--max-steps", type=int, help="train at most so many steps")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--plain", action="store_true", default=None, help="readable lines (default on a terminal)")
    form.add_argument("--json", dest="plain", action="store_false", default=None, help="one JSON object a line")
    return parser


def _announce_fault(job: Job, reporter: Reporter) -> None:
    if job.fault is None:
        return
    if job.fault not in FAULTS:
        raise CauseError("job-invalid", f"there is no fault {job.fault!r}; there are {', '.join(FAULTS)}")
    reporter.event("fault", name=job.fault, text=FAULTS[job.fault])


def _run(job: Job, reporter: Reporter, phases: Phases) -> dict[str, Any]:
    if job.task not in TASKS:
        raise CauseError("job-invalid", f"there is no task {job.task!r}; there is {', '.join(TASKS)}")
    prepare_surroundings(os.environ, job.threads)
    if job.scratch is not None:
        job.scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="smoke-", dir=job.scratch))
    try:
        return TASKS[job.task](job, folder, reporter, phases)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _expect_caught(job: Job, reporter: Reporter) -> None:
    if job.fault and not any(check.status == "fail" for check in reporter.checks):
        found = Check("fault", "fail", job.fault, "a check that fails", "fault-not-caught")
        reporter.check(found)


def _report_failure(error: Exception, phase: str, reporter: Reporter) -> None:
    cause = cause_of(error, phase)
    measured = {"phase": phase, "error": f"{type(error).__name__}: {error}"}
    reporter.check(Check("run", "could-not-run", measured, "the run ends without an error", cause))
    known = {check.id for check in reporter.checks}
    for name in CHECKS:
        if name not in known:
            reporter.check(Check(name, "could-not-run", None, "an answer", "earlier-failure"))


def _conclude(metrics: dict[str, Any], reporter: Reporter) -> int:
    bad = [check for check in reporter.checks if check.status in ("fail", "could-not-run")]
    order = ("run", *CHECKS)
    bad.sort(key=lambda check: order.index(check.id) if check.id in order else len(order))
    verdict = "fail" if bad else "pass"
    cause = bad[0].cause if bad else None
    numbers = {key: value if math.isfinite(value) else None for key, value in metrics.items()}
    named = [check.id for check in bad if check.cause != "earlier-failure"]
    reporter.event("verdict", verdict=verdict, cause=cause, failed=named, metrics=numbers)
    return FAILED if bad else PASSED
