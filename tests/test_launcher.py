"""What makes an IDE of ours startable, and gives it memory: real links, a real desktop library, real settings."""

import ctypes
import ctypes.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setup_llm_dev.components.pycharm_install import DESKTOP_ENTRY, ide_home, ide_steps
from setup_llm_dev.documents.desktop_entry import desktop_entry
from setup_llm_dev.documents.lock import ArchiveIdeLock, IdeLock, InstalledIdeLock
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.vmoptions import heap_mib
from setup_llm_dev.host.world import Host
from setup_llm_dev.steps.launcher import LinkLauncher, WriteDesktopEntry
from setup_llm_dev.steps.memory import SetHeap
from setup_llm_dev.steps.step import Satisfied, Step, silent
from tests.ground import layout_in, scratch_host
from tests.upstream.ide_archive import product_info

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="made for Linux alone")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return scratch_host(tmp_path / "home")


def an_ide(folder: Path, version: str = "2026.3.1", launcher: str = "#!/bin/sh\n") -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "product-info.json").write_text(json.dumps(product_info(version, "263.1.1")))
    for name in ("pycharm", "pycharm.svg", "pycharm.png"):
        (folder / "bin" / name).write_text(launcher)
        (folder / "bin" / name).chmod(0o755)
    return folder


def satisfied(step: Step, host: Host) -> bool:
    return isinstance(step.check(host), Satisfied)


# the desktop entry as text --------------------------------------------------------------------------------


def keys_of(entry: bytes) -> dict[str, str]:
    lines = entry.decode().split("\n")
    assert lines[0] == "[Desktop Entry]"
    assert lines[-1] == ""
    return dict(line.partition("=")[::2] for line in lines[1:-1])


def value_of(text: str) -> str:
    """A value of the kind «string», read as the specification says."""
    meant, rest = "", iter(text)
    for character in rest:
        meant += {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}[next(rest)] if character == "\\" else character
    return meant


def arguments_of(command: str, given: str) -> list[str]:
    """The arguments of `Exec`, read as the specification says: quotes, backslashes in them, field codes."""
    found: list[str] = []
    position = 0
    while position < len(command):
        word, quoted = "", command[position] == '"'
        position += quoted
        while position < len(command) and command[position] != ('"' if quoted else " "):
            assert command[position] not in "`$" or not quoted, "a special character must be escaped"
            if quoted and command[position] == "\\":
                position += 1
                assert command[position] in '"`$\\'
                word += command[position]
            elif command[position] == "%":
                position += 1
                word += {"%": "%", "f": given}[command[position]]
            else:
                word += command[position]
            position += 1
        position += quoted
        found.append(word)
        while position < len(command) and command[position] == " ":
            position += 1
    return found


PATHS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)
NASTY = ("plain", "a b", 'a"b', "a'b", "$HOME", "`id`", "back\\slash", "\\", "100%", "%f", "%%", "a\nb", "a\tb",
         " lead", "trail ", "中文", ";rm -rf", "~", "#x", "a=b", "\\$", '\\"', "\r")  # fmt: skip


def entry_for(path: str) -> bytes:
    program = PurePosixPath("/opt", path.replace("/", "_"), "bin/pycharm")
    return desktop_entry(
        name="PyCharm 2026.3", comment="IDE", program=program, icon=program.with_suffix(".svg"), wm_class="jetbrains"
    )


def _without_env(words: list[str]) -> list[str]:
    return words[1:] if words[0] == "/usr/bin/env" else words


def check_entry(path: str) -> None:
    keys = keys_of(entry_for(path))
    program = f"/opt/{path.replace('/', '_')}/bin/pycharm"
    assert _without_env(arguments_of(value_of(keys["Exec"]), "/a file")) == [program, "/a file"]
    assert value_of(keys["Icon"]) == f"{program}.svg"


@given(PATHS)
@settings(max_examples=200, deadline=None)
def test_any_path_comes_through_the_quoting(path: str) -> None:
    if path not in (".", "..") and "\n" not in path.splitlines(keepends=True)[0][:-1]:
        check_entry(path)


@pytest.mark.parametrize("path", NASTY)
def test_nasty_paths_come_through_the_quoting(path: str) -> None:
    check_entry(path)


def _glib() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("glib-2.0")
    return ctypes.CDLL(name) if name else None


