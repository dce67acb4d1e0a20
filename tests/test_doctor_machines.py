"""doctor on recorded machines: what is wrong with each and what repairs it, and no error on sound ones."""

import re

import pytest

from setup_llm_dev.documents.diagnosis import WORST_FIRST, Entry
from setup_llm_dev.stages.doctor_plan import plan_findings
from tests.doctoring import diagnosed, recipe_for
from tests.golden import catalog, detected, recorded

SICK = {  # machine: ids of its errors, and a word that a repair must have
    "smi-18-mismatch": ({"driver-library-mismatch"}, "sudo reboot"),
    "smi-9-no-driver": ({"driver-not-loaded", "driver-step"}, "ubuntu-drivers install"),
    "fedora-nouveau-rtx3060": ({"driver-not-loaded", "driver-step"}, "akmod-nvidia"),
    "ubuntu-gtx1080ti-590": ({"driver-not-loaded", "driver-step"}, "nvidia:580"),
    "container-without-device": ({"no-device-in-container"}, "--gpus all"),
    "alpine-musl": ({"musl", "no-build"}, "glibc"),
    "smi-hangs": ({"gpu-no-answer"}, "restart"),
    "ubuntu-h100-mig-empty": ({"mig-empty"}, "mig"),
}
SOUND = ("ubuntu-h100", "ubuntu-rtx4090", "debian-cpu", "macos-m3", "wsl2-rtx3060", "windows-rtx3060", "ubuntu-mi300x")


def errors(name: str) -> list[Entry]:
    return [entry for entry in diagnosed(name).diagnosis.findings if entry.level == "error"]


def repairs(entry: Entry) -> str:
    return " ".join((*entry.commands, str(entry.hint or "")))


@pytest.mark.parametrize("name", SICK)
def test_a_sick_machine_is_told_what_it_has_and_what_helps(name: str) -> None:
    ids, repair = SICK[name]
    found = errors(name)
    assert {entry.id for entry in found} == ids
    assert any(repair in repairs(entry) for entry in found)
    assert all(entry.hint or entry.commands for entry in found)


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_machine_has_no_error(name: str) -> None:
    assert errors(name) == []


@pytest.mark.parametrize("name", recorded())
def test_every_machine_gets_an_ordered_diagnosis(name: str) -> None:
    """Worst first, nothing twice, nothing that fails in the looking, driver commands only where they may be."""
    machine, diagnosis = detected(name), diagnosed(name).diagnosis
    ranks = [WORST_FIRST.index(entry.level) for entry in diagnosis.findings]
    assert ranks == sorted(ranks)
    assert not {"probe-failed", "probe-late"} & {entry.id for entry in diagnosis.findings}
    assert len({(entry.id, str(entry.text)) for entry in diagnosis.findings}) == len(diagnosis.findings)
    if machine.environment in ("wsl", "container", "colab", "kaggle") or machine.os != "linux":
        assert not any(entry.id == "driver-step" for entry in diagnosis.findings)
    commands = [command for entry in diagnosis.findings for command in entry.commands]
    assert not any("{" in command or "\n" in command for command in commands)


@pytest.mark.parametrize(("name", "id"), [
    ("wsl2-rtx3060", "topology-wsl-split"), ("windows-rtx3060", "topology-windows"),
    ("ubuntu-gtx1080ti-590", "driver-step"), ("debian-cpu", None), ("ubuntu-h100", None),
])  # fmt: skip
def test_plan_says_which_way_to_work_this_is_and_how_to_get_a_driver(name: str, id: str | None) -> None:
    machine = detected(name)
    found = {finding.id: finding for finding in plan_findings(machine, recipe_for(machine), catalog(), None)}
    assert set(found) == ({id} if id else set())
    if id == "driver-step":
        assert re.search(r"sudo apt-get update && .* && sudo ubuntu-drivers install nvidia:580 && sudo reboot",
                         str(found[id].hint))  # fmt: skip
