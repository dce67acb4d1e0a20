"""doctor asks the hosts that a recipe needs: silent, wrong and slow ones; clocks, tokens, proxies, certificates."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.mirror_catalog import read_mirrors
from setup_llm_dev.host.configuration import read_surroundings
from setup_llm_dev.host.world import Host
from setup_llm_dev.stages.diagnoses import hub, network, proxy
from setup_llm_dev.stages.diagnoses.situation import Situation
from tests.doctoring import entries, here
from tests.upstream.acts import late, login_page, status
from tests.upstream.exchange import Request, Response
from tests.upstream.server import Upstream

MODEL = "google-bert/bert-base-uncased"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKEN = "hf_CANARYcanaryCANARYcanary0123456789"
Ask = Callable[..., dict[str, Entry]]


class World:
    """One loopback host that plays all: index, torch, hub and JetBrains. gated: its model wants this token."""

    def __init__(self) -> None:
        self.gated = False
        self.age: str | None = None

    def __call__(self, request: Request) -> Response:
        headers = {"Age": self.age} if self.age is not None else {}
        path = request.path
        if path.startswith("/api/models/"):
            body = {"id": MODEL, "gated": "manual" if self.gated else False}
            return Response(200, headers | {"Content-Type": "application/json"}, json.dumps(body).encode())
        if "/resolve/" in path:
            said = request.headers.get("authorization")
            allowed = not self.gated or said == f"Bearer {TOKEN}"
            return Response(200 if allowed else 403 if said else 401, headers, b"{}")
        if path.endswith(".tar.gz"):
            return Response(200, headers, b"\x1f\x8b\x08\x00")
        return Response(200, headers | {"Content-Type": "text/html"}, b'<a href="torch-2.15.0%2Bcpu.whl">torch</a>')


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def about(world: World, tmp_path: Path) -> "Callable[..., tuple[Situation, Upstream]]":
    """A machine for which one server is everything that it needs."""

    def make(server: Upstream, off: timedelta = timedelta(0), **settings: str) -> Situation:
        mirrors = {
            "SETUP_LLM_DEV_MIRRORS_PYPI": f"{server.url}/simple", "SETUP_LLM_DEV_MIRRORS_TORCH": f"{server.url}/whl",
            "SETUP_LLM_DEV_MIRRORS_JETBRAINS_DOWNLOADS": server.url, "HF_ENDPOINT": server.url,
            "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        found = here(tmp_path / "home", **{**mirrors, **settings})
        return replace(found, host=at(found.host, off))

    return make  # type: ignore[return-value]  # called with the server of the test


def at(host: Host, off: timedelta) -> Host:
    """With a clock that is off; the server's is right."""
    return replace(host, now=lambda: datetime.now(UTC) + off)


def test_every_host_is_asked_and_timed(world: World, about: Callable[..., Situation]) -> None:
    with Upstream(world) as server:
        situation = about(server)
        told = list(network.look(situation))
    levels = {entry.level for entry in told}  # type: ignore[union-attr]  # none of these can be mended
    assert levels == {"ok"}
    assert [host.what for host in situation.hosts] == [
        "the package index", "the index of PyTorch", "the hub of models", "JetBrains (PyCharm)"
    ]  # fmt: skip
    assert all(host.answer == "answers" and host.seconds is not None for host in situation.hosts)


