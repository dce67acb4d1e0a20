"""Pinning PyCharm where mirrors were turned to because the maker is silent: nobody waits for the maker again."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setup_llm_dev.documents.catalog import read_catalog, read_table
from setup_llm_dev.documents.ide_catalog import IdeCatalog
from setup_llm_dev.documents.lock import ArchiveIdeLock, InstalledIdeLock, Lock
from setup_llm_dev.documents.machine import Ide, Machine
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.errors import Corrupt
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.installed_tree import InstalledTree
from setup_llm_dev.stages.ide import refuse_unlockable, settled
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.pin_ide import pin_ide
from setup_llm_dev.stages.request import Request
from setup_llm_dev.steps.ide_tree import UnpackedIde
from tests.ground import layout_in, scratch_host
from tests.test_lock_rules import ARCHIVE, lock_of
from tests.upstream.jetbrains import JetBrains
from tests.upstream.server import Upstream, files

FOLDER = manifests_folder() / "catalog"
CATALOG = read_table(FOLDER / "ides.toml", IdeCatalog)
KNOWN = CATALOG.ides[0]
CLOSED = "http://127.0.0.1:9"


class Road:
    """The proxy that every https address of the maker's is asked through: it counts who comes, and answers nothing."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.url = f"http://127.0.0.1:{server.getsockname()[1]}"

    @property
    def taken(self) -> bool:
        """Whether somebody came."""
        self._server.settimeout(0)
        try:
            self._server.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def road() -> Iterator[Road]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Road(server)


@pytest.fixture
def mirror() -> Iterator[Upstream]:
    name = next(file.name for file in KNOWN.files if file.platform == "linux_x86_64")
    with Upstream(files({f"/jb/python/{name}": b"bytes"})) as running:
        yield running


def request(home: Path, road: Road, surroundings: Surroundings, **changed: Any) -> Request:
    host = replace(
        scratch_host(home, {"HTTPS_PROXY": road.url, "NO_PROXY": "127.0.0.1"}),
        now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
    )
    given: dict[str, Any] = {"machine": Machine(os="linux", arch="x86_64"), **changed}
    return Request(
        host=host, recipe=Recipe(name="tiny"), recipe_digest="r", request_digest="o", layout=layout_in(home),
        models=read_catalog(FOLDER).models, surroundings=surroundings, say=lambda _: None, **given,
    )  # fmt: skip


def turned(mirror: str, **more: Any) -> Surroundings:
    chosen = frozenset({"jetbrains_downloads"})
    return Surroundings(**({"jetbrains_feed": f"{CLOSED}/x", "jetbrains_downloads": mirror, "chosen": chosen} | more))


def test_a_build_of_the_catalogue_that_a_mirror_has_is_taken_without_asking_the_maker(
    tmp_path: Path, road: Road, mirror: Upstream
) -> None:
    for surroundings in (turned(f"{mirror.url}/jb"), turned(f"{mirror.url}/jb", chosen=frozenset())):
        lock, gaps = pin_ide(request(tmp_path, road, surroundings), CATALOG)
        assert isinstance(lock, ArchiveIdeLock)
        assert (lock.version, gaps) == (KNOWN.version, ())
        assert not road.taken


def test_a_silent_maker_is_not_asked_where_no_mirror_has_it_either(tmp_path: Path, road: Road) -> None:
    lock, (gap,) = pin_ide(request(tmp_path, road, turned(CLOSED)), CATALOG)
    assert (lock, gap.what) == (None, "ide")
    assert not road.taken


def test_with_the_preset_cn_nobody_knows_that_the_maker_is_silent(tmp_path: Path, road: Road) -> None:
    lock, _ = pin_ide(request(tmp_path, road, turned(CLOSED, preset="cn")), CATALOG)
    assert lock is None
    assert road.taken


def test_a_silent_maker_is_not_asked_for_a_hash_that_is_known(tmp_path: Path, road: Road) -> None:
    with JetBrains() as jetbrains:
        jetbrains.publish(KNOWN.version, "1.2.3", {"linux": b"x"}, date="2026-10-20")
        surroundings = turned(CLOSED, jetbrains_feed=jetbrains.feed_url)
        lock, _ = pin_ide(request(tmp_path, road, surroundings), CATALOG)
        assert isinstance(lock, ArchiveIdeLock)
        assert lock.evidence == "catalogue"
        assert not jetbrains.downloads.asked("*.sha256")


# a lock that takes up another IDE -------------------------------------------------------------------------


def undecided() -> Lock:
    """Made when the IDE was left out."""
    return msgspec.structs.replace(lock_of(ide=None), gaps=())


def test_facts_of_a_tree_that_say_what_no_lock_may_say_are_not_taken_up(tmp_path: Path, road: Road) -> None:
    layout = layout_in(tmp_path)
    Path(layout.ides).mkdir(parents=True)
    home = Path(layout.ides) / f"pycharm-{ARCHIVE.version}"
    ours = Machine(
        os="linux", arch="x86_64", ides=(Ide(name="PyCharm", kind="ours", home=str(home), version=ARCHIVE.version),)
    )
    wish = request(tmp_path, road, Surroundings(), machine=ours, with_ide=True)
    tree = InstalledTree((), (), ())
    for ide, taken in ((ARCHIVE, True), (msgspec.structs.replace(ARCHIVE, settings_name="../../x"), False)):
        facts = UnpackedIde(archive_sha256=ARCHIVE.sha256, version=ARCHIVE.version, launcher="x", tree=tree, ide=ide)
        home.with_name(f"{home.name}.json").write_bytes(msgspec.json.encode(facts))
        found = settled(wish, undecided(), Options()).ide
        assert isinstance(found, ArchiveIdeLock if taken else InstalledIdeLock)
        assert found.settings_name == "PyCharm2026.3"


def test_what_would_go_into_a_lock_goes_through_its_rules() -> None:
    refuse_unlockable(lock_of())
    with pytest.raises(Corrupt) as error:
        refuse_unlockable(lock_of(ide=msgspec.structs.replace(ARCHIVE, file_name="../x.tar.gz")))
    assert "ide.file_name" in str(error.value)
