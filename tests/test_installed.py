"""Files against RECORD: on folders made by hand, where the whole story is in view."""

import base64
import hashlib
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from setup_llm_dev.host.installed import Difference, compare, distributions, read_records, site_packages
from tests.ground import FEATURE


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """One distribution `some-thing 1.0` of two modules and a script."""
    site = tmp_path / "lib" / f"python{FEATURE}" / "site-packages"
    (site / "some_thing").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    contents = {"some_thing/__init__.py": b"", "some_thing/core.py": b"x = 1\n", "../../../bin/thing": b"#!/bin/sh\n"}
    rows = []
    for name, data in contents.items():
        Path(os.path.normpath(site / name)).write_bytes(data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}")
    info = site / "some_thing-1.0.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("\n".join([*rows, "some_thing-1.0.dist-info/RECORD,,"]) + "\n")
    return tmp_path


def site(environment: Path) -> Path:
    found = site_packages(environment)
    assert found is not None
    return found


def found(environment: Path) -> set[tuple[str, str]]:
    root = str(site(environment).relative_to(environment)) + "/"
    return {(d.path.removeprefix(root), d.what) for d in read_records(environment)[1]}


def test_everything_that_a_record_names_is_measured(environment: Path) -> None:
    files, differences = read_records(environment)
    assert differences == ()
    assert {Path(f.path).name for f in files} == {"__init__.py", "core.py", "thing", "RECORD"}
    assert [Path(f.path).name for f in files if f.sha256 is None] == ["RECORD"]
    assert compare(environment, files, full=True) == ()


def test_each_kind_of_damage_has_its_word(environment: Path) -> None:
    package = site(environment) / "some_thing"
    (package / "core.py").write_text("x = 2\n")
    (package / "__init__.py").unlink()
    (environment / "bin" / "thing").write_text("")
    assert found(environment) == {
        ("some_thing/core.py", "changed"), ("some_thing/__init__.py", "missing"), ("bin/thing", "empty"),
    }  # fmt: skip


def test_an_empty_module_is_meant_to_be_empty(environment: Path) -> None:
    files, _ = read_records(environment)
    os.utime(site(environment) / "some_thing" / "__init__.py", (1, 1))
    assert compare(environment, files) == ()


def test_a_distribution_without_its_record(environment: Path) -> None:
    (site(environment) / "some_thing-1.0.dist-info" / "RECORD").unlink()
    assert found(environment) == {("some_thing-1.0.dist-info/RECORD", "missing")}


@pytest.mark.parametrize("row", ["/etc/hostname,sha256=AAAA,1", "../../../../outside,sha256=AAAA,1", "no-hash.py,,3"])
def test_a_record_that_names_what_it_must_not(environment: Path, row: str) -> None:
    (environment.parent / "outside").write_text("x")
    (site(environment) / "no-hash.py").write_text("abc")
    record = site(environment) / "some_thing-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + row + "\n")
    ((_, what),) = found(environment)
    assert what in ("unlisted", "missing")


def test_a_link_in_place_of_a_file_is_what_it_leads_to(environment: Path) -> None:
    files, _ = read_records(environment)
    place = site(environment) / "some_thing" / "core.py"
    place.unlink()
    place.symlink_to("/nowhere")
    differences = compare(environment, files)
    assert [Path(d.path).name for d in differences] == ["core.py"]
    assert all(isinstance(d, Difference) for d in differences)


@pytest.mark.parametrize("full", [False, True])
def test_a_folder_in_place_of_a_file_is_a_change_even_if_it_has_its_size(environment: Path, full: bool) -> None:
    files, _ = read_records(environment)
    place = site(environment) / "some_thing" / "core.py"
    place.unlink()
    place.mkdir()
    name = place.relative_to(environment).as_posix()
    same_size = [replace(f, size=place.lstat().st_size) if f.path == name else f for f in files]
    for known in (files, same_size):
        assert compare(environment, known, full=full) == (Difference(name, "changed"),)
    assert found(environment) == {("some_thing/core.py", "changed")}


def test_names_and_versions_come_from_the_folders(environment: Path) -> None:
    assert distributions(environment) == {"some-thing": "1.0"}
    assert distributions(environment / "bin") == {}
    assert site_packages(environment / "bin") is None


def test_many_files_are_counted_aloud(environment: Path) -> None:
    package, record = site(environment) / "many", site(environment) / "some_thing-1.0.dist-info" / "RECORD"
    package.mkdir()
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).rstrip(b"=").decode()
    rows = []
    for number in range(2500):
        (package / f"{number}.py").touch()
        rows.append(f"many/{number}.py,sha256={digest},0")
    record.write_text(record.read_text() + "\n".join(rows) + "\n")
    counted: list[int] = []
    files, differences = read_records(environment, counted.append)
    assert (len(files), differences) == (2504, ())
    assert counted
    assert max(counted) <= len(files)
