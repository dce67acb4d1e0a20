"""A lock travels with a project: nothing that stands in one may lead out of our folders, and what is wrong is named."""

import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import msgspec
import pytest
import tomli_w

from setup_llm_dev.components.pycharm_install import ide_home, ide_settings
from setup_llm_dev.components.workspace import lock_text
from setup_llm_dev.documents import lock_rules
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import (
    ArchiveIdeLock,
    Gap,
    HubModelLock,
    IdeLock,
    InstalledIdeLock,
    Lock,
    ModelFile,
    ModelLock,
    ModelScopeModelLock,
    PackageModelLock,
    PackagesLock,
    PythonLock,
    TorchLock,
)
from setup_llm_dev.documents.pylock import locked_wheels
from setup_llm_dev.documents.recipe import digest
from setup_llm_dev.documents.transfer import Source, Wanted
from setup_llm_dev.errors import Corrupt, UsageError
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.hubs.cache import HubCache
from setup_llm_dev.host.transfer.store import Store
from setup_llm_dev.messages import message
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.stored_lock import read_lock, stored_lock
from setup_llm_dev.steps.ide_tree import read_facts
from setup_llm_dev.steps.large_wheels import from_store
from tests.ground import layout_in, scratch_host, small_recipe, this_machine

COMMIT, SHA1, SHA256 = "c" * 40, "1" * 40, "2" * 64
UP = "../../../../../victim"
HUB = HubModelLock(
    source="hf:org/model", repository="org/model", revision="main", commit=COMMIT, endpoint="https://hub.example",
    files=(ModelFile(path="model.safetensors", size=9, sha256=SHA256, git_sha1=SHA1, xet_hash=SHA256),
           ModelFile(path="config.json", size=2, git_sha1=SHA1)),
    unfetched=(ModelFile(path=".gitattributes", size=1, git_sha1=SHA1),
               ModelFile(path="onnx/übung 1:2.bin", size=1, git_sha1=SHA1)),
    unfetched_known=True, also=("modelscope:org/model",), learning_rate=3e-4,
)  # fmt: skip
PACKAGE = PackageModelLock(
    source="pypi:small-model", name="small-model", version="1.0", sha256=SHA256, size=5,
    url="file:///srv/wheels/small_model-1.0%2Bcpu-py3-none-any.whl",
)  # fmt: skip
SCOPED = ModelScopeModelLock(
    source="modelscope:org/model", repository="org/model", revision="master", endpoint="http://scope.example:8080",
    files=(ModelFile(path="model.safetensors", size=9, sha256=SHA256),), commits={"model.safetensors": COMMIT},
)  # fmt: skip
ARCHIVE = ArchiveIdeLock(
    version="2026.3.1", build="263.1.1", settings_name="PyCharm2026.3", file_name="pycharm-2026.3.1.tar.gz",
    url="https://download.example/python/pycharm-2026.3.1.tar.gz", sha256=SHA256, size=1,
)  # fmt: skip
GIVEN = msgspec.structs.replace(ARCHIVE, url="file:///home/ann/my%20own.tar.gz", file_name="my own.tar.gz",
                                evidence="user")  # fmt: skip
INSTALLED = InstalledIdeLock(version="2025.3", home="/opt/pycharm", settings_name="PyCharmCE2025.3")


def lock_of(model: ModelLock | None = HUB, ide: IdeLock | None = ARCHIVE) -> Lock:
    return Lock(
        created="2026-01-01", created_by="a test", recipe="tiny", recipe_digest=SHA256, request_digest="0" * 16,
        os="linux", arch="x86_64", python=PythonLock(version="3.12.3", platform="linux-x86_64"),
        torch=TorchLock(version="2.13.0+cpu", variant="cpu", index="/srv/wheels", why=message("a test"),
                        wanted="2.15.0+cpu"),
        packages=PackagesLock(pylock="pylock.tiny.toml", sha256=SHA256, count=1, download_bytes=0),
        model=model, ide=ide,
        gaps=(Gap(what="model", why=message("{a} and {b}", a="{x.y}", b=message("more")), url="https://h/x"),),
    )  # fmt: skip


def changed(lock: Lock, place: str, value: Any) -> str:
    """The lock as text, with another value at a place such as `model.files.0.path`."""
    plain: Any = tomllib.loads(lock_text(lock).decode())
    *way, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    target = plain
    for part in way:
        target = target[part]
    target[last] = value
    return tomli_w.dumps(plain)


