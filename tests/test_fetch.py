"""HTTP: tries, bounds, cut answers, and which error is said in which words."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from setup_llm_dev.errors import Interrupted, Unreachable
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.fetch import Fetcher
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.web.cutting import cut_by
from tests.ground import CANARY, with_password
from tests.upstream.acts import Act, cut, gzipped, late, redirect, stall, status, wrong_length
from tests.upstream.server import Upstream, files

BODY = bytes(range(256)) * 400


@pytest.fixture
def server() -> Iterator[Upstream]:
    with Upstream(files({"/file": BODY, "/two": BODY})) as running:
        yield running


def fetcher(cancel: Cancel | None = None) -> Fetcher:
    return Fetcher({}, cancel or Cancel(), Files())


def test_a_body_comes_whole_with_its_type(server: Upstream) -> None:
    answer = fetcher().get(f"{server.url}/file")
    assert (answer.body, answer.media_type) == (BODY, "application/octet-stream")
    assert server.log[0].headers["user-agent"] == "setup-llm-dev"


@pytest.mark.parametrize("code", [429, 500, 503])
def test_what_may_pass_is_tried_again(server: Upstream, code: int) -> None:
    server.fault("/file", status(code))
    assert fetcher().get(f"{server.url}/file").body == BODY
    assert len(server.log) == 2


@pytest.mark.parametrize("code", [401, 403, 404])
def test_what_will_not_pass_is_not(server: Upstream, code: int) -> None:
    server.fault("/file", status(code), times=None)
    with pytest.raises(Unreachable) as error:
        fetcher().get(f"{server.url}/file")
    assert (error.value.status, error.value.url, len(server.log)) == (code, f"{server.url}/file", 1)
    assert str(code) in str(error.value)


@pytest.mark.parametrize("act", [cut(1000), cut(1000, reset=True), wrong_length(len(BODY) + 7)])
def test_a_cut_answer_is_never_taken_for_whole(server: Upstream, act: object) -> None:
    server.fault("/file", act, times=None)  # type: ignore[arg-type]
    with pytest.raises(Unreachable):
        fetcher().get(f"{server.url}/file")
    with pytest.raises(Unreachable):
        fetcher().sha256(f"{server.url}/file")


def test_a_redirect_is_followed_and_a_ring_of_them_is_not(server: Upstream) -> None:
    server.fault("/file", redirect(f"{server.url}/two"))
    assert fetcher().get(f"{server.url}/file").body == BODY
    server.fault("*", redirect(f"{server.url}/file"), times=None)
    with pytest.raises(Unreachable):
        fetcher().get(f"{server.url}/file", tries=1)


def test_an_unasked_encoding_is_undone(server: Upstream) -> None:
    server.fault("/file", gzipped())
    assert fetcher().get(f"{server.url}/file").body == BODY


def test_more_than_a_page_may_hold_is_refused(server: Upstream) -> None:
    assert fetcher().get(f"{server.url}/file", limit=len(BODY)).body == BODY
    with pytest.raises(Unreachable) as error:
        fetcher().get(f"{server.url}/file", limit=len(BODY) - 1)
    assert "more than we accept" in str(error.value)


def test_silence_ends_at_the_limit_and_is_named(server: Upstream) -> None:
    server.fault("/file", late(30), times=None)
    with pytest.raises(Unreachable) as error:
        fetcher().get(f"{server.url}/file", timeout=0.3, tries=1)
    assert "did not answer in time" in str(error.value)
    assert error.value.hint is not None


def test_nobody_there_is_named_with_what_to_set() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/x"
    with pytest.raises(Unreachable) as error:
        fetcher().get(url, tries=1)
    assert f"no connection to 127.0.0.1 ({url})" in str(error.value)
    assert "HTTPS_PROXY" in str(error.value.hint)


def test_it_says_how_often_it_tried(server: Upstream) -> None:
    server.fault("/file", status(503), times=None)
    with pytest.raises(Unreachable) as error:
        fetcher().get(f"{server.url}/file")
    assert str(error.value).endswith("answered 503; tried 2 times")
    assert (error.value.status, error.value.url, len(server.log)) == (503, f"{server.url}/file", 2)
    assert error.value.hint is not None
    with pytest.raises(Unreachable) as error:
        fetcher().get(f"{server.url}/file", tries=1)
    assert "tried" not in str(error.value)


DEAD = "http://127.0.0.1:9"


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_hosts_of_no_proxy_are_asked_directly_and_others_are_not(server: Upstream, name: str) -> None:
    for exempt in ({"NO_PROXY": "127.0.0.1"}, {"no_proxy": "localhost,127.0.0.0/8"}, {"NO_PROXY": "*"}):
        assert Fetcher({name: DEAD, **exempt}, Cancel(), Files()).get(f"{server.url}/file").body == BODY
    for others in ({}, {"NO_PROXY": "127.0.0.2,example.org"}):
        with pytest.raises(Unreachable) as error:
            Fetcher({name: DEAD, **others}, Cancel(), Files()).get(f"{server.url}/file", tries=1)
        assert f"the proxy {DEAD} did not let us reach 127.0.0.1" in str(error.value)


def test_a_redirect_from_the_proxy_to_a_host_of_no_proxy_is_asked_directly(server: Upstream) -> None:
    with Upstream(files({})) as proxy:
        proxy.fault("*", redirect(f"{server.url}/file"), times=None)
        settings = {"HTTP_PROXY": with_password(proxy.url), "NO_PROXY": "127.0.0.1"}
        assert Fetcher(settings, Cancel(), Files()).get("http://name.localhost/x").body == BODY
        assert len(proxy.log) == len(server.log) == 1
        assert "proxy-authorization" in proxy.log[0].headers
        assert "proxy-authorization" not in server.log[0].headers


def test_the_environment_of_this_process_names_no_proxy(server: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, DEAD)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert fetcher().get(f"{server.url}/file").body == BODY


def test_a_netrc_is_still_read(server: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login user password {CANARY}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    fetcher().get(f"{server.url}/file")
    assert server.log[0].headers["authorization"].startswith("Basic ")


def test_a_name_that_nobody_knows_is_named() -> None:
    with pytest.raises(Unreachable) as error:
        fetcher().get("http://name.invalid/x", tries=1)
    assert "name.invalid" in str(error.value)
    assert "resolved" in str(error.value)


def test_an_address_that_is_none(server: Upstream) -> None:
    for url in ("http://", "nonsense://host/x", "http://[::1/x"):
        with pytest.raises(Unreachable):
            fetcher().get(url, tries=1)


def test_passwords_are_used_and_never_said(server: Upstream) -> None:
    server.fault("/file", status(403), times=None)
    with pytest.raises(Unreachable) as error:
        fetcher().get(f"{with_password(server.url)}/file?key={CANARY}")
    assert CANARY not in f"{error.value} {error.value.hint} {error.value.url}"
    assert server.log[0].headers["authorization"].startswith("Basic ")


def test_cancelling_ends_the_wait_between_tries(server: Upstream) -> None:
    cancel = Cancel()
    cancel.set()
    server.fault("/file", status(503), times=None)
    with pytest.raises(Interrupted):
        fetcher(cancel).get(f"{server.url}/file")


def test_sizes_of_many_and_none_where_it_is_not_told(server: Upstream) -> None:
    server.fault("/two", status(404), times=None)
    urls = (f"{server.url}/file", f"{server.url}/two", "http://127.0.0.1:9/x")
    assert fetcher().sizes(urls) == (len(BODY), None, None)
    assert all(exchange.method == "HEAD" for exchange in server.log)


def test_bytes_are_hashed_without_being_kept(server: Upstream, tmp_path: Path) -> None:
    assert fetcher().sha256(f"{server.url}/file") == hashlib.sha256(BODY).hexdigest()
    with pytest.raises(Unreachable) as error:
        fetcher().sha256(f"{server.url}/nothing")
    assert error.value.status == 404


ASKING: dict[str, Callable[[Fetcher, str], object]] = {
    "get": lambda fetching, url: fetching.get(url, timeout=60.0, tries=1),
    "sha256": lambda fetching, url: fetching.sha256(url, timeout=60.0),
    "size": lambda fetching, url: fetching.size(url, timeout=60.0),
    "sizes": lambda fetching, url: fetching.sizes((url,) * 20),
}


@pytest.mark.parametrize(
    ("kind", "act"), [*((kind, late(60)) for kind in ASKING), ("get", stall(10)), ("sha256", stall(10))]
)
def test_a_small_request_ends_with_the_token(server: Upstream, kind: str, act: Act) -> None:
    cancel, told = Cancel(), Future[object]()
    server.fault("/file", act, times=None)

    def ask() -> None:
        try:
            told.set_result(ASKING[kind](fetcher(cancel), f"{server.url}/file"))
        except BaseException as error:
            told.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    while not server.log:
        cancel.wait(0.01)
    cancel.set(15)
    assert isinstance(told.exception(timeout=4.0), Interrupted)


def test_nobody_waits_for_a_name_that_is_not_found() -> None:
    """A name server can't be interrupted: what asks it is left behind."""
    cancel, never, asked = Cancel(), threading.Event(), threading.Event()

    def ask() -> None:
        asked.set()
        never.wait()

    def stop() -> None:
        asked.wait()
        cancel.set()

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(Interrupted):
        cut_by(cancel, ask)
    never.set()


def test_a_timeout_of_the_question_is_its_own() -> None:
    def ask() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        cut_by(Cancel(), ask)
