"""JetBrains' list of releases and checksum files: what may be missing, what is refused, and what is never believed."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from setup_llm_dev.documents.catalog import read_table
from setup_llm_dev.documents.feed import Feed, Release, fitting, read_feed
from setup_llm_dev.documents.ide_catalog import IdeCatalog
from setup_llm_dev.documents.ide_download import Download, download, read_checksum
from setup_llm_dev.documents.ide_origins import Origins
from setup_llm_dev.documents.ide_version import fits, read_version
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.errors import Corrupt, SetupError, Unreachable
from setup_llm_dev.host.ide.feed import checksum, releases
from tests.ground import scratch_host
from tests.upstream.acts import LOGIN_PAGE, Act, cut, gzipped, login_page, redirect, status
from tests.upstream.jetbrains import JetBrains
from tests.upstream.server import Upstream, files

URL = "https://data.services.jetbrains.com/products/releases"
LINK = "https://download.jetbrains.com/python/pycharm-2026.2.3.tar.gz"
TODAY = date(2026, 11, 21)
SHA256 = "e8e4fbe4dab44390d09f681e059a316e692cabd24b2e11ce98ff76c8120fa313"
NAME = "pycharm-2026.2.3.tar.gz"


def row(number: Any = "2026.2.3", **changed: Any) -> dict[str, Any]:
    """The least that a release can be; every other key is optional."""
    found = {"version": number, "downloads": {"linux": {"link": LINK.replace("2026.2.3", str(number))}}, **changed}
    return {key: value for key, value in found.items() if value != "left out"}


def read(plain: Any) -> Feed:
    return read_feed(json.dumps(plain).encode(), URL)


def newest(plain: Any, wish: str = "latest") -> str:
    found, _ = fitting(read(plain), wish, TODAY)
    return found[0].text


# which releases -------------------------------------------------------------------------------------------


def test_everything_but_version_and_link_is_optional() -> None:
    (release,) = read({"PCP": [row()]}).releases
    assert release == Release(
        place="PCP[0]",
        community=False,
        text="2026.2.3",
        version=Version("2026.2.3"),
        major="2026.2",
        build=None,
        day=None,
        downloads={"linux": {"link": LINK}},
    )
    assert download(release, ("linux",), URL) == Download("PCP[0].downloads.linux", LINK, NAME, f"{LINK}.sha256", None)


def test_what_is_told_is_taken() -> None:
    told = row("2025.3.2.1", majorVersion="2025.3", build="253.30387.173", date="2026-02-01", type="release")
    (release,) = read({"PCP": [told]}).releases
    assert (release.major, release.build, release.day) == ("2025.3", "253.30387.173", date(2026, 2, 1))
    assert release.settings_name == "PyCharm2025.3"


@pytest.mark.parametrize(("build", "found"), [(None, None), ("", None), (262, None), ("PY-262.1.2", "262.1.2")])
def test_a_build_may_be_null(build: Any, found: str | None) -> None:
    assert read({"PCP": [row(build=build)]}).releases[0].build == found


def test_a_major_version_that_is_no_name_of_a_folder_is_made_anew() -> None:
    (release,) = read({"PCP": [row(majorVersion="../../x", date="soon")]}).releases
    assert (release.settings_name, release.day) == ("PyCharm2026.2", None)


@pytest.mark.parametrize("code", ["PCP", "pcp", "PY", "SOMETHING"])
def test_the_answer_may_come_under_another_code(code: str) -> None:
    assert newest({code: [row()]}) == "2026.2.3"


def test_other_products_are_not_taken_for_pycharm() -> None:
    idea = row("2026.2.9", downloads={"linux": {"link": "https://download.jetbrains.com/idea/idea-2026.2.9.tar.gz"}})
    assert newest({"IIU": [idea], "PCE": [row("2026.2.8")], "PCP": [row()]}) == "2026.2.3"


def test_both_forms_of_the_answer() -> None:
    product = {"code": "PCP", "intellijProductCode": "PY", "releases": [row("2026.1"), row()]}
    assert newest([{"code": "WS", "releases": None}, product]) == "2026.2.3"
    assert newest([{"intellijProductCode": "PY", "releases": [row()]}]) == "2026.2.3"


def test_community_only_where_no_unified_release_fits() -> None:
    community = {"PCC": [row("2026.9"), row("2025.2.5")], "PCP": [row(), row("2024.1")]}
    assert newest(community) == "2026.2.3"
    (found, *_), _ = fitting(read(community), "2025.2", TODAY)
    assert (found.text, found.community, found.settings_name) == ("2025.2.5", True, "PyCharmCE2025.2")


def test_community_under_the_unified_code_is_known_by_the_name_of_its_file() -> None:
    link = "https://download.jetbrains.com/python/pycharm-community-2025.2.5.tar.gz"
    (release,) = read({"PCP": [row("2025.2.5", downloads={"linux": {"link": link}})]}).releases
    assert release.community


def test_previews_are_left_out_whatever_was_asked() -> None:
    previews = [row("2027.1", type="eap"), row("2026.3 EAP"), row("2026.3.1", type="RC"), row("2026.3.2", type=7)]
    assert newest({"PCP": [*previews, row(type=None), row("2026.1", type="Release")]}) == "2026.2.3"


def test_the_order_of_the_list_is_not_believed_and_duplicates_are_one() -> None:
    rows = [row("2026.2"), row("2026.10"), row("2026.2.3"), row("2026.10", build="263.1.2")]
    found, _ = fitting(read({"PCP": rows}), "latest", TODAY)
    assert [release.text for release in found] == ["2026.10", "2026.2.3", "2026.2"]
    assert found[0].build is None, "the first of two"


@pytest.mark.parametrize(
    ("wish", "meant"),
    [
        ("latest", ["2026.3", "2026.2.3", "2026.2.0.1", "2026.2", "2025.3.2.1"]),
        ("2026.2", ["2026.2.3", "2026.2.0.1", "2026.2"]),
        ("2026.2.0", ["2026.2"]),
        ("2026.2.3", ["2026.2.3"]),
        ("2025.3.2.1", ["2025.3.2.1"]),
        ("2025.3.2", []),
        ("2024.1", []),
    ],
)
def test_our_own_filter(wish: str, meant: list[str]) -> None:
    rows = [row(version) for version in ("2026.3", "2026.2.3", "2026.2.0.1", "2026.2", "2025.3.2.1")]
    found, _ = fitting(read({"PCP": rows}), wish, TODAY)
    assert [release.text for release in found] == meant


@pytest.mark.parametrize("text", ["2026", "26.1", "2026.1.2.3.4", "2026.1-1", "latest", "", None, 2026.1, "2026.²"])
def test_what_is_no_version(text: Any) -> None:
    assert read_version(text) is None


def test_versions_are_numbers() -> None:
    assert fits("2026.2", Version("2026.2.10"))
    assert not fits("2026.2", Version("2026.20"))


@pytest.mark.parametrize(("day", "left_out"), [("2026-11-22", 0), ("2026-11-23", 1), ("2999-01-01", 1)])
def test_a_release_from_the_future_is_left_out_and_said(day: str, left_out: int) -> None:
    plain = {"PCP": [row("2026.3", date=day), row()]}
    found, said = fitting(read(plain), "latest", TODAY)
    assert (found[0].text, len(said)) == ("2026.2.3" if left_out else "2026.3", left_out)
    assert all("2026.3" in str(one) and day in str(one) for one in said)
    assert fitting(read(plain), "2026.2", TODAY)[1] == ()


def test_an_answer_as_somebody_kept_it() -> None:
    """The list form, cut to little; the values are those of a real release."""
    files = {
        "linux": {"link": "https://download.jetbrains.com/python/pycharm-2025.3.2.1.tar.gz"},
        "linuxARM64": {"link": "https://download.jetbrains.com/python/pycharm-2025.3.2.1-aarch64.tar.gz"},
    }
    kept = {"type": "release", "version": "2025.3.2.1", "majorVersion": "2025.3", "build": "253.30387.173"}
    (release,) = read([{"code": "PCP", "releases": [{**kept, "downloads": files}]}]).releases
    found = download(release, ("linuxARM64",), URL)
    assert found is not None
    assert OFFICIAL.refused(found.link) is None
    assert (release.build, found.checksum_link) == ("253.30387.173", f"{files['linuxARM64']['link']}.sha256")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([LINK, "2026.2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.dictionaries(
    st.sampled_from(["version", "majorVersion", "build", "date", "type", "downloads", "x"]), ANYTHING
)
FILES = st.dictionaries(st.sampled_from(["link", "size", "checksumLink"]), ANYTHING)


@settings(max_examples=150, deadline=None)
@given(ROWS, FILES | ANYTHING, st.sampled_from(["PCP", "PCC", "XX"]))
def test_whatever_comes_is_a_release_or_unreachable(plain: dict[str, Any], file: Any, code: str) -> None:
    rows = [plain, {**plain, "version": "2026.2.3", "downloads": {"linux": file}}]
    try:
        found, _ = fitting(read({code: rows}), "latest", TODAY)
        for release in found:
            download(release, ("linux",), URL)
    except Unreachable as error:
        assert str(error)


# what is refused, by the name of the field ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "named"),
    [
        ({}, "has no release of PyCharm"),
        ({"WS": [row(downloads={})]}, "its products: WS"),
        ({"PCP": []}, "has no release of PyCharm"),
        ("a text", "it is a text"),
        (None, "it is missing"),
        (7, "it is a number"),
        ({"PCP": {"0": row()}}, "PCP is an object"),
        ({"PCP": [["2026.1"]]}, "PCP[0] is a list"),
        (["PCP"], "[0] is a text"),
        ([{"code": "PCP", "releases": "none"}], "[0].releases is a text"),
        ({"PCP": [row(version="left out")]}, "PCP[0].version is missing"),
        ({"PCP": [row(version=2026)]}, "PCP[0].version is “2026”"),
        ({"PCP": [row(downloads=[])]}, "PCP[0].downloads is a list"),
    ],
)
def test_another_shape_is_4_and_names_the_field(plain: Any, named: str) -> None:
    with pytest.raises(Unreachable) as error:
        read(plain)
    assert named in str(error.value)
    assert URL in str(error.value)
    assert error.value.url == URL


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"PCP": NaN}', b"9" * 10_000])
def test_no_json_is_4(body: bytes) -> None:
    with pytest.raises(Unreachable, match="no list of releases"):
        read_feed(body, URL)


@pytest.mark.parametrize("body", [LOGIN_PAGE, b"\xef\xbb\xbf  <html>", b'<?xml version="1.0"?>'])
def test_markup_is_a_login_page(body: bytes) -> None:
    for reader in (lambda: read_feed(body, URL), lambda: read_checksum(body, NAME, URL)):
        with pytest.raises(Unreachable, match="this network answered with a login page"):
            reader()


def test_one_release_that_can_not_be_read_costs_only_itself() -> None:
    feed = read({"PCP": [row(version=7), row()]})
    assert [release.text for release in feed.releases] == ["2026.2.3"]
    assert [str(problem) for problem in feed.problems] == ["PCP[0].version is “7”"]


def linux(**changed: Any) -> Download | None:
    (release,) = read({"PCP": [row(downloads={"linux": {"link": LINK, **changed}})]}).releases
    return download(release, ("linux",), URL)


@pytest.mark.parametrize(("told", "size"), [(1132150045, 1132150045), ("1132150045", 1132150045), (1e9, 10**9)])
def test_sizes_may_be_texts(told: Any, size: int) -> None:
    found = linux(size=told)
    assert found is not None
    assert found.size == size


@pytest.mark.parametrize("told", [-1, 0, "-5", "1 GB", 1.5, 10**15, "9" * 5000, True, [], {}])
def test_absurd_sizes_are_refused(told: Any) -> None:
    with pytest.raises(Unreachable, match=r"PCP\[0\]\.downloads\.linux\.size is"):
        linux(size=told)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"link": None}, r"linux\.link is missing"),
        ({"link": ["x"]}, r"linux\.link is a list"),
        ({"link": "https://download.jetbrains.com/python/"}, r"linux\.link is “https"),
        ({"link": "https://download.jetbrains.com/python/..%2f..%2fetc"}, r"linux\.link is “https"),
        ({"link": "https://[download/x.tar.gz"}, r"linux\.link is “https"),
        ({"checksumLink": 7}, r"linux\.checksumLink is a number"),
    ],
)
def test_odd_links_are_refused(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(Unreachable, match=named):
        linux(**changed)


def test_a_row_of_another_kind_is_refused_only_for_whom_it_is() -> None:
    (release,) = read({"PCP": [row(downloads={"linux": "x", "linuxARM64": {"link": LINK}})]}).releases
    assert download(release, ("linuxARM64",), URL) is not None
    assert download(release, ("mac",), URL) is None
    with pytest.raises(Unreachable, match="linux is a text"):
        download(release, ("linux",), URL)


KEYS = {
    ("linux_x86_64", "linux"), ("linux_x86_64", "linux_x64"),
    ("linux_arm64", "linuxARM64"), ("linux_arm64", "linux_aarch64"),
    ("macos_x86_64", "mac"), ("macos_x86_64", "macos_x64"),
    ("macos_arm64", "macM1"), ("macos_arm64", "macos_aarch64"), ("macos_arm64", "macARM64"),
    ("windows_x86_64", "windowsZip"), ("windows_x86_64", "windows_zip_x64"), ("windows_x86_64", "windows"),
    ("windows_x86_64", "windows_x64"), ("windows_x86_64", "windows64"),
    ("windows_arm64", "windowsARM64"), ("windows_arm64", "windows_aarch64"),
}  # fmt: skip


@pytest.mark.parametrize(("platform", "key"), sorted(KEYS))
def test_every_alias_of_a_platform(catalog: IdeCatalog, platform: str, key: str) -> None:
    others = {known: {"link": "https://download.jetbrains.com/python/wrong"} for p, known in KEYS if p != platform}
    (release,) = read({"PCP": [row(downloads={**others, key: {"link": LINK}})]}).releases
    found = download(release, catalog.keys[platform], URL)
    assert found is not None
    assert (found.link, found.key) == (LINK, f"PCP[0].downloads.{key}")


def test_the_aliases_are_those_of_the_catalogue(catalog: IdeCatalog) -> None:
    assert {(platform, key) for platform, keys in catalog.keys.items() for key in keys} == KEYS


@pytest.fixture(scope="module")
def catalog() -> IdeCatalog:
    return read_table(manifests_folder() / "catalog" / "ides.toml", IdeCatalog)


# checksum files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [f"{SHA256} *{NAME}", f"{SHA256} *{NAME}\n", f"{SHA256.upper()}  {NAME}\r\n", f"{SHA256} {NAME}"]
)
def test_a_checksum_file(text: str) -> None:
    assert read_checksum(text.encode(), NAME, URL) == SHA256


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{SHA256} *pycharm-2026.2.2.tar.gz", "it is about pycharm-2026.2.2.tar.gz, not about"),
        (f"{SHA256} *../{NAME}", "it is about ../"),
        (f"{SHA256} *{NAME}\n{SHA256} *{NAME}", "it has 2 lines"),
        ("", "it has 0 lines"),
        (f"{SHA256[:-1]} *{NAME}", "its first word is no sha256"),
        (f"{SHA256}0 *{NAME}", "its first word is no sha256"),
        (f"*{NAME} {SHA256}", "its first word is no sha256"),
        (SHA256, "it is about , not about"),
        ("\ufffd", "its first word is no sha256"),
    ],
)
def test_a_checksum_file_of_another_shape_is_5_and_says_what(text: str, why: str) -> None:
    with pytest.raises(Corrupt) as error:
        read_checksum(text.encode(), NAME, URL)
    assert why in str(error.value)
    assert URL in str(error.value)


# whom to believe ------------------------------------------------------------------------------------------

OFFICIAL = Origins(URL, "https://download.jetbrains.com", ("jetbrains.com",))
MIRROR = Origins(URL, "https://download.jetbrains.com", ("jetbrains.com",), "https://mirror.example/jetbrains/")
COMPANY = Origins("https://feed.corp/x", "https://download.jetbrains.com", ("jetbrains.com",), "https://corp.example")
LOOPBACK = Origins("http://127.0.0.1:5/x", "https://download.jetbrains.com", ("jetbrains.com",), "http://127.0.0.1:6")


@pytest.mark.parametrize(
    ("origins", "url", "followed", "official"),
    [
        (OFFICIAL, LINK, True, True),
        (OFFICIAL, "https://download-cdn.jetbrains.com/python/x", True, True),
        (OFFICIAL, "https://JetBrains.com/x", True, True),
        (OFFICIAL, LINK.replace("https", "http"), False, False),
        (OFFICIAL, "https://evil-jetbrains.com/x", False, False),
        (OFFICIAL, "https://jetbrains.com.evil.example/x", False, False),
        (OFFICIAL, "https://download.jetbrains.com.cn/x", False, False),
        (OFFICIAL, "https://download.jetbrains.com@evil.example/x", False, False),
        (OFFICIAL, "https://evil.example\\@download.jetbrains.com/x", False, False),
        (OFFICIAL, "https://evil.example#@download.jetbrains.com/x", False, False),
        (OFFICIAL, "https://download.jetbrains.com/a/../b", False, False),
        (OFFICIAL, "file:///etc/passwd", False, False),
        (OFFICIAL, "http://127.0.0.1:5/x", False, False),
        (OFFICIAL, "https://localhost/x", False, False),
        (MIRROR, "https://mirror.example/jetbrains/python/x", True, False),
        (MIRROR, LINK, True, True),
        (COMPANY, "https://feed.corp/python/x", True, False),
        (COMPANY, "https://corp.example/python/x", True, False),
        (COMPANY, LINK, True, True),
        (LOOPBACK, "http://127.0.0.1:7/x", True, True),
        (LOOPBACK, "http://127.0.0.1:6/x", True, False),
        (LOOPBACK, LINK, True, True),
        (LOOPBACK, "https://evil.example/x", False, False),
    ],
)
def test_which_links_are_followed_and_which_vouch(origins: Origins, url: str, followed: bool, official: bool) -> None:
    assert (origins.refused(url) is None, origins.official(url)) == (followed, official)


def test_a_link_to_a_mirror_is_told_as_the_makers() -> None:
    assert MIRROR.at_maker("https://mirror.example/jetbrains/python/x") == "https://download.jetbrains.com/python/x"
    assert MIRROR.at_maker(LINK) == LINK


# over the wire --------------------------------------------------------------------------------------------


@pytest.fixture
def jetbrains() -> Iterator[JetBrains]:
    with JetBrains() as running:
        running.publish("2026.3", "263.1.1")
        running.publish("2026.3.1", "263.2.2", {"linux": b"bytes"})
        yield running


def origins_of(jetbrains: JetBrains, **changed: Any) -> Origins:
    return Origins(jetbrains.feed_url, "https://download.jetbrains.com", ("jetbrains.com",), **changed)


def test_the_list_is_asked_by_code_and_type(jetbrains: JetBrains, tmp_path: Path) -> None:
    host = scratch_host(tmp_path)
    assert [r.text for r in releases(host, jetbrains.feed_url).releases] == ["2026.3.1", "2026.3"]
    assert [r.text for r in releases(host, jetbrains.feed_url, latest=True).releases] == ["2026.3.1"]
    assert [exchange.request.query for exchange in jetbrains.feed.log] == [
        {"code": "PCP,PCC", "type": "release"},
        {"code": "PCP,PCC", "latest": "true", "type": "release"},
    ]
    assert releases(host, jetbrains.feed_url.replace("/releases", "")).releases[0].text == "2026.3.1"


def test_an_answer_of_another_encoding_is_read(jetbrains: JetBrains, tmp_path: Path) -> None:
    jetbrains.fault("/products/*", gzipped())
    assert len(releases(scratch_host(tmp_path), jetbrains.feed_url).releases) == 2


BAD_LISTS: dict[str, tuple[Act, str]] = {
    "login page": (login_page(), "this network answered with a login page"),
    "JSON under the name of a page": (Act(headers={"Content-Type": "text/html"}), "a login page"),
    "cut": (cut(100), "tried 2 times"),
    "500": (status(500), "answered 500"),
    "404": (status(404), "answered 404"),
    "empty": (Act(body=b""), "it is no JSON"),
    "too long": (Act(body=b" " * (33 << 20)), "more than we accept"),
}


@pytest.mark.parametrize("act", BAD_LISTS)
def test_a_list_that_does_not_come_is_4(jetbrains: JetBrains, tmp_path: Path, act: str) -> None:
    bad, said = BAD_LISTS[act]
    jetbrains.fault("/products/*", bad, times=None)
    with pytest.raises(Unreachable) as error:
        releases(scratch_host(tmp_path), jetbrains.feed_url)
    assert said in str(error.value)


def test_the_checksum_is_asked_at_the_maker(jetbrains: JetBrains, tmp_path: Path) -> None:
    release = jetbrains.products["PCP"][0]
    link = release["downloads"]["linux"]["checksumLink"]
    told = checksum(scratch_host(tmp_path), link, name="pycharm-2026.3.1.tar.gz", origins=origins_of(jetbrains))
    assert told == jetbrains.sha256(release)
    mirrored = origins_of(jetbrains, mirror=jetbrains.downloads_url)
    jetbrains.downloads.forget()
    with pytest.raises(Unreachable, match="its hashes are not trusted"):
        checksum(scratch_host(tmp_path), link, name="pycharm-2026.3.1.tar.gz", origins=mirrored)
    assert not jetbrains.downloads.log


def test_a_redirect_to_a_mirror_does_not_vouch(jetbrains: JetBrains, tmp_path: Path) -> None:
    link = jetbrains.products["PCP"][0]["downloads"]["linux"]["checksumLink"]
    name = "pycharm-2026.3.1.tar.gz"
    with Upstream(files({f"/{name}.sha256": f"{'0' * 64} *{name}".encode()})) as mirror:
        jetbrains.downloads.fault("*.sha256", redirect(f"{mirror.url}/{name}.sha256"))
        with pytest.raises(Unreachable, match="its hashes are not trusted"):
            checksum(scratch_host(tmp_path), link, name=name, origins=origins_of(jetbrains, mirror=mirror.url))


BAD_CHECKSUMS: dict[str, tuple[Act, type[SetupError], str]] = {
    "login page": (login_page(), Unreachable, "login page"),
    "another file": (Act(body=f"{SHA256} *{NAME}".encode()), Corrupt, "not about pycharm-2026.3.1.tar.gz"),
    "two lines": (Act(body=f"{SHA256} *a\n{SHA256} *b".encode()), Corrupt, "2 lines"),
    "503": (status(503), Unreachable, "answered 503"),
    "endless": (Act(body=b"0" * (1 << 20)), Unreachable, "more than we accept"),
    "cut": (cut(10), Unreachable, "tried 2 times"),
}


@pytest.mark.parametrize("act", BAD_CHECKSUMS)
def test_a_checksum_file_that_is_none(jetbrains: JetBrains, tmp_path: Path, act: str) -> None:
    bad, kind, said = BAD_CHECKSUMS[act]
    jetbrains.downloads.fault("*.sha256", bad, times=None)
    link = jetbrains.products["PCP"][0]["downloads"]["linux"]["checksumLink"]
    with pytest.raises(kind, match=said):
        checksum(scratch_host(tmp_path), link, name="pycharm-2026.3.1.tar.gz", origins=origins_of(jetbrains))


# the catalogue --------------------------------------------------------------------------------------------


def test_known_builds_are_unique_and_newest_first(catalog: IdeCatalog) -> None:
    versions = [ide.release for ide in catalog.ides]
    assert versions == sorted(set(versions), reverse=True)
    assert catalog.fitting("2026.2")[0].version == "2026.2.3"
    assert [b.version for b, _ in catalog.hashed("latest", "linux_x86_64")] == ["2026.2.3", "2026.2.0.1"]


def test_known_builds_are_what_they_say(catalog: IdeCatalog) -> None:
    for ide in catalog.ides:
        assert read_version(ide.version) is not None
        assert ide.major == ".".join(ide.version.split(".")[:2])
        assert ide.build is None or ide.build.startswith(ide.major[2:4] + ide.major[5:] + "."), ide.version
        assert ide.build or ide.files, "a row must tell something"
        assert ide.seen <= catalog.collected
        assert ide.released is None or ide.released <= ide.seen
        platforms = [file.platform for file in ide.files]
        assert platforms == sorted(set(platforms)), ide.version
        assert (ide.evidence == "packager") <= any(f.sha256 for f in ide.files)


def test_known_files_have_hashes_with_evidence(catalog: IdeCatalog) -> None:
    endings = {"linux_arm64": "-aarch64.tar.gz", "linux_x86_64": ".tar.gz", "macos_arm64": "-aarch64.dmg",
               "windows_x86_64": ".exe"}  # fmt: skip
    hashes = []
    for ide in catalog.ides:
        for file in ide.files:
            assert file.platform in catalog.keys
            assert file.name.startswith("pycharm-")
            assert file.name.endswith(f"{ide.version}{endings[file.platform]}")
            assert file.seen <= catalog.collected
            assert (file.sha256 is None) == (file.evidence == "feed-copy"), file.name
            assert file.sha256 is None or (len(file.sha256) == 64 and int(file.sha256, 16) and file.sha256.islower())
            assert file.size is None or file.size > 0
            hashes += [file.sha256] if file.sha256 else []
    assert len(set(hashes)) == len(hashes) >= 5
    assert catalog.knows(SHA256)
    assert catalog.sha256_of(Version("2026.2.3"), "linux_x86_64") == SHA256
    assert catalog.sha256_of(Version("2026.2.3"), "macos_x86_64") is None


def test_the_catalogue_names_the_makers_hosts(catalog: IdeCatalog) -> None:
    origins = Origins(catalog.feed, catalog.downloads, catalog.domains)
    assert origins.official(catalog.feed)
    for ide in catalog.ides:
        assert all(origins.official(catalog.url(file)) for file in ide.files)
    assert catalog.url(catalog.ides[0].files[1]) == LINK


def test_the_head_of_the_catalogue_explains_every_word_of_evidence(catalog: IdeCatalog) -> None:
    text = (manifests_folder() / "catalog" / "ides.toml").read_text("utf-8")
    head = text.partition("\nschema")[0]
    used = {ide.evidence for ide in catalog.ides} | {file.evidence for ide in catalog.ides for file in ide.files}
    assert all(word in head for word in used)


def test_the_catalogue_survives_a_round_trip(catalog: IdeCatalog) -> None:
    again = msgspec.toml.decode(msgspec.toml.encode(catalog), type=IdeCatalog)
    assert again == catalog