@pytest.mark.parametrize("model", [HUB, PACKAGE, SCOPED, None])
@pytest.mark.parametrize("ide", [ARCHIVE, GIVEN, INSTALLED, None])
def test_what_we_write_is_read(model: ModelLock | None, ide: IdeLock | None) -> None:
    lock = lock_of(model, ide)
    assert read_lock(lock_text(lock).decode(), PurePath("lock")) == lock


HOSTILE: list[tuple[Lock, str, list[Any]]] = [
    (lock_of(), "recipe", [UP, "..", "", "a/b", "con"]),
    (lock_of(), "recipe_digest", ["x"]),
    (lock_of(), "request_digest", ["0" * 15, UP]),
    (lock_of(), "os", ["../x"]),
    (lock_of(), "arch", ["../x"]),
    (lock_of(), "python.version", ["3.12", "3.12.1/../x"]),
    (lock_of(), "python.platform", ["a/b", "a\nb"]),
    (lock_of(), "torch.version", ["2.13.0\n--hash", "", " 2.13.0"]),
    (lock_of(), "torch.variant", ["../x"]),
    (lock_of(), "torch.why.template", ["{a.__class__}", "{a!r}", "{:>99999999999}", "{", "{missing}"]),
    (lock_of(), "gaps.0.why.arguments.b.template", ["{a:>99999999999}"]),
    (lock_of(), "gaps.0.url", ["http://[", "http://h:99999999/"]),
    (lock_of(), "packages.pylock", [UP, "/etc/passwd", "README.md", "pylock..toml", "pylock.a/b.toml"]),
    (lock_of(), "packages.sha256", [UP, SHA256[1:], "A" * 64]),
    (lock_of(), "packages.count", [-1]),
    (lock_of(), "model.source", ["file:/x"]),
    (lock_of(), "model.repository", ["../x", "/x", "a/b/c", "a--b/c", "org\\model", ""]),
    (lock_of(), "model.revision", [UP, "/abs", "a//b", "a/.git", "a.lock", "-x", ""]),
    (lock_of(), "model.commit", [UP, "main", COMMIT[1:], COMMIT.upper(), ""]),
    (lock_of(), "model.endpoint", ["file:///etc", "hub", "https://", "http://a b/"]),
    (lock_of(), "model.also.0", ["modelscope:../x", "file:x", "org/model"]),
    (lock_of(), "model.learning_rate", [0.0, 1.0, -1.0, float("nan"), float("inf")]),
    (lock_of(), "model.files.1.path",
     [UP, "/etc/x.json", "a/b.json", "a\\b.json", "..", "c:x.json", "x\x1b.json", "con.json", ".x.json", "run.py",
      "pytorch_model.bin", "model.safetensors"]),
    (lock_of(), "model.files.1.size", [-1, 1 << 60]),
    (lock_of(), "model.files.1.git_sha1", [UP, SHA256, ""]),
    (lock_of(), "model.files.0.sha256", [UP, SHA1, ""]),
    (lock_of(), "model.files.0.xet_hash", [UP]),
    (lock_of(), "model.unfetched.1.path", [UP, "/x", "a/../../x", "a\\..\\x", "a//b", "C:/x", "a\nb"]),
    (lock_of(SCOPED), "model.commits.model*safetensors", [UP]),
    (lock_of(SCOPED), "model.repository", [UP]),
    (lock_of(SCOPED), "model.endpoint", ["ftp://x"]),
    (lock_of(PACKAGE), "model.name", [UP, "a b", ""]),
    (lock_of(PACKAGE), "model.version", ["x y"]),
    (lock_of(PACKAGE), "model.sha256", [UP]),
    (lock_of(PACKAGE), "model.size", [-5]),
    (lock_of(PACKAGE), "model.url",
     ["ssh://h/a-1-py3-none-any.whl", "file://server/share/a-1-py3-none-any.whl", "https://h/a.tar.gz",
      "https://h/..%2F..%2Fa-1-py3-none-any.whl"]),
    (lock_of(), "ide.version", [UP, "2026", "2026.3/../../x"]),
    (lock_of(), "ide.settings_name", ["../../victim", "/home/ann/victim", "", ".", "PyCharm", "PyCharm2026.3/x"]),
    (lock_of(), "ide.file_name", [UP + ".tar.gz", "x.exe", "a\x07.zip"]),
    (lock_of(), "ide.url",
     ["http://download.example/p.tar.gz", "file:///home/ann/x.tar.gz", "file://server/x.tar.gz", "/x.tar.gz", "smb://h/x"]),
    (lock_of(ide=GIVEN), "ide.url", ["file://server/x.tar.gz", "file:\\\\server\\x"]),
    (lock_of(), "ide.sha256", [UP, SHA1]),
    (lock_of(), "ide.size", [-1]),
    (lock_of(ide=INSTALLED), "ide.home", ["../x", "\\\\server\\share", "//server/share", "/opt/../home", "x", ""]),
    (lock_of(ide=INSTALLED), "ide.settings_name", ["../../victim"]),
    (lock_of(ide=INSTALLED), "ide.version", [UP]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lock", "place", "value"),
    [pytest.param(lock, place, value, id=f"{place}={str(value)[:30]!r}") for lock, place, all_ in HOSTILE
     for value in all_],
)  # fmt: skip
def test_what_leads_elsewhere_is_2_and_named(lock: Lock, place: str, value: Any) -> None:
    named = place.replace("*", ".")
    plain: Any = tomllib.loads(lock_text(lock).decode())
    if "*" in place:
        plain["model"]["commits"][named.split("commits.")[1]] = value
        text = tomli_w.dumps(plain)
    else:
        text = changed(lock, place, value)
    with pytest.raises(UsageError) as error:
        read_lock(text, PurePath("/w/setup-llm-dev.lock.toml"))
    first = place.split(".")[0]
    assert "/w/setup-llm-dev.lock.toml: " + first in str(error.value), str(error.value)
    assert "--upgrade" in str(error.value.hint)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("value", [["a"], {"arguments": {}}, {"template": 1}, {"template": "x", "arguments": 1}, 7,
                                   {"template": "{a}", "arguments": {"a": [1]}}])  # fmt: skip
def test_a_sentence_that_is_none_is_2(value: Any) -> None:
    with pytest.raises(UsageError, match="why"):
        read_lock(changed(lock_of(), "torch.why", value), PurePath("lock"))


def test_a_file_without_a_hash_is_2() -> None:
    bare = msgspec.structs.replace(HUB, files=(ModelFile(path="model.safetensors", size=1),))
    with pytest.raises(UsageError, match=r"model\.files\[0\]: has no hash"):
        read_lock(lock_text(lock_of(bare)).decode(), PurePath("lock"))


def test_brackets_without_end_are_2() -> None:
    with pytest.raises(UsageError):
        read_lock("a = " + "[" * 100_000, PurePath("lock"))


def test_every_value_that_is_text_or_a_number_has_a_rule() -> None:
    """Of a field that is added later it has to be said what it may be, or that it is only ever shown."""
    shown = {"schema", "created", "created_by", "why", "skipped", "sources", "unhashed", "index", "what", "command",
             "build", "evidence", "unfetched_known"}  # fmt: skip
    parts = {"python", "torch", "packages", "model", "ide", "gaps", "files", "unfetched"}
    for kind, rules in lock_rules._RULES.items():
        fields = {field.name for field in msgspec.structs.fields(kind)}
        assert fields - shown - parts == set(rules), kind


# an archive that is a file of this machine ----------------------------------------------------------------


def test_a_file_of_this_machine_is_an_archive_only_if_the_user_says_so(tmp_path: Path) -> None:
    host, layout, recipe, options = scratch_host(tmp_path), layout_in(tmp_path), small_recipe("tiny"), Options()
    pylock = "lock-version = '1.0'\n"
    workspace = Path(layout.workspace)
    workspace.mkdir(parents=True)
    (workspace / "pylock.tiny.toml").write_text(pylock)
    lock = lock_of(None, GIVEN)
    machine = this_machine()
    lock = msgspec.structs.replace(
        lock, recipe_digest=digest(recipe), request_digest=options.digest, os=machine.os, arch=machine.arch,
        packages=PackagesLock(pylock="pylock.tiny.toml", sha256=hashlib.sha256(pylock.encode()).hexdigest(), count=0),
    )  # fmt: skip
    recipe_parts = Options(parts=options.parts - {"model"})
    Path(layout.lock_file).write_bytes(lock_text(lock))
    said: list[Any] = []
    with pytest.raises(UsageError) as error:
        stored_lock(host, layout, recipe, recipe_parts, said.append)
    assert GIVEN.url in str(error.value)
    assert "--pycharm-archive" in str(error.value.hint)
    named = Options(parts=recipe_parts.parts, pycharm_archive=tmp_path / "x.tar.gz")
    assert stored_lock(host, layout, recipe, named, said.append) == (lock, pylock)
    left_out = Options(parts=recipe_parts.parts - {"ide"})
    assert stored_lock(host, layout, recipe, left_out, said.append) == (lock, pylock)
    assert read_facts(host, layout.ides / "pycharm-2026.3.1.json") is None


# should a value get past the rules all the same -----------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda cache: cache.snapshot,
        lambda cache: cache.shown(ModelFile(path=UP, size=0, git_sha1=SHA1)),
        lambda cache: cache.blob(ModelFile(path="a", size=0, git_sha1=UP)),
        lambda cache: cache.link(ModelFile(path=UP, size=0, git_sha1=SHA1)),
        lambda cache: cache.drop(ModelFile(path=UP, size=0, git_sha1=SHA1)),
        lambda cache: cache.write_ref(),
        lambda cache: cache.write_tree(),
    ],
)
def test_the_cache_leads_nowhere_else(tmp_path: Path, use: Callable[[HubCache], object]) -> None:
    model = msgspec.structs.replace(HUB, commit=UP, revision=UP)
    (tmp_path / "hub" / "models--org--model" / "snapshots").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Corrupt):
        use(HubCache(Files(), tmp_path / "hub", model))
    assert sorted(tmp_path.rglob("*")) == before


