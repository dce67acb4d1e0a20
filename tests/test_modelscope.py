"""ModelScope, read over real HTTP: what it lists, what is fetched of it, and what it says when it says no."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from setup_llm_dev.documents.codec import from_stored, to_stored
from setup_llm_dev.documents.lock import ModelScopeModelLock
from setup_llm_dev.documents.recipe_values import RULES
from setup_llm_dev.errors import Refused, SetupError, Unreachable
from setup_llm_dev.host.hubs.modelscope import ModelScope as Client
from setup_llm_dev.host.hubs.modelscope import sources_elsewhere, wanted_files
from setup_llm_dev.steps.modelscope import FetchModelScopeModel
from setup_llm_dev.steps.step import Satisfied, silent
from tests.ground import scratch_host
from tests.upstream.acts import login_page, status
from tests.upstream.exchange import Response
from tests.upstream.modelscope import ModelScope
from tests.upstream.repositories import Content
from tests.upstream.server import Upstream

NAME = "AI-ModelScope/bert-base-uncased"
TREE: dict[str, Content] = {
    "config.json": b'{"model_type": "bert"}',
    "configuration.json": b'{"framework": "pytorch"}',
    "model.safetensors": b"weights" * 1000,
    "pytorch_model.bin": b"a pickle",
    "README.md": b"# card",
    "train.py": b"print('no')",
    "onnx/model.json": b"{}",
    "vocab.txt": b"[PAD]\n",
}
Resolve = Callable[..., ModelScopeModelLock]


@pytest.fixture
def resolve(tmp_path: Path) -> Resolve:
    def resolving(server: ModelScope | Upstream, name: str = NAME, revision: str = "main") -> ModelScopeModelLock:
        return Client(scratch_host(tmp_path), server.url).resolve(name, revision)

    return resolving


def test_a_listing_becomes_a_lock_of_data_files_with_their_hashes(resolve: Resolve) -> None:
    with ModelScope({NAME: TREE}) as server:
        lock = resolve(server)
        commit = server.repositories[NAME].branches["master"]
    assert [file.path for file in lock.files] == ["config.json", "configuration.json", "model.safetensors", "vocab.txt"]
    for file in lock.files:
        content = TREE[file.path]
        assert isinstance(content, bytes)
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert lock.commits == {file.path: commit for file in lock.files}
    assert (lock.source, lock.revision, lock.endpoint) == (f"modelscope:{NAME}", "master", server.url)
    assert from_stored(to_stored(lock), ModelScopeModelLock) == lock


def test_the_digest_is_of_names_and_bytes_alone(resolve: Resolve) -> None:
    with ModelScope({NAME: TREE, "other/copy": TREE, "other/one": {**TREE, "vocab.txt": b"[UNK]\n"}}) as server:
        first = resolve(server)
        server.push(NAME, {**TREE, "README.md": b"new card"}, branch="new")
        assert resolve(server, revision="new").digest == first.digest
        assert resolve(server, "other/copy").digest == first.digest
        assert resolve(server, "other/one").digest != first.digest


def test_a_branch_a_tag_and_a_commit_can_be_named(resolve: Resolve) -> None:
    with ModelScope({NAME: TREE}) as server:
        commit = server.push(NAME, {**TREE, "vocab.txt": b"v2\n"}, branch="v1.0.0")
        assert resolve(server, revision="v1.0.0").files == resolve(server, revision=commit).files
        assert resolve(server, revision="v1.0.0").files != resolve(server).files


def test_the_addresses_give_the_bytes_first_at_a_commit_that_nobody_can_move(resolve: Resolve) -> None:
    with ModelScope({NAME: TREE}) as server:
        wanted = wanted_files(resolve(server))
        server.push(NAME, {**TREE, "vocab.txt": b"moved on\n"})
        for item in wanted:
            body = requests.get(item.sources[0].url, timeout=5).content
            assert hashlib.sha256(body).hexdigest() == item.sha256
            assert len(body) == item.size
        assert [parse_qs(urlsplit(s.url).query)["Revision"][0] for s in wanted[0].sources][1] == "master"
        assert all(source.token is None for item in wanted for source in item.sources)


def test_a_file_that_is_called_as_our_notes_are_is_fetched_like_any_other(resolve: Resolve, tmp_path: Path) -> None:
    own = {f"{name}.json": name.encode() for name in ("model", "manifest", "files")}
    host, folder = scratch_host(tmp_path), tmp_path / "m"
    with ModelScope({NAME: {**TREE, **own}}) as server:
        step = FetchModelScopeModel(resolve(server), folder, tmp_path / "partial", tmp_path / "config")
        step.apply(host, silent)
    assert isinstance(step.check(host), Satisfied)
    assert {name: (folder / name).read_bytes() for name in own} == own


def test_another_endpoint_can_carry_the_same_lock(resolve: Resolve) -> None:
    with ModelScope({NAME: TREE}) as server, ModelScope({NAME: TREE}) as mirror:
        lock = resolve(server)
        assert all(item.sources[0].url.startswith(mirror.url) for item in wanted_files(lock, mirror.url))


def test_the_same_model_of_another_hub_has_addresses_here() -> None:
    (source,) = sources_elsewhere((f"modelscope:{NAME}", "other:thing"), "vocab.txt", "https://scope.example")
    assert source.url == f"https://scope.example/api/v1/models/{NAME}/repo?Revision=master&FilePath=vocab.txt"


def test_a_name_that_a_file_system_could_read_otherwise_is_left_out(resolve: Resolve) -> None:
    with ModelScope({NAME: {**TREE, "..\\evil.json": b"{}", "-rf.json": b"{}", "a\nb.json": b"{}"}}) as server:
        paths = [file.path for file in resolve(server).files]
    assert paths == ["config.json", "configuration.json", "model.safetensors", "vocab.txt"]


def test_a_model_without_safetensors_is_refused(resolve: Resolve) -> None:
    with ModelScope({NAME: {"config.json": b"{}", "pytorch_model.bin": b"x"}}) as server, pytest.raises(Refused) as no:
        resolve(server)
    assert "safetensors" in str(no.value)


def answering(body: bytes) -> Upstream:
    return Upstream(lambda _: Response(headers={"Content-Type": "application/json"}, body=body))


@pytest.mark.parametrize("sha256", ["", "12ab", "z" * 64])
def test_a_file_without_a_hash_is_refused(resolve: Resolve, sha256: str) -> None:
    row = f'{{"Path": "model.safetensors", "Type": "blob", "Size": 3, "Sha256": "{sha256}"}}'
    with answering(f'{{"Code": 200, "Data": {{"Files": [{row}]}}}}'.encode()) as server, pytest.raises(Refused) as no:
        resolve(server)
    assert "no hash for model.safetensors" in str(no.value)


def test_a_hash_in_capitals_is_the_same_hash(resolve: Resolve) -> None:
    row = f'{{"Path": "model.safetensors", "Type": "blob", "Size": 3, "Sha256": "{"AB" * 32}"}}'
    with answering(f'{{"Code": 200, "Data": {{"Files": [{row}]}}}}'.encode()) as server:
        assert resolve(server).files[0].sha256 == "ab" * 32


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"Code": 500}', b'{"Code": 200, "Data": null}', b'{"Code": 200, "Data": {"Files": [{"Path": 3}]}}'],
)
def test_an_answer_that_is_no_listing_is_4(resolve: Resolve, body: bytes) -> None:
    with answering(body) as server, pytest.raises(Unreachable) as no:
        resolve(server)
    assert "no list of files" in str(no.value)


def said(resolve: Resolve, server: ModelScope, *words: str) -> tuple[str, int | None, str]:
    with pytest.raises(SetupError) as error:
        resolve(server, *words)
    assert isinstance(error.value, Unreachable)
    return str(error.value), error.value.status, str(error.value.hint)


def test_each_no_is_its_own_sentence_with_a_next_action(resolve: Resolve) -> None:
    with ModelScope({NAME: TREE, "shut/model": TREE}, closed=["shut/model"]) as server:
        heard = [
            said(resolve, server, "nobody/nothing"),
            said(resolve, server, NAME, "no-such-branch"),
            said(resolve, server, "shut/model"),
        ]
        server.fault("*/repo/files", status(429), times=None)
        heard.append(said(resolve, server))
        server.heal()
        server.fault("*", status(503), times=None)
        heard.append(said(resolve, server))
        server.heal()
        server.fault("*", login_page(), times=None)
        heard.append(said(resolve, server))
    assert [code for _, code, _ in heard] == [404, 404, 403, 429, 503, None]
    texts = [text for text, _, _ in heard]
    for text, part in zip(
        texts, ["no nobody/nothing", "no revision", "log in", "pause", "503", "no list"], strict=True
    ):
        assert part in text
    assert len({hint for _, _, hint in heard}) == len(heard)


def test_a_dead_host_is_4_without_a_status(resolve: Resolve) -> None:
    with ModelScope({NAME: TREE}) as server:
        pass
    assert said(resolve, server)[1] is None


@pytest.mark.parametrize("source", ["modelscope:AI-ModelScope/bert-base-uncased", "modelscope:Qwen/Qwen2.5-0.5B"])
def test_a_recipe_can_name_a_model_of_modelscope(source: str) -> None:
    assert RULES["model.source"](source) is None


@pytest.mark.parametrize("source", ["modelscope:bert", "modelscope:a/b/c", "modelscope:../x", "modelscope:", "ms:a/b"])
def test_what_is_no_model_of_modelscope_is_said_so(source: str) -> None:
    problem = RULES["model.source"](source)
    assert problem is not None
    assert "modelscope:OWNER/NAME" in str(problem)


def test_modelscope_is_no_fallback() -> None:
    assert RULES["model.fallback"]("modelscope:a/b") is not None


def test_the_server_answers_a_range_as_the_real_one_does() -> None:
    """Its own quirk, which the transfer engine must know: part of the bytes, and status 200."""
    with ModelScope({NAME: TREE}, partial_as_200=True) as server:
        url = f"{server.url}/api/v1/models/{NAME}/repo?Revision=master&FilePath=config.json"
        answer = requests.get(url, headers={"Range": "bytes=2-5"}, timeout=5)
    assert (answer.status_code, answer.headers["Content-Range"], answer.content) == (200, "bytes 2-5/22", b"mode")


def test_an_answer_nested_without_end_is_no_list(resolve: Resolve) -> None:
    with answering(b"[" * 100_000) as server, pytest.raises(Unreachable, match="no list of files"):
        resolve(server)
