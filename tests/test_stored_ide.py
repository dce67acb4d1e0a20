"""The PyCharm that a stored lock names, which anybody may have written, is held against what we know ourselves."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setup_llm_dev.documents.catalog import read_catalog, read_table
from setup_llm_dev.documents.ide_catalog import IdeCatalog
from setup_llm_dev.documents.lock import ArchiveIdeLock
from setup_llm_dev.documents.lock_rules import first_problem
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.errors import Corrupt, UsageError
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.installed_tree import InstalledTree
from setup_llm_dev.messages import Message
from setup_llm_dev.stages.ide import settled
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.request import Request
from setup_llm_dev.steps.ide_tree import UnpackedIde
from tests.ground import layout_in, scratch_host
from tests.test_lock_rules import lock_of
from tests.upstream.ide_archive import pycharm_archive

FOLDER = manifests_folder() / "catalog"
MODELS = read_catalog(FOLDER).models
CATALOG = read_table(FOLDER / "ides.toml", IdeCatalog)
KNOWN = CATALOG.ides[0]
FILE = KNOWN.hashed("linux_x86_64")
NONE = Surroundings()
OTHER = "a" * 64


def lock_of_known(**changed: Any) -> ArchiveIdeLock:
    assert FILE is not None
    assert FILE.sha256 is not None
    lock = ArchiveIdeLock(
        version=KNOWN.version, build=None, settings_name=f"PyCharm{KNOWN.major}", file_name=FILE.name,
        url=CATALOG.url(FILE), sha256=FILE.sha256, evidence="catalogue",
    )  # fmt: skip
    return msgspec.structs.replace(lock, **changed)


UNKNOWN = lock_of_known(
    version="2027.1", settings_name="PyCharm2027.1", url="https://download.jetbrains.com/python/pycharm-2027.1.tar.gz",
    file_name="pycharm-2027.1.tar.gz", sha256=OTHER, evidence="maker",
)  # fmt: skip


class Settling:
    """A run with a stored lock, in a scratch home; nobody can be reached."""

    def __init__(self, home: Path) -> None:
        self.said: list[Message] = []
        self.home = home
        self.layout = layout_in(home)

    def __call__(
        self, ide: ArchiveIdeLock, options: Options | None = None, surroundings: Surroundings = NONE
    ) -> ArchiveIdeLock | None:
        options = options or Options()
        request = Request(
            host=scratch_host(self.home), machine=Machine(os="linux", arch="x86_64"), recipe=Recipe(name="tiny"),
            recipe_digest="r", request_digest="o", layout=self.layout, models=MODELS, surroundings=surroundings,
            say=self.said.append, ide_archive=options.pycharm_archive, ide_sha256=options.pycharm_sha256,
        )  # fmt: skip
        found = settled(request, lock_of(None, ide), options).ide
        assert found is None or isinstance(found, ArchiveIdeLock)
        return found

    def unpacked(self, ide: ArchiveIdeLock) -> None:
        """As a run before wrote it down."""
        facts = UnpackedIde(
            archive_sha256=ide.sha256, version=ide.version, launcher="bin/pycharm", tree=InstalledTree((), (), ()),
            ide=ide,
        )  # fmt: skip
        place = Path(self.layout.ides) / f"pycharm-{ide.version}.json"
        place.parent.mkdir(parents=True)
        place.write_bytes(msgspec.json.encode(facts))


@pytest.fixture
def settle(tmp_path: Path) -> Settling:
    return Settling(tmp_path / "home")


def test_what_the_catalogue_knows_is_taken_without_a_word(settle: Settling) -> None:
    for evidence in ("catalogue", "maker"):
        lock = lock_of_known(evidence=evidence)
        assert settle(lock) == lock
    assert settle.said == []


@pytest.mark.parametrize("evidence", ["catalogue", "maker"])
@pytest.mark.parametrize("here", [False, True])
def test_a_hash_that_is_not_the_catalogues_is_5(settle: Settling, evidence: str, here: bool) -> None:
    lock = lock_of_known(sha256=OTHER, evidence=evidence)
    if here:
        settle.unpacked(lock)
    with pytest.raises(Corrupt) as error:
        settle(lock)
    assert OTHER in str(error.value)
    assert FILE is not None
    assert str(FILE.sha256) in str(error.value)


def test_a_release_of_one_product_is_not_taken_for_community(settle: Settling) -> None:
    with pytest.raises(Corrupt):
        settle(lock_of_known(sha256=OTHER, settings_name=f"PyCharmCE{KNOWN.major}"))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/python/pycharm-2027.1.tar.gz",
        "https://download.jetbrains.com.evil.example/pycharm-2027.1.tar.gz",
        "http://127.0.0.1:8000/pycharm-2027.1.tar.gz",
        "http://download.jetbrains.com/python/pycharm-2027.1.tar.gz",
        "https://user@evil.example/pycharm-2027.1.tar.gz",
    ],
)
@pytest.mark.parametrize("lock", [UNKNOWN, lock_of_known()], ids=["unknown", "known"])
def test_an_address_of_somebody_elses_is_2(settle: Settling, lock: ArchiveIdeLock, url: str) -> None:
    with pytest.raises(UsageError) as error:
        settle(msgspec.structs.replace(lock, url=url))
    assert "ide.url" in str(error.value)
    assert str(settle.layout.lock_file) in str(error.value)
    assert "--upgrade" in str(error.value.hint)


def test_an_address_on_a_configured_host_is_followed(settle: Settling) -> None:
    lock = msgspec.structs.replace(UNKNOWN, url="https://jb.company.example/python/pycharm-2027.1.tar.gz")
    for around in (
        Surroundings(jetbrains_feed="https://jb.company.example/products/releases"),
        Surroundings(jetbrains_downloads="https://jb.company.example/jb"),
    ):
        assert settle(lock, surroundings=around) == lock


def test_the_catalogues_word_is_not_taken_from_the_lock(settle: Settling) -> None:
    with pytest.raises(UsageError) as error:
        settle(msgspec.structs.replace(UNKNOWN, evidence="catalogue"))
    assert "ide.evidence" in str(error.value)


def test_the_locks_own_word_is_said_to_be_no_more(settle: Settling) -> None:
    assert settle(UNKNOWN) == UNKNOWN
    assert [str(one) for one in settle.said] == ["the hash of PyCharm 2027.1 is the lock's word alone"]


def test_what_was_unpacked_here_needs_no_address_any_more(settle: Settling) -> None:
    lock = msgspec.structs.replace(UNKNOWN, url="https://gone.example/pycharm-2027.1.tar.gz")
    settle.unpacked(lock)
    assert settle(lock) == lock
    assert settle.said == []


def test_a_user_vouches_for_files_alone() -> None:
    assert "evidence" in str(first_problem(lock_of_known(evidence="user")))
    assert first_problem(lock_of_known(evidence="user", url="file:///home/ann/pycharm.tar.gz")) is None


def test_the_lock_does_not_vouch_for_a_file_of_this_machine(settle: Settling, tmp_path: Path) -> None:
    """A hash that came with a project is none that somebody here has compared."""
    archive = tmp_path / "pycharm-2027.1.tar.gz"
    archive.write_bytes(pycharm_archive("2027.1", "271.1.1"))
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    lock = msgspec.structs.replace(UNKNOWN, url=archive.as_uri(), sha256=found, evidence="user")
    with pytest.raises(UsageError) as error:
        settle(lock, Options(pycharm_archive=archive))
    assert "nobody vouches" in str(error.value)
    assert settle(lock, Options(pycharm_archive=archive, pycharm_sha256=found)) == lock
    settle.unpacked(lock)
    assert settle(lock, Options(pycharm_archive=archive)) == lock
