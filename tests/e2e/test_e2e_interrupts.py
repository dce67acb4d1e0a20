"""Ctrl-C is answered at once whatever the run waits for: small requests, their bodies, names, and long hashes."""

import fcntl
import signal
import struct
import termios
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.machine import Machine, Running, no_orphan
from tests.e2e.toy import Toy
from tests.upstream.acts import Act, late, stall
from tests.upstream.exchange import Response
from tests.upstream.server import Upstream

PAGE = 4096
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
    """It is held by whoever reads its words, as by Ctrl-S in a terminal: it is in the middle when Ctrl-C comes."""
    assert toy.apply(toy_machine).code == 0
    words = ("undo", str(toy.recipe)) if command == "undo" else ("uninstall", "-y")
    with toy_machine.start(*words) as running:
        begun = filled(running, room=150)
        running.until(begun)
        running.child.send_signal(signal.SIGINT)
        done = running.end(SOON)
    assert done.code == 130, done.said
    assert "the same command goes on" in done.err
    assert "undone: " in done.out
    assert any(path.is_file() for path in toy_machine.workspace.rglob("*")), done.said
    again = toy_machine.run(*words)
    assert again.code == 0, again.said
    assert [path for path in toy_machine.workspace.rglob("*") if not path.is_dir()] == []


def filled(running: Running, room: int) -> Callable[[], bool]:
    """Leave room for so many bytes on the command's standard output; the answer tells whether it has used them."""
    output = running.child.stdout
    assert output is not None
    fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, PAGE)
    with Path(f"/proc/self/fd/{output.fileno()}").open("wb", buffering=0) as ours:
        ours.write(b"\n" * (PAGE - room))
    return lambda: waiting(output) > PAGE - room // 2


def waiting(output: IO[bytes]) -> int:
    """Bytes in a pipe."""
    return struct.unpack("i", fcntl.ioctl(output, termios.FIONREAD, b"\0" * 4))[0]  # type: ignore[no-any-return]  # an int