def test_the_cache_of_a_repository_is_one_folder(tmp_path: Path) -> None:
    with pytest.raises(Corrupt):
        _ = HubCache(Files(), tmp_path, msgspec.structs.replace(HUB, repository="a\\..\\..\\b")).repository


@pytest.mark.parametrize("hashes", [{"sha256": UP}, {"git_sha1": UP}, {"sha256": SHA1}, {"git_sha1": SHA256},
                                    {"sha256": SHA256, "git_sha1": UP}, {"sha256": "A" * 64}, {}])  # fmt: skip
def test_nothing_is_fetched_under_a_hash_that_is_none(hashes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="hash"):
        Wanted("x", (Source("http://127.0.0.1:1/"),), 1, **hashes)


def test_the_store_has_hashes_alone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sha256"):
        Store(Files(), tmp_path).place(UP)


def test_settings_and_program_are_one_name_below_their_folder(tmp_path: Path) -> None:
    layout: Layout = layout_in(tmp_path)
    assert ide_settings(ARCHIVE, tmp_path) == tmp_path / "PyCharm2026.3"
    for name in ("../x", "/x", "..", "", "PyCharm2026.3/../x"):
        with pytest.raises(UsageError):
            ide_settings(msgspec.structs.replace(INSTALLED, settings_name=name), tmp_path)
    with pytest.raises(UsageError):
        ide_home(msgspec.structs.replace(ARCHIVE, version="1/../../x"), layout)


