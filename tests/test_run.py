"""The one door to programs: what a child sees, how it ends, and what is left of it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from setup_llm_dev.errors import Interrupted, SystemRefused
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.run import Programs
from setup_llm_dev.messages import message
from tests.ground import CANARY, FEATURE, SOURCE

PYTHON = sys.executable
POLLUTED = {
    "PYTHONPATH": "/polluted",
    "PYTHONHOME": "/polluted",
    "PYTHONSTARTUP": "/polluted",
    "LD_PRELOAD": "/polluted.so",
    "LD_LIBRARY_PATH": "/polluted",
    "VIRTUAL_ENV": "/polluted",
    "CONDA_PREFIX": "/polluted",
    "PIP_TARGET": "/polluted",
    "PIP_USER": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "UV_PYTHON": "/polluted",
    "UV_INDEX_STRATEGY": "unsafe-best-match",
    "TRANSFORMERS_CACHE": "/polluted",
    "HF_TOKEN": CANARY,
    "LANG": "C.UTF-8",
}


@pytest.fixture
def programs() -> Programs:
    return Programs({"PATH": os.defpath}, Cancel())


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Callable[[], list[int]]]:
    """Process ids that children of a test wrote down; ended at the end, whatever the test found."""
    folder = tmp_path / "pids"
    folder.mkdir()

    def known() -> list[int]:
        return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]

    yield known
    for pid in known():
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Whether it still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


NOTE = "import os, pathlib; pathlib.Path({folder!r}, str(os.getpid())).touch(); "


# what comes back ------------------------------------------------------------------------------------------


def test_a_program_runs_to_its_end(programs: Programs) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = programs.run((PYTHON, "-c", code))
    assert (done.code, done.stdout, done.stderr, done.ok, done.timed_out) == (3, "out\n", "err\n", False, False)


def test_lines_come_as_they_are_written_and_standard_input_goes_in(programs: Programs) -> None:
    lines: list[str] = []
    errors: list[str] = []
    code = "import sys; print(input()); print('bad', file=sys.stderr); print('b', end='')"
    done = programs.run((PYTHON, "-c", code), stdin=b"hello\n", on_line=lines.append, on_error_line=errors.append)
    assert (done.ok, lines, errors) == (True, ["hello", "b"], ["bad"])


def test_a_program_that_reads_nothing_may_be_given_something(programs: Programs) -> None:
    assert programs.run((PYTHON, "-c", "pass"), stdin=b"x" * (1 << 20)).ok


def test_a_program_that_never_reads_is_ended_at_its_deadline(programs: Programs) -> None:
    done = programs.run((PYTHON, "-c", "import time; time.sleep(300)"), stdin=b"x" * (1 << 20), timeout=0.5)
    assert done.timed_out


def test_output_beyond_the_limit_is_dropped_and_the_program_still_ends(programs: Programs) -> None:
    code = "import sys; [sys.stdout.write('x' * 99 + '\\n') for _ in range(50_000)]"
    done = programs.run((PYTHON, "-c", code), limit=1000)
    assert done.ok
    assert len(done.stdout) == 1000


def test_one_endless_line_does_not_fill_the_memory(programs: Programs) -> None:
    code = "import sys; [sys.stdout.write('x' * (1 << 20)) for _ in range(64)]"
    seen: list[int] = []
    done = programs.run((PYTHON, "-c", code), limit=1000, on_line=lambda line: seen.append(len(line)))
    assert done.ok
    assert len(done.stdout) == 1000
    assert max(seen) <= 1000, "a line is handed on in pieces"


def test_a_program_that_is_not_there(programs: Programs, tmp_path: Path) -> None:
    with pytest.raises(SystemRefused) as error:
        programs.run((tmp_path / "nothing",))
    assert str(tmp_path / "nothing") in str(error.value)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_a_listener_raises_comes_out_of_run_and_the_child_is_still_drained(
    programs: Programs, stream: str, tmp_path: Path
) -> None:
    heard: list[str] = []

    def listen(line: str) -> None:
        heard.append(line)
        raise Interrupted(message("stopped"), signal_number=15)

    code = (
        f"import pathlib, sys; [print('x' * 99, file=sys.{stream}) for _ in range(20_000)]; "
        f"pathlib.Path({str(tmp_path / 'ended')!r}).touch()"
    )
    with pytest.raises(Interrupted) as error:
        if stream == "stdout":
            programs.run((PYTHON, "-c", code), on_line=listen)
        else:
            programs.run((PYTHON, "-c", code), on_error_line=listen)
    assert error.value.code == 143
    assert heard == ["x" * 99], "after its failure it hears no more"
    assert (tmp_path / "ended").exists()


# what a child sees ----------------------------------------------------------------------------------------


def test_the_environment_is_built_from_nothing() -> None:
    programs = Programs(POLLUTED | {"PATH": "/polluted"}, Cancel())
    done = programs.run((PYTHON, "-c", "import os; print(sorted(os.environ.items()))"), environment={"EXTRA": "1"})
    assert done.ok, done.stderr
    seen = dict(eval(done.stdout))  # noqa: S307 - our own child's repr
    assert "polluted" not in done.stdout
    assert CANARY not in done.stdout
    assert {"EXTRA", "LANG", "PATH"} <= set(seen) <= {"EXTRA", "LANG", "PATH", "LC_CTYPE"}


def test_stray_modules_in_the_current_folder_are_not_seen(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('stray')")
    monkeypatch.chdir(tmp_path)
    assert programs.run((PYTHON, "-m", "json.tool"), stdin=b"1").stdout == "1\n"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_secret_on_standard_input_is_in_no_command_line_and_no_environment(programs: Programs) -> None:
    code = (
        "import os, pathlib, sys\n"
        "secret = sys.stdin.read()\n"
        "for pid in (os.getpid(), os.getppid()):\n"
        "    for name in ('cmdline', 'environ'):\n"
        "        print(secret.encode() in pathlib.Path(f'/proc/{pid}/{name}').read_bytes())\n"
        "print(len(secret))\n"
    )
    done = programs.run((PYTHON, "-c", code), stdin=CANARY.encode(), tied=True)
    assert done.stdout.split() == ["False"] * 4 + [str(len(CANARY))], done.stderr


def test_only_the_host_reads_the_environment_of_this_process() -> None:
    """Below `cli` everything gets the user's environment as a value; the child that asks the hub has its own."""
    allowed = {"host/world.py", "host/hubs/child.py"}
    package = SOURCE / "setup_llm_dev"
    readers = {
        path.relative_to(package).as_posix()
        for floor in ("documents", "host", "platforms", "accelerators", "steps", "components", "stages")
        for path in (package / floor).rglob("*.py")
        if re.search(r"\bos\.(environ|getenv)\b", path.read_text(encoding="utf-8"))
    }
    assert readers == allowed