def test_a_host_that_nobody_is_at_is_named_and_the_others_are_still_asked(
    world: World, about: Callable[..., Situation]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with Upstream(world) as server:
        situation = about(server, HF_ENDPOINT=dead)
        told = entries(network.look, situation)
    assert {host.what: host.answer for host in situation.hosts}["the hub of models"] == "silent"
    assert [host.answer for host in situation.hosts].count("answers") == 3
    assert told["host-silent"].level == "warning", "the recipe has a stand-in for its model"
    assert "configured" in str(told["host-silent"].hint)
    assert str(told["host-silent"].cause) == "no connection could be made"


def test_a_login_page_is_no_answer(world: World, about: Callable[..., Situation]) -> None:
    with Upstream(world) as server:
        server.fault("/api/models/*", login_page(), times=None)
        situation = about(server)
        told = entries(network.look, situation)
    assert "log-in page" in str(told["host-refuses"].cause)


def test_an_index_that_fails_is_an_error_where_nothing_is_set_up(world: World, about: Callable[..., Situation]) -> None:
    with Upstream(world) as server:
        server.fault("/simple/*", status(503), times=None)
        situation = about(server)
        assert entries(network.look, situation)["host-refuses"].level == "error"
        done = replace(situation, environment=Path("/somewhere"), hosts=[])
        assert entries(network.look, done)["host-refuses"].level == "info"


def test_a_host_that_thinks_for_ever_holds_nobody_up(world: World, about: Callable[..., Situation]) -> None:
    """The bound from outside ends it: its own, which is longer, would have said that it did not answer in time."""
    with Upstream(world) as server:
        server.fault("/whl/*", late(30.0), times=None)
        situation = about(server)
        surroundings = read_surroundings(situation.host, situation.layout.config)
        catalog = read_mirrors(manifests_folder() / "catalog")
        wanted = list(network.places(situation, surroundings, catalog))
        heard, _ = network.probed(situation.host, surroundings, catalog, wanted, seconds=1.0)
    silent = [host for _, host in heard if host.answer == "silent"]
    assert [host.what for host in silent] == ["the index of PyTorch"]
    assert "look-up of its name" in str(silent[0].why)


@pytest.mark.parametrize(("off", "level"), [
    (timedelta(seconds=20), "ok"), (timedelta(minutes=-20), "warning"), (timedelta(days=400), "error"),
])  # fmt: skip
def test_the_clock_is_compared_with_the_hosts(
    off: timedelta, level: str, world: World, about: Callable[..., Situation]
) -> None:
    with Upstream(world) as server:
        told = entries(network.look, about(server, off))
    entry = told["clock-right" if level == "ok" else "clock-off"]
    assert entry.level == level
    assert abs(int(str(entry.text).split()[-2]) - off.total_seconds()) < 10


def test_a_cache_on_the_way_is_no_proof_of_a_wrong_clock(world: World, about: Callable[..., Situation]) -> None:
    with Upstream(world) as server:
        world.age = str(3 * 3600)
        assert "clock-right" in entries(network.look, about(server, timedelta(hours=3)))
        world.age = None
        assert "clock-off" in entries(network.look, about(server, timedelta(hours=3)))


def test_one_host_with_a_right_clock_is_enough() -> None:
    (entry,) = network.clock(NOW, [NOW - timedelta(days=3), NOW])
    assert entry.level == "ok"
    assert list(network.clock(NOW, [])) == []


@pytest.mark.parametrize(("token", "id"), [
    (None, "hub-token-missing"), ("hf_wrong", "hub-token-refused"), (TOKEN, "hub-token-fits"),
])  # fmt: skip
def test_a_gated_model_wants_a_token(token: str | None, id: str, world: World, about: Callable[..., Situation]) -> None:
    world.gated = True
    with Upstream(world) as server:
        settings = {"HF_TOKEN": token} if token else {}
        told = entries(hub.look, about(server, **settings))
    assert set(told) == {id}
    assert token is None or token not in json.dumps([str(told[id].text), str(told[id].hint), *told[id].evidence])


def test_a_token_in_a_file_counts_and_is_named_by_its_place(world: World, about: Callable[..., Situation]) -> None:
    world.gated = True
    with Upstream(world) as server:
        situation = about(server)
        place = Path(situation.layout.hub_cache).parent / "token"
        place.parent.mkdir(parents=True)
        place.write_text(f"{TOKEN}\n", encoding="utf-8")
        assert set(entries(hub.look, situation)) == {"hub-token-fits"}
        place.write_text("hf_old\n", encoding="utf-8")
        told = entries(hub.look, situation)["hub-token-refused"]
    assert str(place) in told.evidence[0]


def test_an_open_model_wants_none(world: World, about: Callable[..., Situation]) -> None:
    with Upstream(world) as server:
        assert entries(hub.look, about(server)) == {}


def test_offline_variables_are_told(tmp_path: Path) -> None:
    assert set(entries(hub.offline, here(tmp_path, HF_HUB_OFFLINE="1"))) == {"hub-offline"}
    assert entries(hub.offline, here(tmp_path, HF_HUB_OFFLINE="0")) == {}


def with_settings(situation: Situation, **settings: str) -> Situation:
    host = replace(situation.host, environment={**situation.host.environment, **settings})
    return replace(situation, host=host)


def test_hosts_that_can_t_be_asked_because_of_the_certificates_are_silent_with_the_reason(
    world: World, about: Callable[..., Situation], tmp_path: Path
) -> None:
    with Upstream(world) as server:
        situation = with_settings(about(server), SSL_CERT_FILE=str(tmp_path / "absent.pem"))
        told = entries(network.look, situation)
    assert "certificate file" in str(told["host-silent"].cause)
    assert entries(hub.look, situation) == {}


def test_certificates_that_are_not_there_or_none(tmp_path: Path) -> None:
    fine, broken = Path(certifi.where()), tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n", encoding="utf-8")
    assert entries(proxy.look, here(tmp_path, SSL_CERT_FILE=str(fine))) == {}
    for bad in (broken, tmp_path / "absent.pem"):
        told = entries(proxy.look, with_settings(here(tmp_path), SSL_CERT_FILE=str(bad), REQUESTS_CA_BUNDLE=str(bad)))
        assert told["ca-file-unusable"].commands == ("unset SSL_CERT_FILE", "unset REQUESTS_CA_BUNDLE")


@pytest.mark.parametrize(("settings", "id"), [
    ({"HTTPS_PROXY": "socks5://proxy.example:1080"}, "proxy-unusable"),
    ({"HTTPS_PROXY": "http://proxy.example:port"}, "proxy-unusable"),
    ({"HTTPS_PROXY": "http://user:secret@one.example:1", "https_proxy": "http://two.example:2"}, "proxy-differs"),
    ({"HTTPS_PROXY": "http://proxy.example:3128"}, None),
])  # fmt: skip
def test_proxies_that_can_be_no_proxies(settings: dict[str, str], id: str | None, tmp_path: Path) -> None:
    told = entries(proxy.look, here(tmp_path, **settings))
    assert set(told) == ({id} if id else set())
    assert "secret" not in json.dumps([[str(e.text), *e.evidence] for e in told.values()])
