"""Detect where programs hang or break: real processes that ignore TERM and whose children hold the pipes."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.host.deadline import Aside, hurried
from setup_llm_dev.host.world import real_host
from setup_llm_dev.stages.detect import detect
from tests.scratch_machine import HANGS, end_leftovers, hanging_machine, scratch_machine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shell scripts, process groups, /proc")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end_leftovers(tmp_path)


def by_smi(folder: Path, script: str) -> Machine:
    """Detection where nvidia-smi is `script`, and there is no other source than the kernel's."""
    host = scratch_machine(folder, programs={"nvidia-smi": f"#!/bin/sh\n{script}\n"}, python="/nowhere/python")
    return detect(host, data=folder, interpreters=False, ides=False)


def problem_of(machine: Machine) -> tuple[str, str]:
    """The finding's id and the GPU's problem, where one GPU is there and can't be used."""
    (gpu,) = machine.accelerators
    (finding,) = [f for f in machine.findings if f.level == "error"]
    assert gpu.problem is not None
    assert gpu.chip is None
    assert gpu.driver == "580.95.05"
    return finding.id, str(gpu.problem)


def test_everything_hangs_and_detection_ends(folder: Path) -> None:
    """Every program is ended with its group; what could be read without programs is there. How soon: `make bench`."""
    machine = detect(hanging_machine(folder), data=folder)
    assert problem_of(machine)[0] == "gpu-no-answer"
    assert machine.memory_bytes
    assert machine.libc is None
    began = [int(line) for line in (folder / "pids").read_text().split()]
    assert len(began) >= 4
    assert [_name(pid) for pid in began if _name(pid) not in ("", "sleep")] == []  # those who left their group sleep on


def _name(pid: int) -> str:
    """Of a process, empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("script", "finding", "words"),
    [
        ("exit 9", "driver-not-loaded", "no NVIDIA driver is loaded"),
        ("echo 'No devices were found'; exit 6", "gpu-tool-failed", "finds no GPU that it can drive"),
        ("exit 15", "gpu-lost", "fallen off the bus"),
        ("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", "driver-library-mismatch",
         "still loaded"),
        ("echo 'libnvidia-ml.so.1: cannot open shared object file' >&2; exit 127", "nvml-missing", "libnvidia-ml"),
        ("exit 127", "gpu-tool-failed", "can't be started"),
        ("kill -SEGV $$", "gpu-tool-failed", "SIGSEGV"),
        ("exit 139", "gpu-tool-failed", "SIGSEGV"),
        ("exit 4", "gpu-no-permission", "may not be opened"),
        ("exit 77", "gpu-tool-failed", "unknown code 77"),
        ("printf ''", "gpu-unreadable", "no answer that can be read"),
        ("echo 'Sun Nov 22 | NVIDIA-SMI 610.43 | CUDA UMD Version: 13.4 |'", "gpu-unreadable", "can be read"),
        ("head -c 100000 /dev/urandom", "gpu-unreadable", "can be read"),
        ("yes 'this is not, a gpu' | head -c 10000000", "gpu-unreadable", "can be read"),
        ("echo 'NVIDIA GeForce RTX 4090, 8,9, 580,95, 24.564'", "gpu-unreadable", "can be read"),
        ("echo 'Unable to determine the device handle for GPU0: 0000:01:00.0: Unknown Error'; exit 255",
         "gpu-tool-failed", "internal error"),
    ],
)  # fmt: skip
def test_each_way_of_nvidia_smi_to_break_is_told_in_words(script: str, finding: str, words: str, folder: Path) -> None:
    found, problem = problem_of(by_smi(folder, script))
    assert found == finding
    assert words in problem


def test_what_is_not_available_is_not_guessed(folder: Path) -> None:
    """`[N/A]` for memory and capability: the GPU counts, what is not told stays unknown."""
    (gpu,) = by_smi(folder, "echo 'NVIDIA GeForce RTX 4090, [N/A], 580.95.05, [N/A]'").accelerators
    assert (gpu.name, gpu.chip, gpu.driver, gpu.memory_bytes) == ("NVIDIA GeForce RTX 4090", None, "580.95.05", None)
    assert gpu.problem is None


def test_a_hanging_nvidia_smi_alone(folder: Path) -> None:
    host = scratch_machine(folder, programs={"nvidia-smi": HANGS}, python="/nowhere/python")
    machine = detect(host, data=folder, interpreters=False, ides=False)
    assert problem_of(machine) == (
        "gpu-no-answer",
        "the driver does not answer in time: the state of the GPU is unknown",
    )
    (finding,) = [f for f in machine.findings if f.id == "gpu-no-answer"]
    assert "nvidia-smi: no answer in time" in finding.evidence


def test_the_same_question_is_asked_once(tmp_path: Path) -> None:
    host = scratch_machine(tmp_path, programs={"count": '#!/bin/sh\necho x >> "{pids}"\n'})
    quick = hurried(host, 5)
    for _ in range(3):
        quick.programs.run((str(tmp_path / "bin" / "count"),))
    assert (tmp_path / "pids").read_text() == "x\n"


def test_a_part_that_hangs_outside_of_programs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that does not come back, as of a file system that is gone: here of a pipe that nobody writes to."""
    from setup_llm_dev.stages import detect as module

    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setattr(module, "_SECONDS", 0.3)
    monkeypatch.setattr(module, "find_ides", lambda host, places: (tmp_path / "fifo").read_bytes())
    machine = detect(real_host(), data=tmp_path, interpreters=False)
    assert machine.ides == ()
    (finding,) = [f for f in machine.findings if f.id == "probe-late"]
    assert "the PyCharms" in str(finding.text)
    (tmp_path / "fifo").write_bytes(b"")  # lets the thread go


def test_what_a_part_raises_is_raised() -> None:
    def fails() -> None:
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        Aside(fails).answer(time.monotonic() + 5, None)