@LINUX
@pytest.mark.parametrize("path", NASTY)
def test_the_desktops_own_library_reads_the_same(path: str) -> None:
    glib = _glib()
    if glib is None:
        pytest.skip("no GLib on this machine")
    glib.g_key_file_new.restype = glib.g_key_file_get_string.restype = ctypes.c_void_p
    table = ctypes.c_void_p(glib.g_key_file_new())
    data = entry_for(path)
    assert glib.g_key_file_load_from_data(table, data, ctypes.c_size_t(len(data)), 0, None)
    command = glib.g_key_file_get_string(table, b"Desktop Entry", b"Exec", None)
    text = ctypes.string_at(command).replace(b"%%", b"%")
    count, words = ctypes.c_int(), ctypes.POINTER(ctypes.c_char_p)()
    assert glib.g_shell_parse_argv(text, ctypes.byref(count), ctypes.byref(words), None)
    told = _without_env([words[i].decode() for i in range(count.value)])
    assert told == [f"/opt/{path}/bin/pycharm", "%f"]


@LINUX
def test_the_validator_of_the_desktops_has_nothing_to_say(tmp_path: Path) -> None:
    validator = shutil.which("desktop-file-validate")
    if validator is None:
        pytest.skip("desktop-file-validate is not installed (desktop-file-utils)")
    for number, path in enumerate(NASTY):
        (tmp_path / f"{number}.desktop").write_bytes(entry_for(path))
        done = subprocess.run([validator, tmp_path / f"{number}.desktop"], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, ""), path


# the desktop entry on the machine -------------------------------------------------------------------------


def entry_step(tmp_path: Path, home: Path) -> WriteDesktopEntry:
    return WriteDesktopEntry(tmp_path / "applications" / DESKTOP_ENTRY, home, "linux", "x86_64")


@LINUX
def test_the_entry_says_what_the_ide_says_and_is_taken_back(host: Host, tmp_path: Path) -> None:
    home = an_ide(tmp_path / "ide")
    step = entry_step(tmp_path, home)
    receipt = step.apply(host, silent)
    assert satisfied(step, host)
    keys = keys_of(Path(step.place).read_bytes())
    assert keys["Name"] == "PyCharm 2026.3.1"
    assert keys["Icon"] == str(home / "bin/pycharm.svg")
    assert keys["StartupWMClass"] == "jetbrains-pycharm"
    assert keys["Exec"] == f'"{home}/bin/pycharm" %f'
    again = WriteDesktopEntry.from_record(json.loads(json.dumps(step.record())))
    assert again.undo(host, receipt) == ()
    assert not Path(step.place).exists()


@LINUX
def test_the_other_picture_stands_in(host: Host, tmp_path: Path) -> None:
    home = an_ide(tmp_path / "ide")
    (home / "bin/pycharm.svg").unlink()
    step = entry_step(tmp_path, home)
    step.apply(host, silent)
    assert keys_of(Path(step.place).read_bytes())["Icon"] == str(home / "bin/pycharm.png")
    (home / "bin/pycharm.png").unlink()
    assert not satisfied(step, host)
    step.apply(host, silent)
    assert "Icon" not in keys_of(Path(step.place).read_bytes())


@LINUX
def test_an_upgrade_replaces_the_entry_and_its_undo_brings_the_old_one_back(host: Host, tmp_path: Path) -> None:
    old, new = an_ide(tmp_path / "old"), an_ide(tmp_path / "new", "2026.3.2")
    entry_step(tmp_path, old).apply(host, silent)
    before = Path(entry_step(tmp_path, old).place).read_bytes()
    step = entry_step(tmp_path, new)
    assert not satisfied(step, host)
    receipt = step.apply(host, silent)
    assert keys_of(Path(step.place).read_bytes())["Name"] == "PyCharm 2026.3.2"
    assert step.undo(host, receipt) == ()
    assert Path(step.place).read_bytes() == before


