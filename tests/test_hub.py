"""The hub: a revision becomes a commit with hashes, the right bytes arrive, and no token goes astray."""

import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from setup_llm_dev.documents.lock import HubModelLock, ModelFile
from setup_llm_dev.documents.lock_values import wanted
from setup_llm_dev.errors import Corrupt, Refused, SetupError, SystemRefused, Unreachable
from setup_llm_dev.host.hubs.hub import Hub as HubClient
from setup_llm_dev.host.world import Host
from setup_llm_dev.steps.model import FetchHubModel
from setup_llm_dev.steps.step import Satisfied, Unsatisfied, silent
from tests.ground import scratch_host
from tests.upstream.acts import cut, flip, login_page, rate_limited, status
from tests.upstream.hub import Hub

TOKEN = "hf_CANARYcanaryCANARYcanary0123456789"
WEIGHTS = os.urandom(200_000)
FILES: dict[str, bytes] = {
    "model.safetensors": WEIGHTS,
    "config.json": b'{"model_type": "bert"}',
    "tokenizer.json": b"{}" + b" " * 3000,
    "vocab.txt": b"a\nb\n",
    "pytorch_model.bin": b"pickle",
    "modeling_evil.py": b"raise SystemExit",
    "onnx/model.safetensors": b"other",
    "README.md": b"# model",
    "pytorch_model.bin.index.json": b"{}",
}
TAKEN = {"model.safetensors", "config.json", "tokenizer.json", "vocab.txt"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    repositories = {
        "org/model": FILES,
        "org/gated": FILES,
        "org/private": FILES,
        "org/pickle": {"pytorch_model.bin": b"x"},
    }
    with Hub(repositories, gated=["org/gated"], private=["org/private"], tokens=[TOKEN], large=100_000) as running:
        yield running


def host_in(home: Path, **environment: str) -> Host:
    return scratch_host(home / "home", {"HF_HUB_ETAG_TIMEOUT": "2", "HF_HUB_DOWNLOAD_TIMEOUT": "2", **environment})


def client(hub: Hub, home: Path, **environment: str) -> HubClient:
    return HubClient(host_in(home, **environment), hub.url, home / "hf" / "hub")


def locked(hub: Hub, repository: str = "org/model") -> HubModelLock:
    """What `resolve` answers (the first test says so), without the second that asking takes."""
    commit = hub.repositories[repository].at("main")
    assert commit is not None
    every = tuple(
        ModelFile(path=f.path, size=f.size, sha256=f.sha256 if f.large else None, git_sha1=f.oid)
        for f in commit.files.values()
    )
    return HubModelLock(
        source=f"hf:{repository}",
        repository=repository,
        revision="main",
        commit=commit.id,
        endpoint=hub.url,
        files=tuple(file for file in every if file.path in TAKEN),
        unfetched=tuple(file for file in every if file.path not in TAKEN),
        unfetched_known=True,
    )


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the model already; copied, not shared."""
    home = tmp_path_factory.mktemp("warm")
    with Hub({"org/model": FILES}, large=100_000) as hub:
        step(locked(hub), home).apply(host_in(home, HF_ENDPOINT=hub.url), silent)
    return home / "hf"


def step(model: HubModelLock, home: Path) -> FetchHubModel:
    return FetchHubModel(model, home / "hf" / "hub", home / "proof.json", home / "config")


# resolving ------------------------------------------------------------------------------------------------


def test_a_revision_becomes_a_commit_and_the_files_that_are_data(hub: Hub, tmp_path: Path) -> None:
    model = client(hub, tmp_path).resolve("org/model", "main")
    assert model.commit == hub.commit("org/model")
    assert {file.path: file.size for file in model.files} == {name: len(FILES[name]) for name in TAKEN}
    assert {file.path for file in model.files if file.sha256} == {"model.safetensors"}
    assert set(model.files) == set(locked(hub).files)
    assert set(model.unfetched) == set(locked(hub).unfetched)
    empty = {"files": (), "unfetched": ()}
    assert msgspec.structs.replace(model, **empty) == msgspec.structs.replace(locked(hub), **empty)
    assert not hub.cdn.log


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("model.safetensors", True),
        ("model-00001-of-00002.safetensors", True),
        ("model.safetensors.index.json", True),
        ("config.json", True),
        ("chat_template.jinja", True),
        ("spiece.model", True),
        ("pytorch_model.bin", False),
        ("pytorch_model.bin.index.json", False),
        ("modeling.py", False),
        ("onnx/model.safetensors", False),
        ("../config.json", False),
        (".hidden.json", False),
        ("LICENSE.txt", False),
        ("model.safetensors.exe", False),
    ],
)
def test_what_is_wanted(path: str, answer: bool) -> None:
    assert wanted(path) is answer


def test_each_no_of_the_hub_has_its_own_words(hub: Hub, tmp_path: Path) -> None:
    said = {}
    for name, repository, revision in (
        ("missing", "org/nothing", "main"),
        ("private", "org/private", "main"),
        ("revision", "org/model", "no-such-branch"),
    ):
        with pytest.raises(Unreachable) as error:
            client(hub, tmp_path).resolve(repository, revision)
        said[name] = str(error.value)
        assert error.value.status in (401, 404), "the hub did answer, so no fallback is taken"
        assert error.value.hint is not None
    assert "org/nothing" in said["missing"]
    assert "private" in said["private"]
    assert "no-such-branch" in said["revision"]
    with pytest.raises(Refused) as refused:
        client(hub, tmp_path).resolve("org/pickle", "main")
    assert "safetensors" in str(refused.value)


def test_a_gated_model_says_where_to_accept_and_opens_with_a_token(hub: Hub, tmp_path: Path) -> None:
    model = locked(hub, "org/gated")
    one = client(hub, tmp_path)
    for ask in (lambda: one.resolve("org/gated", "main"), lambda: one.download(model)):
        with pytest.raises(Unreachable) as error:
            ask()
        assert "gated" in str(error.value)
        assert f"{hub.url}/org/gated" in str(error.value.hint)
    folder = client(hub, tmp_path, HF_TOKEN=TOKEN).download(model)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS


def test_a_token_that_is_no_good_says_where_to_make_a_new_one(hub: Hub, tmp_path: Path) -> None:
    one = client(hub, tmp_path, HF_TOKEN="hf_expired")
    for ask in (lambda: one.resolve("org/model", "main"), lambda: one.download(locked(hub))):
        with pytest.raises(Unreachable) as error:
            ask()
        assert "does not accept the token" in str(error.value)
        assert f"{hub.url}/settings/tokens" in str(error.value.hint)


def test_a_hub_that_wants_a_pause_is_understood(hub: Hub, tmp_path: Path) -> None:
    hub.fault("*/resolve/*", rate_limited(3600), times=None)
    with pytest.raises(Unreachable) as error:
        client(hub, tmp_path).download(locked(hub))
    assert error.value.status == 429
    assert "pause" in str(error.value)
    assert "HF_TOKEN" in str(error.value.hint)


def test_nobody_at_home_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as error:
        HubClient(host_in(tmp_path), "http://127.0.0.1:9", tmp_path / "hub").resolve("org/model", "main")
    assert error.value.status is None
    assert "http://127.0.0.1:9" in str(error.value)
    assert "HF_ENDPOINT" in str(error.value.hint)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, with its key beside it."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl(1) to make a certificate")
    place = tmp_path_factory.mktemp("authority") / "cert.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
             "-addext", "keyUsage=critical,keyCertSign,digitalSignature",
             "-keyout", str(place.with_name("key.pem")), "-out", str(place)]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True)
    return place


@pytest.fixture
def secure_hub(hub: Hub, authority: Path) -> str:
    """The address of the hub, which speaks TLS from now on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, authority.with_name("key.pem"))
    listener = hub.origin._listener
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    return hub.url.replace("http:", "https:")


