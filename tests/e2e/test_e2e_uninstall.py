"""Uninstall as a user sees it: the machine is as it was before, byte for byte, whatever was done between."""

import json
import os
import pty
import subprocess
import time
from pathlib import Path

import pytest
from filelock import FileLock

from tests.e2e.machine import COMMAND, Machine
from tests.e2e.toy import Toy
from tests.kill.lived_in import users_files
from tests.oracle import MARKER, changes, done_holds, manifest


def test_the_machine_is_as_it_was(toy: Toy, toy_machine: Machine, tmp_path: Path) -> None:
    """Two projects, one of them the user's own folder, an update, and an undone run between."""
    users_files(toy_machine.home)
    project = tmp_path / "my project"
    project.mkdir()
    (project / "train.py").write_text("print('mine')\n")
    before, before_project = manifest(toy_machine.home), manifest(project)
    assert toy.apply(toy_machine).code == 0
    assert toy.apply(toy_machine, "--workspace", str(project)).code == 0
    assert toy.apply(toy_machine, "--upgrade").code == 0
    done = toy_machine.run("uninstall", "-y", "--json")
    assert done.code == 0, done.said
    assert changes(before, manifest(toy_machine.home)) == []
    assert changes(before_project, manifest(project)) == []
    document = done.document()
    assert document["schema"] == "uninstall/1"
    assert sorted(document["workspaces"]) == sorted([str(toy_machine.workspace), str(project)])
    assert document["left"] == []
    assert {place["name"] for place in document["removed"]} >= {"environments", "models", "journals", "logs"}
    assert [kept["path"] for kept in document["kept"]] == [str(toy.uv_cache)]
    assert {event["event"] for event in done.events()[:-1]} == {"undone"}


def test_a_bare_home_is_bare_again(toy: Toy, toy_machine: Machine) -> None:
    """Not one of the folders that had to be made for ours is left: ~/.local, ~/.config, ~/llm-dev."""
    assert toy.apply(toy_machine).code == 0
    assert {path.name for path in toy_machine.home.iterdir()} >= {".local", "llm-dev"}
    assert toy_machine.run("uninstall", "-y").code == 0
    assert list(toy_machine.home.iterdir()) == []


def test_empty_folders_that_were_there_before_stay(toy: Toy, toy_machine: Machine, tmp_path: Path) -> None:
    project = tmp_path / "empty project"
    project.mkdir()
    for name in (".local/share", ".local/bin", ".config/JetBrains", "llm-dev"):
        (toy_machine.home / name).mkdir(parents=True)
    before = manifest(toy_machine.home)
    assert toy.apply(toy_machine, "--workspace", str(project)).code == 0
    assert toy.apply(toy_machine).code == 0
    assert toy_machine.run("undo", str(toy.recipe), "--workspace", str(project)).code == 0
    assert list(project.iterdir()) == []
    assert toy_machine.run("uninstall", "-y").code == 0
    assert changes(before, manifest(toy_machine.home), times=False) == []
    assert list(project.iterdir()) == []


def test_what_the_user_changed_or_added_stays_and_is_named(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    (toy_machine.workspace / "train.py").write_text("# my own training\n")
    (toy_machine.workspace / "checkpoints").mkdir()
    (toy_machine.workspace / "checkpoints" / "best.pt").write_text("weeks of work")
    (toy_machine.data / "notes.txt").write_text("mine")
    settings = toy_machine.home / ".config" / "setup-llm-dev" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("[mirrors]\n")
    done = toy_machine.run("uninstall", "-y")
    assert done.code == 0, done.said
    assert f"{toy_machine.workspace / 'train.py'} was changed since, so it stays" in done.out
    for kept in (settings, toy_machine.data / "notes.txt", toy_machine.data / MARKER):
        assert str(kept) in done.err
    found = {path: entry for path, entry in manifest(toy_machine.home).items() if entry.kind == "file"}
    ours = Path(".local/share/setup-llm-dev/notes.txt")
    assert set(found) == {"llm-dev/toy/train.py", "llm-dev/toy/checkpoints/best.pt", str(ours),
                          str(ours.with_name(MARKER)), ".config/setup-llm-dev/config.toml"}  # fmt: skip


def test_with_nobody_to_ask_it_wants_a_yes_and_shows_the_plan(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    before = manifest(toy_machine.home)
    for words in ((), ("--json",), ("-q",)):
        done = toy_machine.run("uninstall", *words)
        assert done.code == 3, done.said
        assert "uninstall -y" in done.err + done.out
        assert str(toy_machine.workspace) in done.err
        assert "environments" in done.err
    assert changes(before, manifest(toy_machine.home), times=False) == []
    assert done_holds(toy_machine.workspace) == []


@pytest.mark.parametrize(("answer", "gone"), [("n\n", False), ("\n", False), ("y\n", True)])
def test_on_a_terminal_it_asks_once(toy: Toy, toy_machine: Machine, answer: str, gone: bool) -> None:
    assert toy.apply(toy_machine).code == 0
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "uninstall"], stdin=theirs, stdout=theirs, stderr=theirs, env=toy_machine.environment(),
        start_new_session=True,
    ) as child:  # fmt: skip
        os.close(theirs)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 4096)
        os.write(ours, answer.encode())
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            try:
                said += os.read(ours, 4096)
            except OSError:
                break
        assert child.wait(30) == 0
    os.close(ours)
    assert said.count(b"[y/N]") == 1
    assert toy_machine.data.exists() is not gone
    assert toy_machine.workspace.exists() is not gone


def test_on_a_bare_machine_nothing_happens(toy_machine: Machine) -> None:
    for words in ((), ("-y",), ("--json",)):
        done = toy_machine.run("uninstall", *words)
        assert done.code == 0, done.said
    assert list(toy_machine.home.iterdir()) == []
    assert done.document()["program"]


def test_busy_while_another_run_is_at_work(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    with FileLock(toy_machine.data / "run.lock"):
        done = toy_machine.run("uninstall", "-y", "--no-wait")
    assert done.code == 7, done.said
    assert done_holds(toy_machine.workspace) == []


def test_something_in_the_way_is_named_and_the_same_command_ends_it(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    stuck = toy_machine.generation
    if subprocess.run(["chattr", "+i", stuck], capture_output=True).returncode != 0:
        pytest.skip("this file system has no immutable folders, or this is not root")
    try:
        done = toy_machine.run("uninstall", "-y", "--json")
    finally:
        subprocess.run(["chattr", "-i", stuck])
    assert done.code == 9, done.said
    assert done.document()["error"]["exit_code"] == 9
    assert str(stuck) in json.dumps(done.document())
    assert any(event.get("event") == "failed" for event in done.events())
    again = toy_machine.run("uninstall", "-y")
    assert again.code == 0, again.said
    assert not toy_machine.data.exists()
    assert not toy_machine.workspace.exists()