@LINUX
def test_the_desktop_starts_it_from_a_folder_with_an_unusual_name(host: Host, tmp_path: Path) -> None:
    gio = shutil.which("gio")
    if gio is None:
        pytest.skip("no gio on this machine")
    home = an_ide(tmp_path / '100% "$HOME" `id` \\ ide', launcher='#!/bin/sh\nprintf "%s\\n" "$0" "$@" > "$TOLD"\n')
    step = entry_step(tmp_path, home)
    step.apply(host, silent)
    told = tmp_path / "told"
    (tmp_path / "a project").mkdir()
    words = [gio, "launch", str(step.place), str(tmp_path / "a project")]
    environment = {"PATH": os.defpath, "TOLD": str(told), "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for _ in range(1000):
        if told.exists() and told.read_text().count("\n") == 2:
            break
        time.sleep(0.01)
    assert told.read_text().splitlines() == [str(home / "bin/pycharm"), str(tmp_path / "a project")]


# the command ----------------------------------------------------------------------------------------------


def link_step(tmp_path: Path, version: str) -> LinkLauncher:
    home = tmp_path / "data/ide" / f"pycharm-{version}"
    return LinkLauncher(tmp_path / "home/.local/bin/pycharm", home, "linux", "x86_64", tmp_path / "data/ide")


@LINUX
def test_empty_folders_that_were_there_stay_and_those_above_that_were_made_go(host: Host, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".local/share/applications").mkdir(parents=True)
    tree = tmp_path / "ide/pycharm-2026.2"
    steps: tuple[Step, ...] = (
        LinkLauncher(home / "deep/bin/pycharm", tree, "linux", "x86_64", tree.parent),
        WriteDesktopEntry(home / ".local/share/applications" / DESKTOP_ENTRY, tree, "linux", "x86_64"),
    )
    receipts = [step.apply(host, silent) for step in steps]
    assert [step.undo(host, receipt) for step, receipt in zip(steps, receipts, strict=True)] == [(), ()]
    found = sorted(str(path.relative_to(home)) for path in home.rglob("*"))
    assert found == [".local", ".local/share", ".local/share/applications"]


def test_the_command_is_made_switched_and_switched_back(host: Host, tmp_path: Path) -> None:
    first, second = (link_step(tmp_path, version) for version in ("2026.3.1", "2026.3.2"))
    for step in (first, second):
        an_ide(Path(step.home))
    assert not satisfied(first, host)
    one = first.apply(host, silent)
    assert satisfied(first, host)
    assert not satisfied(second, host)
    two = second.apply(host, silent)
    assert os.readlink(second.place) == str(tmp_path / "data/ide/pycharm-2026.3.2/bin/pycharm")
    assert satisfied(second, host)
    assert second.left_alone(host) is None
    again = LinkLauncher.from_record(json.loads(json.dumps(second.record())))
    assert again.undo(host, two) == ()
    assert os.readlink(first.place) == str(tmp_path / "data/ide/pycharm-2026.3.1/bin/pycharm")
    assert first.undo(host, one) == ()
    assert not (tmp_path / "home/.local/bin").exists(), "it was made for the command"


@LINUX
@pytest.mark.parametrize("kind", ["script", "link", "dangling", "folder"])
def test_a_command_of_the_users_stays_and_is_told(host: Host, tmp_path: Path, kind: str) -> None:
    step = link_step(tmp_path, "2026.3.1")
    home = an_ide(Path(step.home))
    place = Path(step.place)
    place.parent.mkdir(parents=True)
    if kind == "script":
        place.write_text("#!/bin/sh\n# Generated by the Toolbox App\n")
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/bin/true" if kind == "link" else tmp_path / "data/ide/../elsewhere/pycharm")
    before = place.lstat()
    assert satisfied(step, host)
    receipt = step.apply(host, silent)
    said = str(step.left_alone(host))
    assert str(place) in said
    assert str(home / "bin/pycharm") in said
    step.undo(host, receipt)
    assert (place.lstat().st_ino, place.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@LINUX
def test_a_command_that_leads_to_a_version_that_is_gone_is_ours_all_the_same(host: Host, tmp_path: Path) -> None:
    step = link_step(tmp_path, "2026.3.2")
    an_ide(Path(step.home))
    place = Path(step.place)
    place.parent.mkdir(parents=True)
    place.symlink_to(tmp_path / "data/ide/pycharm-2026.1/bin/pycharm")
    receipt = step.apply(host, silent)
    assert satisfied(step, host)
    assert step.undo(host, receipt) == ()
    assert not os.path.lexists(place)


@LINUX
def test_undo_of_a_command_without_a_receipt_and_after_a_change(host: Host, tmp_path: Path) -> None:
    step = link_step(tmp_path, "2026.3.1")
    an_ide(Path(step.home))
    step.apply(host, silent)
    assert step.undo(host, {}) == ()
    assert not os.path.lexists(step.place)
    receipt = step.apply(host, silent)
    Path(step.place).unlink()
    Path(step.place).symlink_to("/bin/true")
    (left,) = step.undo(host, receipt)
    assert str(step.place) in str(left)
    assert os.readlink(step.place) == "/bin/true"


def unpacked(tmp_path: Path, version: str) -> Path:
    """One of ours, with its facts beside it."""
    home = an_ide(tmp_path / "data/ide" / f"pycharm-{version}", version)
    home.with_name(f"{home.name}.json").write_text("{}")
    return home


def steps_for(tmp_path: Path, version: str) -> tuple[LinkLauncher, WriteDesktopEntry]:
    return link_step(tmp_path, version), entry_step(tmp_path, tmp_path / "data/ide" / f"pycharm-{version}")


@LINUX
def test_a_newer_one_of_ours_is_as_good_and_an_older_one_is_not(host: Host, tmp_path: Path) -> None:
    older, newer = (unpacked(tmp_path, version) for version in ("2026.3.1", "2026.3.10"))
    for step in steps_for(tmp_path, "2026.3.10"):
        step.apply(host, silent)
    for step in steps_for(tmp_path, "2026.3.1"):
        assert satisfied(step, host)
    for step in steps_for(tmp_path, "2026.4"):  # which is still to be unpacked
        assert not satisfied(step, host)
    (newer / "bin/pycharm").unlink()
    for step in steps_for(tmp_path, "2026.3.1"):
        assert not satisfied(step, host), "it can't be started any more"
        step.apply(host, silent)
        assert satisfied(step, host)
    assert os.readlink(link_step(tmp_path, "2026.3.1").place) == str(older / "bin/pycharm")


@LINUX
def test_undo_leaves_what_starts_another_of_ours_without_a_word(host: Host, tmp_path: Path) -> None:
    older, newer = (unpacked(tmp_path, version) for version in ("2026.3.1", "2026.4.1"))
    first = [(step, step.apply(host, silent)) for step in steps_for(tmp_path, "2026.3.1")]
    second = [(step, step.apply(host, silent)) for step in steps_for(tmp_path, "2026.4.1")]
    assert [step.undo(host, receipt) for step, receipt in first] == [(), ()]
    assert all(satisfied(step, host) for step, _ in second)
    shutil.rmtree(older)
    assert [step.undo(host, receipt) for step, receipt in second] == [(), ()]
    assert not any(os.path.lexists(step.place) for step, _ in second), "what was there before led to one that is gone"
    assert newer.is_dir()


# memory ---------------------------------------------------------------------------------------------------


def heap_step(host: Host) -> SetHeap:
    config = host.home / ".config/JetBrains/PyCharm2026.3"
    return SetHeap(config, "pycharm64.vmoptions", 8192, host.home / "ide/pycharm-2026.3.1")


def test_memory_is_set_where_nobody_has_decided_and_taken_back(host: Host) -> None:
    step = heap_step(host)
    assert not satisfied(step, host)
    (change,) = step.preview(host)
    assert change.before is None
    receipt = step.apply(host, silent)
    assert satisfied(step, host)
    assert Path(step.settings, step.file_name).read_text() == "-Xmx8192m\n"
    assert step.preview(host) == ()
    again = SetHeap.from_record(json.loads(json.dumps(step.record())))
    assert again.undo(host, receipt) == ()
    assert not Path(step.settings).exists()


def test_a_heap_that_was_changed_since_is_the_users(host: Host) -> None:
    step = heap_step(host)
    receipt = step.apply(host, silent)
    Path(step.settings, step.file_name).write_text("-Xmx6g\n")
    assert satisfied(step, host)
    (left,) = step.undo(host, receipt)
    assert step.file_name in str(left)
    assert Path(step.settings, step.file_name).read_text() == "-Xmx6g\n"


@pytest.mark.parametrize("text", ["-Xmx1g\n", "# nothing\n", ""])
def test_a_file_of_the_users_decides_whatever_is_in_it(host: Host, text: str) -> None:
    step = heap_step(host)
    Path(step.settings).mkdir(parents=True)
    Path(step.settings, step.file_name).write_text(text)
    assert satisfied(step, host)
    assert Path(step.settings, step.file_name).read_text() == text


@pytest.mark.parametrize(
    "environment",
    [
        {"PYCHARM_VM_OPTIONS": "/home/ann/options"},
        {"_JAVA_OPTIONS": "-Xmx3g"},
        {"JDK_JAVA_OPTIONS": "-ea -XX:MaxRAMPercentage=40"},
        {"JAVA_TOOL_OPTIONS": "-Xmx3g"},
    ],
)
def test_every_shell_gets_the_same_answer(tmp_path: Path, environment: dict[str, str]) -> None:
    """What one shell applied, another one's `status` finds as applied, and the other way round."""
    bare, other = (scratch_host(tmp_path / "home", settings) for settings in ({}, environment))
    step = heap_step(bare)
    assert [satisfied(step, host) for host in (bare, other)] == [False, False]
    step.apply(other, silent)
    assert [satisfied(step, host) for host in (bare, other)] == [True, True]


def test_options_beside_the_installation_decide(host: Host) -> None:
    step = heap_step(host)
    Path(step.home).parent.mkdir(parents=True)
    Path(step.home).with_name(f"{step.home.name}.vmoptions").write_text("-Xmx3g\n")
    assert satisfied(step, host)


def test_the_offer_to_import_older_settings_is_kept(host: Host) -> None:
    step = heap_step(host)
    older = Path(step.settings).with_name("PyCharm2025.2") / "options"
    older.mkdir(parents=True)
    (older / "jdk.table.xml").write_text("<application/>")
    assert satisfied(step, host)
    assert step.preview(host) == ()
    Path(step.settings, "options").mkdir(parents=True)  # it has started once
    assert not satisfied(step, host)


@pytest.mark.parametrize(
    ("gib", "heap"),
    [(64, 8192), (32, 8192), (31.1, 8192), (24, 4096), (15.4, 4096), (12, 3072), (7.6, 3072), (6, None), (0, None)],
)
def test_the_heap_goes_by_the_memory(gib: float, heap: int | None) -> None:
    assert heap_mib(int(gib * 2**30)) == heap


# the component --------------------------------------------------------------------------------------------

ARCHIVE = ArchiveIdeLock(
    version="2026.3.1", build="263.1.1", settings_name="PyCharm2026.3", file_name="pycharm-2026.3.1.tar.gz",
    url="https://download.jetbrains.com/python/pycharm-2026.3.1.tar.gz", sha256="0" * 64,
)  # fmt: skip
INSTALLED = InstalledIdeLock(version="2026.2.3", home="/opt/pycharm-2026.2.3", settings_name="PyCharm2026.2")


def steps(ide: IdeLock, machine: Machine) -> dict[str, Step]:
    root = PurePosixPath("/home/ann")
    made = ide_steps(
        ide, layout_in(Path("/home/ann")), machine, optional=True, settings_root=root / ".config/JetBrains",
        programs=root / ".local/bin", applications=root / ".local/share/applications",
    )  # fmt: skip
    return {step.id: step for step in made}


def test_one_of_ours_is_installed_and_made_startable() -> None:
    made = steps(ARCHIVE, Machine(os="linux", arch="x86_64", memory_bytes=64 << 30))
    assert list(made) == ["ide", "ide-launcher", "ide-desktop", "ide-memory"]
    assert [step.phase for step in made.values()] == ["stage", "switch", "switch", "switch"]
    assert all(step.optional for step in made.values())
    assert [step.needs for step in made.values()] == [(), ("ide",), ("ide",), ("ide",)]
    heap = made["ide-memory"]
    assert isinstance(heap, SetHeap)
    assert heap.settings == PurePosixPath("/home/ann/.config/JetBrains/PyCharm2026.3")


def test_one_that_was_there_has_to_be_there_still_and_only_its_memory_is_asked_for() -> None:
    made = steps(INSTALLED, Machine(os="linux", arch="x86_64", memory_bytes=16 << 30))
    assert {name: step.kind for name, step in made.items()} == {"ide": "installed-ide", "ide-memory": "ide-memory"}
    assert list(steps(INSTALLED, Machine(os="linux", arch="x86_64", memory_bytes=4 << 30))) == ["ide"]
    assert ide_home(INSTALLED, layout_in(Path("/home/ann"))) == PurePosixPath("/opt/pycharm-2026.2.3")


def test_a_desktop_of_linux_is_for_linux() -> None:
    made = steps(ARCHIVE, Machine(os="windows", arch="x86_64", memory_bytes=32 << 30))
    assert list(made) == ["ide", "ide-memory"]
    heap = made["ide-memory"]
    assert isinstance(heap, SetHeap)
    assert heap.file_name == "pycharm64.exe.vmoptions"
