"""Which PyCharm a run will have: one that was given, one that is here, or a release whose hash somebody vouches for."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setup_llm_dev.documents.catalog import read_catalog, read_table
from setup_llm_dev.documents.ide_catalog import IdeBuild, IdeCatalog, IdeFile
from setup_llm_dev.documents.lock import ArchiveIdeLock, Gap, IdeLock, InstalledIdeLock
from setup_llm_dev.documents.machine import Ide, Machine
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe import IdeWish, Recipe
from setup_llm_dev.errors import Corrupt, Refused, Unreachable, UsageError
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.messages import Message
from setup_llm_dev.stages.pin_ide import pin_ide
from setup_llm_dev.stages.request import Request
from tests.ground import layout_in, scratch_host
from tests.upstream.acts import Act, login_page, status
from tests.upstream.ide_archive import pycharm_archive
from tests.upstream.jetbrains import JetBrains
from tests.upstream.server import Upstream, files

FOLDER = manifests_folder() / "catalog"
MODELS = read_catalog(FOLDER).models
CATALOG = read_table(FOLDER / "ides.toml", IdeCatalog)
CLOSED = "http://127.0.0.1:9"
VERSION, BUILD = "2026.3.1", "263.8665.41"
KNOWN = CATALOG.ides[0]
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def jetbrains() -> Iterator[JetBrains]:
    with JetBrains() as running:
        running.publish("2026.2.4", "262.11111.1", {"linux": b"the archive of 2026.2.4"}, date="2026-10-20")
        running.publish(VERSION, BUILD, {"linux": b"the archive", "linuxARM64": b"the other"}, date="2026-11-10")
        yield running


class Asking:
    """One request, in a scratch home; whatever is https meets a closed proxy, so nothing leaves this machine."""

    def __init__(self, home: Path, feed: str) -> None:
        self.said: list[Message] = []
        self._home = home
        self._feed = feed

    def __call__(
        self,
        *,
        wish: IdeWish | None = None,
        machine: Machine | None = None,
        catalog: IdeCatalog = CATALOG,
        mirror: str | None = None,
        now: datetime = NOW,
        **changed: Any,
    ) -> tuple[IdeLock | None, tuple[Gap, ...]]:
        host = replace(scratch_host(self._home, {"HTTPS_PROXY": CLOSED}), now=lambda: now)
        request = Request(
            host=host,
            machine=machine or Machine(os="linux", arch="x86_64"),
            recipe=Recipe(name="tiny", ide=wish or IdeWish()),
            recipe_digest="r",
            request_digest="o",
            layout=layout_in(self._home),
            models=MODELS,
            surroundings=Surroundings(jetbrains_feed=self._feed, jetbrains_downloads=mirror),
            say=self.said.append,
            **changed,
        )
        return pin_ide(request, catalog)

    def archive(self, **options: Any) -> ArchiveIdeLock:
        lock, gaps = self(**options)
        assert isinstance(lock, ArchiveIdeLock)
        assert gaps == ()
        return lock

    def gap(self, **options: Any) -> Gap:
        lock, (gap,) = self(**options)
        assert lock is None
        return gap

    @property
    def words(self) -> str:
        return "\n".join(map(str, self.said))


@pytest.fixture
def ask(jetbrains: JetBrains, tmp_path: Path) -> Asking:
    return Asking(tmp_path / "home", jetbrains.feed_url)


@pytest.fixture
def ask_nobody(tmp_path: Path) -> Asking:
    """No list of releases anywhere."""
    return Asking(tmp_path / "home", f"{CLOSED}/products/releases")


# a release ------------------------------------------------------------------------------------------------


def test_the_newest_release_with_the_makers_hash(jetbrains: JetBrains, ask: Asking) -> None:
    row = jetbrains.products["PCP"][0]
    assert ask.archive() == ArchiveIdeLock(
        version=VERSION,
        build=BUILD,
        settings_name="PyCharm2026.3",
        file_name=f"pycharm-{VERSION}.tar.gz",
        url=row["downloads"]["linux"]["link"],
        sha256=jetbrains.sha256(row),
        size=len(b"the archive"),
        evidence="maker",
    )
    assert [exchange.request.query.get("latest") for exchange in jetbrains.feed.log] == ["true"]
    assert [exchange.path for exchange in jetbrains.downloads.log] == [f"/python/pycharm-{VERSION}.tar.gz.sha256"]
    assert not jetbrains.cdn.log, "nothing large is fetched to pin it"


def test_the_file_for_another_processor(jetbrains: JetBrains, ask: Asking) -> None:
    lock = ask.archive(machine=Machine(os="linux", arch="arm64"))
    row = jetbrains.products["PCP"][0]
    assert lock.url.endswith("-aarch64.tar.gz")
    assert lock.sha256 == jetbrains.sha256(row, "linuxARM64")


@pytest.mark.parametrize(("wish", "version"), [("2026.2", "2026.2.4"), ("2026.2.4", "2026.2.4"), ("2026.3", VERSION)])
def test_a_line_or_a_release(jetbrains: JetBrains, ask: Asking, wish: str, version: str) -> None:
    assert ask.archive(wish=IdeWish(version=wish)).version == version
    assert jetbrains.feed.log[0].request.query == {"code": "PCP,PCC", "type": "release"}


def test_a_release_that_never_was_is_3(ask: Asking) -> None:
    with pytest.raises(Refused) as error:
        ask(wish=IdeWish(version="2019.9"))
    assert "no release of PyCharm 2019.9 has a file for linux_x86_64" in str(error.value)


def test_where_the_newest_has_no_file_for_us_an_earlier_one_has(jetbrains: JetBrains, ask: Asking) -> None:
    del jetbrains.products["PCP"][0]["downloads"]["linux"]
    assert ask.archive().version == "2026.2.4"
    assert len(jetbrains.feed.log) == 2, "the short list, then the whole one"


def test_a_release_from_the_future_is_passed_over_and_said(jetbrains: JetBrains, ask: Asking) -> None:
    jetbrains.products["PCP"][0]["date"] = "2026-11-25"
    assert ask.archive().version == "2026.2.4"
    assert "PyCharm 2026.3.1 is dated 2026-11-25, in the future" in ask.words


def test_a_clock_that_stands_still_is_named(ask: Asking) -> None:
    with pytest.raises(Refused) as error:
        ask(now=datetime(1970, 1, 1, tzinfo=UTC))
    assert "1970-01-01" in str(error.value.hint)


def test_an_answer_under_another_code(tmp_path: Path) -> None:
    with JetBrains(answer_code="PY") as jetbrains:
        jetbrains.publish(VERSION, None, {"linux": b"x"})
        lock = Asking(tmp_path, jetbrains.feed_url).archive()
    assert (lock.version, lock.build) == (VERSION, None)


def test_sizes_as_texts_and_a_missing_one(jetbrains: JetBrains, ask: Asking) -> None:
    file = jetbrains.products["PCP"][0]["downloads"]["linux"]
    file["size"] = "1132150045"
    assert ask.archive().size == 1_132_150_045
    del file["size"], file["checksumLink"]
    assert ask.archive().size is None


def test_the_settings_of_community_are_others(jetbrains: JetBrains, ask: Asking) -> None:
    jetbrains.publish("2025.2.5", "252.1.1", {"linux": b"c"}, code="PCC")
    assert ask.archive(wish=IdeWish(version="2025.2")).settings_name == "PyCharmCE2025.2"
    assert ask.archive().version == VERSION


# answers that are none ------------------------------------------------------------------------------------


def amended(change: Callable[[dict[str, Any]], object]) -> Callable[[JetBrains], None]:
    def amend(jetbrains: JetBrains) -> None:
        for row in jetbrains.products["PCP"]:
            change(row)

    return amend


BAD_LISTS: dict[str, tuple[Callable[[JetBrains], object], str]] = {
    "missing product": (lambda j: j.products.clear(), "has no release of PyCharm"),
    "login page": (lambda j: j.fault("/products/*", login_page(), times=None), "answered with a login page"),
    "no answer": (lambda j: j.fault("/products/*", status(500), times=None), "answered 500"),
    "another shape": (lambda j: j.fault("/products/*", Act(body=b"[[]]"), times=None), "[0] is a list"),
    "negative size": (amended(lambda r: r["downloads"]["linux"].update(size=-1)), "downloads.linux.size is “-1”"),
    "no version": (amended(lambda r: r.pop("version")), "PCP[0].version is missing"),
    "another host": (
        amended(lambda r: r["downloads"]["linux"].update(link="https://evil.example/x.tar.gz")),
        "neither the maker's nor configured",
    ),
    "no https": (
        amended(lambda r: r["downloads"]["linux"].update(link="http://download.jetbrains.com/x.tar.gz")),
        "is not https",
    ),
    "another checksum host": (
        amended(lambda r: r["downloads"]["linux"].update(checksumLink="https://evil.example/x.sha256")),
        "checksumLink: https://evil.example",
    ),
}


@pytest.mark.parametrize("name", BAD_LISTS)
def test_a_list_that_is_none_is_a_gap_or_4(jetbrains: JetBrains, ask: Asking, name: str) -> None:
    spoil, said = BAD_LISTS[name]
    spoil(jetbrains)
    gap = ask.gap()
    assert gap.what == "ide"
    assert said in str(gap.why)
    assert "--pycharm-archive FILE --pycharm-sha256 HEX" in str(gap.why)
    assert gap.command == "setup-llm-dev apply --upgrade"
    assert gap.url is not None
    with pytest.raises(Unreachable) as error:
        ask(wish=IdeWish(required=True))
    assert said in str(error.value)
    assert error.value.hint is not None


@pytest.mark.parametrize("text", ["0" * 64 + " *pycharm-2026.3.tar.gz", "one\ntwo", ""])
def test_a_checksum_file_of_another_shape_stops_everything(jetbrains: JetBrains, ask: Asking, text: str) -> None:
    jetbrains.files[jetbrains.path(jetbrains.products["PCP"][0]) + ".sha256"] = text.encode()
    with pytest.raises(Corrupt, match=r"\.tar\.gz\.sha256 can't be used"):
        ask()


def known(version: str, **hashes: str | None) -> IdeCatalog:
    """A catalogue that knows one build, by platform and hash."""
    seen = CATALOG.collected
    rows = tuple(
        IdeFile(platform=platform, name=f"pycharm-{version}.tar.gz", sha256=sha256, evidence="packager", seen=seen)
        for platform, sha256 in hashes.items()
    )
    major = ".".join(version.split(".")[:2])
    build = IdeBuild(version=version, major=major, evidence="packager", seen=seen, files=rows)
    return msgspec.structs.replace(CATALOG, ides=(build,))


def test_a_hash_that_is_not_the_catalogues_stops_everything(jetbrains: JetBrains, ask: Asking) -> None:
    truth = jetbrains.sha256(jetbrains.products["PCP"][0])
    assert ask.archive(catalog=known(VERSION, linux_x86_64=truth)).evidence == "maker"
    with pytest.raises(Corrupt) as error:
        ask(catalog=known(VERSION, linux_x86_64="a" * 64))
    assert truth in str(error.value)
    assert "a" * 64 in str(error.value)


def test_the_catalogue_says_nothing_of_community(jetbrains: JetBrains, ask: Asking) -> None:
    jetbrains.publish("2025.2.5", "252.1.1", {"linux": b"c"}, code="PCC")
    lock = ask.archive(wish=IdeWish(version="2025.2.5"), catalog=known("2025.2.5", linux_x86_64="d" * 64))
    assert (lock.sha256, lock.evidence) == (hashlib.sha256(b"c").hexdigest(), "maker")


# only a mirror --------------------------------------------------------------------------------------------


@pytest.fixture
def mirror() -> Iterator[Upstream]:
    """Of the downloads: it carries the newest known build for one processor."""
    name = next(file.name for file in KNOWN.files if file.platform == "linux_x86_64")
    with Upstream(files({f"/jb/python/{name}": b"bytes", f"/jb/python/{name}.sha256": b"f" * 64})) as running:
        yield running


def test_a_mirror_alone_is_good_for_what_we_know_the_hash_of(ask_nobody: Asking, mirror: Upstream) -> None:
    lock = ask_nobody.archive(mirror=f"{mirror.url}/jb/")
    file = KNOWN.hashed("linux_x86_64")
    assert file is not None
    assert (lock.version, lock.sha256, lock.evidence) == (KNOWN.version, file.sha256, "catalogue")
    assert lock.url == f"https://download.jetbrains.com/python/{file.name}", "the maker's, whoever carries the bytes"
    assert (lock.settings_name, lock.file_name) == ("PyCharm2026.2", file.name)
    assert f"PyCharm {KNOWN.version} is taken" in ask_nobody.words
    assert not mirror.asked("*.sha256"), "a mirror is not asked for hashes"


def test_a_mirror_alone_for_something_we_know_no_hash_of_is_a_gap(ask_nobody: Asking, mirror: Upstream) -> None:
    root = f"{mirror.url}/jb"
    assert "no connection to 127.0.0.1" in str(ask_nobody.gap(mirror=root, wish=IdeWish(version="2026.3")).why)
    assert ask_nobody.gap(mirror=root, machine=Machine(os="linux", arch="arm64")).what == "ide", "not on this mirror"
    unhashed = known(KNOWN.version, linux_x86_64=None)
    assert ask_nobody.gap(mirror=root, catalog=unhashed).what == "ide"


def test_nothing_is_pinned_that_nobody_carries(ask_nobody: Asking) -> None:
    assert ask_nobody.gap().url == f"{CLOSED}/products/releases"


def test_without_the_makers_word_the_catalogue_vouches(jetbrains: JetBrains, ask: Asking) -> None:
    row = jetbrains.products["PCP"][0]
    jetbrains.downloads.fault("*.sha256", status(503), times=None)
    lock = ask.archive(catalog=known(VERSION, linux_x86_64=jetbrains.sha256(row)))
    assert (lock.sha256, lock.evidence, lock.url) == (
        jetbrains.sha256(row),
        "catalogue",
        row["downloads"]["linux"]["link"],
    )
    assert "the hash of PyCharm 2026.3.1 is the catalogue's" in ask.words


def test_without_the_makers_word_and_ours_it_is_a_gap(jetbrains: JetBrains, ask: Asking) -> None:
    jetbrains.downloads.fault("*.sha256", login_page(), times=None)
    assert "login page" in str(ask.gap().why)


def test_without_the_makers_word_an_earlier_build_that_we_know_is_taken(
    jetbrains: JetBrains, ask: Asking, mirror: Upstream
) -> None:
    jetbrains.downloads.fault("*.sha256", status(503), times=None)
    assert ask.archive(mirror=f"{mirror.url}/jb").version == KNOWN.version
    assert f"PyCharm {KNOWN.version} is taken, since its hash is known here, and not {VERSION}" in ask.words


def test_a_list_that_leads_to_a_mirror_is_told_as_the_makers(jetbrains: JetBrains, ask: Asking) -> None:
    """The mirror has checksum files of its own; they are not asked."""
    catalog = known(VERSION, linux_x86_64="b" * 64)
    lock = ask.archive(mirror=jetbrains.downloads_url, catalog=catalog)
    assert lock.url == f"https://download.jetbrains.com/python/pycharm-{VERSION}.tar.gz"
    assert (lock.sha256, lock.evidence) == ("b" * 64, "catalogue")
    assert not jetbrains.downloads.log


# an old list ----------------------------------------------------------------------------------------------


def test_an_old_list_is_not_believed_where_we_know_better(jetbrains: JetBrains, ask: Asking) -> None:
    del jetbrains.products["PCP"][0]
    newer = known("2026.4", linux_x86_64="c" * 64)
    lock = ask.archive(catalog=newer)
    assert (lock.version, lock.sha256, lock.evidence) == ("2026.4", "c" * 64, "catalogue")
    assert "says that PyCharm 2026.2.4 is the newest, but 2026.4 is known since 2026-11-21: 2026.4 is" in ask.words


def test_an_old_list_is_said_where_we_know_no_hash(jetbrains: JetBrains, ask: Asking) -> None:
    lock = ask.archive(catalog=known("2026.4", linux_x86_64=None))
    assert lock.version == VERSION
    assert "but 2026.4 is known since 2026-11-21: 2026.3.1 is taken" in ask.words
    ask.said.clear()
    ask.archive(catalog=known("2026.4"), wish=IdeWish(version="2026.3"))
    assert "is known since" not in ask.words, "of the line that is wanted, it is the newest"


# an archive by its path -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("given") / "my pycharm.tar.gz"
    place.write_bytes(pycharm_archive("2026.2.1", "262.9437.214", arches=("amd64",), root="PyCharm"))
    return place


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_archive_and_its_hash(ask_nobody: Asking, given: Path) -> None:
    truth = sha256(given)
    for told in (truth, truth.upper(), f"{truth} *pycharm-2026.2.1.tar.gz\n"):
        assert ask_nobody.archive(ide_archive=given, ide_sha256=told) == ArchiveIdeLock(
            version="2026.2.1",
            build="262.9437.214",
            settings_name="PyCharm2026.2",
            file_name="my pycharm.tar.gz",
            url=given.as_uri(),
            sha256=truth,
            size=given.stat().st_size,
            evidence="user",
        )
    assert "my%20pycharm" in given.as_uri()


def test_an_archive_without_its_hash_tells_how_to_give_it(ask_nobody: Asking, given: Path) -> None:
    with pytest.raises(UsageError) as error:
        ask_nobody(ide_archive=given)
    assert sha256(given) in str(error.value)
    assert f"--pycharm-sha256 {sha256(given)}" in str(error.value.hint)


def test_an_archive_that_we_know_needs_no_hash(ask_nobody: Asking, given: Path) -> None:
    lock = ask_nobody.archive(ide_archive=given, catalog=known("2026.2.1", linux_x86_64=sha256(given)))
    assert (lock.version, lock.evidence) == ("2026.2.1", "catalogue")


def test_an_archive_with_another_hash_is_5(ask_nobody: Asking, given: Path) -> None:
    with pytest.raises(Corrupt) as error:
        ask_nobody(ide_archive=given, ide_sha256="0" * 64)
    assert sha256(given) in str(error.value)
    assert "0" * 64 in str(error.value)


@pytest.mark.parametrize("told", ["", "abc", "g" * 64, "sha256:" + "0" * 64])
def test_a_hash_that_is_none_is_2(ask_nobody: Asking, given: Path, told: str) -> None:
    with pytest.raises(UsageError, match="is no sha256"):
        ask_nobody(ide_archive=given, ide_sha256=told)


def test_a_hash_without_an_archive_is_2(ask_nobody: Asking) -> None:
    with pytest.raises(UsageError, match="without --pycharm-archive"):
        ask_nobody(ide_sha256="0" * 64)


@pytest.mark.parametrize("name", ["nothing.tar.gz", "."])
def test_an_archive_that_is_no_file_is_2(ask_nobody: Asking, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no file"):
        ask_nobody(ide_archive=tmp_path / name, ide_sha256="0" * 64)


ODD: dict[str, tuple[bytes, type[Exception], str]] = {
    "another product": (pycharm_archive("2026.2.1", "262.1", productCode="IU"), Refused, "is no PyCharm"),
    "no product": (pycharm_archive("2026.2.1", "262.1", without=("product-info.json",)), Refused, "is no PyCharm"),
    "no version": (pycharm_archive("next", "262.1"), Refused, "is no PyCharm"),
    "another processor": (pycharm_archive("2026.2.1", "262.1", arches=("aarch64",)), Refused, "not for this machine"),
    "no archive": (b"MZ an installer for Windows", Corrupt, "not an archive"),
    "half an archive": (pycharm_archive("2026.2.1", "262.1", without=("product-info.json",))[:-100], Corrupt, "early"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_archive_of_something_else(ask_nobody: Asking, tmp_path: Path, name: str) -> None:
    content, kind, said = ODD[name]
    (tmp_path / "given").write_bytes(content)
    with pytest.raises(kind, match=said):
        ask_nobody(ide_archive=tmp_path / "given", ide_sha256=hashlib.sha256(content).hexdigest())


def test_an_archive_of_another_version_is_3(ask_nobody: Asking, given: Path) -> None:
    options: dict[str, Any] = {"ide_archive": given, "ide_sha256": sha256(given)}
    assert ask_nobody.archive(wish=IdeWish(version="2026.2"), **options).version == "2026.2.1"
    with pytest.raises(Refused, match=r"is PyCharm 2026\.2\.1, but the recipe wants 2026\.3"):
        ask_nobody(wish=IdeWish(version="2026.3"), **options)


def test_an_archive_on_another_system_is_3(ask_nobody: Asking, given: Path) -> None:
    with pytest.raises(Refused, match="not for this machine"):
        ask_nobody(machine=Machine(os="macos", arch="x86_64"), ide_archive=given, ide_sha256=sha256(given))


def test_an_archive_goes_before_what_is_installed(ask_nobody: Asking, given: Path) -> None:
    lock = ask_nobody.archive(machine=machine(ide("2026.3")), ide_archive=given, ide_sha256=sha256(given))
    assert lock.version == "2026.2.1"


# what is here already -------------------------------------------------------------------------------------


def ide(version: str, kind: str = "folder", **changed: Any) -> Ide:
    line = ".".join(version.split(".")[:2])
    return msgspec.convert(
        {
            "name": "PyCharm",
            "version": version,
            "home": f"/apps/{kind}/pycharm-{version}",
            "settings": f"/home/ada/.config/JetBrains/PyCharm{line}",
            "kind": kind,
            **changed,
        },
        Ide,
    )


def machine(*ides: Ide) -> Machine:
    return Machine(os="linux", arch="x86_64", ides=ides)


def test_an_installed_one_is_used_and_nobody_is_asked(jetbrains: JetBrains, ask: Asking) -> None:
    lock, gaps = ask(machine=machine(ide("2026.2.1", build="262.9437.214")))
    assert lock == InstalledIdeLock(
        version="2026.2.1", home="/apps/folder/pycharm-2026.2.1", settings_name="PyCharm2026.2", build="262.9437.214"
    )
    assert gaps == ()
    assert not jetbrains.asked()
    assert f"{KNOWN.version} exists: its own updater gets it" in ask.words


def test_nothing_newer_is_made_up(ask_nobody: Asking) -> None:
    ask_nobody(machine=machine(ide("2026.3")))
    assert ask_nobody.said == []


@pytest.mark.parametrize(
    ("wish", "ides", "home"),
    [
        ("latest", [("2024.3", "folder")], "/apps/folder/pycharm-2024.3"),
        ("latest", [("2024.3", "folder"), ("2026.2.10", "ours"), ("2026.2.9", "snap")], "/apps/ours/pycharm-2026.2.10"),
        ("latest", [("2026.2", "ours"), ("2026.2", "toolbox")], "/apps/toolbox/pycharm-2026.2"),
        ("latest", [("2026.2", "snap"), ("2026.2", "toolbox")], "/apps/snap/pycharm-2026.2"),
        ("2026.2", [("2026.3", "folder"), ("2026.2.0.1", "folder")], "/apps/folder/pycharm-2026.2.0.1"),
        ("2023.1", [("2026.3", "folder"), ("2023.1.7", "folder")], "/apps/folder/pycharm-2023.1.7"),
    ],
)
def test_the_newest_that_fits_and_ours_last(
    ask_nobody: Asking, wish: str, ides: list[tuple[str, str]], home: str
) -> None:
    lock, _ = ask_nobody(wish=IdeWish(version=wish), machine=machine(*(ide(*each) for each in ides)))
    assert isinstance(lock, InstalledIdeLock)
    assert lock.home == home


@pytest.mark.parametrize(
    ("wish", "version"), [("latest", "2024.2.5"), ("latest", "nightly"), ("latest", ""), ("2026.3.1", "2026.3")]
)
def test_one_that_does_not_fit_is_left_alone(ask: Asking, wish: str, version: str) -> None:
    assert ask.archive(wish=IdeWish(version=wish), machine=machine(ide(version))).version == VERSION


def test_settings_that_were_not_found_have_the_usual_name(ask_nobody: Asking) -> None:
    lock, _ = ask_nobody(machine=machine(ide("2026.2.1", settings=None)))
    assert isinstance(lock, InstalledIdeLock)
    assert lock.settings_name == "PyCharm2026.2"


def test_asked_for_the_newest_it_is_fetched_unless_it_is_here(ask: Asking) -> None:
    assert ask.archive(machine=machine(ide("2026.2")), newest_ide=True).version == VERSION
    for here in (VERSION, "2027.1"):
        lock, gaps = ask(machine=machine(ide(here)), newest_ide=True)
        assert isinstance(lock, InstalledIdeLock)
        assert (lock.version, gaps) == (here, ())


def test_asked_for_the_newest_with_nobody_there_the_installed_one_stays(ask_nobody: Asking) -> None:
    lock, (gap,) = ask_nobody(machine=machine(ide("2026.2")), newest_ide=True, wish=IdeWish(required=True))
    assert isinstance(lock, InstalledIdeLock)
    assert "whether there is a newer PyCharm could not be asked" in str(gap.why)


# other systems, plugins -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("os", "arch"), [("windows", "x86_64"), ("macos", "arm64"), ("linux", "riscv64")])
def test_another_system_is_an_honest_gap(jetbrains: JetBrains, ask: Asking, os: Any, arch: str) -> None:
    here = Machine(os=os, arch=arch)
    gap = ask.gap(machine=here)
    assert f"on Linux only (x86_64, arm64), not on {os} {arch}" in str(gap.why)
    assert gap.url == "https://www.jetbrains.com/pycharm/download/"
    assert not jetbrains.asked()
    with pytest.raises(Refused):
        ask(machine=here, wish=IdeWish(required=True))
    lock, gaps = ask(machine=msgspec.structs.replace(here, ides=(ide("2026.2"),)), newest_ide=True)
    assert (isinstance(lock, InstalledIdeLock), gaps) == (True, ())


def test_plugins_are_the_users(ask: Asking) -> None:
    lock, (gap,) = ask(wish=IdeWish(plugins=("com.example.one", "two")))
    assert isinstance(lock, ArchiveIdeLock)
    assert gap.what == "plugins"
    assert "com.example.one, two" in str(gap.why)
