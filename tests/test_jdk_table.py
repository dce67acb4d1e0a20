"""The table of interpreters: what is read, added at the byte and taken back, and what IntelliJ reads of it."""

import doctest
import json
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from setup_llm_dev.documents import jdk_table
from setup_llm_dev.documents.jdk_table import (
    TableEntry,
    VenvEntry,
    entries,
    insertion,
    planned_name,
    with_entry,
    without_entry,
    written_path,
)
from setup_llm_dev.documents.xml_nodes import Unreadable
from tests.jps import understood
from tests.tables.trees import tables

TABLES = sorted((Path(__file__).parent / "tables").glob("pycharm-*.xml"))
UUID = "5b6f0f3e-2f0c-4a53-8f6d-2f2f6f6f9c01"
HOME = PurePosixPath("/home/ada")


def ours_in(home: PurePath, folder: str = "llm") -> VenvEntry:
    workspace = home / folder
    return VenvEntry(f"Python 3.12 ({folder})", "3.12.11", workspace / ".venv/bin/python", workspace, UUID, home)


OURS = ours_in(HOME)


def by_uuid(entry: TableEntry) -> bool:
    return entry.uuid == UUID


def there_and_back(data: bytes) -> None:
    """In once, in twice, and out: other entries as they were, and the same bytes at the end."""
    edit = insertion(data, OURS)
    assert edit is not None
    new = with_entry(data, OURS)
    assert with_entry(new, OURS) == new
    assert insertion(new, OURS) is None
    line_free = [replace(entry, line=0) for entry in entries(new)]
    assert line_free[:-1] == [replace(entry, line=0) for entry in entries(data)]
    assert (line_free[-1].name, line_free[-1].local_home(HOME)) == (OURS.name, OURS.home)
    assert without_entry(new, by_uuid, made=edit.text, before=data[edit.start : edit.end]) == data
    if edit.start == edit.end and edit.text.lstrip(b" \t").startswith(b"<jdk"):
        assert without_entry(new, by_uuid) == data, "an entry on lines of its own needs no memory"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_any_table_comes_back_byte_by_byte(data: bytes) -> None:
    there_and_back(data)


@pytest.mark.nightly
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_ten_thousand_tables_come_back_byte_by_byte(data: bytes) -> None:
    there_and_back(data)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_tables_of_eight_versions_come_back_byte_by_byte(path: Path) -> None:
    assert len(TABLES) == 8
    there_and_back(path.read_bytes())


def test_the_entry_as_pycharm_writes_one() -> None:
    new = with_entry(None, OURS)
    assert (
        new.decode()
        == f"""\
<application>
  <component name="ProjectJdkTable">
    <jdk version="2">
      <name value="Python 3.12 (llm)" />
      <type value="Python SDK" />
      <version value="Python 3.12.11" />
      <homePath value="$USER_HOME$/llm/.venv/bin/python" />
      <roots>
        <classPath>
          <root type="composite" />
        </classPath>
        <sourcePath>
          <root type="composite" />
        </sourcePath>
      </roots>
      <additional ASSOCIATED_PROJECT_PATH="$USER_HOME$/llm" SDK_UUID="{UUID}">
        <setting name="FLAVOR_ID" value="VirtualEnvSdkFlavor" />
        <setting name="FLAVOR_DATA" value="{{}}" />
      </additional>
    </jdk>
  </component>
</application>"""
    )
    assert with_entry(b"", OURS) == with_entry(b"\n  \n", OURS) == new
    [entry] = entries(new)
    assert entry == TableEntry(
        OURS.name, "Python SDK", "$USER_HOME$/llm/.venv/bin/python", "Python 3.12.11", "VirtualEnvSdkFlavor",
        False, "$USER_HOME$/llm", UUID, True, 3,
    )  # fmt: skip


@pytest.mark.parametrize("data", [b"", b" \r\n", b"<application/>", b"<application>\n</application>",
                                  b'<application>\n\t<component name="ProjectJdkTable" /></application>'])  # fmt: skip
def test_what_we_had_to_make_goes_with_our_entry(data: bytes) -> None:
    edit = insertion(data, OURS)
    assert edit is not None
    new = with_entry(data, OURS)
    assert without_entry(new, by_uuid, made=edit.text, before=data[edit.start : edit.end]) == data


def test_what_the_ide_added_since_stays() -> None:
    """Also where the file was made by us, or the IDE laid our entry out anew."""
    edit = insertion(None, OURS)
    assert edit is not None
    new = with_entry(None, OURS).replace(b"    <jdk", b'    <jdk version="2"><name value="Else" /></jdk>\n    <jdk', 1)
    left = without_entry(new, by_uuid, made=edit.text, before=b"")
    assert left is not None
    assert [entry.name for entry in entries(left)] == ["Else"]
    filled = new.replace(b'<root type="composite" />', b'<root type="composite"><root url="x" /></root>', 1)
    assert without_entry(filled, by_uuid, made=edit.text, before=b"") == left
    behind = with_entry(None, OURS) + b"\n<!-- mine -->\n"
    left = without_entry(behind, by_uuid, made=edit.text, before=b"")
    assert left is not None
    assert left.endswith(b"<!-- mine -->\n")
    assert entries(left) == ()


