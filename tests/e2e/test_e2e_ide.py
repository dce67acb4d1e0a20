"""PyCharm from the command line: installed, shared, given, found, waited for, out of reach, and open."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from tests.e2e.machine import CLOSED, Done, Machine
from tests.e2e.toy import PYCHARM, Toy
from tests.oracle import changes, done_holds, manifest
from tests.upstream.acts import flip, status
from tests.upstream.ide_archive import pycharm_archive
from tests.upstream.jetbrains import JetBrains

SETTINGS = f".config/JetBrains/PyCharm{PYCHARM.rpartition('.')[0]}"
BROKEN = b"<application><component></application>"


def table(machine: Machine) -> bytes:
    return (machine.home / SETTINGS / "options" / "jdk.table.xml").read_bytes()


def ide(machine: Machine) -> Path:
    return machine.data / "ide" / f"pycharm-{PYCHARM}"


def gaps(done: Done) -> dict[str, dict[str, Any]]:
    return {gap["what"]: gap for gap in done.document()["gaps"]}


def test_two_projects_share_one_pycharm_and_each_has_its_entry(toy: Toy, toy_machine: Machine) -> None:
    one, other = toy_machine.home / "one", toy_machine.home / "other"
    asked = len(toy.jetbrains.downloads.asked("*.tar.gz", "GET"))
    for folder in (one, other):
        done = toy.apply(toy_machine, "--workspace", str(folder))
        assert done.code == 0, done.said
    assert len(toy.jetbrains.downloads.asked("*.tar.gz", "GET")) - asked <= 1, "one that is here is not fetched again"
    assert all(f"{folder.name}/.venv/bin/python".encode() in table(toy_machine) for folder in (one, other))
    undone = toy_machine.run("undo", str(toy.recipe), "--workspace", str(one))
    assert undone.code == 0, undone.said
    assert (ide(toy_machine) / "product-info.json").is_file(), "the other project works with it"
    assert (toy_machine.home / ".local/bin/pycharm").exists()
    assert b"one/.venv" not in table(toy_machine)
    assert b"other/.venv" in table(toy_machine)
    assert toy_machine.run("status", str(toy.recipe), "--workspace", str(other)).code == 0
    gone = toy_machine.run("uninstall", "-y")
    assert gone.code == 0, gone.said
    left = [path for path in manifest(toy_machine.home) if not path.startswith(".cache")]
    assert [path for path in left if "pycharm" in path.lower() or "JetBrains" in path] == []


def test_an_archive_that_is_here_needs_nobody(toy: Toy, toy_machine: Machine, tmp_path: Path) -> None:
    archive = tmp_path / "any name.tar.gz"
    archive.write_bytes(pycharm_archive("2026.4.1", "264.1.1"))
    right = subprocess.run(["sha256sum", archive], capture_output=True, text=True).stdout[:64]
    unknown = toy.apply(toy_machine, "--pycharm-archive", str(archive), SETUP_LLM_DEV_MIRRORS_JETBRAINS_FEED=CLOSED)
    assert unknown.code == 2, unknown.said
    assert right in unknown.err, "it says what it found, for whoever can compare"
    wrong = toy.apply(toy_machine, "--pycharm-archive", str(archive), "--pycharm-sha256", "0" * 64)
    assert wrong.code == 5, wrong.said
    assert not toy_machine.workspace.exists()
    words = ("--pycharm-archive", str(archive), "--pycharm-sha256", right)
    done = toy.apply(toy_machine, *words, SETUP_LLM_DEV_MIRRORS_JETBRAINS_FEED=CLOSED)
    assert done.code == 0, done.said
    assert (toy_machine.data / "ide" / "pycharm-2026.4.1" / "bin" / "pycharm").is_file()
    assert toy.apply(toy_machine, *words, "--json").document()["changed"] is False


def given(folder: Path) -> tuple[str, ...]:
    """The arguments for another archive of the same PyCharm."""
    archive = folder / "another.tar.gz"
    archive.write_bytes(pycharm_archive(PYCHARM, "263.8665.41", stubs=5))
    right = subprocess.run(["sha256sum", archive], capture_output=True, text=True).stdout[:64]
    return "--pycharm-archive", str(archive), "--pycharm-sha256", right


def test_projects_do_not_take_the_pycharm_of_one_version_from_each_other(
    toy: Toy, toy_machine: Machine, tmp_path: Path
) -> None:
    one, other = toy_machine.home / "one", toy_machine.home / "other"
    assert toy.apply(toy_machine, "--workspace", str(one)).code == 0
    before = manifest(ide(toy_machine))
    refused = toy.apply(toy_machine, "--workspace", str(other), *given(tmp_path))
    assert refused.code == 3, refused.said
    assert str(one) in refused.err
    assert changes(before, manifest(ide(toy_machine))) == []
    assert not (other / ".venv").exists(), "before anything is made"
    shared = toy.apply(toy_machine, "--workspace", str(other), "--upgrade")
    assert shared.code == 0, f"as the hint says: {shared.said}"
    assert toy_machine.run("status", str(toy.recipe), "--workspace", str(one)).code == 0
    assert toy_machine.run("undo", str(toy.recipe), "--workspace", str(other)).code == 0
    alone = toy.apply(toy_machine, "--workspace", str(one), *given(tmp_path))
    assert alone.code == 0, f"nobody else works with it: {alone.said}"
    assert len(list(ide(toy_machine).rglob("stubs/package-*"))) == 5


def test_a_pycharm_that_has_updated_itself_is_not_replaced_by_an_older_one(
    toy: Toy, toy_machine: Machine, tmp_path: Path
) -> None:
    assert toy.apply(toy_machine).code == 0
    told = ide(toy_machine) / "product-info.json"
    told.write_text(told.read_text().replace(PYCHARM, "2026.4.1"))
    before = manifest(ide(toy_machine))
    for folder in (toy_machine.workspace, toy_machine.home / "other"):
        refused = toy.apply(toy_machine, "--workspace", str(folder), *given(tmp_path))
        assert refused.code == 3, refused.said
        assert "updated itself to 2026.4.1" in refused.err
        assert changes(before, manifest(ide(toy_machine))) == []
    assert not ide(toy_machine).with_name(f"pycharm-{PYCHARM}.kept").exists()


def test_what_was_put_into_a_pycharm_that_is_made_anew_is_named(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    (ide(toy_machine) / "mine.txt").write_text("mine")
    (ide(toy_machine) / "bin" / "pycharm").write_bytes(b"damaged")
    kept = ide(toy_machine).with_name(f"pycharm-{PYCHARM}.kept")
    plan = toy_machine.run("plan", *toy.words()[1:], "--pin", "--json").document()
    [install] = [step for step in plan["steps"] if step["id"] == "ide"]
    assert f"moves to {kept}: mine.txt" in str(install["why_not"])
    done = toy.apply(toy_machine, "--json")
    assert done.code == 0, done.said
    assert (kept / "mine.txt").read_text() == "mine"
    assert [note for note in done.document()["notes"] if str(kept) in note]


def test_a_lock_that_came_with_a_project_does_not_choose_the_bytes(toy: Toy, toy_machine: Machine) -> None:
    """Neither from a host that is nobody's, nor under the version of a release whose hash we know."""
    assert toy.apply(toy_machine).code == 0
    place, beside = toy_machine.workspace / "setup-llm-dev.lock.toml", toy_machine.workspace / "pylock.toy.toml"
    lock, pylock = tomllib.loads(place.read_text()), beside.read_bytes()
    assert toy_machine.run("uninstall", "-y").code == 0
    known = {"version": "2026.2.3", "settings_name": "PyCharm2026.2", "evidence": "catalogue"}
    for changed, code in (({"url": "https://evil.example/pycharm.tar.gz"}, 2), (known, 5)):
        toy_machine.workspace.mkdir(parents=True, exist_ok=True)
        place.write_text(tomli_w.dumps(lock | {"ide": lock["ide"] | changed}))
        beside.write_bytes(pylock)
        done = toy.apply(toy_machine)
        assert done.code == code, done.said
        assert not (toy_machine.data / "ide").exists()
        assert not os.path.lexists(toy_machine.home / ".local/bin/pycharm")
        assert not toy_machine.venv.exists()


