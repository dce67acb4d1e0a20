"""Recordings: what is kept of a machine can be replayed, and names nobody."""

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from setup_llm_dev.documents.codec import to_plain
from setup_llm_dev.documents.machine import Accelerator, Machine
from setup_llm_dev.errors import Refused, UsageError
from setup_llm_dev.host.recorded import recorded_host
from setup_llm_dev.host.redaction import Redaction, redaction_for
from setup_llm_dev.host.run import Programs
from setup_llm_dev.host.world import Host, real_host
from setup_llm_dev.stages.assume import assume
from setup_llm_dev.stages.detect import detect
from setup_llm_dev.stages.record import record, redacted
from tests.golden import MACHINES, recorded
from tests.ground import SOURCE
from tests.scratch_machine import scratch_machine

SECRETS = {
    "user": "zsofia.kovacs",
    "computer": "lab-tower-17.example.org",
    "uuid": "GPU-5d1d4fa9-1c1a-2b62-0a3c-aa5b2e1a4b11",
    "serial": "1320921000123",
    "token": "hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345",
    "mac": "a4:bb:6d:12:34:56",
    "mail": "zsofia@example.org",
}


def replayed(folder: Path) -> Any:
    host = recorded_host(folder)
    return plain(detect(host, data=host.home / "data"))


def plain(machine: Machine) -> Any:
    """As JSON has it, which knows no tuples."""
    return json.loads(json.dumps(to_plain(machine)))


def kept(folder: Path) -> Any:
    return json.loads((folder / "machine.json").read_text("utf-8"))


def test_a_recording_of_this_machine_is_the_machine_again(tmp_path: Path) -> None:
    record(real_host(), data=tmp_path, folder=tmp_path / "recording")
    assert replayed(tmp_path / "recording") == kept(tmp_path / "recording")


@pytest.mark.parametrize("name", [n for n in recorded() if not n.startswith("windows")])
def test_a_recording_of_a_recording_is_the_same_machine(name: str, tmp_path: Path) -> None:
    """Every machine that we have, GPUs of all vendors and broken programs among them, through the same doors."""
    old = recorded_host(MACHINES / name)
    files = real_host().files
    import tomli_w

    from setup_llm_dev.host.recording import as_document, recording

    doors, answers = recording(old)
    machine = detect(doors, data=PurePath(old.home, "data"))
    redaction = redaction_for(old.environment, old.home, "computer-of-somebody")
    told = as_document(old, answers, redaction)
    files.write(tmp_path / "recording.toml", tomli_w.dumps(told, multiline_strings=True).encode())
    expected = redacted(plain(machine), redaction)
    for ide in expected["ides"]:
        ide["interpreters"] = []  # the table of an IDE names projects, and is not kept
    assert replayed(tmp_path) == expected


@pytest.fixture
def secretive(tmp_path: Path) -> Host:
    """A machine of somebody whose programs and files tell more than they should."""
    home = tmp_path / "home" / SECRETS["user"]
    says = "NVIDIA GeForce RTX 4090, 8.9, 580.95.05, 24564"
    loud = "\\n".join(f"{key}: {value}" for key, value in SECRETS.items())
    smi = f"#!/bin/sh\nprintf '{says}\\n'\nprintf '{loud}\\nSerial Number: {SECRETS['serial']}\\n' >&2\n"
    host = scratch_machine(home, programs={"nvidia-smi": smi})
    environment = dict(host.environment) | {
        "USER": SECRETS["user"], "HF_TOKEN": SECRETS["token"], "PYTHONPATH": f"/home/{SECRETS['user']}/thesis",
        "LD_LIBRARY_PATH": f"/home/{SECRETS['user']}/lib:/mnt/{SECRETS['computer']}/lib",
    }  # fmt: skip
    return replace(host, environment=environment, programs=Programs(environment, host.cancel), home=home)


