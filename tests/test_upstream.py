"""The loopback servers of the tests, proved against the real clients: huggingface_hub, uv, and bare HTTP."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uv

from tests.upstream import acts
from tests.upstream.exchange import Request, Response
from tests.upstream.hub import Hub
from tests.upstream.index import Index, Section, flat, pytorch, simple
from tests.upstream.server import Upstream, files
from tests.upstream.wheels import Flaw, build_wheel, core_metadata, torch_wheel

BODY = bytes(range(256)) * 1024
SMALL = b'{"model_type": "bert"}'
WEIGHTS = hashlib.sha256(b"weights").digest() * 4096
MODEL = {"config.json": SMALL, "model.safetensors": WEIGHTS, "onnx/readme.txt": b"nothing here"}
TOKEN = "hf_CANARY_allowed"
OTHER = "hf_CANARY_other"


def ask(
    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    """One request on its own connection; header names come back in lower case, redirects are not followed."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
    try:
        connection.request(method, url.removeprefix(f"http://{address.netloc}"), body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def environment(home: Path, **extra: str) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.defpath, "LANG": "C.UTF-8", **extra}


# --- faults, seen by bare HTTP -----------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Upstream]:
    with Upstream(files({"/a.bin": BODY})) as running:
        yield running


def test_a_file_comes_whole_and_is_logged(server: Upstream) -> None:
    status, headers, body = ask(f"{server.url}/a.bin?x=1", headers={"X-Mine": "yes"})
    assert (status, headers["content-length"], body) == (200, str(len(BODY)), BODY)
    (exchange,) = server.log
    assert (exchange.method, exchange.path, exchange.request.query) == ("GET", "/a.bin", {"x": "1"})
    assert (exchange.status, exchange.sent, exchange.headers["x-mine"]) == (200, len(BODY), "yes")
    assert server.served("/a.*") == len(BODY)
    assert server.saw("yes")
    assert not server.saw("no such text")


def test_head_has_the_length_and_no_body(server: Upstream) -> None:
    status, headers, body = ask(f"{server.url}/a.bin", method="HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(BODY)), b"")
    assert server.served() == 0


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=100-", 206, 100, len(BODY)),
        ("bytes=0-9", 206, 0, 10),
        ("bytes=-5", 206, len(BODY) - 5, len(BODY)),
        ("bytes=5-99999999", 206, 5, len(BODY)),
        ("pages=1-2", 200, 0, len(BODY)),
    ],
)
def test_ranges(server: Upstream, asked: str, status: int, start: int, stop: int) -> None:
    answered, headers, body = ask(f"{server.url}/a.bin", headers={"Range": asked})
    assert (answered, body) == (status, BODY[start:stop])
    if status == 206:
        assert headers["content-range"] == f"bytes {start}-{stop - 1}/{len(BODY)}"


def test_a_range_past_the_end_is_416(server: Upstream) -> None:
    status, headers, body = ask(f"{server.url}/a.bin", headers={"Range": f"bytes={len(BODY)}-"})
    assert (status, headers["content-range"], body) == (416, f"bytes */{len(BODY)}", b"")


def test_if_range_with_another_etag_gives_the_whole_file() -> None:
    def answer(request: Request) -> Response:
        return Response(headers={"ETag": '"two"'}, body=BODY, ranges=True)

    with Upstream(answer) as server:
        same = ask(server.url + "/", headers={"Range": "bytes=9-", "If-Range": '"two"'})
        other = ask(server.url + "/", headers={"Range": "bytes=9-", "If-Range": '"one"'})
    assert (same[0], same[2]) == (206, BODY[9:])
    assert (other[0], other[2]) == (200, BODY)


def test_cut_announces_everything_and_stops_short(server: Upstream) -> None:
    server.fault("/a.bin", acts.cut(1000))
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(f"{server.url}/a.bin")
    assert (cut.value.partial, cut.value.expected) == (BODY[:1000], len(BODY) - 1000)
    assert server.served() == 1000
    assert ask(f"{server.url}/a.bin")[2] == BODY, "the act was for one request"


