"""Handing a program over to the desktop: real processes that outlive whoever started them."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_llm_dev.host.ide.desktop import has_display, open_in_ide
from setup_llm_dev.host.recorded import recorded_host
from setup_llm_dev.host.world import Host, System
from tests.golden import MACHINES
from tests.ground import CANARY, scratch_host

# Says who and where it is, what it was given and what it sees, then waits to be ended.
LAUNCHER = """#!/bin/sh
{ echo "$$ $PPID"; pwd; echo "$#"; echo "$1"; env; } > "$0.part" && mv "$0.part" "$0.told"
exec sleep 600
"""
SESSION = {
    "HOME": "/home/ann",
    "DISPLAY": ":7",
    "WAYLAND_DISPLAY": "wayland-1",
    "XAUTHORITY": "/run/xauth",
    "XDG_RUNTIME_DIR": "/run/user/1",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/bus",
    "GTK_IM_MODULE": "fcitx",
    "XMODIFIERS": "@im=fcitx",
    "HF_TOKEN": CANARY,
    "PIP_INDEX_URL": f"https://user:{CANARY}@mirror.example",
    "LD_PRELOAD": "/polluted.so",
    "PYTHONPATH": "/polluted",
}


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "ide $HOME" / "bin" / "pycharm"
    place.parent.mkdir(parents=True)
    place.write_text(LAUNCHER)
    place.chmod(0o755)
    yield place
    if (told := place.with_name("pycharm.told")).exists():
        os.kill(int(told.read_text().split()[0]), signal.SIGKILL)


def host_with(tmp_path: Path, **environment: str) -> Host:
    return scratch_host(tmp_path / "home", environment)


def told_by(launcher: Path) -> list[str]:
    place = launcher.with_name("pycharm.told")
    for _ in range(1000):
        if place.exists():
            return place.read_text().splitlines()
        time.sleep(0.01)
    raise AssertionError("it was not started")


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for the IDE")
def test_the_ide_gets_project_and_session_and_is_left_alone(tmp_path: Path, launcher: Path) -> None:
    host = host_with(tmp_path, **SESSION)
    workspace, python = tmp_path / "my project", tmp_path / "my project/.venv/bin/python"
    assert open_in_ide(host, launcher, workspace, python) is None
    told = told_by(launcher)
    process, parent = map(int, told[0].split())
    assert os.getsid(process) == process != os.getsid(0)
    assert parent != os.getpid()
    assert told[1:4] == [str(tmp_path / "home"), "1", str(workspace)]
    seen = dict(line.partition("=")[::2] for line in told[4:])
    assert seen["PYCHARM_PYTHON_PATH"] == str(python)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "GTK_IM_MODULE", "XMODIFIERS"):
        assert seen[name] == SESSION[name]
    assert not {"HF_TOKEN", "PIP_INDEX_URL", "LD_PRELOAD", "PYTHONPATH"} & seen.keys()
    assert CANARY not in "".join(told)
    os.kill(process, 0)  # still there


@pytest.mark.parametrize("damage", ["missing", "not executable"])
@pytest.mark.skipif(os.name == "nt", reason="modes")
def test_why_it_could_not_be_started_is_told(tmp_path: Path, launcher: Path, damage: str) -> None:
    launcher.unlink() if damage == "missing" else launcher.chmod(0o644)
    said = str(open_in_ide(host_with(tmp_path), launcher, tmp_path))
    assert str(launcher) in said
    assert ("No such file" if damage == "missing" else "Permission denied") in said


def test_a_recorded_machine_starts_nothing() -> None:
    host = recorded_host(MACHINES / "debian-cpu")
    assert "could not start" in str(open_in_ide(host, Path(sys.executable), Path("/")))


@pytest.mark.parametrize(
    ("system", "environment", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"SSH_CONNECTION": "1 2 3 4"}, False),
        ("linux", {"SSH_CONNECTION": "1 2 3 4", "DISPLAY": "localhost:10.0"}, True),
        ("darwin", {}, True),
        ("darwin", {"SSH_TTY": "/dev/ttys001"}, False),
        ("win32", {}, True),
        ("win32", {"SSH_CLIENT": "1 2 3"}, False),
    ],
)
def test_where_there_is_a_display(
    tmp_path: Path, system: str, environment: dict[str, str], expected: bool
) -> None:  # fmt: skip
    real = host_with(tmp_path, **environment)
    host = Host(
        real.programs, real.files, environment, tmp_path, real.cancel, real.fetcher, system=System(platform=system)
    )  # fmt: skip
    assert has_display(host) is expected