def test_a_pycharm_of_the_users_is_used_and_never_touched(toy: Toy, toy_machine: Machine) -> None:
    home = toy_machine.home / "pycharm-2025.3"
    toy_machine.home.mkdir(parents=True)
    _unpack(pycharm_archive("2025.3.2.1", "253.30387.173"), toy_machine.home, home)
    before = manifest(home)
    done = toy.apply(toy_machine)
    assert done.code == 0, done.said
    assert str(home) in done.err, "it says which one it takes"
    assert changes(before, manifest(home)) == []
    assert not (toy_machine.data / "ide").exists()
    entries = (toy_machine.home / ".config/JetBrains/PyCharm2025.3/options/jdk.table.xml").read_bytes()
    assert b".venv/bin/python" in entries


def test_a_pycharm_that_went_away_is_drift_and_another_takes_its_place(toy: Toy, toy_machine: Machine) -> None:
    home = toy_machine.home / "pycharm"
    toy_machine.home.mkdir(parents=True)
    _unpack(pycharm_archive("2025.3.2.1", "253.30387.173"), toy_machine.home, home)
    assert toy.apply(toy_machine).code == 0
    home.rename(toy_machine.home / "elsewhere")
    drifted = toy_machine.run("status", str(toy.recipe))
    assert drifted.code == 8, drifted.said
    assert str(home) in drifted.out
    done = toy.apply(toy_machine)
    assert done.code == 0, done.said
    assert (ide(toy_machine) / "bin" / "pycharm").is_file()


