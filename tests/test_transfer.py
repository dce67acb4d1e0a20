"""The transfer engine when all is well, and at its edges: resumes, followers, many files, a full disk, Ctrl-C."""

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from setup_llm_dev.documents.transfer import Source, Wanted
from setup_llm_dev.errors import Corrupt, Interrupted, SystemRefused, Unreachable
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.fetch import Fetcher
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.transfer.partials import Partial
from tests.transfers import MIB, ONE, PATIENT, SHORT, Place, body_of, serving, sha256
from tests.upstream import acts
from tests.upstream.acts import Act
from tests.upstream.server import Upstream

BODY = body_of(10 * MIB + 17, seed=7)
SMALL = {f"/{number}": body_of(number * 20_000, seed=number) for number in range(12)}


@pytest.fixture
def server() -> Iterator[Upstream]:
    with serving({"/a": BODY, **SMALL}) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("known", [True, False])
def test_a_file_comes_in_ranges_and_is_told_as_it_comes(server: Upstream, place: Place, known: bool) -> None:
    told: list[tuple[int, int | None]] = []
    facts = place.fetch(BODY, f"{server.url}/a", known=known, progress=lambda done, total: told.append((done, total)))
    assert place.holds(BODY)
    assert (facts.size, facts.fetched, facts.kept, facts.source) == (len(BODY), len(BODY), 0, f"{server.url}/a")
    assert told[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert server.served() == len(BODY)
    assert len(server.log) > 1
    server.forget()
    assert place.fetch(BODY, f"{server.url}/a").kept == len(BODY)
    assert server.log == ()


def test_what_stands_at_the_target_and_is_something_else_is_replaced(server: Upstream, place: Place) -> None:
    makers: tuple[Callable[[Path], object], ...] = (
        lambda path: path.write_bytes(b"x" * len(BODY)),
        Path.mkdir,
        lambda path: path.symlink_to("/etc/passwd"),
    )
    for make in makers:
        place.target.parent.mkdir(exist_ok=True)
        place.target.unlink(missing_ok=True)
        make(place.target)
        place.fetch(BODY, f"{server.url}/a")
        assert place.holds(BODY)
        assert not place.target.is_symlink()
    assert Path("/etc/passwd").read_bytes()[:4] == b"root"


def test_a_hash_of_git_and_an_empty_file(server: Upstream, place: Place) -> None:
    fetcher = Fetcher({}, Cancel(), Files(), SHORT)
    for path in ("/0", "/3"):
        body = SMALL[path]
        digest = hashlib.sha1(b"blob %d\0%b" % (len(body), body), usedforsecurity=False).hexdigest()
        for size in (len(body), None):
            wanted = Wanted("file", (Source(server.url + path),), size, git_sha1=digest)
            fetcher.download(wanted, place.target, partials=place.partials)
            assert place.holds(body)
            place.target.unlink()


def test_many_files_over_one_budget(server: Upstream, tmp_path: Path) -> None:
    paths = ["/a", *SMALL, "/3"]
    bodies = {"/a": BODY, **SMALL}
    items = [
        (Wanted(path, (Source(server.url + path),), len(bodies[path]), sha256(bodies[path])), tmp_path / "o" / path[1:])
        for path in paths
    ]
    told: list[tuple[int, int | None]] = []
    fetcher = Fetcher({}, Cancel(), Files(), SHORT)
    facts = fetcher.download_all(items, partials=tmp_path / "p", progress=lambda *news: told.append(news))
    assert [fact.size for fact in facts] == [len(bodies[path]) for path in paths]
    assert all((tmp_path / "o" / path[1:]).read_bytes() == bodies[path] for path in paths)
    assert os.listdir(tmp_path / "p") == []
    total = len(BODY) + sum(map(len, SMALL.values()))
    assert told[-1] == (total, total)
    assert server.served() == total
    assert fetcher.download_all([], partials=tmp_path / "p") == ()


def test_one_of_many_can_not_be_had(server: Upstream, tmp_path: Path) -> None:
    items = [(Wanted(p, (Source(server.url + p),), None, sha256(SMALL.get(p, b""))), tmp_path / p[1:]) for p in SMALL]
    server.fault("/7", acts.status(404), times=None)
    with pytest.raises(Unreachable, match="/7 answered 404"):
        Fetcher({}, Cancel(), Files(), SHORT).download_all(items, partials=tmp_path / "p")
    assert not (tmp_path / "7").exists()


# --- a consumer that follows --------------------------------------------------------------------------------


def collector(runs: list[bytes]) -> object:
    def follow(stream: BinaryIO) -> None:
        runs.append(b"")
        while part := stream.read(70_001):
            runs[-1] += part

    return follow


@pytest.mark.parametrize("path", ["/a", "/5", "/0"])
def test_a_follower_has_every_byte_in_order(server: Upstream, place: Place, path: str) -> None:
    body = {"/a": BODY, **SMALL}[path]
    runs: list[bytes] = []
    place.fetch(body, server.url + path, follow=collector(runs))
    assert runs == [body]
    place.fetch(body, server.url + path, follow=collector(runs))
    assert runs == [body, body], "it is called where the target was there already, too"


def test_a_follower_of_wrong_bytes_is_called_again_from_the_beginning(server: Upstream, place: Place) -> None:
    runs: list[bytes] = []

    def picky(stream: BinaryIO) -> None:
        runs.append(stream.read(4 * MIB))
        if runs[-1] != BODY[: 4 * MIB]:
            raise Corrupt(server_says)  # what an extractor says of garbage
        while stream.read(MIB):
            pass

    from setup_llm_dev.messages import message

    server_says = message("no archive")
    with serving({"/a": BODY}) as liar:
        liar.fault("/a", acts.flip(3 * MIB), times=None)
        place.fetch(BODY, f"{liar.url}/a", f"{server.url}/a", follow=picky)
    assert place.holds(BODY)
    assert (len(runs), runs[-1]) == (2, BODY[: 4 * MIB])


def test_a_follower_never_sees_the_end_of_wrong_bytes(server: Upstream, place: Place) -> None:
    runs: list[bytes] = []
    ends = []

    def follow(stream: BinaryIO) -> None:
        collector(runs)(stream)  # type: ignore[operator]
        ends.append(True)

    server.fault("/a", acts.flip(3 * MIB), times=None)
    with pytest.raises(Corrupt):
        place.fetch(BODY, f"{server.url}/a", follow=follow)
    assert ends == []


@pytest.mark.parametrize("error", [SystemRefused, Corrupt, ZeroDivisionError])
def test_what_a_follower_raises_is_raised(server: Upstream, place: Place, error: type[Exception]) -> None:
    from setup_llm_dev.messages import message

    def follow(stream: BinaryIO) -> None:
        stream.read(1000)
        raise error(message("no"))

    with pytest.raises(error):
        place.fetch(BODY, f"{server.url}/a", follow=follow)


# --- what is left of an earlier run -------------------------------------------------------------------------


def broken_off(server: Upstream, place: Place) -> list[Path]:
    """A partial file with most of the bytes, and its log."""
    server.fault("/a", Act(), Act())
    server.fault("/a", acts.status(404), times=None)
    with pytest.raises(Unreachable, match="are kept"):
        place.fetch(BODY, f"{server.url}/a?key=canarypw8")
    server.heal()
    server.forget()
    return sorted(place.partials.iterdir())


def test_an_orphan_is_adopted_and_what_is_no_longer_right_is_fetched_again(server: Upstream, place: Place) -> None:
    part, log = broken_off(server, place)
    assert "canarypw8" not in log.read_text()
    data = bytearray(part.read_bytes())
    data[MIB + 5] ^= 1
    part.write_bytes(data)
    facts = place.fetch(BODY, f"{server.url}/a", limits=ONE)
    assert place.holds(BODY)
    assert facts.kept >= 3 * MIB
    assert server.served() == len(BODY) - facts.kept


@pytest.mark.parametrize(
    "harm", ["no log", "empty log", "torn log", "foreign log", "cut data", "no data", "wrong size"]
)
def test_harmed_partial_files_cost_bytes_and_nothing_else(server: Upstream, place: Place, harm: str) -> None:
    part, log = broken_off(server, place)
    match harm:
        case "no log":
            log.unlink()
        case "empty log":
            log.write_bytes(b"")
        case "torn log":
            log.write_bytes(log.read_bytes()[:-7] + b"\0\0\0\0")
        case "foreign log":
            log.write_bytes(
                log.read_bytes().splitlines()[0] + b'\n{"source": []}\n99999999 00000000 1\nx y z\n[1]\n"s"\n'
            )
        case "cut data":
            os.truncate(part, MIB + 3)
        case "no data":
            part.unlink()
        case "wrong size":
            log.write_bytes(log.read_bytes() + b'{"size": 5}\n')
    place.fetch(BODY, f"{server.url}/a", limits=ONE)
    assert place.target.read_bytes() == BODY
    assert server.served() <= len(BODY)


def test_a_partial_file_of_a_living_process_is_left_alone(server: Upstream, place: Place) -> None:
    place.partials.mkdir()
    mine = Partial(place.partials, sha256(BODY))
    facts = place.fetch(BODY, f"{server.url}/a")
    assert (facts.kept, mine.path.exists()) == (0, True)
    mine.discard()
    assert place.holds(BODY)


# --- disk, time, Ctrl-C -------------------------------------------------------------------------------------


def test_too_little_room_is_told_before_the_first_byte(server: Upstream, place: Place) -> None:
    class Narrow(Files):
        def free_bytes(self, path: object) -> int:
            return 3 * MIB

    wanted = Wanted("file", (Source(f"{server.url}/a"),), len(BODY), sha256(BODY))
    with pytest.raises(SystemRefused, match="room for 3 MB, 11 MB are needed"):
        Fetcher({}, Cancel(), Narrow(), SHORT).download(wanted, place.target, partials=place.partials)
    assert server.log == ()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("call", ["pwrite", "fdatasync", "fsync"])
def test_a_disk_that_refuses(
    server: Upstream, place: Place, code: int, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        with pytest.raises(SystemRefused):
            place.fetch(BODY, f"{server.url}/a")
    assert not place.target.exists()
    place.fetch(BODY, f"{server.url}/a")
    assert place.holds(BODY)


def test_a_deadline(server: Upstream, place: Place) -> None:
    server.fault("/a", acts.slow(3e6), times=None)
    with pytest.raises(Unreachable, match="could not be fetched within 1 seconds"):
        place.fetch(BODY, f"{server.url}/a", deadline=1.0, limits=PATIENT)
    assert place.left


@pytest.mark.parametrize("act", [acts.slow(2e6), acts.stall(2 * MIB), acts.late(60)])
def test_ctrl_c_ends_within_a_second_and_keeps_what_came(server: Upstream, place: Place, act: Act) -> None:
    cancel = Cancel()
    server.fault("/a", act, times=None)
    threading.Timer(0.8, cancel.set).start()
    with pytest.raises(Interrupted):
        place.fetch(BODY, f"{server.url}/a", cancel=cancel, limits=PATIENT, follow=collector([]))
    stopped = time.monotonic()
    assert (place.left != []) == (act.delay == 0)
    assert time.monotonic() - stopped < 1
    server.heal()
    place.fetch(BODY, f"{server.url}/a")
    assert place.holds(BODY)
