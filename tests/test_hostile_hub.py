"""Hubs, mirrors, indexes and lists of releases that lie about names and hashes: nothing outside our folders changes."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setup_llm_dev.documents.feed import fitting
from setup_llm_dev.documents.ide_download import download
from setup_llm_dev.documents.lock import HubModelLock, ModelFile
from setup_llm_dev.errors import Corrupt, SetupError, Unreachable
from setup_llm_dev.host.hubs.hub import Hub
from setup_llm_dev.host.hubs.modelscope import ModelScope
from setup_llm_dev.host.ide.feed import releases
from setup_llm_dev.host.world import Host
from setup_llm_dev.stages.pylock import read_pylock
from setup_llm_dev.steps.model import FetchHubModel
from setup_llm_dev.steps.step import silent
from tests.ground import scratch_host
from tests.oracle import changes, manifest
from tests.upstream.exchange import Request, Response
from tests.upstream.jetbrains import JetBrains
from tests.upstream.server import Upstream

WEIGHTS, CONFIG = b"\x08\0\0\0\0\0\0\0{}      ", b'{"evil": 1}'
COMMIT = "a" * 40
LATER = date(2027, 1, 1)


def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def tree() -> list[dict[str, Any]]:
    lfs = {"oid": hashlib.sha256(WEIGHTS).hexdigest(), "size": len(WEIGHTS), "pointerSize": 100}
    return [
        {"type": "file", "oid": blob_id(CONFIG), "size": len(CONFIG), "path": "config.json"},
        {"type": "file", "oid": blob_id(b"x"), "size": len(WEIGHTS), "path": "model.safetensors", "lfs": lfs},
        {"type": "file", "oid": blob_id(b"y"), "size": 1, "path": "onnx/a.bin"},
    ]


@contextmanager
def hub(commit: object = COMMIT, rows: list[dict[str, Any]] | None = None) -> Iterator[Upstream]:
    """Tells what it is given; every file is one of two."""

    def answer(request: Request) -> Response:
        path = request.path
        if "/tree/" in path:
            return Response(headers={"Content-Type": "application/json"}, body=json.dumps(rows or tree()).encode())
        if path.startswith("/api/models/"):
            told = {"id": "org/model", "sha": commit, "siblings": []}
            return Response(headers={"Content-Type": "application/json"}, body=json.dumps(told).encode())
        body = CONFIG if path.endswith("config.json") else WEIGHTS
        return Response(headers={"X-Repo-Commit": COMMIT, "ETag": '"x"'}, body=body, ranges=True)

    with Upstream(answer) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's, with a folder and a file that a path with dots would reach, and a cache that is there already."""
    home = tmp_path / "home"
    (home / "thesis").mkdir(parents=True)
    (home / "thesis" / "config.json").write_text("my own")
    (home / "precious.txt").write_text("precious")
    (home / ".cache/huggingface/hub/models--org--model/blobs").mkdir(parents=True)
    (home / ".cache/huggingface/hub/models--org--model/snapshots").mkdir()
    return home


def fetched(home: Path, url: str, model: HubModelLock | None = None) -> None:
    """Resolve, unless that is done, and fetch, as a run does."""
    host, cache = _host(home, url), home / ".cache/huggingface/hub"
    lock = model or Hub(host, url, cache).resolve("org/model", "main")
    FetchHubModel(lock, cache, home / "proof.json", home / "config").apply(host, silent)


def _host(home: Path, url: str) -> Host:
    return scratch_host(home, {"HF_ENDPOINT": url, "HF_HUB_ETAG_TIMEOUT": "2"})


def test_a_hub_that_tells_the_truth_is_believed(home: Path) -> None:
    """The same hub as below: that the others are refused is not for another reason."""
    with hub() as running:
        fetched(home, running.url)
    snapshot = home / ".cache/huggingface/hub/models--org--model/snapshots" / COMMIT
    assert (snapshot / "config.json").read_bytes() == CONFIG
    assert (home / "thesis/config.json").read_text() == "my own"


def _file(number: int, **changed: Any) -> list[dict[str, Any]]:
    rows = tree()
    rows[number] |= changed
    return rows