def test_an_archive_completes_what_the_download_host_did_not_give(
    toy: Toy, toy_machine: Machine, tmp_path: Path
) -> None:
    """The lock names the maker's address already, and the file has the very hash of it."""
    toy.jetbrains.cdn.fault("*", status(404), times=None)
    assert "ide" in gaps(toy.apply(toy_machine, "--json"))
    archive = tmp_path / "pycharm.tar.gz"
    archive.write_bytes(pycharm_archive(PYCHARM, "263.8665.41", arches=("amd64",)))
    right = subprocess.run(["sha256sum", archive], capture_output=True, text=True).stdout[:64]
    done = toy.apply(toy_machine, "--pycharm-archive", str(archive), "--pycharm-sha256", right, "--json")
    assert done.code == 0, done.said
    assert "ide" not in gaps(done)
    assert (ide(toy_machine) / "bin" / "pycharm").is_file()


def test_a_command_of_the_users_stays_and_the_report_says_so(toy: Toy, toy_machine: Machine) -> None:
    place = toy_machine.home / ".local" / "bin" / "pycharm"
    place.parent.mkdir(parents=True)
    place.write_text("#!/bin/sh\n# the Toolbox's\n")
    for _ in range(2):
        done = toy.apply(toy_machine, "--json")
        assert done.code == 0, done.said
        [note] = [note for note in done.document()["notes"] if str(place) in note]
        assert str(ide(toy_machine) / "bin" / "pycharm") in note
    assert str(place) in toy_machine.report()["notes"][-1]
    assert "Toolbox" in place.read_text()