def test_cut_counts_from_the_start_of_a_range(server: Upstream) -> None:
    server.fault("/a.bin", acts.cut(1000))
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(f"{server.url}/a.bin", headers={"Range": "bytes=500-"})
    assert cut.value.partial == BODY[500:1500]


def test_reset_ends_with_rst(server: Upstream) -> None:
    server.fault("/a.bin", acts.cut(0, reset=True))
    with pytest.raises(ConnectionResetError):
        ask(f"{server.url}/a.bin")


def test_stall_sends_the_rest_only_when_the_silence_is_over(server: Upstream) -> None:
    server.fault("/a.bin", acts.stall(1000), acts.stall(1000, seconds=0.1))
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=0.5)
    connection.request("GET", "/a.bin")
    response = connection.getresponse()
    assert response.read(1000) == BODY[:1000]
    with pytest.raises(TimeoutError):
        response.read(1)
    response.close()
    connection.close()
    assert server.served() == 1000
    assert ask(f"{server.url}/a.bin")[2] == BODY


def test_flip_changes_one_byte_of_the_file_in_ranges_too(server: Upstream) -> None:
    server.fault("/a.bin", acts.flip(70_000), times=None)
    _, headers, body = ask(f"{server.url}/a.bin")
    assert headers["content-length"] == str(len(BODY))
    assert [i for i, (is_, was) in enumerate(zip(body, BODY, strict=True)) if is_ != was] == [70_000]
    part = ask(f"{server.url}/a.bin", headers={"Range": "bytes=69990-70009"})[2]
    assert [i for i, (is_, was) in enumerate(zip(part, BODY[69990:70010], strict=True)) if is_ != was] == [10]


