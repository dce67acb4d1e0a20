"""How long it takes to look at a machine: this one, and one where every program that is asked hangs."""

import sys
import time
from pathlib import Path

from setup_llm_dev.stages.detect import detect
from tests.bench.measure import COMMAND, Row, timed
from tests.scratch_machine import end_leftovers, hanging_machine

QUIET_SECONDS, LONGEST_SECONDS = 0.15, 6.0


def rows(scratch: Path, repeats: int) -> list[Row]:
    """The first is of the whole command with the system's own Pythons; the best of many runs."""
    print("looking at machines …", file=sys.stderr, flush=True)
    found = [_this_machine(scratch / "home", repeats * 10)]
    if sys.platform == "linux":
        found.append(_hanging(scratch / "hanging"))
    return found


def _this_machine(home: Path, repeats: int) -> Row:
    """On a machine with a GPU the driver's programs are asked too, and the figure is not meant for it."""
    home.mkdir(parents=True)
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    argv = (*COMMAND, "detect", "--json")
    best = min(timed(argv, environment, home).seconds for _ in range(repeats))
    return Row("detect, no GPU, seconds (limit 0.15)", best, None, best / QUIET_SECONDS, 1.0)


def _hanging(folder: Path) -> Row:
    """With what it takes to start Python and to print, which a run without GPUs shows."""
    try:
        host = hanging_machine(folder)
        began = time.monotonic()
        detect(host, data=folder)
        seconds = time.monotonic() - began
    finally:
        end_leftovers(folder)
    return Row("detect, every program hangs, seconds (limit 6)", seconds, None, seconds / LONGEST_SECONDS, 1.0)
