"""The transfer engine against servers that cut, stall, lie and refuse: never a wrong byte, never for ever."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from setup_llm_dev.errors import Corrupt, Unreachable
from tests.transfers import CHUNK, MIB, PATIENT, SHORT, Place, body_of, serving
from tests.upstream import acts
from tests.upstream.acts import Act
from tests.upstream.server import Upstream

IMPATIENT = replace(SHORT, idle_seconds=0.3, tries=2, floor_seconds=1.0, unknown_size=2 * MIB)
BODY = body_of(11 * MIB + 12345)
SMALL = body_of(300_000, seed=2)


@pytest.fixture
def server() -> Iterator[Upstream]:
    with serving({"/a": BODY, "/s": SMALL}) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("after", [1, 2 * MIB + 5, 4 * MIB - 1])
def test_n01_a_dropped_body_is_gone_on_with(server: Upstream, place: Place, after: int, reset: bool) -> None:
    server.fault("/a", acts.cut(after, reset=reset), times=4)
    facts = place.fetch(BODY, f"{server.url}/a")
    assert place.holds(BODY)
    assert facts.fetched == len(BODY)
    assert server.served() - len(BODY) <= (4 * CHUNK if reset else CHUNK)  # a reset takes what was on its way
    assert {x.headers.get("if-range") for x in server.log[1:] if "range" in x.headers} <= {'"/a"', None}


def test_n02_dropped_every_time_it_ends_and_says_what_is_kept(server: Upstream, place: Place) -> None:
    server.fault("/a", Act(), times=2)
    server.fault("/a", acts.cut(0), times=None)
    with pytest.raises(Unreachable) as error:
        place.fetch(BODY, f"{server.url}/a")
    assert "MB of file are kept" in str(error.value)
    assert "tried 5 times" in str(error.value)
    assert len(place.left) == 2
    assert not place.target.exists()
    server.heal()
    before = server.served()
    facts = place.fetch(BODY, f"{server.url}/a")
    assert place.holds(BODY)
    assert facts.kept >= 4 * MIB
    assert server.served() - before <= len(BODY) - facts.kept + MIB


def test_a_link_that_is_cut_every_third_of_a_file_comes_to_its_end(server: Upstream, place: Place) -> None:
    server.fault("/a", acts.cut(900_000), times=None)
    place.fetch(BODY, f"{server.url}/a", limits=PATIENT)
    assert place.holds(BODY)


@pytest.mark.parametrize("after", [300_000, 30_000])
def test_a_link_that_drops_within_every_piece_comes_to_its_end(place: Place, after: int) -> None:
    """What came of a piece is kept, and counts as progress however little it was."""
    body = BODY[:3_000_000]
    with serving({"/a": body}) as server:
        server.fault("/a", acts.cut(after), times=None)
        place.fetch(body, f"{server.url}/a", limits=PATIENT)
        assert place.holds(body)
        assert server.served() <= 2 * len(body)


def test_a_link_that_is_reset_within_every_piece_comes_to_its_end(place: Place) -> None:
    """A reset takes what was on its way, so here nothing can be said of the bytes that were sent in vain."""
    body = BODY[:3_000_000]
    with serving({"/a": body}) as server:
        server.fault("/a", acts.cut(60_000, reset=True), times=None)
        place.fetch(body, f"{server.url}/a", limits=PATIENT)
        assert place.holds(body)


def test_a_link_that_brings_a_byte_each_time_ends_as_too_slow(server: Upstream, place: Place) -> None:
    server.fault("/a", acts.cut(1), times=None)
    with pytest.raises(Unreachable, match="sends less than"):
        place.fetch(BODY, f"{server.url}/a", limits=IMPATIENT)


@pytest.mark.parametrize("act", [acts.stall(0), acts.stall(700_000), acts.late(60)])
def test_n03_silence_ends(server: Upstream, place: Place, act: Act) -> None:
    server.fault("/a", act)
    place.fetch(BODY, f"{server.url}/a")
    assert place.holds(BODY)


def test_n03_silence_for_ever_is_named(server: Upstream, place: Place) -> None:
    server.fault("/a", acts.stall(0), times=None)
    with pytest.raises(Unreachable, match="sent nothing for 0 seconds"):
        place.fetch(BODY, f"{server.url}/a", limits=IMPATIENT)


def test_n04_a_drip_is_not_a_stream(server: Upstream, place: Place) -> None:
    server.fault("/a", acts.slow(3000), times=None)
    with pytest.raises(Unreachable, match="sends less than"):
        place.fetch(BODY, f"{server.url}/a", limits=replace(PATIENT, floor_seconds=1.0))


def test_n04_one_byte_a_time(server: Upstream, place: Place) -> None:
    server.fault("/a", acts.slow(10), times=None)
    with pytest.raises(Unreachable):
        place.fetch(BODY, f"{server.url}/a", limits=IMPATIENT)


@pytest.mark.parametrize(
    "act",
    [
        acts.wrong_length(len(SMALL) + 7),
        acts.wrong_length(len(SMALL) - 7),
        Act(headers={"Content-Length": "-5"}),
        Act(headers={"Content-Length": ""}, chunked=True),
    ],
)
def test_n05_the_locked_size_wins_over_the_header(server: Upstream, place: Place, act: Act) -> None:
    server.fault("/s", act)
    place.fetch(SMALL, f"{server.url}/s")
    assert place.holds(SMALL)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("path", ["/s", "/a"])
def test_n05_a_shorter_file_is_never_accepted(server: Upstream, place: Place, known: bool, path: str) -> None:
    body = SMALL if path == "/s" else BODY
    server.fault(path, acts.truncate(len(body) - 1000), times=None)
    with pytest.raises(Corrupt):
        place.fetch(body, server.url + path, known=known)
    assert (place.left, place.target.exists()) == ([], False)


@pytest.mark.parametrize("at", [len(BODY) // 2, len(BODY) - 1])
def test_n06_a_flipped_byte_is_found_and_the_file_fetched_once_more(place: Place, at: int) -> None:
    bodies = {"/a": BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]}

    def heal_after_the_first_round() -> dict[str, str]:
        if spoiled.served() >= len(BODY):
            bodies["/a"] = BODY
        return {}

    spoiled = serving(bodies, heal_after_the_first_round)
    with spoiled:
        place.fetch(BODY, f"{spoiled.url}/a")
        assert place.holds(BODY)
        assert spoiled.served() <= 2 * len(BODY) + CHUNK


def test_n06_wrong_twice_it_is_said_with_both_hashes(server: Upstream, place: Place) -> None:
    server.fault("/a", acts.flip(5), times=None)
    with pytest.raises(Corrupt, match=r"expected [0-9a-f]{64}"):
        place.fetch(BODY, f"{server.url}/a")
    assert (place.left, place.target.exists()) == ([], False)
    assert server.served() <= 2 * len(BODY) + CHUNK


ENDLESS = {
    "body": acts.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
    "headers": acts.raw(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"),
    "one header": acts.raw(b"HTTP/1.1 200 OK\r\nX-More: ", b"and more"),
    "interim": acts.raw(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers": acts.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X-More: more\r\n"),
}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("kind", ENDLESS)
def test_n07_what_never_ends_is_ended(server: Upstream, place: Place, kind: str, known: bool) -> None:
    server.fault("/s", ENDLESS[kind], times=None)
    with pytest.raises((Unreachable, Corrupt)):
        place.fetch(SMALL, f"{server.url}/s", limits=IMPATIENT, known=known)
    assert not place.target.exists()


@pytest.mark.parametrize(
    "act",
    [
        acts.ignore_range(),
        acts.wrong_offset(5),
        acts.content_range("bytes 0-4194303/99"),
        acts.content_range("bytes 0-4194303/*"),
        acts.content_range(""),
        acts.content_range("bytes */*"),
        acts.multipart(),
        acts.status(416),
    ],
    ids=lambda act: str(act.content_range or act.status or act.shift or "whole"),
)
@pytest.mark.parametrize("when", [0, 2])
@pytest.mark.parametrize("known", [True, False])
def test_n08_n09_n10_answers_to_ranges_that_are_no_use(
    server: Upstream, place: Place, act: Act, when: int, known: bool
) -> None:
    server.fault("/a", Act(), times=when)
    server.fault("/a", act, times=None)
    server.fault("/a", Act())
    healing = serving({"/a": BODY})
    with healing:
        place.fetch(BODY, f"{server.url}/a", f"{healing.url}/a", known=known, limits=PATIENT)
    assert place.holds(BODY)


@pytest.mark.parametrize("act", [acts.ignore_range(), acts.content_range(""), acts.multipart(), acts.status(416)])
def test_a_server_without_ranges_serves_the_whole(place: Place, act: Act) -> None:
    with serving({"/a": BODY}) as server:
        server.fault("/a", act, times=1)
        place.fetch(BODY, f"{server.url}/a")
        assert place.holds(BODY)
        assert server.served() <= 2 * len(BODY)
