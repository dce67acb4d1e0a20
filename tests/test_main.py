"""The entry point: streams that are closed or full, the question and Ctrl-C, and the log of a failure."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from setup_llm_dev.stages.data_folder import MARKER
from tests.conftest import CANARY
from tests.e2e.machine import CLOSED, Machine
from tests.e2e.toy import Toy
from tests.ground import tool, tool_environment
from tests.upstream.acts import status

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="redirections of a POSIX shell")


def shell(home: Path, words: str, redirections: str) -> subprocess.CompletedProcess[str]:
    command = f"{shlex.quote(sys.executable)} -m setup_llm_dev {words} {redirections}"
    return subprocess.run(
        ["/bin/sh", "-c", command], env=tool_environment(home), cwd=home, capture_output=True, text=True
    )


# streams --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["detect --json", "recipes list", "--help", "--version"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_failure(tmp_path: Path, words: str, closed: str) -> None:
    done = shell(tmp_path / "home", words, closed)
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) is (">&-" not in closed.replace("2>&-", ""))


def test_an_error_keeps_its_code_with_every_stream_closed(tmp_path: Path) -> None:
    assert shell(tmp_path / "home", "aply", "<&- >&- 2>&-").returncode == 2


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")


@needs_full
@pytest.mark.parametrize("words", ["detect --json", "recipes list", "recipes schema --json", "--help", "--version"])
def test_a_result_that_could_not_be_written_is_6_in_one_sentence(tmp_path: Path, words: str) -> None:
    done = shell(tmp_path / "home", words, ">/dev/full")
    assert done.returncode == 6
    assert done.stderr == (
        "error: the result could not be written: No space left on device\nhint: make room there, or send it elsewhere\n"
    )


@needs_full
def test_an_error_keeps_its_own_code_and_talk_that_is_lost_is_none(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert shell(home, "aply --json", ">/dev/full").returncode == 2
    assert shell(home, "aply", "2>/dev/full").returncode == 2
    assert shell(home, "recipes list", "2>/dev/full").returncode == 0


# the question ---------------------------------------------------------------------------------------------

CONTROLLED = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""Makes the terminal on standard input the one whose keys send signals, then becomes the command."""


class Terminal:
    """A command at a pseudo-terminal: what it shows, and keys for it."""

    def __init__(self, machine: Machine, words: tuple[str, ...]) -> None:
        import pty

        machine.home.mkdir(parents=True, exist_ok=True)
        self._keys, inside = pty.openpty()
        argv = [sys.executable, "-c", CONTROLLED, *map(str, machine.command), *words]
        self.child = subprocess.Popen(
            argv, stdin=inside, stdout=inside, stderr=inside, start_new_session=True, cwd=machine.home,
            env=machine.environment(TERM="dumb"),
        )  # fmt: skip
        os.close(inside)
        self.shown = ""

    def until(self, words: str) -> None:
        while words not in self.shown:
            assert self._read(), self.shown

    def press(self, keys: bytes) -> None:
        os.write(self._keys, keys)

    def end(self) -> int:
        while self._read():
            pass
        return self.child.wait(60)

    def close(self) -> None:
        os.close(self._keys)
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def _read(self) -> bool:
        try:
            data = os.read(self._keys, 65536)
        except OSError:  # Linux's way of saying that the other end is closed
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


@pytest.fixture
def at_terminal(toy: Toy, toy_machine: Machine) -> Iterator[Callable[[], Terminal]]:
    opened: list[Terminal] = []

    def start() -> Terminal:
        opened.append(Terminal(toy_machine, toy.words()))
        opened[-1].until("Go on? [Y/n]")
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def test_ctrl_c_at_the_question_is_130_and_says_how_to_go_on(
    at_terminal: Callable[[], Terminal], toy_machine: Machine
) -> None:
    terminal = at_terminal()
    terminal.press(b"\x03")
    assert terminal.end() == 130, terminal.shown
    assert "the same command goes on" in terminal.shown
    assert "Traceback" not in terminal.shown
    assert not toy_machine.workspace.exists()


