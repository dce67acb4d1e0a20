"""doctor on this computer: disks, memory, folders, Pythons, surroundings, and what earlier runs left."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import msgspec
import pytest

from setup_llm_dev.documents.events import Started
from setup_llm_dev.documents.journal import encode_line
from setup_llm_dev.documents.machine import Interpreter, Machine
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.state import JournalWriter
from setup_llm_dev.messages import message
from setup_llm_dev.stages.data_folder import MARKER
from setup_llm_dev.stages.diagnoses import leftovers, memory, mounts, paths, python, shell, space, system, topology
from setup_llm_dev.stages.diagnoses.situation import Mendable, Situation
from setup_llm_dev.stages.doctor import mended
from tests.doctoring import RTX, entries, here, recorded
from tests.ground import SOURCE, this_interpreter, tool

GIB = 1 << 30
TABLE = """22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home/ann rw,relatime - nfs4 server:/home rw
31 22 0:41 / /opt/data ro,noexec,relatime - ext4 /dev/sdb1 ro
32 22 0:42 / /mnt/c rw,noatime - 9p C:\\134 rw
"""


class Told(Files):
    """The real disk, with another table of mounts, other limits, and another amount of room."""

    def __init__(self, texts: dict[str, str], free: int = 200_000_000_000) -> None:
        super().__init__()
        self._texts, self._free = texts, free

    def read_text(self, path: Any) -> str | None:
        return self._texts.get(str(path), super().read_text(path))

    def free_bytes(self, path: Any) -> int:
        return self._free


def with_files(situation: Situation, texts: dict[str, str], free: int = 200_000_000_000) -> Situation:
    return replace(situation, host=replace(situation.host, files=Told(texts, free)))


def placed(situation: Situation, **folders: str) -> Situation:
    return replace(situation, layout=msgspec.structs.replace(
        situation.layout, **{name: PurePosixPath(place) for name, place in folders.items()}))  # fmt: skip


# disk ---------------------------------------------------------------------------------------------------------


def test_the_innermost_mount_is_found() -> None:
    table = tuple(mounts.parsed(TABLE))
    kinds = {place: mounts.mount_of(PurePosixPath(place), table) for place in ("/home/ann/x", "/home/bob", "/opt/data")}
    assert {place: mount.kind if mount else None for place, mount in kinds.items()} == {
        "/home/ann/x": "nfs4", "/home/bob": "ext4", "/opt/data": "ext4"
    }  # fmt: skip


def test_a_disk_with_room_passes_and_one_without_does_not(tmp_path: Path) -> None:
    fine = entries(space.look, with_files(here(tmp_path), {}))
    assert "disk-room" in fine
    assert not {entry for entry in fine.values() if entry.level == "error"}
    told = entries(space.look, with_files(here(tmp_path), {}, free=2_000_000_000))["disk-short"]
    assert told.level == "error"
    assert "2.0 GB are free" in str(told.text)
    assert any("the environment" in line for line in told.evidence)


def test_a_gpu_build_needs_more_room_than_one_for_the_processor(tmp_path: Path) -> None:
    free = 12_000_000_000
    assert "disk-room" in entries(space.look, with_files(here(tmp_path / "a"), {}, free))
    assert "disk-short" in entries(space.look, with_files(here(tmp_path / "b", RTX), {}, free))


def test_mounts_that_are_remote_read_only_or_run_no_programs(tmp_path: Path) -> None:
    situation = placed(with_files(here(tmp_path), {"/proc/self/mountinfo": TABLE}), data="/opt/data/x",
                       hub_cache="/home/ann/hf/hub")  # fmt: skip
    told = entries(space.look, situation)
    assert {"disk-read-only", "disk-noexec", "disk-remote"} <= set(told)
    assert "nfs4" in str(told["disk-remote"].text)


def test_the_speed_of_a_real_disk_is_measured_and_nothing_stays(tmp_path: Path) -> None:
    situation = here(tmp_path)
    told = entries(space.look, situation)
    assert {"disk-speed", "disk-slow"} & set(told)
    assert list(tmp_path.iterdir()) == []


# memory -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("memory_bytes", "limit", "id"), [
    (32 * GIB, None, "memory-room"), (2 * GIB, None, "memory-short"), (32 * GIB, 2 * GIB, "memory-short"),
])  # fmt: skip
def test_memory_counts_as_far_as_the_container_may_have_it(
    memory_bytes: int, limit: int | None, id: str, tmp_path: Path
) -> None:
    situation = here(tmp_path)
    situation = replace(situation, machine=msgspec.structs.replace(situation.machine, memory_bytes=memory_bytes))
    texts = {"/sys/fs/cgroup/memory.max": f"{limit}\n" if limit else "max\n", "/proc/meminfo": ""}
    told = entries(memory.look, with_files(situation, texts))
    assert set(told) == {id}
    if limit:
        assert "/sys/fs/cgroup/memory.max" in told[id].evidence[0]


def test_memory_that_others_use_now_is_told(tmp_path: Path) -> None:
    texts = {"/proc/meminfo": "MemTotal: 33554432 kB\nMemAvailable:   1000000 kB\n"}
    assert set(entries(memory.look, with_files(here(tmp_path), texts))) == {"memory-scarce"}


def test_a_gpu_that_is_too_small_for_the_model(tmp_path: Path) -> None:
    small = msgspec.structs.replace(RTX, memory_bytes=1 * GIB)
    assert "gpu-memory-short" in entries(memory.look, here(tmp_path, small))
    assert "gpu-memory-short" not in entries(
        memory.look, here(tmp_path, msgspec.structs.replace(RTX, memory_bytes=24 * GIB))
    )


# folders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("entry", "id"), [
    (lambda: paths.non_ascii(PureWindowsPath("C:\\Users\\Jörg"), windows=True), "home-not-ascii"),
    (lambda: paths.synced((PureWindowsPath("C:\\Users\\ann\\OneDrive - Firma\\llm"),)), "synced-folder"),
    (lambda: paths.drives((PureWindowsPath("C:\\a"), PureWindowsPath("d:\\b"))), "several-drives"),
    (lambda: paths.long_paths(PureWindowsPath("C:\\" + "x" * 130), None), "long-paths"),
    (lambda: paths.on_windows_drives((PurePosixPath("/mnt/c/Users/ann/llm"),)), "wsl-windows-drive"),
    (lambda: paths.shebangs(PurePosixPath("/" + "x" * 260)), "path-too-long"),
])  # fmt: skip
def test_folders_that_programs_trip_over(entry: Callable[[], Any], id: str) -> None:
    (told,) = entry()
    assert told.id == id
    assert told.hint is not None


@pytest.mark.parametrize("entry", [
    lambda: paths.non_ascii(PureWindowsPath("C:\\Users\\ann"), windows=True),
    lambda: paths.synced((PureWindowsPath("C:\\Users\\ann\\llm"), PurePosixPath("/home/ann/one"))),
    lambda: paths.drives((PureWindowsPath("C:\\a"), PureWindowsPath("c:\\b"))),
    lambda: paths.long_paths(PureWindowsPath("C:\\" + "x" * 130), True),
    lambda: paths.long_paths(PureWindowsPath("C:\\Users\\ann\\AppData\\Local\\setup-llm-dev\\environments\\text-"
                                             "classification\\0123456789ab-1"), False),
    lambda: paths.on_windows_drives((PurePosixPath("/mnt/data/llm"), PurePosixPath("/home/ann"))),
])  # fmt: skip
def test_folders_that_are_fine(entry: Callable[[], Any]) -> None:
    assert list(entry()) == []


# Windows and WSL ----------------------------------------------------------------------------------------------


def test_a_linux_driver_inside_wsl_is_an_error_with_its_packages_named(tmp_path: Path) -> None:
    situation = recorded("wsl2-rtx3060")
    assert "wsl-linux-driver" not in entries(topology.look, situation)
    files: Any = situation.host.files
    files._texts |= {"/var/lib/dpkg/info/libnvidia-compute-550:amd64.list": "", "/var/lib/dpkg/info/bash.list": "",
                     "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.14": ""}  # fmt: skip
    told = entries(topology.look, situation)["wsl-linux-driver"]
    assert told.commands[0] == "sudo apt-get purge -y libnvidia-compute-550"
    assert told.level == "error"


# Pythons ------------------------------------------------------------------------------------------------------


def test_the_python_that_runs_this_is_asked_what_it_has(tmp_path: Path) -> None:
    told = entries(python.look, here(tmp_path))
    assert "python-fits" in told
    assert "python-lacks-modules" not in told


def test_a_python_without_ssl_or_ensurepip_is_found_by_starting_it(tmp_path: Path) -> None:
    """A real Python whose modules are hidden by a wrapper that forbids their import."""
    wrapper = tmp_path / "python3"
    block = "import sys; sys.modules.update(dict.fromkeys(('ssl', 'ensurepip'))); exec(sys.argv.pop(1))"
    real = this_interpreter().path
    wrapper.write_text(f'#!/bin/sh\nexec "{real}" -I -c "{block}" "$3"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    situation = here(tmp_path / "home")
    lame = Interpreter(path=str(wrapper), version=this_interpreter().version, running=True)
    machine = msgspec.structs.replace(situation.machine, interpreters=(lame,))
    choices = msgspec.structs.replace(situation.choices, interpreters=(str(wrapper),))
    told = entries(python.look, replace(situation, machine=machine, choices=choices))
    assert told["python-lacks-modules"].level == "error"
    assert "ssl" in str(told["python-lacks-modules"].text)
    assert told["python-without-ensurepip"].level == "info"
    assert told["python-lacks-modules"].commands == ("sudo apt-get install -y python3 python3-venv",)


def test_a_python_of_the_system_is_said_to_be_left_alone() -> None:
    interpreter = Interpreter(path="/usr/bin/python3", version="3.12.3")
    (told,) = python.judged(interpreter, {"managed": True}, Machine(os="linux", arch="x86_64"), chosen=True)
    assert told.id == "python-managed"


def test_no_python_that_fits(tmp_path: Path) -> None:
    situation = here(tmp_path)
    choices = msgspec.structs.replace(situation.choices, interpreters=())
    told = entries(python.look, replace(situation, choices=choices))
    assert told["no-python"].level == "error"
    assert told["no-python"].commands


# surroundings -------------------------------------------------------------------------------------------------


def test_variables_that_hide_gpus_or_put_other_libraries_first(tmp_path: Path) -> None:
    conda, compat = tmp_path / "conda", tmp_path / "compat"
    (conda / "lib").mkdir(parents=True)
    (conda / "lib" / "libcudart.so.12").touch()
    compat.mkdir()
    (compat / "libcuda.so.1").touch()
    told = entries(shell.look, here(tmp_path / "home", RTX, CONDA_PREFIX=str(conda), CUDA_VISIBLE_DEVICES="-1",
                                    LD_LIBRARY_PATH=str(compat), PIP_TARGET="/x"))  # fmt: skip
    assert set(told) == {"conda-cuda", "gpu-hidden", "cuda-compat", "pip-elsewhere"}
    assert entries(shell.look, here(tmp_path / "h2", RTX, CUDA_VISIBLE_DEVICES="0", PIP_USER="0")) == {}


def test_a_glibc_that_is_too_old_for_the_newest_release(tmp_path: Path) -> None:
    situation = recorded("sudo-old-glibc")
    assert "libc-too-old" in entries(system.look, situation)
    assert "libc-too-old" not in entries(system.look, here(tmp_path))


def test_a_clock_before_our_own_data(tmp_path: Path) -> None:
    situation = here(tmp_path)
    long_ago = replace(situation.host, now=lambda: situation.host.now().replace(year=2001))
    assert entries(system.early_clock, situation) == {}
    assert entries(system.early_clock, replace(situation, host=long_ago))["clock-off"].level == "error"


# our own traces -----------------------------------------------------------------------------------------------


def journal(situation: Situation, *lines: dict[str, Any], steps: tuple[str, ...] = ("environment", "link")) -> Path:
    """A run that began these steps, and what was written down after."""
    places = {"environment": str(situation.layout.environments / "e"), "link": str(situation.layout.venv)}
    records = {name: (name, {"place": places[name]}) for name in steps}
    writer = JournalWriter(situation.layout.journals, "20261122T000000Z-1", "text-classification",
                           str(situation.layout.workspace), records)  # fmt: skip
    for name in steps:
        writer.keep(Started(step=name, phase="stage", summary=message("x"), why=message("y")))
    path = Path(situation.layout.journals) / "20261122T000000Z-1.jsonl"
    with path.open("ab") as stream:
        for line in lines:
            stream.write(encode_line(line))
    return path


def test_what_an_undo_left_is_listed_with_its_places(tmp_path: Path) -> None:
    situation = here(tmp_path)
    journal(situation, {"undone": "link"})
    told = entries(leftovers.look, situation)["undo-unfinished"]
    assert told.level == "error"
    assert told.evidence == (f"environment (environment): {situation.layout.environments}/e",)
    assert told.commands[0].startswith("setup-llm-dev undo text-classification")


def test_an_undo_that_ended_and_a_run_that_stands_leave_nothing(tmp_path: Path) -> None:
    ended = here(tmp_path / "a")
    journal(ended, {"undone": "link"}, {"undone": "environment"}, {"undo": "finished"})
    assert entries(leftovers.look, ended) == {}
    stands = here(tmp_path / "b")
    journal(stands, {"applied": "environment", "receipt": {}}, {"applied": "link", "receipt": {}})
    assert entries(leftovers.look, stands) == {}


def test_a_run_that_failed_or_was_interrupted(tmp_path: Path) -> None:
    failed, stopped = here(tmp_path / "a"), here(tmp_path / "b")
    journal(failed, {"failed": "link", "text": "no room", "exit_code": 6})
    assert "no room" in str(entries(leftovers.look, failed)["run-failed"].text)
    journal(stopped, {"applied": "environment", "receipt": {}})
    assert "link" in str(entries(leftovers.look, stopped)["run-interrupted"].text)


def test_a_damaged_journal_and_a_torn_tail(tmp_path: Path) -> None:
    situation = here(tmp_path)
    path = journal(situation, {"applied": "environment", "receipt": {}}, {"applied": "link", "receipt": {}})
    data = path.read_bytes()
    path.write_bytes(data + b"torn")
    assert entries(leftovers.look, situation) == {}
    lines = data.split(b"\n")
    lines[1] = b"deadbeef {}"
    path.write_bytes(b"\n".join(lines))
    assert "journal-damaged" in entries(leftovers.look, situation)


def test_what_interrupted_runs_left_is_swept_on_request_and_nothing_else(tmp_path: Path) -> None:
    situation = here(tmp_path)
    half = Path(situation.layout.environments) / "text-classification" / "0123456789ab-1"
    half.mkdir(parents=True)
    (half / "file").touch()
    kept = Path(situation.layout.models) / "m"
    kept.mkdir(parents=True)
    (mendable,) = (one for one in leftovers.look(situation) if isinstance(one, Mendable))
    assert str(half) in mendable.entry.evidence
    done, not_done = mended(situation.host, [mendable])
    assert len(done) == 1
    assert not_done == ()
    assert not half.exists()
    assert kept.exists()
    assert entries(leftovers.look, situation) == {}


# the command --------------------------------------------------------------------------------------------------


def doctor(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """The command of this very checkout."""
    return tool("doctor", *words, home=home, PYTHONPATH=str(SOURCE))


def test_the_command_says_what_it_found_as_a_document(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = doctor("--json", "--no-network", home=home)
    document = json.loads(done.stdout)
    assert document["schema"] == "diagnosis/1"
    assert document["hosts"] == []
    assert {"network", "hub"} == set(document["skipped"])
    assert done.returncode == (8 if document["level"] == "error" else 0)
    assert {f["id"] for f in document["findings"]} >= {"not-set-up", "disk-room", "python-fits"}
    assert all(set(f) >= {"id", "level", "group", "text", "hint", "evidence", "commands"} for f in document["findings"])
    assert not (home / "data").exists(), "looking makes nothing"


def test_an_error_ends_with_8_and_a_machine_from_afar_is_asked_no_files_of_this_one(tmp_path: Path) -> None:
    machine = Path(__file__).parent / "machines" / "smi-18-mismatch"
    shutil.copy(machine / "machine.json", tmp_path / "saved.json")
    for place in (machine, tmp_path / "saved.json"):
        done = doctor("--machine", str(place), home=tmp_path / "home")
        assert done.returncode == 8
        assert "sudo reboot" in done.stdout
        assert "another machine" in done.stdout


def test_fix_mends_asks_nobody_without_a_terminal_and_looks_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    half = home / "data" / "environments" / "text-classification" / "0123456789ab-1"
    half.mkdir(parents=True)
    (home / "data" / MARKER).touch()
    seen = json.loads(doctor("--json", "--no-network", home=home).stdout)
    assert next(f for f in seen["findings"] if f["id"] == "leftovers")["fix"]
    document = json.loads(doctor("--json", "--no-network", "--fix", home=home).stdout)
    assert document["fixed"]
    assert not any(f["id"] == "leftovers" for f in document["findings"])
    assert not half.exists()


def test_nothing_to_do_is_one_line(tmp_path: Path) -> None:
    """Of a sound recorded machine there is nothing but the verdict, and that it was another machine."""
    machine = Path(__file__).parent / "machines" / "ubuntu-h100"
    done = doctor("--machine", str(machine), home=tmp_path / "home")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2, done.stdout
    assert done.stdout.startswith("Nothing to mend")


def test_wrong_words(tmp_path: Path) -> None:
    machine = Path(__file__).parent / "machines" / "ubuntu-h100"
    done = doctor("--fix", "--machine", str(machine), home=tmp_path / "home")
    assert done.returncode == 2
    done = tool("apply", "--install-driver", "--assume", "gpu=none", home=tmp_path / "home", PYTHONPATH=str(SOURCE))
    assert done.returncode == 2