# how it ends ----------------------------------------------------------------------------------------------


def family(folder: Path) -> str:
    """A child that ignores SIGTERM, whose grandchild holds the pipe open for minutes."""
    note = NOTE.format(folder=str(folder))
    grandchild = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {note}time.sleep(300)"
    return (
        f"import subprocess, sys, time; {note}subprocess.Popen([sys.executable, '-c', {grandchild!r}]); time.sleep(300)"
    )


def test_at_the_deadline_the_whole_group_ends_with_a_grandchild_that_holds_the_pipe(
    programs: Programs, tmp_path: Path, children: Callable[[], list[int]]
) -> None:
    done = programs.run((PYTHON, "-c", family(tmp_path / "pids")), timeout=1.0)
    assert done.timed_out
    assert len(children()) == 2
    assert until(lambda: not any(alive(pid) for pid in children()))


def test_a_grandchild_left_behind_by_a_child_that_ended_is_ended_too(
    programs: Programs, tmp_path: Path, children: Callable[[], list[int]]
) -> None:
    note = NOTE.format(folder=str(tmp_path / "pids"))
    grandchild = note + "import time; time.sleep(300)"
    code = f"import os, subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {grandchild!r}]); "
    wait = f"[time.sleep(0.02) for _ in range(500) if not os.listdir({str(tmp_path / 'pids')!r})]"
    done = programs.run((PYTHON, "-c", code + wait), timeout=60)
    assert done.ok
    assert len(children()) == 1
    assert until(lambda: not any(alive(pid) for pid in children()))


def test_cancelling_ends_the_child_and_says_by_which_signal(tmp_path: Path, children: Callable[[], list[int]]) -> None:
    cancel = Cancel()
    programs = Programs({"PATH": os.defpath}, cancel)
    note = NOTE.format(folder=str(tmp_path / "pids"))
    caught: list[BaseException] = []

    def run() -> None:
        try:
            programs.run((PYTHON, "-c", note + "import time; time.sleep(300)"), timeout=300)
        except Interrupted as error:
            caught.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert until(lambda: len(children()) == 1)
    cancel.set(15)
    thread.join(20)
    (error,) = caught
    assert isinstance(error, Interrupted)
    assert error.code == 143
    assert until(lambda: not any(alive(pid) for pid in children()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_a_tied_child_ends_with_a_parent_that_was_killed(tmp_path: Path, children: Callable[[], list[int]]) -> None:
    note = NOTE.format(folder=str(tmp_path / "pids"))
    code = (
        "from setup_llm_dev.host.run import Programs\n"
        "from setup_llm_dev.host.cancel import Cancel\n"
        "import sys\n"
        f"child = {note + 'import time; time.sleep(300)'!r}\n"
        "Programs({}, Cancel()).run((sys.executable, '-c', child), timeout=300, tied=True)\n"
    )
    parent = subprocess.Popen([PYTHON, "-c", code], env={"PYTHONPATH": str(SOURCE)})
    assert until(lambda: len(children()) == 1)
    parent.kill()
    parent.wait()
    assert until(lambda: not any(alive(pid) for pid in children()))


# where programs are looked for ----------------------------------------------------------------------------


def program(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "tool"
    place.write_text("#!/bin/sh\n")
    place.chmod(mode)
    return place


def test_only_absolute_folders_that_not_everyone_can_write_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relative, shared, plain, good = (tmp_path / name for name in ("relative", "shared", "plain", "good"))
    for folder in (relative, shared, good):
        program(folder)
    program(plain, 0o644)
    program(tmp_path)
    shared.chmod(0o777)
    monkeypatch.chdir(tmp_path)

    def found(*entries: str) -> Path | None:
        return Programs({"PATH": os.pathsep.join(entries)}, Cancel()).find("tool")

    assert found("relative", "", ".", str(shared), str(plain), str(tmp_path / "none"), str(good)) == good / "tool"
    assert found("relative", "", ".", str(shared), str(plain)) is None
    assert found(str(tmp_path)) == tmp_path / "tool"


def test_the_interpreter_of_the_tests_is_the_one_named() -> None:
    assert FEATURE in sys.version