@pytest.mark.parametrize(("keys", "goes_on"), [(b"n\n", False), (b"\n", True)])
def test_the_answer_is_heard(
    at_terminal: Callable[[], Terminal], toy_machine: Machine, keys: bytes, goes_on: bool
) -> None:
    terminal = at_terminal()
    terminal.press(keys)
    assert terminal.end() == 0, terminal.shown
    assert ("nothing was changed" in terminal.shown) is not goes_on
    assert toy_machine.workspace.exists() is goes_on


# the log of a failure -------------------------------------------------------------------------------------


def unreachable(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """An `apply` that fails before it executes anything: no index answers."""
    return tool(
        "apply", "--skip", "smoke", "--torch", "cpu", *words, home=home,
        SETUP_LLM_DEV_MIRRORS_PYPI=f"{CLOSED}/simple/", SETUP_LLM_DEV_MIRRORS_TORCH=f"{CLOSED}/whl",
        HF_ENDPOINT=CLOSED, HF_TOKEN=CANARY, UV_HTTP_RETRIES="0", **environment,
    )  # fmt: skip


def named_log(error: dict[str, Any]) -> Path:
    assert error["log"], error
    return Path(error["log"])


def test_a_failure_before_the_execution_keeps_a_log_and_names_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = unreachable(home, "--json")
    assert done.returncode == 4, done.stderr
    log = named_log(json.loads(done.stdout)["error"])
    assert log.parent == home / "data" / "logs"
    text = log.read_text()
    assert "Unreachable: " in text
    assert "Traceback" in text
    assert "you are root" in text or os.geteuid() != 0, "what was said is there"
    assert CANARY not in text
    assert log.stat().st_mode & 0o777 == 0o600
    said = unreachable(home).stderr
    logs = sorted((home / "data" / "logs").iterdir())
    assert len(logs) == 2
    assert said.endswith(f"log: {logs[-1]}\n")


def test_where_the_log_can_not_be_written_it_is_a_temporary_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (home / "data" / MARKER).touch()
    (home / "data" / "logs").write_text("a file where a folder should be")
    (tmp_path / "tmp").mkdir()
    done = unreachable(home, "--json", TMPDIR=str(tmp_path / "tmp"))
    assert done.returncode == 4, done.stdout
    log = named_log(json.loads(done.stdout)["error"])
    assert log.is_relative_to(tmp_path / "tmp")
    assert log.parent.stat().st_mode & 0o777 == 0o700
    assert "Traceback" in log.read_text()


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    """A module of ours that is broken, in front of the real one."""
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (home / "data" / MARKER).touch()
    code = (
        "import sys\n"
        "sys.modules['setup_llm_dev.cli.render_machine'] = None\n"  # what an import then raises is nobody's error class
        "from setup_llm_dev.cli.main import main\n"
        "sys.argv = ['setup-llm-dev', 'detect']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=tool_environment(home), capture_output=True, text=True)
    assert done.returncode == 1
    assert "this is a bug of setup-llm-dev: ModuleNotFoundError: " in done.stderr
    assert "Traceback" not in done.stderr
    (log,) = (home / "data" / "logs").iterdir()
    assert f"log: {log}\n" in done.stderr
    assert "detect.py" in log.read_text()


def test_wrong_words_and_refusals_leave_no_log(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (home / "work" / ".venv").mkdir(parents=True)
    for words, code in ((("aply",), 2), (("apply", "--workspace", str(home / "work")), 3)):
        done = tool(*words, "--json", home=home, TMPDIR=str(tmp_path))
        assert done.returncode == code
        assert json.loads(done.stdout)["error"]["log"] is None
    assert not (home / "data" / "logs").exists()


def test_an_answer_that_is_no_is_tried_twice_and_says_so(toy: Toy, toy_machine: Machine) -> None:
    toy.index.fault("*/torch/", status(503), times=None)
    done = toy.apply(toy_machine, "--json")
    assert done.code == 4, done.said
    assert "tried 2 times" in done.document()["error"]["message"]