def test_a_hub_of_an_authority_that_is_not_known_is_named_with_what_to_set(secure_hub: str, tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as error:
        HubClient(host_in(tmp_path), secure_hub, tmp_path / "hub").resolve("org/model", "main")
    assert str(error.value) == f"the certificate of 127.0.0.1 is not trusted here ({secure_hub})"
    assert "SSL_CERT_FILE" in str(error.value.hint)
    assert error.value.status is None, "nobody answered, so the fallback may stand in"


def test_a_hub_of_an_authority_that_the_user_named(hub: Hub, secure_hub: str, authority: Path, tmp_path: Path) -> None:
    host = host_in(tmp_path, SSL_CERT_FILE=str(authority))
    model = HubClient(host, secure_hub, tmp_path / "hub").resolve("org/model", "main")
    assert model.commit == hub.commit("org/model")


@pytest.mark.skipif(sys.platform != "linux", reason="a folder of certificates is a store of OpenSSL's alone")
def test_a_hub_of_an_authority_in_the_store(hub: Hub, secure_hub: str, authority: Path, tmp_path: Path) -> None:
    done = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", authority], capture_output=True, text=True)
    (tmp_path / "store").mkdir()
    shutil.copy(authority, tmp_path / "store" / f"{done.stdout.strip()}.0")
    host = host_in(tmp_path, SSL_CERT_DIR=str(tmp_path / "store"))
    assert HubClient(host, secure_hub, tmp_path / "hub").resolve("org/model", "main").commit == hub.commit("org/model")


@pytest.mark.parametrize(("named", "package"), [({}, "truststore"), ({"SSL_CERT_FILE": "cert.pem"}, "ssl")])
def test_the_client_of_huggingface_hub_has_the_certificates_of_the_system(
    authority: Path, named: dict[str, str], package: str
) -> None:
    """Its default ones depend on its release: certifi's once, those of OpenSSL's folders now."""
    code = (
        "from setup_llm_dev.host.hubs.child import use_system_certificates\n"
        "use_system_certificates()\n"
        "from huggingface_hub.utils import get_session\n"
        "print(type(get_session()._transport._pool._ssl_context).__module__)\n"
    )
    environment = {"PATH": os.defpath} | {name: str(authority.with_name(file)) for name, file in named.items()}
    done = subprocess.run([sys.executable, "-I", "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.partition(".")[0].strip() == package, done.stderr


def test_a_log_in_page_is_no_model(hub: Hub, tmp_path: Path) -> None:
    hub.fault("*", login_page(), times=None)
    with pytest.raises(Unreachable) as error:
        client(hub, tmp_path).resolve("org/model", "main")
    assert error.value.exit_code == 4
    assert "Traceback" not in str(error.value)


def test_a_password_in_the_endpoint_is_not_kept(hub: Hub, tmp_path: Path) -> None:
    endpoint = hub.url.replace("://", "://user:canarypw8@")
    try:
        shown = str(HubClient(host_in(tmp_path), endpoint, tmp_path / "hub").resolve("org/model", "main"))
    except SetupError as error:
        shown = f"{error} {error.hint} {getattr(error, 'url', '')}"
    assert "canarypw8" not in shown


# getting --------------------------------------------------------------------------------------------------


def test_the_files_arrive_in_the_users_cache_and_nothing_else_does(hub: Hub, tmp_path: Path) -> None:
    model = locked(hub)
    fetch = step(model, tmp_path)
    host = host_in(tmp_path, HF_ENDPOINT=hub.url)
    assert isinstance(fetch.check(host), Unsatisfied)
    told: list[tuple[float | None, float | None]] = []
    fetch.apply(host, lambda done, total, unit, text: told.append((done, total)))
    assert isinstance(fetch.check(host), Satisfied)
    assert set(os.listdir(fetch.folder)) == TAKEN
    assert told[-1][0] == told[-1][1] == model.size
    before = len(hub.log)
    assert isinstance(fetch.check(host), Satisfied)
    assert len(hub.log) == before, "asking whether it is there asks nobody"


def test_the_librarys_own_tools_find_it_and_agree(hub: Hub, tmp_path: Path) -> None:
    """`hf cache verify`, the listing of the whole commit, and the ref: as if the stock client had been here."""
    fetch = step(locked(hub), tmp_path)
    fetch.apply(host_in(tmp_path, HF_ENDPOINT=hub.url), silent)
    text = (
        "from huggingface_hub import HfApi, get_cached_repo_tree, scan_cache_dir, snapshot_download\n"
        f"folder = snapshot_download('org/model', local_files_only=True, allow_patterns={sorted(TAKEN)})\n"
        f"assert folder == {str(fetch.folder)!r}, folder\n"
        f"assert {{f.path for f in get_cached_repo_tree('org/model')}} == {set(FILES)}\n"
        "told = HfApi().verify_repo_checksums('org/model')\n"
        f"assert told.checked_count == {len(TAKEN)} and not told.mismatches and not told.extra_paths, told\n"
        "assert not scan_cache_dir().warnings\n"
    )
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "hf").rglob("*.part")), "something was left behind"


def test_a_link_that_drops_every_three_megabytes_ends_well(tmp_path: Path) -> None:
    """The stock client keeps nothing of such an attempt, and gives up."""
    weights = os.urandom(20 << 20)
    with Hub({"org/model": {**FILES, "model.safetensors": weights}}, large=100_000) as hub:
        hub.cdn.fault("*", cut(3 << 20), times=None, method="GET")
        folder = client(hub, tmp_path).download(locked(hub))
        assert (folder / "model.safetensors").read_bytes() == weights
        assert hub.cdn.served() <= 2 * len(weights)


def test_one_bad_file_is_fetched_alone(hub: Hub, warm: Path, tmp_path: Path) -> None:
    fetch = step(locked(hub), tmp_path)
    shutil.copytree(warm, tmp_path / "hf", symlinks=True)
    flipped(Path(fetch.folder / "tokenizer.json").resolve())
    fetch.apply(host_in(tmp_path, HF_ENDPOINT=hub.url), silent)
    assert isinstance(fetch.check(host_in(tmp_path)), Satisfied)
    assert [x.path.rsplit("/", 1)[-1] for x in hub.log if x.sent] == ["tokenizer.json"]
    assert not hub.cdn.log


def test_a_branch_that_moves_does_not_move_us(hub: Hub, tmp_path: Path) -> None:
    model = locked(hub)
    hub.push("org/model", {**FILES, "config.json": b'{"model_type": "moved"}'})
    folder = client(hub, tmp_path).download(model)
    assert (folder / "config.json").read_bytes() == FILES["config.json"]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_flipped_byte_is_corrupt_thrown_away_and_healed_by_the_same_command(
    hub: Hub, tmp_path: Path, name: str
) -> None:
    fetch = step(locked(hub), tmp_path)
    host = host_in(tmp_path, HF_ENDPOINT=hub.url)
    server, pattern = (hub.cdn, "*") if name == "model.safetensors" else (hub.origin, f"*/resolve/*/{name}")
    server.fault(pattern, flip(1000), times=None, method="GET")
    with pytest.raises(Corrupt) as error:
        fetch.apply(host, silent)
    assert name in str(error.value)
    assert not os.path.lexists(fetch.folder / name), "wrong bytes are visible to nobody"
    hub.heal()
    fetch.apply(host, silent)
    assert isinstance(fetch.check(host), Satisfied)
    assert Path(fetch.folder / name).read_bytes() == FILES[name]


def truncated(place: Path) -> None:
    with place.open("r+b") as stream:
        stream.truncate(100)


def flipped(place: Path) -> None:
    data = place.read_bytes()
    place.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def a_folder(place: Path) -> None:
    place.unlink()
    place.mkdir()


def a_link(place: Path) -> None:
    """To a file of somebody's, which must not be removed in the course of the repair."""
    place.unlink()
    place.symlink_to(precious(place))


def precious(place: Path) -> Path:
    return place.parents[4] / "precious"


def a_snapshot_link(place: Path) -> None:
    """The link in the snapshot itself leads out of the cache."""
    (link,) = (p for p in place.parents[1].glob("snapshots/*/*") if p.resolve() == place)
    link.unlink()
    link.symlink_to(precious(place))


DAMAGES = [(d, "model.safetensors") for d in (truncated, flipped, a_folder, a_link, a_snapshot_link)]


@pytest.mark.parametrize(("damage", "name"), [*DAMAGES, (flipped, "config.json"), (a_link, "config.json")])
def test_a_cache_damaged_by_others_is_seen_and_healed(
    hub: Hub, warm: Path, tmp_path: Path, damage: Callable[[Path], None], name: str
) -> None:
    fetch = step(locked(hub), tmp_path)
    host = host_in(tmp_path, HF_ENDPOINT=hub.url)
    shutil.copytree(warm, tmp_path / "hf", symlinks=True)
    (tmp_path / "precious").write_text("somebody's")
    blob = Path(fetch.folder / name).resolve()
    assert precious(blob) == tmp_path / "precious"
    damage(blob)
    answer = fetch.check(host)
    assert isinstance(answer, Unsatisfied)
    assert name in str(answer.why)
    fetch.apply(host, silent)
    assert isinstance(fetch.check(host), Satisfied)
    assert Path(fetch.folder / name).read_bytes() == FILES[name]
    assert (tmp_path / "precious").read_text() == "somebody's"


def test_a_hub_that_goes_away_in_the_middle_is_4(hub: Hub, tmp_path: Path) -> None:
    model = locked(hub)
    hub.cdn.fault("*", status(403), times=None)
    with pytest.raises(Unreachable) as error:
        step(model, tmp_path).apply(host_in(tmp_path, HF_ENDPOINT=hub.url), silent)
    assert error.value.exit_code == 4


def test_a_hub_that_goes_away_after_resolving_is_unreachable_and_no_wrong_revision(hub: Hub, tmp_path: Path) -> None:
    one = client(hub, tmp_path)
    model = one.resolve("org/model", "main")
    hub.__exit__(None, None, None)
    with pytest.raises(Unreachable) as error:
        one.download(model)
    assert "no connection to 127.0.0.1" in str(error.value)
    assert error.value.status is None


def test_a_cache_that_can_not_be_written_is_6(hub: Hub, tmp_path: Path) -> None:
    model = locked(hub)
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the cache should be")
    with pytest.raises(SystemRefused) as error:
        HubClient(host_in(tmp_path), hub.url, blocked / "hub").download(model)
    assert str(blocked) in str(error.value)


def test_undo_leaves_the_users_cache_and_says_so(hub: Hub, warm: Path, tmp_path: Path) -> None:
    fetch = step(locked(hub), tmp_path)
    host = host_in(tmp_path)
    shutil.copytree(warm, tmp_path / "hf", symlinks=True)
    (tmp_path / "proof.json").write_text("{}")
    (said,) = FetchHubModel.from_record(fetch.record()).undo(host, {})
    assert str(fetch.folder) in str(said)
    assert set(os.listdir(fetch.folder)) == TAKEN
    assert not (tmp_path / "proof.json").exists()


# the token ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["variable", "file"])
def test_the_token_goes_to_its_host_alone(hub: Hub, tmp_path: Path, source: str) -> None:
    environment = {"HF_TOKEN": TOKEN} if source == "variable" else {}
    if source == "file":
        (tmp_path / "hf").mkdir()
        (tmp_path / "hf" / "token").write_text(TOKEN + "\n")
    one = client(hub, tmp_path, **environment)
    one.download(one.resolve("org/private", "main"))
    assert hub.origin.saw(TOKEN)
    assert hub.cdn.log
    assert not hub.cdn.saw(TOKEN)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_token_is_in_no_command_line_no_environment_and_no_file(hub: Hub, tmp_path: Path) -> None:
    seen: list[str] = []
    stop = threading.Event()
    ours = os.getpid()

    def watch() -> None:
        while not stop.wait(0.003):
            for pid in children(ours):
                for name in ("cmdline", "environ"):
                    try:
                        text = Path(f"/proc/{pid}/{name}").read_bytes()
                    except OSError:
                        continue
                    seen.append(name)
                    if TOKEN.encode() in text:
                        seen.append(f"leaked in {name}")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    one = client(hub, tmp_path, HF_TOKEN=TOKEN)
    one.download(one.resolve("org/private", "main"))
    stop.set()
    thread.join()
    assert {"cmdline", "environ"} == set(seen)
    kept = [p for p in tmp_path.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()]
    assert kept == []


def children(pid: int) -> list[str]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return done.stdout.split()


def test_a_token_is_in_no_error(hub: Hub, tmp_path: Path) -> None:
    for environment, repository in (({"HF_TOKEN": TOKEN}, "org/nothing"), ({"HF_TOKEN": TOKEN + "wrong"}, "org/model")):
        with pytest.raises(SetupError) as error:
            client(hub, tmp_path, **environment).resolve(repository, "main")
        assert "CANARY" not in f"{error.value} {error.value.hint} {getattr(error.value, 'url', '')}"
