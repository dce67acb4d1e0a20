"""Odd wishes and odd answers: empty files, a source named twice, one hash for two files, a size that is made up."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setup_llm_dev.documents.transfer import Source, Wanted
from setup_llm_dev.errors import Corrupt, SystemRefused, Unreachable
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.fetch import Fetcher
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.transfer.partials import Partial, orphans
from setup_llm_dev.host.transfer.workers import Workers
from setup_llm_dev.host.web.sockets import Wire
from tests.transfers import MIB, PATIENT, SHORT, Place, body_of, serving, sha256
from tests.upstream import acts
from tests.upstream.acts import Act
from tests.upstream.server import Upstream

BODY = body_of(5 * MIB + 99, seed=11)
OTHER = body_of(5 * MIB + 99, seed=12)
NOTHING = acts.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
ENOUGH = 20.0  # seconds; whoever needs more hangs


@pytest.fixture
def server() -> Iterator[Upstream]:
    with serving({"/a": BODY}) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_file_that_can_not_be_empty_and_is_locked_as_empty_is_refused(server: Upstream, place: Place) -> None:
    wanted = Wanted("file", (Source(f"{server.url}/a"),), 0, sha256(BODY))
    with pytest.raises(Corrupt, match="expected"):
        Fetcher({}, Cancel(), Files(), SHORT).download(wanted, place.target, partials=place.partials, deadline=ENOUGH)
    assert (place.left, place.target.exists()) == ([], False)


@pytest.mark.parametrize("known", [True, False])
def test_a_source_that_always_brings_nothing_is_given_up(server: Upstream, place: Place, known: bool) -> None:
    server.fault("/a", NOTHING, times=None)
    with pytest.raises(Corrupt):
        place.fetch(BODY, f"{server.url}/a", known=known, deadline=ENOUGH)
    assert len(server.log) <= 10
    with serving({"/a": BODY}) as mirror:
        place.fetch(BODY, f"{server.url}/a", f"{mirror.url}/a", known=known, deadline=ENOUGH)
    assert place.holds(BODY)


@pytest.mark.parametrize("ends", [("", ""), ("?key=1", "?key=2")])
def test_a_source_that_is_named_twice_is_not_believed_for_ever(place: Place, ends: tuple[str, str]) -> None:
    with serving({"/a": OTHER}) as liar:
        liar.fault("/a", Act())
        liar.fault("/a", acts.status(404), times=None)
        with pytest.raises(Unreachable):
            place.fetch(BODY, *(f"{liar.url}/a{end}" for end in ends))
        assert place.left
        liar.heal()
        with pytest.raises(Corrupt):
            place.fetch(BODY, *(f"{liar.url}/a{end}" for end in ends), deadline=ENOUGH)
    assert (place.left, place.target.exists()) == ([], False)


def test_two_files_of_one_hash(server: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one looks for orphans at any time: in the middle of our renaming, too."""
    real, found = os.replace, []

    def looking(source: Any, target: Any) -> None:
        found.extend(orphans(tmp_path / "p", sha256(BODY)))
        real(source, target)

    wanted = Wanted("file", (Source(f"{server.url}/a"),), len(BODY), sha256(BODY))
    targets = [tmp_path / str(number) for number in range(4)]
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", looking)
        Fetcher({}, Cancel(), Files(), SHORT).download_all([(wanted, one) for one in targets], partials=tmp_path / "p")
    assert all(target.read_bytes() == BODY for target in targets)
    assert (found, os.listdir(tmp_path / "p")) == ([], [])


@pytest.mark.parametrize("log", [True, False])
def test_what_we_work_on_ourselves_is_nobodys_however_long_nothing_came(tmp_path: Path, log: bool) -> None:
    mine = Partial(tmp_path, sha256(BODY), log=log)
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    assert orphans(tmp_path, sha256(BODY)) == []
    mine.touch()  # what processes elsewhere look at
    assert max(path.stat().st_mtime for path in tmp_path.iterdir()) > 0
    mine.discard()


def test_a_disk_that_refuses_while_work_is_given_out(
    server: Upstream, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After bytes of two sources did not fit, the first goes silent: its pieces are dropped for the second's."""
    real, seen = os.open, []

    def full(path: Any, *arguments: Any, **named: Any) -> int:
        if str(path).endswith(".new"):
            seen.append(path)
            if len(seen) == 3:  # the log was made, begun anew, and now once more
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, *arguments, **named)

    with serving({"/a": OTHER}) as liar:
        liar.fault("/a", Act(), times=1)
        liar.fault("/a", acts.status(503), times=5)
        liar.fault("/a", Act(), times=1)
        liar.fault("/a", acts.status(404), times=None)
        with monkeypatch.context() as patched, pytest.raises(SystemRefused, match="space"):
            patched.setattr(os, "open", full)
            place.fetch(BODY, f"{liar.url}/a", f"{server.url}/a", deadline=ENOUGH)
    assert len(seen) == 3


def test_who_made_up_the_size_is_blamed_and_not_who_brought_the_bytes(server: Upstream, place: Place) -> None:
    """The first tells a size and brings nothing; the second brings the right bytes, as many as that."""
    with serving({"/a": BODY[: 2 * MIB]}) as liar:
        liar.fault("/a", acts.cut(0))
        liar.fault("/a", acts.status(503), times=5)
        place.fetch(BODY, f"{liar.url}/a", f"{server.url}/a", known=False, deadline=ENOUGH)
    assert place.holds(BODY)


def test_a_thread_that_hashes_takes_the_place_of_none_that_fetches() -> None:
    """Else a file of which hashing begins early never gets the connections that it may have."""
    over, lock, workers = threading.Event(), threading.RLock(), Workers()
    before = threading.active_count()

    def wait() -> None:
        over.wait()

    with lock:
        workers.hire(wait, 2)
        workers.start(wait, "hash")
        workers.hire(wait, 8)
        workers.hire(wait, 4)
    names = [thread.name.partition("-")[0] for thread in threading.enumerate()]
    over.set()
    workers.join(ENOUGH)
    assert (names.count("fetch"), names.count("hash")) == (8, 1)
    assert threading.active_count() == before


def test_a_partial_file_that_another_machine_took_is_told(server: Upstream, place: Place) -> None:
    def take(done: int, total: int | None) -> None:
        for path in place.partials.glob("*.part"):
            path.unlink()

    server.fault("/a", acts.slow(3e6), times=None)
    with pytest.raises(SystemRefused, match="somebody else took over what was fetched of file"):
        place.fetch(BODY, f"{server.url}/a", limits=PATIENT, progress=take)
    assert not place.target.exists()


def test_a_wire_that_was_let_go_is_not_ours_to_cut() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done, late = Wire(), Wire()
        done.use(ours)
        done.let_go()
        done.cut()
        assert theirs.send(b"x") == 1
        assert ours.recv(1) == b"x"
        late.cut()
        late.use(ours)
        assert ours.recv(1) == b""
