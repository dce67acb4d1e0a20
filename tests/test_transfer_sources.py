"""Where the bytes come from: several sources, redirects, tokens, log-in pages, versions that change, proxies."""

import email.utils
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from setup_llm_dev.documents.transfer import Source
from setup_llm_dev.errors import Corrupt, SetupError, Unreachable
from setup_llm_dev.host.web.answer_headers import retry_after, strong_validator
from setup_llm_dev.host.web.redirects import next_address
from tests.ground import CANARY, with_password
from tests.transfers import MIB, SHORT, Place, body_of, serving
from tests.upstream import acts
from tests.upstream.acts import Act
from tests.upstream.proxy import Proxy
from tests.upstream.server import Upstream

BODY = body_of(9 * MIB + 4321, seed=3)
OTHER = body_of(9 * MIB + 4321, seed=4)
SMALL = body_of(200_000, seed=5)


@pytest.fixture
def server() -> Iterator[Upstream]:
    with serving({"/a": BODY, "/s": SMALL}) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def nobody() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/a"


FAULTS = {
    "404": acts.status(404),
    "503": acts.status(503),
    "login": acts.login_page(),
    "flip": acts.flip(6 * MIB),
    "short": acts.truncate(MIB),
    "stall": acts.stall(100),
    "cut": acts.cut(0, reset=True),
    "gzip": acts.gzipped(),
    "away": acts.redirect("ftp://127.0.0.1/a"),
    "ring": acts.redirect("/a"),
    "other": acts.raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "slow": acts.slow(900),
}


@pytest.mark.parametrize(
    ("kind", "from_start"), [*((kind, False) for kind in FAULTS), ("404", True), ("flip", True), ("stall", True)]
)
def test_a_bad_source_costs_a_try_elsewhere_and_never_a_byte(
    server: Upstream, place: Place, kind: str, from_start: bool
) -> None:
    with serving({"/a": BODY}) as mirror:
        mirror.fault("/a", Act(), times=0 if from_start else 1)
        mirror.fault("/a", FAULTS[kind], times=None)
        facts = place.fetch(BODY, f"{mirror.url}/a", f"{server.url}/a")
        assert server.log
        assert len(mirror.log) <= 30
    assert place.holds(BODY)
    assert facts.fetched <= 3 * len(BODY)


def test_nobody_there_then_a_file_of_this_machine(place: Place, tmp_path: Path) -> None:
    local = tmp_path / "own.bin"
    local.write_bytes(BODY)
    place.fetch(BODY, nobody(), "http://name.invalid/a", local.as_uri())
    assert place.holds(BODY)


def test_all_sources_lie(place: Place) -> None:
    with serving({"/a": OTHER}) as one, serving({"/a": OTHER}) as two, pytest.raises(Corrupt, match="expected"):
        place.fetch(BODY, f"{one.url}/a", f"{two.url}/a")
    assert (place.left, place.target.exists()) == ([], False)


def test_bytes_of_two_sources_that_do_not_fit_are_fetched_from_one(server: Upstream, place: Place) -> None:
    with serving({"/a": OTHER}) as liar:
        liar.fault("/a", Act(), times=2)
        liar.fault("/a", acts.status(503), times=None)
        place.fetch(BODY, f"{liar.url}/a", f"{server.url}/a")
    assert place.holds(BODY)


@pytest.mark.parametrize("lies", [False, True])
def test_n11_a_file_that_changes_between_two_runs_is_never_mixed(place: Place, lies: bool) -> None:
    """curl -C -, wget -c and aria2c -c each end with exit 0 and a mix of both versions here."""
    bodies, tags = {"/a": OTHER}, {"ETag": '"one"'}
    with serving(bodies, lambda: {} if lies else dict(tags)) as server:
        server.fault("/a", Act(), times=1)
        server.fault("/a", acts.status(404), times=None)
        with pytest.raises(Unreachable):
            place.fetch(BODY, f"{server.url}/a")
        assert place.left
        server.heal()
        bodies["/a"], tags["ETag"] = BODY, '"two"'
        place.fetch(BODY, f"{server.url}/a")
    assert place.holds(BODY)


def test_n11_a_file_that_changes_in_the_middle(place: Place) -> None:
    bodies, tags = {"/a": OTHER}, {"ETag": '"one"'}

    def change() -> None:
        bodies["/a"], tags["ETag"] = BODY, '"two"'

    with serving(bodies, lambda: dict(tags)) as server:
        server.fault("/a", acts.then(change))
        place.fetch(BODY, f"{server.url}/a")
    assert place.holds(BODY)


def test_validators_of_many_servers_behind_one_name_do_not_stop_us(place: Place) -> None:
    tags = iter(range(1000))
    with serving({"/a": BODY}, lambda: {"ETag": f'"{next(tags)}"'}) as server:
        place.fetch(BODY, f"{server.url}/a")
    assert place.holds(BODY)


LONG_AGO = email.utils.formatdate(1e9, usegmt=True)
NOW = email.utils.formatdate(time.time() + 86400, usegmt=True)  # however long the tests before it take