def test_nobody_and_nothing_is_named(secretive: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import platform

    monkeypatch.setattr(platform, "node", lambda: SECRETS["computer"])
    machine = record(secretive, data=tmp_path, folder=tmp_path / "recording")
    assert machine.accelerators[0].chip == "sm_89"
    for file in (tmp_path / "recording").iterdir():
        text = file.read_text("utf-8")
        assert "RTX 4090" in text
        for what, secret in SECRETS.items():
            assert secret.lower() not in text.lower(), (what, file.name)
        assert "kovacs" not in text
        assert "lab-tower" not in text
    told = tomllib.loads((tmp_path / "recording" / "recording.toml").read_text("utf-8"))
    assert "HF_TOKEN" not in told["environment"]
    assert told["environment"]["PYTHONPATH"] == "redacted"
    assert told["home"].endswith("/user")


def test_what_is_replaced_is_replaced_alike(secretive: Host, tmp_path: Path) -> None:
    record(secretive, data=tmp_path, folder=tmp_path / "recording")
    assert replayed(tmp_path / "recording") == kept(tmp_path / "recording")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("/home/ann/x and channel", "/home/user/x and channel"),
        ("ann@tower:~$", "user@computer:~$"),
        ("/home/bob/.cache", "/home/user/.cache"),
        (r"C:\Users\Ann Lee\AppData", r"C:\Users\user Lee\AppData"),
        ("MIG-1a2b3c4d-5e6f-5a0b-8c1d-2e3f4a5b6c7d", "MIG-redacted"),
        ('"asic_serial": "0xF00BA4"', '"asic_serial": "redacted"'),
        ("0000:01:00.0 GPU 10de:2684", "0000:01:00.0 GPU 10de:2684"),
        ("https://me:secret@proxy.example/x", "https://redacted@proxy.example/x"),
        ("token=abcdef", "token=redacted"),
        ("0::/docker/" + "ab" * 32, "0::/docker/number-redacted"),
        ("580.95.05 gfx1100 glibc 2.39", "580.95.05 gfx1100 glibc 2.39"),
    ],
)
def test_each_kind_of_thing_that_is_not_to_be_named(text: str, after: str) -> None:
    assert Redaction("ann", "tower.example.org", "/home/ann", "/home/user").text(text) == after


@pytest.mark.parametrize(
    ("home", "new_home", "user"),
    [
        (PurePosixPath("/home/ann"), "/home/user", "ann"),
        (PurePosixPath("/root"), "/root", ""),
        (PureWindowsPath(r"C:\Users\Zsófia"), r"C:\Users\user", "Zsófia"),
    ],
)
def test_who_is_not_to_be_named(home: PurePath, new_home: str, user: str) -> None:
    redaction = redaction_for({}, home, "tower")
    assert (redaction.new_home, redaction.user) == (new_home, user)


@pytest.mark.parametrize(
    ("release", "kept_as"),
    [
        ("6.8.0-88-generic", "6.8.0-88-generic"),
        ("6.17.8-300.fc43.x86_64", "6.17.8-300.fc43.x86_64"),
        ("5.15.167.4-microsoft-standard-WSL2", "5.15.167.4-microsoft-standard-WSL2"),
        ("5.15.148-tegra", "5.15.148-tegra"),
        ("6.12.0-rc3-amd64", "6.12.0-rc3-amd64"),
        ("6.12.3-acme-gpu07+", "6.12.3-custom"),
        ("my-own", "custom"),
    ],
)
def test_who_built_the_kernel_is_not_named(release: str, kept_as: str) -> None:
    redaction = redaction_for({}, PurePosixPath("/root"), "tower", release)
    assert redaction.text(f"kernel {release} here") == f"kernel {kept_as} here"


def test_a_program_that_was_found_and_not_run_is_found_again(tmp_path: Path) -> None:
    """A name on the PATH that leads to a Python which is asked by its real name: a fact, not an answer."""
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "recording.toml").write_text(
        'home = "/home/ann"\nfound = ["/usr/bin/python3"]\n'
        '[system]\nplatform = "linux"\nmachine = "x86_64"\nrelease = "6.8.0"\nexecutable = "/usr/bin/python3.12"\n'
        '[environment]\nPATH = "/usr/bin"\n[files]\n"/usr/bin/python3.12" = ""\n'
        '[links]\n"/usr/bin/python3" = "python3.12"\n'
    )
    host = recorded_host(tmp_path / "machine")
    assert str(host.programs.find("python3")) == "/usr/bin/python3"
    record(real_host(), data=tmp_path, folder=tmp_path / "mine")
    told = tomllib.loads((tmp_path / "mine" / "recording.toml").read_text("utf-8"))
    silent = [p for p in told["programs"] if len(p["argv"]) == 1 and not p.keys() & {"stdout", "stderr", "timed_out"}]
    assert silent == []