def test_flip_of_a_file_on_disk(tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(BODY)
    with Upstream(files(tmp_path)) as server:
        server.fault("/b.bin", acts.flip(len(BODY) - 1))
        assert ask(f"{server.url}/b.bin")[2][-1] == BODY[-1] ^ 0xFF
        assert ask(f"{server.url}/%2e%2e/%2e%2e/etc/passwd")[0] == 404


def test_truncate_agrees_with_its_length_header(server: Upstream) -> None:
    server.fault("/a.bin", acts.truncate(1000))
    _, headers, body = ask(f"{server.url}/a.bin")
    assert (headers["content-length"], body) == ("1000", BODY[:1000])


def test_wrong_length_too_long_and_too_short(server: Upstream) -> None:
    server.fault("/a.bin", acts.wrong_length(len(BODY) + 7), acts.wrong_length(7))
    with pytest.raises(http.client.IncompleteRead) as long:
        ask(f"{server.url}/a.bin")
    assert (long.value.partial, long.value.expected) == (BODY, 7)
    assert ask(f"{server.url}/a.bin")[2] == BODY[:7]


def test_ignored_and_shifted_ranges(server: Upstream) -> None:
    server.fault("/a.bin", acts.ignore_range(), acts.wrong_offset(3))
    asked = {"Range": "bytes=100-"}
    assert ask(f"{server.url}/a.bin", headers=asked)[::2] == (200, BODY)
    status, headers, body = ask(f"{server.url}/a.bin", headers=asked)
    assert (status, body) == (206, BODY[103:])
    assert headers["content-range"].startswith("bytes 103-")


def test_redirect_to_another_origin(server: Upstream) -> None:
    with Upstream(files({"/there": b"moved"})) as other:
        server.fault("/a.bin", acts.redirect(f"{other.url}/there"))
        status, headers, _ = ask(f"{server.url}/a.bin")
        assert status == 302
        assert ask(headers["location"])[2] == b"moved"


def test_rate_limit_says_how_long_in_both_ways(server: Upstream) -> None:
    server.fault("/a.bin", acts.rate_limited(55))
    status, headers, _ = ask(f"{server.url}/a.bin")
    assert (status, headers["retry-after"], headers["ratelimit"]) == (429, "55", '"api";r=0;t=55')


def test_status_and_its_headers(server: Upstream) -> None:
    server.fault("/a.bin", acts.status(503, retry_after="2"))
    status, headers, body = ask(f"{server.url}/a.bin")
    assert (status, headers["retry-after"], body) == (503, "2", b"")


def test_login_page_comes_with_200(server: Upstream) -> None:
    server.fault("*", acts.login_page(), times=None)
    status, headers, body = ask(f"{server.url}/a.bin")
    assert (status, headers["content-type"], body) == (200, "text/html; charset=utf-8", acts.LOGIN_PAGE)


def test_gzip_nobody_asked_for(server: Upstream) -> None:
    server.fault("/a.bin", acts.gzipped())
    _, headers, body = ask(f"{server.url}/a.bin")
    assert (headers["content-encoding"], "content-length" in headers) == ("gzip", False)
    assert gzip.decompress(body) == BODY


def test_slow_and_late_change_nothing_but_time(server: Upstream) -> None:
    server.fault("/a.bin", acts.slow(4e6), acts.late(0.01))
    assert ask(f"{server.url}/a.bin")[2] == BODY
    assert ask(f"{server.url}/a.bin")[2] == BODY


def test_acts_are_used_up_in_order_by_path_and_method(server: Upstream) -> None:
    server.fault("/a.*", acts.status(500), times=2, method="GET")
    server.fault("/a.*", acts.status(502), acts.status(504))
    server.fault("/other", acts.status(418), times=None)
    assert ask(f"{server.url}/a.bin", method="HEAD")[0] == 502
    assert [ask(f"{server.url}/a.bin")[0] for _ in range(4)] == [500, 500, 504, 200]
    assert [ask(f"{server.url}/other")[0] for _ in range(3)] == [418] * 3
    server.heal()
    assert ask(f"{server.url}/other")[0] == 404


def test_a_stopped_server_answers_nobody_not_even_on_a_kept_connection() -> None:
    with Upstream(files({"/a": b"a"})) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/a")
        assert connection.getresponse().read() == b"a"
        connection.auto_open = 0
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        connection.request("GET", "/a")
        connection.getresponse()
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        ask(f"{server.url}/a")


# --- the hub -----------------------------------------------------------------------------------------------


@pytest.fixture
def hub() -> Iterator[Hub]:
    gated, private = ["org/gated"], ["org/private"]
    models = ("org/tiny", "single", "org/gated", "org/private", "datasets/org/rows")
    with Hub(dict.fromkeys(models, MODEL), gated=gated, private=private, tokens=[TOKEN], unlicensed=[OTHER]) as running:
        yield running


SNAPSHOT = """
import json, sys
from huggingface_hub import snapshot_download
try:
    folder = snapshot_download(**json.loads(sys.argv[1]))
except Exception as error:
    print(json.dumps({"error": type(error).__name__}))
else:
    print(json.dumps({"folder": folder}))
"""


def hugging_face(hub: Hub, home: Path, code: str, **arguments: object) -> dict[str, object]:
    """The JSON that code prints in a process of its own: the stock client reads its settings once."""
    surroundings = environment(
        home,
        HF_ENDPOINT=hub.url,
        HF_HOME=str(home / "hf"),
        HF_HUB_ETAG_TIMEOUT="5",
        HF_HUB_DISABLE_IMPLICIT_TOKEN="1",
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)], env=surroundings, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def folder_of(answer: dict[str, object]) -> Path:
    assert "folder" in answer, answer
    return Path(str(answer["folder"]))


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("repository", ["org/tiny", "single"])
def test_snapshot_download_fetches_a_repository(hub: Hub, tmp_path: Path, repository: str) -> None:
    answer = hugging_face(hub, tmp_path, SNAPSHOT, repo_id=repository)
    assert contents(folder_of(answer)) == MODEL
    assert folder_of(answer).name == hub.commit(repository)
    blobs = {p.name for p in (tmp_path / "hf/hub").glob("models--*/blobs/*")}
    assert hashlib.sha256(WEIGHTS).hexdigest() in blobs
    assert hashlib.sha1(b"blob %d\0" % len(SMALL) + SMALL).hexdigest() in blobs  # noqa: S324  git's own hash
    assert hub.cdn.served() == len(WEIGHTS)
    assert {x.status for x in hub.log} <= {200, 302}, "nothing that the client asks for is missing"
    assert len(hub.origin.asked("/api/agent-harnesses")) == 1