def test_a_git_that_is_broken_is_a_gap_and_the_rest_is_done(toy: Toy, toy_machine: Machine, tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "git"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho out of luck >&2; exit 3\n")
    broken.chmod(0o755)
    path = f"{broken.parent}{os.pathsep}{os.environ['PATH']}"
    done = toy.apply(toy_machine, "--json", PATH=path)
    assert done.code == 0, done.said
    assert "out of luck" in gaps(done)["git"]["why"]
    assert done_holds(toy_machine.workspace) == []
    page = toy.apply(toy_machine, PATH=path)
    assert "version control" in page.out, page.said
    assert set(gaps(toy.apply(toy_machine, "--json"))) == {"model"}
    assert (toy_machine.workspace / ".git" / "HEAD").is_file()


def test_an_update_by_its_own_updater_moves_us_along(toy: Toy, toy_machine: Machine) -> None:
    home = toy_machine.home / "pycharm"
    toy_machine.home.mkdir(parents=True)
    _unpack(pycharm_archive("2025.3.2.1", "253.30387.173"), toy_machine.home, home)
    assert toy.apply(toy_machine).code == 0
    subprocess.run(["rm", "-r", home], check=True)
    _unpack(pycharm_archive("2026.1.1", "261.23567.174"), toy_machine.home, home)
    done = toy.apply(toy_machine, "--json")
    assert done.code == 0, done.said
    why = gaps(done)["ide"]["why"]
    assert "PyCharm2025.3" in why, "the offer to import the older settings goes first"
    (toy_machine.home / ".config/JetBrains/PyCharm2026.1/options").mkdir(parents=True)
    (toy_machine.home / ".config/JetBrains/PyCharm2026.1/options/ide.general.xml").write_text("<application/>\n")
    again = toy.apply(toy_machine, "--json")
    assert again.code == 0, again.said
    assert "ide" not in gaps(again)
    assert (toy_machine.home / ".config/JetBrains/PyCharm2026.1/options/jdk.table.xml").is_file()


def test_out_of_reach_is_a_gap_that_a_later_run_completes(toy: Toy, toy_machine: Machine) -> None:
    first = toy.apply(toy_machine, "--json", SETUP_LLM_DEV_MIRRORS_JETBRAINS_FEED=CLOSED)
    assert first.code == 0, first.said
    assert "--pycharm-archive" in gaps(first)["ide"]["why"]
    assert (toy_machine.workspace / ".idea" / "misc.xml").is_file(), "the project is ready all the same"
    required = toy.apply(toy_machine, "--require", "ide", SETUP_LLM_DEV_MIRRORS_JETBRAINS_FEED=CLOSED)
    assert required.code == 4, required.said
    toy.jetbrains.feed.forget()


def test_a_host_that_dies_in_the_middle_is_forgiven_and_the_rest_is_done(toy: Toy, toy_machine: Machine) -> None:
    toy.jetbrains.cdn.fault("*", status(404), times=None)
    done = toy.apply(toy_machine, "--json")
    assert done.code == 0, done.said
    assert done.document()["verdict"] == "partial"
    assert set(gaps(done)) == {"model", "ide"}
    assert toy_machine.venv.is_symlink(), "the environment is switched to"
    assert not (toy_machine.home / ".local/bin/pycharm").is_symlink()
    toy.jetbrains.heal()
    again = toy.apply(toy_machine, "--json")
    assert again.code == 0, again.said
    assert set(gaps(again)) == {"model"}
    assert (ide(toy_machine) / "bin" / "pycharm").is_file()


def test_wrong_bytes_are_5_and_nothing_is_switched(toy: Toy, toy_machine: Machine) -> None:
    toy.jetbrains.cdn.fault("*", flip(5000), times=None)
    done = toy.apply(toy_machine)
    assert done.code == 5, done.said
    assert not ide(toy_machine).exists()
    assert not toy_machine.venv.exists()


@pytest.mark.parametrize("data", [BROKEN, b"<!DOCTYPE a [<!ENTITY b 'c'>]><application/>"], ids=["broken", "doctype"])
def test_a_table_that_we_leave_alone_is_3_before_anything_is_fetched(
    toy: Toy, toy_machine: Machine, data: bytes
) -> None:
    place = toy_machine.home / SETTINGS / "options" / "jdk.table.xml"
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    served = toy.jetbrains.served()
    done = toy.apply(toy_machine)
    assert done.code == 3, done.said
    assert "jdk.table.xml" in done.err
    assert place.read_bytes() == data
    assert toy.jetbrains.served() == served
    assert not toy_machine.workspace.exists()


@pytest.fixture
def open_pycharm(toy: Toy, toy_machine: Machine) -> Iterator[Machine]:
    """Our own, running on its settings: a real process of that folder."""
    assert toy.apply(toy_machine, "--workspace", str(toy_machine.home / "first")).code == 0
    environment = toy_machine.environment()
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", "-Didea.paths.selector=" + Path(SETTINGS).name,
         "com.intellij.idea.Main"],
        env=environment,
    ) as running:  # fmt: skip
        try:
            yield toy_machine
        finally:
            running.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_while_pycharm_is_open_its_table_is_left_alone(toy: Toy, open_pycharm: Machine) -> None:
    before = table(open_pycharm)
    done = toy.apply(open_pycharm, "--workspace", str(open_pycharm.home / "second"))
    assert done.code == 7, done.said
    assert "PyCharm" in done.err
    assert table(open_pycharm) == before
    assert not (open_pycharm.home / "second").exists()


def test_plan_shows_every_file_of_the_users_that_would_change(toy: Toy, toy_machine: Machine) -> None:
    place = toy_machine.home / SETTINGS / "options" / "jdk.table.xml"
    place.parent.mkdir(parents=True)
    place.write_bytes(b'<application>\n  <component name="ProjectJdkTable">\n  </component>\n</application>\n')
    words = ("plan", str(toy.recipe), "--pin", "--skip", "smoke", "--json", "--python", toy.words()[-1])
    done = toy_machine.run(*words)
    assert done.code == 0, done.said
    told = {diff["path"]: diff for diff in done.document()["diffs"]}
    assert "+      <name value=" in told[str(place)]["diff"]
    assert all(Path(path).is_absolute() for path in told)
    assert b"jdk version" not in place.read_bytes()


def test_the_feed_answers_again_and_the_gap_closes_by_itself(toy: Toy, toy_machine: Machine) -> None:
    with JetBrains() as late:
        late.archive(PYCHARM, "263.8665.41")
        dead = f"http://127.0.0.1:{late.port}/products/releases"
    first = toy.apply(toy_machine, "--json", SETUP_LLM_DEV_MIRRORS_JETBRAINS_FEED=dead)
    assert "ide" in gaps(first), first.said
    with JetBrains(port=late.port) as back:
        back.archive(PYCHARM, "263.8665.41")
        second = toy.apply(toy_machine, "--json", SETUP_LLM_DEV_MIRRORS_JETBRAINS_FEED=dead)
    assert second.code == 0, second.said
    assert "ide" not in gaps(second)
    assert (ide(toy_machine) / "bin" / "pycharm").is_file()


def _unpack(archive: bytes, folder: Path, home: Path) -> None:
    subprocess.run(["tar", "xz", "-C", folder], input=archive, check=True)
    (made,) = (path for path in folder.glob("pycharm-*") if path != home and (path / "product-info.json").is_file())
    made.rename(home)