def test_a_folder_with_a_recording_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "recording.toml").write_text("")
    with pytest.raises(Refused, match="holds a recording already"):
        record(real_host(), data=tmp_path, folder=tmp_path)


@pytest.mark.parametrize("text", ["", "[", "home = 1", 'home = "/x"\n[system]\nplanet = "mars"', "files = 1"])
def test_a_damaged_recording_is_refused_in_words(text: str, tmp_path: Path) -> None:
    (tmp_path / "recording.toml").write_text(text)
    with pytest.raises(UsageError, match="not a recording"):
        recorded_host(tmp_path)


def command(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "PYTHONPATH": str(SOURCE)}
    argv = [sys.executable, "-m", "setup_llm_dev", *words]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, cwd=home)


def test_the_command_records_and_replays(tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    done = command(tmp_path, "detect", "--record", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    assert "read recording.toml before you send it" in done.stderr
    for named in (folder, folder / "recording.toml", folder / "machine.json"):
        again = command(tmp_path, "detect", "--machine", str(named), "--json")
        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout) == kept(folder)
    assert command(tmp_path, "detect", "--record", str(folder)).returncode == 3
    assert command(tmp_path, "detect", "--record", "x", "--machine", str(folder)).returncode == 2


def test_a_plan_for_a_recorded_machine_with_other_gpus(tmp_path: Path) -> None:
    words = ("plan", "--machine", str(MACHINES / "ubuntu-h100"), "--json")
    assumed = command(tmp_path, *words, "--assume", "gpu=nvidia:sm_89:580", "--assume", "gpu=nvidia:sm_120:580")
    told = json.loads(assumed.stdout)
    assert [gpu["chip"] for gpu in told["machine"]["accelerators"]] == ["sm_89", "sm_120"]


def test_several_gpus_can_be_assumed() -> None:
    host = recorded_host(MACHINES / "smi-hangs")
    machine = detect(host, data=PurePath("/data"), interpreters=False)
    assert "gpu-no-answer" in [f.id for f in machine.findings]
    other = assume(machine, "gpu=nvidia:RTX 4090:580", "gpu=amd:gfx1100", "gpu=intel:arc-b580", "gpu=apple:m3")
    assert [(g.vendor, g.name, g.chip, g.driver) for g in other.accelerators] == [
        ("nvidia", "RTX 4090", None, "580"),
        ("amd", "assumed GPU", "gfx1100", None),
        ("intel", "Intel Arc B580", "bmg", None),
        ("apple", "assumed GPU", "m3", None),
    ]
    assert "gpu-no-answer" not in [f.id for f in other.findings]  # it spoke of the GPU that is put away


@pytest.mark.parametrize(
    "texts",
    [("gpu=none", "gpu=amd:gfx1100"), ("gpu=intel:uhd-630",), ("gpu=amd:rx7900",), ("gpu=apple:a18",)],
)
def test_assumptions_that_can_not_be(texts: tuple[str, ...]) -> None:
    machine = detect(recorded_host(MACHINES / "debian-cpu"), data=PurePath("/data"), interpreters=False)
    with pytest.raises(UsageError) as caught:
        assume(machine, *texts)
    assert "gpu=nvidia:sm_89:580" in str(caught.value.hint)


@pytest.mark.parametrize("word", ["bmg", "Arc B580", "arc-b580", "8086:e20b", "intel arc b580"])
def test_an_intel_card_by_any_of_its_names(word: str) -> None:
    machine = detect(recorded_host(MACHINES / "debian-cpu"), data=PurePath("/data"), interpreters=False)
    (gpu,) = assume(machine, f"gpu=intel:{word}" if ":" not in word else "gpu=intel:e20b").accelerators
    assert isinstance(gpu, Accelerator)
    assert gpu.chip == "bmg"
