"""JetBrains on loopback, proved by bare HTTP and by the archive that it serves: the shapes that the maker's have."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setup_llm_dev.documents.product_info import read_product_info
from tests.test_upstream import ask
from tests.upstream.acts import flip
from tests.upstream.ide_archive import pycharm_archive, write_archive
from tests.upstream.jetbrains import KEYS, JetBrains

VERSION, BUILD = "2026.3.1", "263.8665.41"
FIELDS = {
    "date", "type", "downloads", "patches", "notesLink", "licenseRequired", "version", "majorVersion", "build",
    "whatsnew", "uninstallFeedbackLinks", "printableReleaseType",
}  # fmt: skip


@pytest.fixture(scope="module")
def jetbrains() -> Iterator[JetBrains]:
    with JetBrains() as running:
        running.publish("2024.1.1", "241.15989.155")
        running.publish("2025.2.5", "252.28238.29", code="PCC")
        running.publish("2026.3", "263.7307.50", type_="eap")
        running.archive(VERSION, BUILD)
        yield running


def answer(jetbrains: JetBrains, query: str, path: str = "/products/releases") -> Any:
    status, headers, body = ask(f"{jetbrains.url}{path}?{query}")
    assert (status, headers["content-type"]) == (200, "application/json;charset=UTF-8")
    return json.loads(body)


def test_a_map_of_products_newest_release_first(jetbrains: JetBrains) -> None:
    found = answer(jetbrains, "code=PCP,PCC&type=release")
    assert {code: [row["version"] for row in rows] for code, rows in found.items()} == {
        "PCP": [VERSION, "2024.1.1"],
        "PCC": ["2025.2.5"],
    }
    row = found["PCP"][0]
    assert set(row) == FIELDS
    assert list(row["downloads"]) == list(KEYS)
    assert all(set(file) == {"link", "size", "checksumLink"} for file in row["downloads"].values())
    assert set(row["patches"]) == {"win", "mac", "unix"}


def test_it_filters_by_code_and_type_alone(jetbrains: JetBrains) -> None:
    asked = "code=pcp&type=release&version=2024.1.1&majorVersion=2024.1&build=241.15989.155"
    assert answer(jetbrains, asked) == answer(jetbrains, "code=PCP")
    assert [row["version"] for row in answer(jetbrains, "code=PCP&type=eap")["PCP"]] == ["2026.3"]
    assert answer(jetbrains, "code=WS") == {}
    assert [row["version"] for row in answer(jetbrains, "code=PCP&latest=true&type=release")["PCP"]] == [VERSION]


def test_the_other_form_is_a_list_of_products(jetbrains: JetBrains) -> None:
    found = answer(jetbrains, "code=PCP&code=PCC&release.type=release", "/products")
    assert [(product["code"], product["intellijProductCode"]) for product in found] == [("PCP", "PY"), ("PCC", "PC")]
    assert found[0]["releases"] == answer(jetbrains, "code=PCP")["PCP"]


def test_it_may_answer_under_another_code() -> None:
    with JetBrains(answer_code="PY") as jetbrains:
        jetbrains.publish(VERSION, BUILD)
        assert list(answer(jetbrains, "code=PCP")) == ["PY"]


def test_names_of_files_as_they_were_and_are(jetbrains: JetBrains) -> None:
    links = [row["downloads"]["linux"]["link"] for row in answer(jetbrains, "code=PCP,PCC")["PCP"]]
    community = answer(jetbrains, "code=PCC")["PCC"][0]["downloads"]["linuxARM64"]["link"]
    root = f"{jetbrains.downloads_url}/python"
    assert links == [f"{root}/pycharm-{VERSION}.tar.gz", f"{root}/pycharm-professional-2024.1.1.tar.gz"]
    assert community == f"{root}/pycharm-community-2025.2.5-aarch64.tar.gz"


def test_a_download_is_redirected_to_another_origin_that_has_ranges(jetbrains: JetBrains) -> None:
    row = jetbrains.products["PCP"][0]
    url = row["downloads"]["linux"]["link"]
    status, headers, _ = ask(url)
    assert (status, headers["location"]) == (302, f"{jetbrains.cdn.url}{jetbrains.path(row)}")
    status, headers, body = ask(headers["location"], headers={"Range": "bytes=10-19"})
    whole = jetbrains.files[jetbrains.path(row)]
    assert isinstance(whole, bytes)
    assert (status, body, headers["content-range"]) == (206, whole[10:20], f"bytes 10-19/{len(whole)}")
    assert len(whole) == row["downloads"]["linux"]["size"]
    assert jetbrains.served("*.tar.gz") == 10


def test_the_checksum_file_is_one_line_about_that_file(jetbrains: JetBrains) -> None:
    row = jetbrains.products["PCP"][0]
    status, _, body = ask(row["downloads"]["linuxARM64"]["checksumLink"])
    assert (status, body.decode()) == (
        200,
        f"{jetbrains.sha256(row, 'linuxARM64')} *pycharm-{VERSION}-aarch64.tar.gz",
    )
    assert jetbrains.sha256(row) != jetbrains.sha256(row, "linuxARM64")


def test_faults_are_had_where_they_are_ordered() -> None:
    with JetBrains(redirects=False) as jetbrains:
        row = jetbrains.archive(VERSION, BUILD)
        jetbrains.downloads.fault("*.tar.gz", flip(0))
        url = row["downloads"]["linux"]["link"]
        assert hashlib.sha256(ask(url)[2]).hexdigest() != jetbrains.sha256(row)
        assert hashlib.sha256(ask(url)[2]).hexdigest() == jetbrains.sha256(row)
        assert len(jetbrains.asked("*.tar.gz")) == 2
        jetbrains.fault("/products/*", flip(0))
        assert not ask(f"{jetbrains.feed_url}?code=PCP")[2].startswith(b"{")


# the archive ----------------------------------------------------------------------------------------------


def unpacked(archive: bytes, folder: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


def test_the_archive_has_the_layout_of_the_real_one(tmp_path: Path) -> None:
    home = unpacked(pycharm_archive(VERSION, BUILD), tmp_path)
    assert home.name == f"pycharm-{VERSION}"
    assert (home / "build.txt").read_text() == f"PY-{BUILD}"
    info = read_product_info((home / "product-info.json").read_text())
    assert info is not None
    assert (info.version, info.build, info.code, info.settings_name) == (VERSION, BUILD, "PY", "PyCharm2026.3")
    for arch in ("x86_64", "arm64"):
        launch = info.launch("linux", arch)
        assert launch is not None
        assert (launch.launcher, launch.wm_class) == ("bin/pycharm", "jetbrains-pycharm")
    for program in ("bin/pycharm", "bin/pycharm.sh", "bin/inspect.sh", "bin/format.sh", "jbr/bin/java"):
        assert os.access(home / program, os.X_OK), program
    assert b"-Xmx2048m" in (home / "bin/pycharm64.vmoptions").read_bytes().split()
    for name in ("bin/idea.properties", "bin/pycharm.svg", "bin/pycharm.png", "modules/module-descriptors.dat"):
        assert (home / name).is_file(), name
    assert (home / "jbr/lib/server/libjvm.so").is_symlink()
    assert (home / "plugins/python/helpers/typeshed/stdlib/os/__init__.pyi").is_file()


def test_its_launcher_tells_what_it_was_started_with(tmp_path: Path) -> None:
    home = unpacked(pycharm_archive(VERSION, BUILD), tmp_path / "ide")
    witness = tmp_path / "witness"
    environment = {"PATH": os.defpath, "PYCHARM_WITNESS": str(witness), "PYCHARM_PYTHON_PATH": "/some/python"}
    subprocess.run([home / "bin/pycharm", "a project"], env=environment, check=True)
    arguments, _, variables = witness.read_text().partition("---\n")
    assert arguments.splitlines() == [str(home / "bin/pycharm"), "a project"]
    assert "PYCHARM_PYTHON_PATH=/some/python" in variables.splitlines()


def test_its_bytes_never_change_and_can_be_many(tmp_path: Path) -> None:
    assert pycharm_archive(VERSION, BUILD) == pycharm_archive(VERSION, BUILD)
    bulk = 3 << 20
    for level, least, most in ((0, 1.0, 1.1), (1, 0.45, 0.65)):
        place = tmp_path / f"{level}.tar.gz"
        with place.open("wb") as stream:
            write_archive(stream, VERSION, BUILD, bulk=bulk, level=level)
        assert least <= place.stat().st_size / bulk <= most
    other = pycharm_archive(VERSION, BUILD, root="PyCharm", productCode="PC", without=("bin/pycharm",))
    home = unpacked(other, tmp_path / "other")
    assert home.name == "PyCharm"
    assert not (home / "bin/pycharm").exists()
    assert json.loads((home / "product-info.json").read_text())["productCode"] == "PC"


def test_contents_may_be_files_of_any_size(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(b"bytes of an archive")
    with JetBrains() as jetbrains:
        row = jetbrains.publish(VERSION, None, {"linux": tmp_path / "archive"}, date=None)
        assert row["downloads"]["linux"]["size"] == 19
        assert (row["build"], row["date"], row["patches"]) == (None, None, {})
        assert jetbrains.sha256(row) == hashlib.sha256(b"bytes of an archive").hexdigest()
        assert ask(f"{jetbrains.cdn.url}{jetbrains.path(row)}")[2] == b"bytes of an archive"