LIES: dict[str, tuple[object, list[dict[str, Any]]]] = {
    "commit": ("../../../../../thesis", tree()),
    "commit, absolute": ("/etc", tree()),
    "commit, short": ("main", tree()),
    "no commit": (None, tree()),
    "blob": (COMMIT, _file(0, oid="../../../../../precious.txt")),
    "sha256": (COMMIT, _file(1, lfs={"oid": "../../../../../precious.txt", "size": 16, "pointerSize": 1})),
    "blob elsewhere": (COMMIT, _file(2, oid="../../../../../precious.txt")),
    "xet": (COMMIT, _file(1, xetHash="../x")),
    "backslash": (COMMIT, _file(0, path="..\\..\\thesis\\config.json")),
    "drive": (COMMIT, _file(0, path="c:config.json")),
    "reserved": (COMMIT, _file(0, path="con.json")),
    "steering": (COMMIT, _file(0, path="\x1b[2Jconfig.json")),
    "path elsewhere": (COMMIT, _file(2, path="onnx/../../../../precious.txt")),
    "twice": (COMMIT, [*tree(), tree()[0]]),
    "size": (COMMIT, _file(0, size=-1)),
    "size, a text": (COMMIT, _file(0, size="1")),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_hub_that_lies_about_names_is_refused_and_nothing_is_touched(home: Path, lie: str) -> None:
    before = manifest(home)
    with hub(*LIES[lie]) as running, pytest.raises(Unreachable) as error:
        fetched(home, running.url)
    assert "gave an answer that can't be right" in str(error.value), str(error.value)
    assert "\x1b" not in str(error.value)
    assert changes(before, manifest(home)) == []


@pytest.mark.parametrize("changed", [
    {"commit": "../../../../../thesis"},
    {"revision": "../../../../../../precious.txt"},
    {"repository": "a\\..\\..\\..\\thesis"},
    {"files": (ModelFile(path="../../../../../../thesis/config.json", size=len(CONFIG), git_sha1=blob_id(CONFIG)),)},
    {"files": (ModelFile(path="config.json", size=len(CONFIG), git_sha1="../../../../../precious.txt"),)},
])  # fmt: skip
def test_should_a_name_get_through_the_cache_refuses_it(home: Path, changed: dict[str, Any]) -> None:
    with hub() as running:
        sound = Hub(_host(home, running.url), running.url, home / ".cache/huggingface/hub").resolve("org/model", "main")
        with pytest.raises((Corrupt, ValueError)):  # the second is of `Wanted`, which is nearer to a bug of ours
            fetched(home, running.url, msgspec.structs.replace(sound, **changed))
    assert (home / "thesis/config.json").read_text() == "my own"
    assert not (home / "thesis/config.json").is_symlink()
    assert (home / "precious.txt").read_text() == "precious"
    assert sorted(path.name for path in (home / "thesis").iterdir()) == ["config.json"]
    assert not (home / "thesis.json").exists()


# ModelScope -----------------------------------------------------------------------------------------------


def scope(row: dict[str, Any]) -> Callable[[Request], Response]:
    weights = {"Path": "model.safetensors", "Size": len(WEIGHTS), "Sha256": hashlib.sha256(WEIGHTS).hexdigest(),
               "Revision": COMMIT, "Type": "blob"}  # fmt: skip
    sound = {"Path": "config.json", "Size": len(CONFIG), "Sha256": "0" * 64, "Revision": COMMIT, "Type": "blob"}
    told = {"Code": 200, "Success": True, "Data": {"Files": [weights, sound | row]}}
    return lambda _: Response(headers={"Content-Type": "application/json"}, body=json.dumps(told).encode())


@pytest.mark.parametrize("row", [
    {"Sha256": "../../../precious.txt"}, {"Sha256": "0" * 63}, {"Size": -1}, {"Path": "con.json"},
    {"Path": "model.safetensors"}, {"Size": 1 << 60},
])  # fmt: skip
def test_a_modelscope_that_lies_is_refused(home: Path, row: dict[str, Any]) -> None:
    before = manifest(home)
    with Upstream(scope(row)) as running, pytest.raises(SetupError) as error:
        ModelScope(scratch_host(home), running.url).resolve("org/model", "master")
    assert error.value.exit_code in (3, 4)
    assert changes(before, manifest(home)) == []


@pytest.mark.parametrize("row", [
    {"Path": "../../thesis/config.json"}, {"Path": "..\\thesis.json"}, {"Path": "/etc/x.json"}, {"Path": ".x.json"},
    {"Path": "a/../../b.json"}, {"Path": "c:x.json"}, {"Path": "x\x1b.json"},
])  # fmt: skip
def test_a_file_of_modelscope_that_leads_elsewhere_is_left_out(home: Path, row: dict[str, Any]) -> None:
    with Upstream(scope(row)) as running:
        lock = ModelScope(scratch_host(home), running.url).resolve("org/model", "master")
    assert [file.path for file in lock.files] == ["model.safetensors"]


@pytest.mark.parametrize("revision", ["../../x", "main", "", None, 7])
def test_a_commit_of_modelscope_that_is_none_is_not_used(home: Path, revision: object) -> None:
    with Upstream(scope({"Revision": revision})) as running:
        lock = ModelScope(scratch_host(home), running.url).resolve("org/model", "master")
    assert lock.commits == {"model.safetensors": COMMIT}


# indexes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["..%2F..%2Ftiny-1.0-py3-none-any.whl", "..%5Cx-1.0-py3-none-any.whl", "x", ".."])
def test_an_index_whose_wheels_lead_elsewhere_is_5(home: Path, name: str) -> None:
    text = (
        'lock-version = "1.0"\ncreated-by = "uv"\n[[packages]]\nname = "x"\nversion = "1.0"\n'
        f'wheels = [{{ url = "https://index.example/{name}", size = 1, hashes = {{ sha256 = "{"0" * 64}" }} }}]\n'
    )
    with pytest.raises(Corrupt):
        read_pylock(text, scratch_host(home))


# the list of releases -------------------------------------------------------------------------------------


def test_a_list_of_releases_can_name_no_folder_and_no_file_elsewhere(home: Path) -> None:
    with JetBrains() as jetbrains:
        row = jetbrains.archive("2026.4.1", "264.1.1")
        row["majorVersion"] = "../../victim"
        row["build"] = "../../x"
        other = jetbrains.archive("2026.5.1", "265.1.1")
        other["version"] = "2026.5.1/../../x"
        feed = releases(scratch_host(home), jetbrains.feed_url)
        (release,) = fitting(feed, "latest", LATER)[0]
        assert (release.settings_name, release.build, release.text) == ("PyCharm2026.4", None, "2026.4.1")
        for link in ("https://h/..%2F..%2Fx.tar.gz", "https://h/..", "https://h/.hidden", "https://h/a%00b", "x:\\y"):
            row["downloads"]["linux"]["link"] = link
            told = fitting(releases(scratch_host(home), jetbrains.feed_url), "latest", LATER)[0][0]
            with pytest.raises(Unreachable, match="link"):
                download(told, ("linux",), jetbrains.feed_url)