def test_the_stock_verifier_agrees_and_sees_a_flipped_byte(hub: Hub, tmp_path: Path) -> None:
    verify = """
import json, sys
from huggingface_hub import HfApi
print(json.dumps({"mismatches": len(HfApi().verify_repo_checksums("org/tiny").mismatches)}))
"""
    hugging_face(hub, tmp_path, SNAPSHOT, repo_id="org/tiny")
    assert hugging_face(hub, tmp_path, verify) == {"mismatches": 0}
    hub.cdn.fault("*", acts.flip(17))
    hugging_face(hub, tmp_path / "spoiled", SNAPSHOT, repo_id="org/tiny")
    assert hugging_face(hub, tmp_path / "spoiled", verify) == {"mismatches": 1}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"repo_id": "org/absent"}, "RepositoryNotFoundError"),
        ({"repo_id": "org/absent", "token": TOKEN}, "RepositoryNotFoundError"),
        ({"repo_id": "org/private"}, "RepositoryNotFoundError"),
        ({"repo_id": "org/tiny", "revision": "v9"}, "RevisionNotFoundError"),
        ({"repo_id": "org/gated"}, "GatedRepoError"),
        ({"repo_id": "org/gated", "token": OTHER}, "GatedRepoError"),
    ],
)
def test_refusals_raise_what_they_should(hub: Hub, tmp_path: Path, asked: dict[str, str], error: str) -> None:
    assert hugging_face(hub, tmp_path, SNAPSHOT, **asked) == {"error": error}


def test_a_missing_entry_and_a_bad_token(hub: Hub, tmp_path: Path) -> None:
    one_file = SNAPSHOT.replace("snapshot_download", "hf_hub_download")
    missing = hugging_face(hub, tmp_path, one_file, repo_id="org/tiny", filename="absent.bin")
    assert missing == {"error": "RemoteEntryNotFoundError"}
    bad = hugging_face(hub, tmp_path, one_file, repo_id="org/tiny", filename="config.json", token="hf_expired")
    assert bad["error"] in ("HfHubHTTPError", "LocalEntryNotFoundError")
    headers = {"Authorization": "Bearer hf_expired"}
    status, answer, _ = ask(f"{hub.url}/org/tiny/resolve/main/config.json", headers=headers)
    assert (status, answer["x-error-message"]) == (401, "Invalid credentials in Authorization header")


def test_an_allowed_token_opens_a_gated_repository_and_stays_on_its_origin(hub: Hub, tmp_path: Path) -> None:
    answer = hugging_face(hub, tmp_path, SNAPSHOT, repo_id="org/gated", token=TOKEN)
    assert contents(folder_of(answer)) == MODEL
    assert hub.origin.saw(TOKEN)
    assert hub.cdn.served() == len(WEIGHTS)
    assert not hub.cdn.saw(TOKEN)


def test_gated_is_401_to_strangers_and_403_to_the_unlicensed(hub: Hub) -> None:
    address = f"{hub.url}/org/gated/resolve/main/config.json"
    for headers, status in [({}, 401), ({"Authorization": f"Bearer {OTHER}"}, 403)]:
        answered, named, _ = ask(address, headers=headers, method="HEAD")
        assert (answered, named["x-error-code"]) == (status, "GatedRepo")
    assert ask(address, headers={"Authorization": f"Bearer {TOKEN}"})[2] == SMALL


