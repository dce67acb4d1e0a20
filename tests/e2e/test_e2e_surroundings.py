"""Polluted environments, odd homes and file modes, languages: none of them changes what is built."""

import hashlib
import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.e2e.machine import Machine
from tests.e2e.toy import Toy
from tests.oracle import done_holds, recorded_files

EVIL = "raise SystemExit('a file of the current folder was imported')\n"


@pytest.fixture(scope="module")
def undisturbed(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of an environment that nothing disturbed."""
    machine = toy.machine(tmp_path_factory.mktemp("undisturbed") / "home")
    assert toy.apply(machine).code == 0
    return recorded_files(machine.generation)


def polluted(folder: Path) -> dict[str, str]:
    """Variables that bend Python, pip, uv and the loader; modules that shadow real ones."""
    folder.mkdir()
    for name in ("torch", "json", "h2", "requests", "sitecustomize", "usercustomize", "pip"):
        (folder / f"{name}.py").write_text(EVIL)
    (folder / "uv.toml").write_text('link-mode = "symlink"\n')
    return {
        "PYTHONPATH": str(folder),
        "PYTHONSTARTUP": str(folder / "torch.py"),
        "PYTHONHASHSEED": "1",
        "PYTHONOPTIMIZE": "2",
        "LD_LIBRARY_PATH": str(folder),
        "PIP_TARGET": str(folder / "target"),
        "PIP_USER": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_REQUIREMENT": str(folder / "nothing.txt"),
        "UV_PYTHON": "3.99",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_SYSTEM_PYTHON": "1",
        "UV_PROJECT_ENVIRONMENT": str(folder / "project"),
        "UV_OFFLINE": "1",
        "UV_CONFIG_FILE": str(folder / "uv.toml"),
        "UV_LINK_MODE": "symlink",
        "UV_TARGET": str(folder / "target"),
        "VIRTUAL_ENV": str(folder / "venv"),
        "CONDA_PREFIX": str(folder / "conda"),
        "CONDA_DEFAULT_ENV": "base",
        "TRANSFORMERS_CACHE": str(folder / "cache"),
    }


def test_a_polluted_environment_builds_the_same(
    toy: Toy, toy_machine: Machine, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    evil = tmp_path / "evil"
    settings = polluted(evil)
    # The command itself is a Python program of the user's: what makes Python ignore its folder is not ours to say.
    ours = settings | {"PYTHONPATH": str(tmp_path / "nowhere")}
    done = toy_machine.run(*toy.words(), cwd=evil, **ours)
    assert done.code == 0, done.said
    assert recorded_files(toy_machine.generation) == undisturbed
    assert done_holds(toy_machine.workspace) == []
    assert sorted(path.name for path in evil.iterdir() if path.is_dir()) == []


def test_uv_told_to_read_no_settings_still_reads_ours(
    toy: Toy, toy_machine: Machine, undisturbed: dict[str, str]
) -> None:
    """With UV_NO_CONFIG uv would not read the project that binds torch to its index."""
    done = toy.apply(toy_machine, UV_NO_CONFIG="1")
    assert done.code == 0, done.said
    assert recorded_files(toy_machine.generation) == undisturbed


def test_a_path_of_python_with_evil_modules_reaches_no_child(
    toy: Toy, toy_machine: Machine, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    (evil / "torch.py").write_text(EVIL)
    (evil / "venv.py").write_text(EVIL)
    done = toy_machine.run(*toy.words(), cwd=evil, PYTHONPATH=str(evil))
    assert done.code == 0, done.said
    assert recorded_files(toy_machine.generation) == undisturbed


@pytest.mark.parametrize("mask", [0o077, 0o000])
def test_file_modes_do_not_depend_on_the_mask(
    toy: Toy, toy_machine: Machine, undisturbed: dict[str, str], mask: int
) -> None:
    shell = ("sh", "-c", f'umask {mask:03o}; exec "$@"', "sh")
    with toy_machine.start(*toy.words(), before=shell) as running:
        done = running.end()
    assert done.code == 0, done.said
    assert recorded_files(toy_machine.generation) == undisturbed
    writable = [p for p in toy_machine.home.rglob("*") if not p.is_symlink() and p.stat().st_mode & stat.S_IWOTH]
    assert writable == [], "others may write these"


@pytest.mark.parametrize("name", ["My Home", "主目录", 'it\'s a "home"', "ümläut %s {x}"])
def test_homes_with_odd_names(toy: Toy, tmp_path: Path, undisturbed: dict[str, str], name: str) -> None:
    machine = toy.machine(tmp_path / name)
    done = toy.apply(machine)
    assert done.code == 0, done.said
    assert done_holds(machine.workspace) == []
    assert recorded_files(machine.generation) == undisturbed
    python = subprocess.run(
        [machine.python, "-I", "-c", "import tiny_one.part_3, torch; print(torch.__version__)"],
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert python.stdout.strip() == "2.13.0+cpu", python.stderr
    assert toy.apply(machine, "--json").document()["changed"] is False
    assert machine.run("undo", str(toy.recipe)).code == 0
    assert not machine.venv.is_symlink()


def test_a_chinese_locale_is_answered_in_chinese(toy: Toy, toy_machine: Machine) -> None:
    done = toy.apply(toy_machine, LANG="zh_CN.UTF-8")
    assert done.code == 0, done.said
    assert re.search(r"[\u4e00-\u9fff]{4}", done.out)
    assert re.search(r"[\u4e00-\u9fff]{4}", done.err)
    again = toy.apply(toy_machine, "--json", LANG="zh_CN.UTF-8")
    assert not re.search(r"[\u4e00-\u9fff]", again.out), "what machines read is never translated"


def test_an_encoding_without_the_characters_is_no_crash(toy: Toy, toy_machine: Machine) -> None:
    done = toy.apply(toy_machine, LANG="zh_CN.UTF-8", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.code == 0, done.said


def test_a_pipe_gets_no_escape_codes_and_events_are_json(toy: Toy, toy_machine: Machine) -> None:
    done = toy.apply(toy_machine, "--json", TERM="xterm-256color", FORCE_COLOR="1", CLICOLOR_FORCE="1")
    assert done.code == 0, done.said
    assert "\x1b" not in done.out + done.err
    *events, report = done.events()
    assert report["schema"] == "report/1"
    assert events[0]["event"] == "began"
    kinds = {event["event"] for event in events}
    assert kinds <= {"began", "skipped", "started", "progress", "applied", "failed", "undone"}
    started = [event["step"] for event in events if event["event"] == "started"]
    applied = [event["step"] for event in events if event["event"] == "applied"]
    assert sorted(started) == sorted(applied)
    assert set(started) <= set(events[0]["steps"])
    assert json.loads((toy_machine.workspace / "report.json").read_text())["schema"] == "report/1"


def test_a_reader_that_goes_away_is_no_failure_of_the_work(toy: Toy, toy_machine: Machine) -> None:
    with toy_machine.start(*toy.words(), "--json") as running:
        assert running.child.stdout is not None
        running.child.stdout.close()
        running.child.stdout = None
        assert running.end().code == 0
    assert done_holds(toy_machine.workspace) == []


def test_a_current_folder_that_is_gone(toy: Toy, toy_machine: Machine, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    leave = ("sh", "-c", f'rmdir "{gone}"; exec "$@"', "sh")
    with toy_machine.start(*toy.words(), before=leave, cwd=gone) as running:
        done = running.end()
    assert done.code == 0, done.said


def test_links_are_made_with_hashes_that_the_lock_names(toy: Toy, toy_machine: Machine) -> None:
    """The lock in the workspace names each wheel by the hash of the very file that the index served."""
    assert toy.apply(toy_machine).code == 0
    lock = (toy_machine.workspace / "pylock.toy.toml").read_text(encoding="utf-8")
    for wheel in [*toy.folder.glob("wheels/tiny_one-*.whl"), *toy.folder.glob("torch/*.whl")]:
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() in lock
    assert os.path.lexists(toy_machine.venv)