@pytest.mark.parametrize(
    ("headers", "strong"),
    [
        ({"ETag": '"x"'}, '"x"'),
        ({"ETag": 'W/"x"'}, None),
        ({"ETag": "x"}, None),
        ({"ETag": 'W/"x"', "Last-Modified": LONG_AGO, "Date": NOW}, None),
        ({"Last-Modified": LONG_AGO, "Date": NOW}, LONG_AGO),
        ({"Last-Modified": NOW, "Date": NOW}, None),
        ({"Last-Modified": LONG_AGO}, None),
        ({"Last-Modified": "yesterday", "Date": NOW}, None),
        ({}, None),
    ],
)
def test_n12_only_a_strong_validator_is_sent(place: Place, headers: dict[str, str], strong: str | None) -> None:
    assert strong_validator(headers) == strong
    if "Last-Modified" in headers and "Date" not in headers:
        return  # the server of these tests always sends a date
    with serving({"/a": BODY}, lambda: headers) as server:
        server.fault("/a", acts.cut(2 * MIB))
        place.fetch(BODY, f"{server.url}/a")
        sent = {x.headers["if-range"] for x in server.log if "if-range" in x.headers}
    assert place.holds(BODY)
    assert sent <= {strong}


@pytest.mark.parametrize(
    ("text", "seconds"), [("2", 2), ("1000000000", 1e9), ("soon", None), ("-1", None), ("", None), ("1.5", None)]
)
def test_n13_how_long_to_wait(text: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": text}) == seconds


def test_n13_a_date_counts_from_the_servers_own_clock() -> None:
    headers = {"Date": email.utils.formatdate(1e9, usegmt=True), "Retry-After": email.utils.formatdate(1e9 + 7)}
    assert retry_after(headers) == 7


def test_n13_it_waits_as_told_and_not_for_ever(server: Upstream, place: Place) -> None:
    server.fault("/a", acts.rate_limited(1))
    began = time.monotonic()
    place.fetch(BODY, f"{server.url}/a")
    assert time.monotonic() - began >= 1
    place.target.unlink()
    server.fault("/a", acts.rate_limited(10_000), times=None)
    with pytest.raises(Unreachable, match="wants us back in 167 minutes"):
        place.fetch(BODY, f"{server.url}/a")


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_n14_what_passes_is_tried_again(server: Upstream, place: Place, code: int) -> None:
    server.fault("/s", acts.status(code), times=4)
    place.fetch(SMALL, f"{server.url}/s")
    assert place.holds(SMALL)
    assert len(server.log) == 5
    place.target.unlink()
    server.forget()
    server.fault("/s", acts.status(code), times=None)
    with pytest.raises(Unreachable, match="tried 5 times"):
        place.fetch(SMALL, f"{server.url}/s")
    assert len(server.log) == 5


@pytest.mark.parametrize("code", [401, 403, 404, 410, 451])
def test_n15_what_does_not_is_not(server: Upstream, place: Place, code: int) -> None:
    server.fault("/s", acts.status(code), times=None)
    with pytest.raises(Unreachable) as error:
        place.fetch(SMALL, f"{server.url}/s?key={CANARY}")
    assert (error.value.status, error.value.url, len(server.log)) == (code, f"{server.url}/s", 1)
    assert CANARY not in f"{error.value} {error.value.hint}"


def test_n16_a_ring_of_redirects_ends_after_ten(server: Upstream, place: Place) -> None:
    server.fault("/s", acts.redirect("/s"), times=None)
    with pytest.raises(Unreachable, match="redirects without end"):
        place.fetch(SMALL, f"{server.url}/s")
    assert len(server.log) == 10


@pytest.mark.parametrize("spelling", ["127.0.0.1", "localhost"])
def test_n17_a_token_goes_to_its_origin_alone(server: Upstream, place: Place, spelling: str) -> None:
    with serving({"/b": BODY}) as store:
        target = f"{store.url}/b?signature=1".replace("127.0.0.1", spelling)
        server.fault("/a", acts.redirect(target), times=None)
        place.fetch(BODY, Source(f"{server.url}/a", CANARY))
        assert place.holds(BODY)
        assert all(x.headers["authorization"] == f"Bearer {CANARY}" for x in server.log)
        assert not store.saw(CANARY)
        assert not any("authorization" in x.headers for x in store.log)
        assert len(server.log) <= 2, "where a redirect leads is remembered"


def test_n17_neither_password_nor_netrc_goes_to_another_origin(
    server: Upstream, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine localhost login user password {CANARY}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving({"/s": SMALL}) as store:
        server.fault("/s", acts.redirect(store.url.replace("127.0.0.1", "localhost") + "/s"))
        place.fetch(SMALL, f"{with_password(server.url)}/s")
        assert "authorization" in server.log[0].headers
        assert "authorization" not in store.log[0].headers


def test_an_expired_address_is_asked_for_anew(server: Upstream, place: Place) -> None:
    with serving({"/b": BODY}) as store:
        server.fault("/a", acts.redirect(f"{store.url}/b?signature=1"), times=None)
        store.fault("/b", Act(), times=2)
        store.fault("/b", acts.status(403))
        place.fetch(BODY, f"{server.url}/a")
        assert place.holds(BODY)
        assert len(server.log) >= 2
        place.target.unlink()
        server.forget()
        store.fault("/b", acts.status(403), times=None)
        with pytest.raises(Unreachable) as error:
            place.fetch(BODY, f"{server.url}/a")
        assert (error.value.status, len(server.log)) == (403, 3)


@pytest.mark.parametrize(
    ("here", "there", "why"),
    [
        ("https://a.example/x", "http://a.example/x", "not encrypted"),
        ("https://a.example/x", "file:///etc/passwd", "not on the web"),
        ("https://a.example/x", "ftp://a.example/x", "not on the web"),
        ("https://192.0.0.9/x", "https://169.254.169.254/latest", "inside"),
        ("https://1.1.1.1/x", "https://127.0.0.1/x", "inside"),
        ("https://1.1.1.1/x", "https://localhost/x", "inside"),
        ("https://1.1.1.1/x", "https://[::1]/x", "inside"),
        ("https://1.1.1.1/x", "https://[::ffff:127.0.0.1]/x", "inside"),
        ("https://1.1.1.1/x", "https://2130706433/x", "inside"),
        ("https://1.1.1.1/x", "https://0x7f.1/x", "inside"),
        ("https://1.1.1.1/x", "https://10.0.0.1/x", "inside"),
        ("https://1.1.1.1/x", "https://[fe80::1]/x", "inside"),
        ("https://1.1.1.1/x", "https://[::1/x", "no address"),
    ],
)
def test_n18_where_a_redirect_may_not_lead(here: str, there: str, why: str) -> None:
    with pytest.raises(Corrupt, match=why) as error:
        next_address(here, there)
    assert error.value.exit_code == 5


@pytest.mark.parametrize(
    ("here", "there", "end"),
    [
        ("https://1.1.1.1/x/y", "../z?q=1#f", "https://1.1.1.1/z?q=1"),
        ("https://1.1.1.1/x", "https://user:pw@8.8.8.8/z", "https://8.8.8.8/z"),
        ("http://1.1.1.1/x", "https://8.8.8.8/z", "https://8.8.8.8/z"),
        ("https://10.0.0.1/x", "https://10.0.0.2/x", "https://10.0.0.2/x"),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:2/x", "http://127.0.0.1:2/x"),
        ("https://1.1.1.1/x", "https://198.18.0.7/x", "https://198.18.0.7/x"),
    ],
)
def test_where_it_may(here: str, there: str, end: str) -> None:
    assert next_address(here, there) == end


def test_n20_a_log_in_page_is_named(server: Upstream, place: Place) -> None:
    server.fault("/a", acts.login_page(), times=None)
    with pytest.raises(Unreachable, match="this network answered with a login page"):
        place.fetch(BODY, f"{server.url}/a")
    assert place.left == []


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "act",
    [
        Act(chunked=True, ignore_range=True),
        Act(chunked=True, ignore_range=True, cut_after=MIB),
        acts.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nabc"),
        acts.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        acts.gzipped(),
    ],
    ids=["chunked", "cut chunk", "bad chunk", "empty", "gzip"],
)
def test_n21_n22_bodies_in_other_clothes(server: Upstream, place: Place, act: Act, known: bool) -> None:
    server.fault("/a", act)
    place.fetch(BODY, f"{server.url}/a", known=known)
    assert place.holds(BODY)
    assert {x.headers["accept-encoding"] for x in server.log} == {"identity"}


PASSWORD = "p@ss%w0rd"
LOGIN = "user:p%40ss%25w0rd@"


def test_n23_through_a_proxy_with_a_password(server: Upstream, place: Place) -> None:
    with Proxy(login=f"user:{PASSWORD}", cut_after=3 * MIB, cuts=2) as proxy:
        place.fetch(BODY, f"{server.url}/a", environment={"HTTP_PROXY": proxy.url.replace("//", f"//{LOGIN}")})
        assert place.holds(BODY)
        assert len(proxy.asked) == len(server.log)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", ["dead", "407", "502", "socks"])
def test_n23_a_proxy_that_refuses_is_named_without_its_password(
    server: Upstream, place: Place, kind: str, scheme: str
) -> None:
    with Proxy(login="other:one", refuse=502 if kind == "502" else None) as proxy:
        address = {"dead": nobody().removesuffix("/a"), "socks": "socks5://127.0.0.1:9"}.get(kind, proxy.url)
        settings = {f"{scheme.upper()}_PROXY": address.replace("//", f"//{LOGIN}")}
        with pytest.raises(SetupError) as error:
            place.fetch(
                BODY, server.url.replace("http", scheme) + "/a", environment=settings, limits=replace(SHORT, tries=2)
            )
    said = f"{error.value} {error.value.hint} {error.value.__cause__}"
    assert error.value.exit_code == 4
    assert "proxy" in said.lower() or (kind, scheme) == ("502", "http")
    assert PASSWORD not in said and "p%40ss" not in said
    assert server.log == ()