# the lock of the packages ---------------------------------------------------------------------------------


def pylock(url: str, sha256: str = SHA256) -> str:
    return f"""lock-version = "1.0"
created-by = "somebody"
[[packages]]
name = "tiny"
version = "1.0"
wheels = [{{ url = "{url}", hashes = {{ sha256 = "{sha256}" }} }}]
"""


@pytest.mark.parametrize("url", [
    "https://h/..%2F..%2F..%2Ftiny-1.0-py3-none-any.whl", "https://h/x/..", "https://h/", "https://h/tiny.tar.gz",
    "https://h/tiny-1.0-py3-none-..%5Cany.whl", "https://h/tiny-1.0-py3-none-any.whl%00.whl", "https://h/a:-1-a-b-c.whl",
])  # fmt: skip
def test_a_wheels_address_ends_in_the_name_of_a_wheel(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="wheel"):
        locked_wheels(pylock(url))
    (sound,) = locked_wheels(pylock("https://h/p/tiny-1.0-1-py3-none-%61ny.whl?x=1#y"))
    assert sound.file_name == "tiny-1.0-1-py3-none-any.whl"


@pytest.mark.parametrize("sha256", [UP, SHA1, "A" * 64, ""])
def test_a_wheels_hash_is_one(sha256: str) -> None:
    with pytest.raises(UsageError, match="hex digits"):
        locked_wheels(pylock("https://h/tiny-1.0-py3-none-any.whl", sha256))


def test_wheels_of_the_store_stay_in_it(tmp_path: Path) -> None:
    text = pylock("https://h/tiny-1.0-py3-none-any.whl")
    host = scratch_host(tmp_path / "home")
    kept = Path(Store(host.files, tmp_path / "store").place(SHA256))
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"wheel")
    from_store(host, text, locked_wheels(text), tmp_path / "store", tmp_path)
    (link,) = (tmp_path / "store" / "wheels").rglob("*.whl")
    assert link.name == "tiny-1.0-py3-none-any.whl"
