"""How each figure is taken: real commands in scratch homes with empty caches, timed from outside."""

import os
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import uv

COMMAND = (sys.executable, "-m", "setup_llm_dev")
_RECIPE = "text-classification"


class Row(NamedTuple):
    """One line of the table; `limit` is for the ratio."""

    what: str
    ours: float
    by_hand: float | None
    ratio: float | None
    limit: float | None

    @property
    def within(self) -> bool:
        return self.limit is None or (self.ratio is not None and self.ratio <= self.limit)


class Timed(NamedTuple):
    """A process from start to end: wall seconds, peak resident bytes of it alone, and what it printed."""

    seconds: float
    peak: int
    out: str


class Run(NamedTuple):
    """A run of our command: wall seconds, peak resident bytes of that process alone, and its home."""

    seconds: float
    peak: int
    home: Path

    @property
    def workspace(self) -> Path:
        return self.home / "llm-dev" / _RECIPE

    @property
    def pylock(self) -> Path:
        return self.workspace / f"pylock.{_RECIPE}.toml"


def ours(home: Path, options: Sequence[str], lock_of: Run | None = None) -> Run:
    """`apply` in an empty home with an empty uv cache; with the lock of another run, if one is named."""
    home.mkdir(parents=True)
    if lock_of is not None:
        workspace = home / "llm-dev" / _RECIPE
        workspace.mkdir(parents=True)
        for name in ("setup-llm-dev.lock.toml", lock_of.pylock.name):
            shutil.copy(lock_of.workspace / name, workspace)
    return _run((*COMMAND, "apply", "-y", "-q", *options), home)


def second_run(whole: Run, repeats: int) -> Row:
    """The same command again, with nothing to do."""
    best = min(_run((*COMMAND, "apply", "-y", "-q"), whole.home).seconds for _ in range(repeats))
    return Row("second run, nothing to do, seconds (limit 0.5)", best, None, best / 0.5, 1.0)


def help_text(repeats: int) -> Row:
    """`--help` against the interpreter doing nothing."""
    home = Path.home()
    mine = min(_run((*COMMAND, "--help"), home).seconds for _ in range(repeats))
    bare = min(_run((sys.executable, "-c", "pass"), home).seconds for _ in range(repeats))
    return Row("--help: against python -c pass", mine, bare, mine / bare, 4.0)


def by_hand_uv(folder: Path, whole: Run, *options: str) -> float:
    """`uv venv` and `uv pip sync` of the same lock, cache empty."""
    folder.mkdir()
    environment = _environment(folder)
    binary = uv.find_uv_bin()
    python = str(folder / "env" / "bin" / "python")
    began = time.monotonic()
    subprocess.run((binary, "venv", "-q", "-p", sys.executable, str(folder / "env")), env=environment, check=True)
    sync = (binary, "pip", "sync", "-q", str(whole.pylock), "--python", python, *options)
    subprocess.run(sync, env=environment, check=True)
    return time.monotonic() - began


def by_hand_pip(folder: Path, whole: Run) -> float:
    """`python -m venv` and `pip install` of the same pins, cache empty."""
    folder.mkdir()
    environment = _environment(folder)
    pins = folder / "requirements.txt"
    packages = tomllib.loads(whole.pylock.read_text())["packages"]
    pins.write_text("".join(f"{p['name']}=={p['version']}\n" for p in packages))
    python = str(folder / "env" / "bin" / "python")
    began = time.monotonic()
    subprocess.run((sys.executable, "-m", "venv", str(folder / "env")), env=environment, check=True)
    subprocess.run(
        (python, "-m", "pip", "install", "-q", "--no-cache-dir", "-r", str(pins)), env=environment, check=True
    )
    return time.monotonic() - began


def table(rows: Sequence[Row]) -> str:
    """Plain columns; `!` marks a figure beyond its limit."""
    lines = [f"{'what':58} {'ours':>9} {'by hand':>9} {'ratio':>7} {'limit':>7}"]
    for row in rows:
        cells = [_number(row.ours, 9), _number(row.by_hand, 9), _number(row.ratio, 7), _number(row.limit, 7)]
        lines.append(f"{row.what:58} {' '.join(cells)} {'' if row.within else '!'}")
    return "\n".join(lines)


def _number(value: float | None, width: int) -> str:
    return f"{'–':>{width}}" if value is None else f"{value:{width}.2f}"


def timed(argv: Sequence[str | Path], environment: Mapping[str, str], cwd: Path | None = None) -> "Timed":
    """Run to a good end; raises RuntimeError with what it said otherwise."""
    began = time.monotonic()
    pipe = subprocess.PIPE
    child = subprocess.Popen(argv, env=environment, cwd=cwd, stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL)
    memory = _Memory(child.pid)
    out, errors = child.communicate()
    seconds = time.monotonic() - began
    if child.returncode:
        raise RuntimeError(f"{argv} ended with {child.returncode}: {errors.decode()[-2000:]}")
    return Timed(seconds, memory.peak, out.decode())


def _run(argv: Sequence[str], home: Path) -> Run:
    done = timed(argv, _environment(home))
    return Run(done.seconds, done.peak, home)


class _Memory:
    """The high-water mark of one process alone: what `wait4` tells counts its children too."""

    def __init__(self, process: int) -> None:
        self.peak = 0
        self._status = Path(f"/proc/{process}/status")
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                text = self._status.read_text()
            except OSError:
                return
            marks = [line for line in text.splitlines() if line.startswith("VmHWM")]
            if not marks:
                return
            self.peak = max(self.peak, int(marks[0].split()[1]) * 1024)
            time.sleep(0.02)


def _environment(home: Path) -> dict[str, str]:
    """The user's index settings, and a home of its own, so that every cache is empty."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "PYENV"))}
    user = Path.home() / ".config" / "pip" / "pip.conf"
    if "PIP_CONFIG_FILE" not in kept and user.is_file():
        kept["PIP_CONFIG_FILE"] = str(user)
    closed = {"HF_ENDPOINT": "http://127.0.0.1:9"}  # the hub is left out of every comparison
    return kept | closed | {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