def test_a_large_file_is_on_the_second_origin(hub: Hub) -> None:
    address = f"{hub.url}/org/tiny/resolve/main/model.safetensors"
    status, headers, _ = ask(address, method="HEAD")
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    assert (status, headers["x-linked-etag"], headers["x-linked-size"]) == (
        302,
        f'"{digest}"',
        str(len(WEIGHTS)),
    )
    assert headers["x-repo-commit"] == hub.commit("org/tiny")
    assert headers["location"].startswith(hub.cdn.url)
    assert ask(headers["location"], headers={"Range": "bytes=10-"})[::2] == (206, WEIGHTS[10:])
    assert ask(address, method="HEAD")[1]["location"] != headers["location"]


def test_a_tree_in_pages_lists_everything_once(tmp_path: Path) -> None:
    with Hub({"org/tiny": MODEL}, page=1) as hub:
        assert contents(folder_of(hugging_face(hub, tmp_path, SNAPSHOT, repo_id="org/tiny"))) == MODEL
        assert len(hub.origin.asked("/api/models/org/tiny/tree/*")) == 4  # three files and a folder


def test_tree_rows_carry_the_hashes(hub: Hub) -> None:
    rows = json.loads(ask(f"{hub.url}/api/models/org/tiny/tree/main?recursive=true")[2])
    assert [row["path"] for row in rows] == ["config.json", "model.safetensors", "onnx", "onnx/readme.txt"]
    assert rows[1]["lfs"]["oid"] == hashlib.sha256(WEIGHTS).hexdigest()
    top = json.loads(ask(f"{hub.url}/api/models/org/tiny/tree/main")[2])
    assert [row["path"] for row in top] == ["config.json", "model.safetensors", "onnx"]


def test_a_branch_that_moves_between_two_requests(hub: Hub, tmp_path: Path) -> None:
    before = hub.commit("org/tiny")
    move = acts.then(lambda: void(hub.push("org/tiny", {"config.json": b"{}"})))
    hub.fault("/api/models/org/tiny/revision/main", move)
    answer = hugging_face(hub, tmp_path, SNAPSHOT, repo_id="org/tiny")
    assert folder_of(answer).name == before != hub.commit("org/tiny")
    assert contents(folder_of(answer)) == MODEL


def void(_: object) -> None:
    """An effect has no value."""


