"""kill -9 at twenty moments of each kind of download, and two processes at once: at most 8 MiB come twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ground import SOURCE
from tests.transfers import CHUNK, MIB, body_of, serving, sha256
from tests.upstream.acts import Act, slow
from tests.upstream.server import Upstream

BODY = body_of(24 * MIB + 999, seed=6)
KINDS = {"one stream": ("1", "-", 24e6), "ranges": ("8", "-", 6e6), "follow": ("8", "follow", 6e6)}


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with serving({"/a": BODY}) as running:
        yield running


def start(server: Upstream, folder: Path, kind: str) -> "subprocess.Popen[str]":
    connections, follow, _ = KINDS[kind]
    arguments = [f"{server.url}/a", str(len(BODY)), sha256(BODY), str(folder / "file"), str(folder / "partials")]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.kill_transfer", *arguments, connections, follow],
        env={"PATH": os.defpath, "PYTHONPATH": f"{SOURCE}:{SOURCE.parent}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def is_whole(folder: Path, kind: str) -> bool:
    seen = folder / "file.seen"
    right = (folder / "file").read_bytes() == BODY and os.listdir(folder / "partials") == []
    return right and (kind != "follow" or seen.read_bytes() == BODY)


def kill_once(server: Upstream, folder: Path, kind: str, at: float) -> int:
    """Kill when this share of the bytes was sent, run again; bytes that were sent more than once."""
    server.heal()
    server.forget()
    server.fault("/a", slow(KINDS[kind][2]), times=None)
    process = start(server, folder, kind)
    while server.served() < at * len(BODY) and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    server.heal()
    finish(start(server, folder, kind))
    assert is_whole(folder, kind)
    return server.served() - len(BODY)


@pytest.mark.parametrize("kind", ["ranges", "follow"])
def test_a_kill_costs_at_most_one_chunk(server: Upstream, tmp_path: Path, kind: str) -> None:
    assert kill_once(server, tmp_path, kind, 0.6) <= CHUNK


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_kills_of_each_kind(server: Upstream, tmp_path: Path, kind: str) -> None:
    again = [kill_once(server, tmp_path / str(step), kind, step / 20) for step in range(20)]
    assert max(again) <= CHUNK, again


@pytest.mark.parametrize("kind", ["ranges"])
def test_killed_again_and_again_it_comes_to_its_end(server: Upstream, tmp_path: Path, kind: str) -> None:
    server.heal()
    server.forget()
    server.fault("/a", slow(6e6), times=None)
    for step in range(1, 5):
        process = start(server, tmp_path, kind)
        while server.served() < step * 4 * MIB and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.communicate()
    server.heal()
    kept = int(finish(start(server, tmp_path, kind)).split()[0])
    assert is_whole(tmp_path, kind)
    assert kept >= 6 * MIB


def test_p13_two_at_once_both_end_well(server: Upstream, tmp_path: Path) -> None:
    """There is no lock that could lie: each has a partial file of its own, and publishes what it hashed itself."""
    server.heal()
    server.fault("/a", Act(rate=30e6), times=None)
    both = [start(server, tmp_path, "ranges") for _ in range(2)]
    for process in both:
        finish(process)
    assert is_whole(tmp_path, "ranges")
