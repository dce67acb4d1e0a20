"""Run every measurement once on this machine and print one table; nothing here fails a test run."""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.bench import bytes as large_bytes
from tests.bench import choosing, detecting
from tests.bench.measure import Row, by_hand_pip, by_hand_uv, help_text, ours, second_run, table


def main() -> int:
    """0 when every figure is within its limit, 1 otherwise: for people, not for CI."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="setup-llm-dev-bench-", dir=arguments.scratch) as name:
        scratch = Path(name)
        rows, left_out = _measured(scratch, arguments)
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else "")
    print(f"times are the best of {arguments.repeats} runs or more (with pip, and of the whole first run: of one)")
    print(table(rows))
    for line in left_out:
        print(f"left out: {line}")
    Path("bench-results.json").write_text(json.dumps([row._asdict() for row in rows], indent=1))
    return 0 if all(row.within for row in rows) else 1


def _measured(scratch: Path, arguments: argparse.Namespace) -> tuple[list[Row], list[str]]:
    """The figures of the parts that were asked for, and what was left out."""
    rows: list[Row] = []
    left_out: list[str] = []
    if arguments.only in (None, "setup"):
        rows += _rows(scratch, arguments.repeats, with_pip=not arguments.no_pip)
    if arguments.only in (None, "bytes"):
        found, left_out = large_bytes.rows(scratch, arguments.repeats)
        rows += found
    if arguments.only in (None, "detect"):
        rows += detecting.rows(scratch, arguments.repeats)
    if arguments.only in (None, "choose"):
        rows += choosing.rows(scratch, arguments.repeats)
    return rows, left_out


def _rows(scratch: Path, repeats: int, *, with_pip: bool) -> list[Row]:
    print("setting up once, whole (also warms nothing that the others use) …", file=sys.stderr, flush=True)
    whole = ours(scratch / "whole", ())
    print("environment from the lock, cold …", file=sys.stderr, flush=True)
    cold = [ours(scratch / f"cold{i}", ("--only", "packages"), lock_of=whole) for i in range(repeats)]
    plain = [by_hand_uv(scratch / f"uv{i}", whole) for i in range(repeats)]
    copying = [by_hand_uv(scratch / f"copy{i}", whole, "--link-mode", "copy") for i in range(repeats)]
    best, uv, copied = min(run.seconds for run in cold), min(plain), min(copying)
    rows = [
        Row("environment from the lock, cold: against plain uv", best, uv, best / uv, 1.2),
        Row("the same, uv copying as we do (it hard-links by itself)", best, copied, best / copied, 1.2),
        Row("the whole first run, fine-tune included", whole.seconds, None, None, None),
    ]
    if with_pip:
        print("the same pins by hand with pip …", file=sys.stderr, flush=True)
        pip = by_hand_pip(scratch / "pip", whole)
        rows.insert(0, Row("environment from the lock, cold: against venv + pip", best, pip, best / pip, 1 / 3))
    rows.append(second_run(whole, repeats * 3))
    rows.append(help_text(repeats * 7))
    rows.append(Row("peak memory of our own process, MB", whole.peak / 1e6, None, whole.peak / 150e6, 1.0))
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", choices=("setup", "bytes", "detect", "choose"), help="take only these figures")
    parser.add_argument("--no-pip", action="store_true", help="leave out the slow comparison with pip")
    parser.add_argument("--scratch", help="where to work (a real disk; default: the temporary folder)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