def test_nothing_of_ours_is_said_by_none() -> None:
    assert without_entry(TABLES[0].read_bytes(), by_uuid) is None
    assert without_entry(b"", by_uuid) is None


def test_tables_that_no_ide_wrote_are_refused() -> None:
    two = b'<application><component name="ProjectJdkTable"/><component name="ProjectJdkTable"/></application>'
    for data, words in ((two, "2 tables"), (b"<project/>", "“project”"), (b"<application>", "not well-formed")):
        with pytest.raises(Unreadable) as refusal:
            with_entry(data, OURS)
        assert words in str(refusal.value.why)


def test_a_name_is_never_given_twice() -> None:
    taken = with_entry(None, replace(OURS, home=HOME / "elsewhere/python"))
    with pytest.raises(ValueError, match="belongs to another"):
        with_entry(taken, OURS)


def leads(*homes: str) -> Any:
    return lambda entry: entry.home in homes


def named(name: str, home: str, **more: Any) -> TableEntry:
    return TableEntry(name, **{"type": "Python SDK", "home": home, "roots": True, **more})


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ([], "wanted"),
        ([named("other", "/b")], "wanted"),
        ([named("wanted", "/a")], "wanted"),
        ([named("renamed", "/a")], "renamed"),
        ([named("renamed", "/a"), named("wanted", "/a")], "wanted"),
        ([named("wanted", "/b")], "wanted (2)"),
        ([named("wanted", "/b", type="JavaSDK"), named("wanted (2)", "/c")], "wanted (3)"),
        ([named("wanted", "/b"), named("wanted (2)", "/a")], "wanted (2)"),
        ([named("wanted", "/a", type="JavaSDK")], "wanted (2)"),
        ([named("wanted", "/a", roots=False)], "wanted (2)"),
        ([named("wanted", "/a", uv=True)], "wanted (2)"),
        ([named("twice", "/b"), named("twice", "/a")], "wanted"),
        ([named("", "/a")], "wanted"),
    ],
)
def test_the_name_is_that_of_a_right_entry_else_a_free_one(table: list[TableEntry], name: str) -> None:
    assert planned_name(table, "wanted", leads("/a")) == name


def test_homes_on_other_machines_and_behind_unknown_macros_are_not_ours() -> None:
    for home in ("ssh://ada@gpu-box:22/usr/bin/python3", "$APPLICATION_HOME_DIR$/jbr", "bin/python", "", None):
        assert TableEntry("x", home=home).local_home(HOME) is None
    windows = PureWindowsPath(r"C:\Users\Ada")
    wanted = windows / "llm/.venv/Scripts/python.exe"
    for text in (r"$USER_HOME$\llm\.venv\Scripts\python.exe", "C:/users/ada/llm/.venv/Scripts/Python.exe"):
        assert TableEntry("x", home=text).local_home(windows) == wanted
    assert TableEntry("x", home="$USER_HOME$2/bin/python").local_home(HOME) is None
    assert written_path(PurePosixPath("/srv/llm"), HOME) == "/srv/llm"


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_intellij_reads_ours_and_the_five_others_as_before(tmp_path: Path, path: Path) -> None:
    folder = tmp_path / "大模型"
    table = folder / "config" / "options" / "jdk.table.xml"
    table.parent.mkdir(parents=True)
    table.write_bytes(path.read_bytes())
    before = understood(folder, config=folder / "config")
    table.write_bytes(with_entry(path.read_bytes(), ours_in(folder, "R&D <x> 🚀")))
    after = understood(folder, config=folder / "config")

    assert (after["errors"], after["messages"]) == ([], [])
    *others, sdk = after["sdks"]
    assert others == before["sdks"]
    assert len(others) == 5
    assert (sdk["name"], sdk["type"], sdk["version"]) == ("Python 3.12 (R&D <x> 🚀)", "Python SDK", "Python 3.12.11")
    assert sdk["home"] == f"{folder}/R&D <x> 🚀/.venv/bin/python"
    assert "VirtualEnvSdkFlavor" in json.dumps(sdk["additional"])


def test_intellij_reads_a_table_that_we_made(tmp_path: Path) -> None:
    table = tmp_path / "config" / "options" / "jdk.table.xml"
    table.parent.mkdir(parents=True)
    table.write_bytes(with_entry(None, ours_in(tmp_path)))
    read = understood(tmp_path, config=tmp_path / "config")
    assert read["errors"] == []
    assert [sdk["home"] for sdk in read["sdks"]] == [f"{tmp_path}/llm/.venv/bin/python"]


def test_examples_in_the_documentation() -> None:
    assert doctest.testmod(jdk_table).failed == 0
