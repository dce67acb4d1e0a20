"""The one door to programs: argv lists, a built environment, an own process group, a deadline, a limit."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, cast

from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.messages import message

KEPT = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT",
        "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "WINDIR", "TEMP", "TMP", "TMPDIR")  # fmt: skip
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Completed:
    """What a program left: exit code (None when it was ended at its deadline), and its texts."""

    argv: tuple[str, ...]
    code: int | None
    stdout: str
    stderr: str

    @property
    def timed_out(self) -> bool:
        return self.code is None

    @property
    def ok(self) -> bool:
        return self.code == 0


class Programs:
    """Runs programs. A child sees only what `built_environment` and the caller give it."""

    def __init__(self, environment: Mapping[str, str], cancel: Cancel) -> None:
        self._environment = environment
        self._cancel = cancel

    def find(self, name: str) -> Path | None:
        """The absolute path of a program. Relative and world-writable PATH entries are not looked at."""
        suffixes = self._environment.get("PATHEXT", ".EXE").split(os.pathsep) if os.name == "nt" else [""]
        for entry in self._environment.get("PATH", os.defpath).split(os.pathsep):
            folder = Path(entry)
            if not entry or not folder.is_absolute() or _anyone_can_write(folder):
                continue
            for suffix in suffixes:
                candidate = folder / (name + suffix)
                if candidate.is_file() and os.access(candidate, os.X_OK):
                    return candidate
        return None

    def run(
        self,
        argv: Sequence[str | PurePath],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60.0,
        stdin: bytes = b"",
        on_line: Callable[[str], None] | None = None,
        on_error_line: Callable[[str], None] | None = None,
        limit: int = 16 * 1024 * 1024,
        tied: bool = False,
        patience: float = 2.0,
    ) -> Completed:
        """Run to the end. `timeout` seconds, then the whole process group is ended (`code` is None).

        `patience`: seconds between asking it to end and ending it, and again for what somebody who left the group
        still holds of its pipes.

        `on_line` gets each line of standard output as it comes, `on_error_line` of standard error. What goes beyond
        `limit` bytes on either stream is dropped, and lines longer than that come in pieces. A `tied` child ends when
        we are killed (Linux).
        Raises SystemRefused when the program can't be started, Interrupted when cancelled, and what a listener
        raised, which hears no more lines after that.
        """
        command = tuple(str(a) for a in argv)
        child = self._start(_tied(command) if tied else command, self.built_environment(environment), cwd)
        pipes = (child.stdin, child.stdout, child.stderr)
        to_child, from_child, errors = (cast(IO[bytes], pipe) for pipe in pipes)  # all three were asked for
        out, err = _Reader(from_child, limit, on_line), _Reader(errors, limit, on_error_line)
        try:
            _feed(to_child, stdin)
            timed_out = self._wait(child, timeout)
        finally:
            _end_group(child, patience)  # a grandchild that still holds the pipe would keep the readers waiting
        until = time.monotonic() + patience
        for reader in (out, err):
            reader.join(max(0.0, until - time.monotonic()))
        self._cancel.raise_if_set()
        out.raise_failure()
        err.raise_failure()
        return Completed(command, None if timed_out else child.returncode, out.text(), err.text())

    def built_environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Built from nothing: a few names of the user's that are about language and system, and `extra`."""
        built = {name: self._environment[name] for name in KEPT if name in self._environment}
        built["PATH"] = os.defpath if os.name != "nt" else self._environment.get("PATH", "")
        return built | dict(extra or {})

    def _start(
        self, command: tuple[str, ...], environment: dict[str, str], cwd: Path | None
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=cwd or Path("/" if os.name != "nt" else self._environment.get("SYSTEMDRIVE", "C:") + "\\"),
                start_new_session=True,
            )
        except OSError as error:
            raise SystemRefused(
                message("could not start {program}: {why}", program=command[0], why=error.strerror or str(error))
            ) from error

    def _wait(self, child: subprocess.Popen[bytes], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while True:
            try:
                child.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if self._cancel.is_set():
                    return True
                if time.monotonic() > deadline:
                    return True
            else:
                return False


def _feed(stdin: IO[bytes], data: bytes) -> None:
    """Small secrets and jobs go in here, since argv and environment are for all to see.

    In a thread of its own: a child that never reads must not keep us from looking at the deadline.
    """

    def write() -> None:
        with contextlib.suppress(OSError), stdin:
            stdin.write(data)

    threading.Thread(target=write, daemon=True).start()


_TIE = (
    "import ctypes, os, signal, sys\n"
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"  # PR_SET_PDEATHSIG
    "os.getppid() == int(sys.argv[1]) or os._exit(137)\n"  # the parent was gone before we asked
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


def _tied(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command behind a few lines that ask the kernel to end it with us; `exec` keeps that wish.

    Not a `preexec_fn`, which can deadlock in a process with threads.
    """
    if sys.platform != "linux":
        return command
    return (sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *command)


class _Reader:
    """Drains one stream in a thread of its own, so that a full pipe never stops the child."""

    def __init__(self, stream: IO[bytes], limit: int, on_line: Callable[[str], None] | None) -> None:
        self._parts: list[bytes] = []
        self._left = self._longest = limit
        self._on_line = on_line
        self._stream = stream
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def text(self) -> str:
        return b"".join(self._parts).decode("utf-8", "replace")

    def raise_failure(self) -> None:
        """What the listener raised in the reader's thread, where nobody could have caught it."""
        if self._failure is not None:
            raise self._failure

    def _drain(self) -> None:
        for line in iter(lambda: self._stream.readline(self._longest), b""):
            if self._left > 0:
                self._parts.append(line[: self._left])
                self._left -= len(line)
            self._hand_on(line)
        self._stream.close()

    def _hand_on(self, line: bytes) -> None:
        """A listener that fails must not stop the draining, or the child would wait for ever."""
        if self._on_line is None or self._failure is not None:
            return
        try:
            self._on_line(line.decode("utf-8", "replace").rstrip("\r\n"))
        except Exception as error:
            self._failure = error


def _end_group(child: subprocess.Popen[bytes], patience: float) -> None:
    """End what is left of the child's process group, politely for `patience` seconds, then for good."""
    if os.name == "nt":
        if child.poll() is None:
            child.kill()
        child.wait()
        return
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and _group_alive(child):
            time.sleep(0.02)
    child.wait()


def _group_alive(child: subprocess.Popen[bytes]) -> bool:
    child.poll()  # reaps the leader, whose zombie would count as alive
    try:
        os.killpg(child.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _anyone_can_write(folder: Path) -> bool:
    try:
        mode = folder.stat().st_mode
    except OSError:
        return True
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX
