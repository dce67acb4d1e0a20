"""A machine for the installed command: a scratch HOME, an environment built from nothing, watched processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.watch import descendants

COMMAND = Path(sys.executable).with_name("setup-llm-dev")
CLOSED = "http://127.0.0.1:9"
"""Nobody listens on the discard port of a test machine: a hub that can't be reached, wherever the tests run."""
LIMIT = 900.0
ALONE = {"SETUP_LLM_DEV_MIRRORS_JETBRAINS_FEED": CLOSED, "SETUP_LLM_DEV_MIRRORS_PRESET": "none"}
"""No test asks JetBrains for a gigabyte, or looks for mirrors, wherever it runs."""
_PASSED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "TMPDIR", "UV_INDEX", "UV_DEFAULT_INDEX",
           "UV_INDEX_URL", "UV_FIND_LINKS", "UV_EXTRA_INDEX_URL", "UV_CONFIG_FILE", "UV_HTTP_TIMEOUT")  # fmt: skip


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"

    def document(self) -> dict[str, Any]:
        """The last line of standard output: the only one, or the report after a stream of events."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found

    def events(self) -> list[dict[str, Any]]:
        """Every line of standard output; a line that is not JSON fails the test here."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Machine:
    """`home` is HOME; `settings` come into the environment of every command, after what this computer needs."""

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    recipe: str = "text-classification"
    command: tuple[str | Path, ...] = (COMMAND,)

    @property
    def data(self) -> Path:
        return Path(self.settings.get("SETUP_LLM_DEV_HOME", self.home / ".local" / "share" / "setup-llm-dev"))

    @property
    def workspace(self) -> Path:
        return self.home / "llm-dev" / self.recipe

    @property
    def venv(self) -> Path:
        return self.workspace / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def generation(self) -> Path:
        """The environment that the user sees."""
        return self.venv.resolve()

    def report(self) -> dict[str, Any]:
        """As it lies in the workspace."""
        found: dict[str, Any] = json.loads((self.workspace / "report.json").read_text(encoding="utf-8"))
        return found

    def environment(self, **extra: str) -> dict[str, str]:
        """What a child sees: this HOME, and of this computer only what reaching its package index needs."""
        built = {"HOME": str(self.home), "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        return built | dict(self.settings) | extra

    def run(self, *arguments: str | Path, cwd: Path | None = None, **extra: str) -> Done:
        """The command to its end, with no terminal and nothing on standard input."""
        with self.start(*arguments, cwd=cwd, before=(), **extra) as running:
            return running.end()

    @contextlib.contextmanager
    def start(
        self, *arguments: str | Path, cwd: Path | None = None, before: tuple[str, ...] = (), **extra: str
    ) -> Iterator["Running"]:
        """A command that runs while the test does something else; what is left of it at the end is killed."""
        self.home.mkdir(parents=True, exist_ok=True)
        child = subprocess.Popen(
            [*before, *map(str, self.command), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(**extra),
            cwd=cwd or self.home,
            start_new_session=True,
        )
        with child:
            try:
                yield Running(child)
            finally:
                if child.poll() is None:
                    child.kill()


@dataclass(frozen=True)
class Running:
    """A command at work."""

    child: subprocess.Popen[bytes]

    def end(self, limit: float = LIMIT) -> Done:
        """Wait for the end; a command that never ends fails the test."""
        out, err = self.child.communicate(timeout=limit)
        return Done(self.child.returncode, (out or b"").decode(), (err or b"").decode())

    def until_said(self, words: str) -> None:
        """Wait for a line on standard error that has these words."""
        assert self.child.stderr is not None
        for line in self.child.stderr:
            if words in line.decode():
                return
        raise AssertionError(f"it ended without saying {words!r}")

    def until_child_loaded(self, word: str, library: str) -> None:
        """Wait until a child with this word in its arguments has this library in its memory (Linux)."""

        def loaded() -> bool:
            for child in descendants(self.child.pid):
                folder = Path(f"/proc/{child}")
                with contextlib.suppress(OSError):
                    if word in (folder / "cmdline").read_text() and library in (folder / "maps").read_text():
                        return True
            return False

        self.until(loaded)

    def until(self, holds: Callable[[], bool], limit: float = LIMIT) -> None:
        """Wait until something holds; the command must not end before."""
        deadline = time.monotonic() + limit
        while not holds():
            assert self.child.poll() is None, "it ended too early"
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(0.002)

    def kill(self) -> None:
        """SIGKILL to the command alone: what its children do then is the question."""
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def interrupt(self, number: signal.Signals, limit: float = 10.0) -> Done:
        """A signal to the command; an answer within some seconds is part of the promise."""
        self.child.send_signal(number)
        return self.end(limit)


def surroundings() -> dict[str, str]:
    """How this computer reaches its package index: pip's settings, certificates, proxies."""
    passed = {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith("PIP_")}
    passed |= {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for place in (config / "pip" / "pip.conf", Path.home() / ".pip" / "pip.conf"):
        if "PIP_CONFIG_FILE" not in passed and place.is_file():
            passed["PIP_CONFIG_FILE"] = str(place)
    for name in ("NO_PROXY", "no_proxy"):
        passed[name] = ",".join(filter(None, (passed.get(name), "127.0.0.1", "localhost")))
    return passed


def processes_of(place: Path) -> list[str]:
    """Command lines of the processes that name a folder in their arguments or work in it (Linux)."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            if str(place).encode() in words or (folder / "cwd").readlink().is_relative_to(place):
                found.append(words.replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


def no_orphan(place: Path, seconds: float = 5.0) -> None:
    """Fails unless every process that has to do with a folder is soon gone."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(place)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
