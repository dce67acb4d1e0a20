"""Ctrl-C is answered at once whatever the run waits for: small requests, their bodies, names, and long hashes."""

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.machine import Machine, Running, no_orphan
from tests.e2e.toy import Toy
from tests.upstream.acts import Act, late, stall
from tests.upstream.exchange import Response
from tests.upstream.server import Upstream

SOON = 2.5
"""Seconds; it takes a tenth of that where nothing else runs."""
HUGE = 24 << 30  # a hash of so many bytes takes longer than anybody would wait, and as a hole they cost no disk


def stopped(running: Running, machine: Machine) -> None:
    """One Ctrl-C: the shell's code for it, the sentence that the command goes on, and nothing left at work."""
    done = running.interrupt(signal.SIGINT, SOON)
    assert done.code == 130, done.said
    assert "the same command goes on" in done.err
    assert "error:" not in done.err
    assert "Traceback" not in done.err
    assert not machine.workspace.exists()
    no_orphan(machine.home)


def interrupted_at(toy: Toy, machine: Machine, server: Upstream, pattern: str, *acts: Act) -> None:
    server.forget()
    server.fault(pattern, *acts, times=None)
    with machine.start(*toy.words()) as running:
        running.until(lambda: bool(server.asked(pattern)))
        stopped(running, machine)


@pytest.mark.parametrize("act", [late(60), stall(10)], ids=["answer", "body"])
def test_while_the_list_of_releases_does_not_come(toy: Toy, toy_machine: Machine, act: Act) -> None:
    interrupted_at(toy, toy_machine, toy.jetbrains.feed, "/products/releases", act)


def test_while_a_checksum_does_not_come(toy: Toy, toy_machine: Machine) -> None:
    interrupted_at(toy, toy_machine, toy.jetbrains.downloads, "*.sha256", late(60))


def test_while_a_model_is_looked_for(toy: Toy, tmp_path: Path) -> None:
    with Upstream(lambda _: Response(404)) as hub:
        machine = toy.machine(tmp_path / "home", HF_ENDPOINT=hub.url)
        interrupted_at(toy, machine, hub, "*", late(60))


def test_while_an_archive_of_the_users_is_read(toy: Toy, toy_machine: Machine, tmp_path: Path) -> None:
    archive = tmp_path / "pycharm.tar.gz"
    with archive.open("wb") as stream:
        stream.truncate(HUGE)
    with toy_machine.start(*toy.words("--pycharm-archive", str(archive))) as running:
        running.until_said("reading")
        stopped(running, toy_machine)


@pytest.mark.parametrize("command", ["undo", "uninstall"])
def test_while_a_run_is_taken_back(toy: Toy, toy_machine: Machine, command: str) -> None:
    """It is held at a file of the project that has become a pipe, since that is read to see whose it is."""
    assert toy.apply(toy_machine).code == 0
    place = toy_machine.workspace / ".setup-llm-dev" / "smoke.pyz"
    place = place if place.exists() else toy_machine.workspace / "setup-llm-dev.lock.toml"
    place.unlink()
    os.mkfifo(place)
    words = ("undo", str(toy.recipe)) if command == "undo" else ("uninstall", "-y")
    with toy_machine.start(*words) as running:
        with place.open("wb"):  # opens when the other side does
            running.child.send_signal(signal.SIGINT)
        done = running.end(SOON)
    assert done.code == 130, done.said
    assert "the same command goes on" in done.err
    place.unlink()
    assert any(path.is_file() for path in toy_machine.workspace.rglob("*"))
    again = toy_machine.run(*words)
    assert again.code == 0, again.said
    assert [path for path in toy_machine.workspace.rglob("*") if not path.is_dir()] == []