def test_branches_tags_and_commit_ids(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_bytes(SMALL)
    with Hub({"m": {"main": tmp_path / "model", "v1": {"config.json": b"{}"}}}) as hub:
        old = hub.commit("m", "v1")
        assert len(old) == 40
        assert old != hub.commit("m")
        assert ask(f"{hub.url}/m/resolve/main/config.json")[2] == SMALL
        assert ask(f"{hub.url}/m/resolve/{old}/config.json")[2] == b"{}"
        assert json.loads(ask(f"{hub.url}/api/models/m/revision/v1")[2])["sha"] == old
    with Hub({"m": {"config.json": b"{}"}}) as again:
        assert again.commit("m") == old, "the same content has the same commit"


def test_the_other_endpoints(hub: Hub, tmp_path: Path) -> None:
    code = """
import json, sys
from huggingface_hub import HfApi
api = HfApi(token=json.loads(sys.argv[1])["token"])
paths = [row.path for row in api.get_paths_info("org/tiny", ["config.json", "onnx", "absent"])]
shas = api.model_info("org/tiny").sha, api.dataset_info("org/rows").sha
print(json.dumps({"name": api.whoami()["name"], "paths": paths, "shas": shas}))
"""
    answer = hugging_face(hub, tmp_path, code, token=TOKEN)
    sha = hub.commit("org/tiny")
    assert answer == {"name": "tester", "paths": ["config.json", "onnx"], "shas": [sha, sha]}
    assert ask(f"{hub.url}/api/whoami-v2")[0] == 401
    assert ask(f"{hub.url}/datasets/org/rows/resolve/main/config.json")[2] == SMALL


def test_the_stock_client_recovers_from_faults_of_both_origins(hub: Hub, tmp_path: Path) -> None:
    hub.fault("/api/models/org/tiny/tree/*", acts.rate_limited(0))
    hub.fault("/org/tiny/resolve/*/config.json", acts.cut(5), method="GET")
    hub.cdn.fault("*", acts.cut(1000))
    answer = hugging_face(hub, tmp_path, SNAPSHOT, repo_id="org/tiny")
    assert contents(folder_of(answer)) == MODEL
    assert [x.status for x in hub.origin.asked("/api/models/org/tiny/tree/*")] == [429, 200]


def test_the_stock_client_gives_up_on_a_reset(hub: Hub, tmp_path: Path) -> None:
    hub.cdn.fault("*", acts.cut(1000, reset=True))
    assert hugging_face(hub, tmp_path, SNAPSHOT, repo_id="org/tiny") == {"error": "ReadError"}


def test_xet_is_advertised_only_when_asked_for(hub: Hub) -> None:
    file = "/org/tiny/resolve/main/model.safetensors"
    assert "x-xet-hash" not in ask(hub.url + file, method="HEAD")[1]
    with Hub({"org/tiny": MODEL}, xet="http://127.0.0.1:9") as other:
        headers = ask(other.url + file, method="HEAD")[1]
        assert headers["x-xet-hash"]
        route = headers["link"].partition(">")[0].removeprefix("<")
        assert ask(route)[1]["x-xet-cas-url"] == "http://127.0.0.1:9"


# --- the index and its wheels ------------------------------------------------------------------------------


def run_uv(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    surroundings = environment(home, UV_CACHE_DIR=str(home / "uv"), UV_NO_PROGRESS="1", UV_HTTP_RETRIES="0")
    command = [uv.find_uv_bin(), *arguments, "--python", sys.executable]
    return subprocess.run(command, env=surroundings, cwd=home, capture_output=True, text=True)


def this_tag() -> str:
    """A tag that fits this interpreter on Linux, so that the tests run on each supported Python."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{python}-{python}-manylinux_2_17_{os.uname().machine}"


@pytest.fixture
def wheels(tmp_path: Path) -> dict[str, Path]:
    """A general index whose torch is the default build, and PyTorch's CPU index with the same version."""
    general, cpu = tmp_path / "general", tmp_path / "cpu"
    build_wheel(general, "typing-things", "4.0", requires_python=">=3.9")
    torch_wheel(general, "2.15.0", "cu130", labelled=False, tag=this_tag(), requires=["typing-things"])
    torch_wheel(cpu, "2.15.0", "cpu", tag=this_tag(), requires=["typing-things>=3"])
    torch_wheel(cpu, "2.14.1", "cpu", tag=this_tag(), requires=["typing-things>=3"])
    return {"general": general, "cpu": cpu}


PROJECT = """
[project]
name = "workspace"
version = "0"
dependencies = ["torch==2.15.0+cpu"]

[tool.uv.sources]
torch = {{ index = "torch" }}

[[tool.uv.index]]
name = "torch"
url = "{torch}"
explicit = true
{extra}

[[tool.uv.index]]
name = "general"
url = "{general}"
default = true
"""


@pytest.mark.parametrize("hashes", [True, False])
@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("layout", ["pytorch", "flat"])
def test_uv_locks_and_installs_from_an_explicit_index(
    wheels: dict[str, Path], tmp_path: Path, hashes: bool, metadata: bool, layout: str
) -> None:
    section: Section = pytorch(wheels["cpu"], "cpu", hashes=hashes, metadata=metadata)
    if layout == "flat":
        section = flat(wheels["cpu"], hashes=hashes)
    with Index(simple(wheels["general"]), section) as index:
        extra = 'format = "flat"' if layout == "flat" else ""
        addresses = {"torch": index.address(section.prefix), "general": index.address(), "extra": extra}
        (tmp_path / "pyproject.toml").write_text(PROJECT.format(**addresses))
        lock = run_uv(tmp_path, "pip", "compile", "pyproject.toml", "--generate-hashes", "--quiet")
        assert lock.returncode == 0, lock.stderr
        assert "torch==2.15.0+cpu" in lock.stdout
        assert "typing-things==4.0" in lock.stdout
        if not (layout == "flat" and hashes):  # there uv 0.13 writes no hash at all for the wheel
            (wheel,) = wheels["cpu"].glob("torch-2.15.0*.whl")
            assert hashlib.sha256(wheel.read_bytes()).hexdigest() in lock.stdout
        target = tmp_path / "target"
        done = run_uv(tmp_path, "pip", "install", "--target", str(target), "-r", "pyproject.toml")
        assert done.returncode == 0, done.stderr
        assert "'2.15.0+cpu'" in (target / "torch/version.py").read_text()
        if layout == "pytorch":
            asked = index.files.asked("/whl/cpu/torch-2.15.0+cpu-*.whl*")
            assert asked, "the wheel came from the second origin"
            assert all("%2B" in x.request.target for x in asked)
            assert any(x.path.endswith(".metadata") for x in asked) == metadata


def test_pages_in_pytorchs_layout(wheels: dict[str, Path]) -> None:
    with Index(pytorch(wheels["cpu"], "cpu")) as index:
        status, headers, body = ask(
            f"{index.url}/whl/cpu/torch/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
        )
        page = body.decode()
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert f'href="{index.files.url}/whl/cpu/torch-2.15.0%2Bcpu-' in page
        assert page.count("#sha256=") == 2
        assert page.count("data-core-metadata=") == page.count("data-dist-info-metadata=") == 2
        assert "requires-python" not in page
        assert ask(f"{index.url}/whl/cpu/torch")[:2][0] == 301
        assert ask(f"{index.url}/whl/cpu/absent/")[0] == 404
        assert '<a href="/whl/cpu/torch/">torch</a>' in ask(f"{index.url}/whl/cpu/")[2].decode()


def test_bare_pages_say_nothing_of_hashes(wheels: dict[str, Path]) -> None:
    with Index(simple(wheels["general"], hashes=False, metadata=False)) as index:
        page = ask(f"{index.address()}torch/")[2].decode()
        assert "sha256" not in page
        (wheel,) = wheels["general"].glob("torch-*.whl")
        assert ask(f"{index.address()}{wheel.name}.metadata")[0] == 404


def test_json_pages_by_accept(wheels: dict[str, Path]) -> None:
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    with Index(simple(wheels["general"])) as index:
        root = json.loads(ask(index.address(), headers=accept)[2])
        page = json.loads(ask(f"{index.address()}typing-things/", headers=accept)[2])
    assert [project["name"] for project in root["projects"]] == ["torch", "typing-things"]
    (row,) = page["files"]
    wheel = wheels["general"] / row["filename"]
    assert row["hashes"]["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert row["core-metadata"]["sha256"] == hashlib.sha256(core_metadata(wheel)).hexdigest()
    assert row["requires-python"] == ">=3.9"


def test_a_wheel_spoiled_on_the_way_is_refused(wheels: dict[str, Path], tmp_path: Path) -> None:
    with Index(simple(wheels["general"])) as index:
        index.fault("/simple/typing_things-*.whl", acts.flip(60), times=None, method="GET")
        options = ("--index-url", index.address(), "--target", str(tmp_path / "target"))
        done = run_uv(tmp_path, "pip", "install", *options, "typing-things")
        assert done.returncode != 0
        index.heal()
        done = run_uv(tmp_path, "pip", "install", *options, "typing-things")
        assert done.returncode == 0, done.stderr


def test_a_release_that_appears_later_is_listed(tmp_path: Path) -> None:
    build_wheel(tmp_path / "w", "thing", "1.0")
    with Index(simple(tmp_path / "w")) as index:
        build_wheel(tmp_path / "w", "thing", "1.1")
        assert "thing-1.1-py3-none-any.whl" in ask(f"{index.address()}thing/")[2].decode()


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("cpu", ("2.15.0+cpu", None, None)),
        ("cu130", ("2.15.0+cu130", "13.0", None)),
        ("rocm7.2", ("2.15.0+rocm7.2", None, "7.2")),
        (None, ("2.15.0", None, None)),
    ],
)
def test_stand_ins_for_torch_name_their_variant(
    tmp_path: Path, variant: str | None, expected: tuple[str, str | None, str | None]
) -> None:
    wheel = torch_wheel(tmp_path, "2.15.0", variant)
    facts: dict[str, object] = {}
    exec(zipfile.ZipFile(wheel).read("torch/version.py"), facts)  # noqa: S102  our own five lines
    assert (facts["__version__"], facts["cuda"], facts["hip"]) == expected
    assert wheel.name == f"torch-{expected[0]}-cp311-cp311-manylinux_2_28_x86_64.whl"


def test_the_same_input_gives_the_same_wheel(tmp_path: Path) -> None:
    one, two = (build_wheel(tmp_path / name, "thing", "1.0").read_bytes() for name in "ab")
    assert one == two


def recorded(wheel: Path) -> tuple[set[str], set[str], list[str]]:
    """Names in the archive, names with a hash in RECORD, names whose hash is wrong: read on our own."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        rows = archive.read(next(n for n in names if n.endswith("/RECORD"))).decode().splitlines()
        hashed = {row.split(",")[0]: row.split(",")[1] for row in rows if row.split(",")[1]}
        wrong = [
            name
            for name, told in hashed.items()
            if told.encode()
            != b"sha256=" + base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).rstrip(b"=")
        ]
    return set(names), set(hashed), wrong


@pytest.mark.parametrize("flaw", [None, "record-lies", "unrecorded-file", "escape", "dist-info-first"])
def test_each_flaw_is_the_only_one(tmp_path: Path, flaw: Flaw | None) -> None:
    wheel = build_wheel(tmp_path, "thing", "1.0", flaw=flaw)
    names, hashed, wrong = recorded(wheel)
    extra = {"thing-1.0.dist-info/RECORD"} | ({"stowaway.py"} if flaw == "unrecorded-file" else set())
    assert names - hashed == extra
    assert wrong == (["thing.py"] if flaw == "record-lies" else [])
    assert ("../escaped.py" in names) == (flaw == "escape")
    first = zipfile.ZipFile(wheel).namelist()[0]
    assert first.startswith("thing-1.0.dist-info/") == (flaw == "dist-info-first")


# --- by hand -----------------------------------------------------------------------------------------------


def wait_for(file: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 30
    while not file.exists():
        assert process.poll() is None, "the server ended before it wrote its port"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return file.read_text().strip()


@pytest.mark.parametrize(
    ("module", "options", "path"),
    [
        ("hub", ["--repository", "org/name={folder}"], "/org/name/resolve/main/config.json"),
        ("index", ["--simple", "{folder}", "--pytorch", "cpu={folder}"], "/whl/cpu/thing/"),
        ("index", ["--flat", "{folder}", "--no-hashes"], "/flat/"),
    ],
)
def test_each_server_stands_as_a_program(tmp_path: Path, module: str, options: list[str], path: str) -> None:
    folder = tmp_path / "content"
    build_wheel(folder, "thing", "1.0")
    (folder / "config.json").write_bytes(SMALL)
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", f"tests.upstream.{module}", "--port-file", str(port_file)]
    command += [option.format(folder=folder) for option in options]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL) as process:
        try:
            port = wait_for(port_file, process)
            assert ask(f"http://127.0.0.1:{port}{path}")[0] == 200
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
