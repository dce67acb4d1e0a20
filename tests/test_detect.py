"""Detect: recorded machines against what must be made of them, and this machine for real."""

import json
import os
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import pytest

from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.product_info import read_product_info
from setup_llm_dev.errors import Interrupted, Refused, SystemRefused
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.ide.installations import find_ides
from setup_llm_dev.host.interpreters import ask_interpreter
from setup_llm_dev.host.places import IdeFolder, Places
from setup_llm_dev.host.recorded import recorded_host, without_scripts
from setup_llm_dev.host.run import Programs
from setup_llm_dev.host.world import Host, System, real_host
from setup_llm_dev.stages.detect import detect
from tests.golden import MACHINES, detected, machine_text, recorded, saved


def changed(tmp_path: Path, name: str, old: str, new: str) -> Host:
    """A recording with one text replaced, which must be there."""
    text = (MACHINES / name / "recording.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "recording.toml").write_text(text.replace(old, new), "utf-8")
    return recorded_host(tmp_path)


def seen(host: Host) -> Machine:
    return detect(host, data=PurePath("/home/ann/.local/share/setup-llm-dev"))


@pytest.mark.parametrize("name", recorded())
def test_recorded_machine(name: str) -> None:
    assert machine_text(detected(name)) == (MACHINES / name / "machine.json").read_text("utf-8")


@pytest.mark.parametrize("name", recorded())
def test_a_machine_survives_being_saved(name: str) -> None:
    assert machine_text(saved(name)) == machine_text(detected(name))


def test_shims_other_ides_and_environments_are_left_out() -> None:
    machine = detected("debian-cpu")
    assert [i.path for i in machine.interpreters if i.running] == ["/usr/bin/python3.11"]
    assert not [i for i in machine.interpreters if "shims" in i.path or ".venv" in i.path]
    assert {ide.name for ide in machine.ides} == {"PyCharm"}


def test_pycharms_are_told_apart_by_who_looks_after_them() -> None:
    """One of ours, the Toolbox's, one by hand, the snap's current one; none of a project's or a snap's past."""
    found = {(ide.kind, ide.version, ide.launcher) for ide in detected("debian-cpu").ides}
    assert found == {
        ("ours", "2026.2.4", "bin/pycharm"),
        ("toolbox", "2022.3.3", "bin/pycharm.sh"),
        ("folder", "2026.2.3", "bin/pycharm"),
        ("snap", "2025.2.5", "bin/pycharm"),
    }


def test_interpreters_of_an_ide_come_with_the_program_they_lead_to() -> None:
    (ide,) = [ide for ide in detected("debian-cpu").ides if ide.kind == "folder"]
    assert {known.name: known.home for known in ide.interpreters} == {
        "Python 3.11 (R&D)": "/home/ann/R&D/.venv/bin/python",
        "jbr": "/opt/pycharm-2026.2.3/jbr",
        "Python 3.12 (cluster)": None,
    }


@pytest.mark.parametrize(
    ("old", "new", "launcher"),
    [
        ("bin/pycharm-arm", "bin/pycharm", "bin/pycharm"),
        ('launcherPath\\": \\"bin/pycharm\\"', 'launcherPath\\": \\"../../../usr/bin/python3.11\\"', "bin/pycharm"),
        ('"/opt/pycharm-2026.2.3/bin/pycharm"', '"/opt/pycharm-2026.2.3/bin/other"', None),
    ],
)
def test_a_launcher_is_one_that_is_there_and_inside(old: str, new: str, launcher: str | None, tmp_path: Path) -> None:
    ides = seen(changed(tmp_path, "debian-cpu", old, new)).ides
    assert [ide.launcher for ide in ides if ide.kind == "folder"] == [launcher]


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"productCode": "PY", "launch": {"os": 1}}', "null"])
def test_a_damaged_product_info_is_no_error(text: str, tmp_path: Path) -> None:
    host = real_host()
    folder = tmp_path / "pycharm"
    folder.mkdir()
    (folder / "product-info.json").write_text(text)
    places = Places((), (), tmp_path, (IdeFolder(tmp_path),), tmp_path, tmp_path, tmp_path)
    assert [ide.version for ide in find_ides(host, places)] == ([""] if "PY" in text else [])


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ('"implementation": "PyPy"', "not CPython"),
        ('"bits": 32', "32-bit"),
        ('"free_threaded": true', "free-threaded"),
        ('"venv": false', "no venv module"),
        ('"version": "3.15.0rc1"', "pre-release"),
    ],
)
def test_an_interpreter_that_can_not_be_used_says_why(told: str, problem: str, tmp_path: Path) -> None:
    """Of two equal keys the last one counts in JSON, so that one more key changes the answer."""
    host = changed(tmp_path, "ubuntu-rtx4090", '"conda": false}', f'"conda": false, {told}}}')
    (interpreter,) = seen(host).interpreters
    assert problem in str(interpreter.problem)


def test_a_python_for_another_processor(tmp_path: Path) -> None:
    host = changed(tmp_path, "macos-m3", "macosx-26.0-arm64", "macosx-10.13-x86_64")
    (interpreter,) = seen(host).interpreters
    assert "x86_64 on an arm64" in str(interpreter.problem)


def test_a_conda_python_is_only_listed_when_it_runs_this_tool(tmp_path: Path) -> None:
    (running,) = seen(changed(tmp_path, "ubuntu-rtx4090", '"conda": false', '"conda": true')).interpreters
    assert running.running
    text = (MACHINES / "debian-cpu" / "recording.toml").read_text("utf-8")
    line = next(line for line in text.splitlines() if '"3.13.9"' in line)
    host = changed(tmp_path, "debian-cpu", line, line.replace('"conda": false', '"conda": true'))
    assert "3.13.9" not in [i.version for i in seen(host).interpreters]


def test_both_sources_tell_the_same(tmp_path: Path) -> None:
    by_smi = detected("debian-gtx1080").accelerators[0]
    assert (by_smi.chip, by_smi.driver, by_smi.memory_bytes) == ("sm_61", "580.95.05", 8192 * 2**20)
    by_nvml = detected("ubuntu-rtx4090").accelerators[0]
    assert (by_nvml.chip, by_nvml.driver, by_nvml.memory_bytes) == ("sm_89", "580.95.05", 25757220864)


def test_a_card_without_a_driver(tmp_path: Path) -> None:
    host = changed(tmp_path, "container-without-device", '"/sys/module/nvidia/version"', '"/sys/module/other"')
    (gpu,) = seen(host).accelerators
    assert "no NVIDIA driver is loaded" in str(gpu.problem)


def test_an_amd_chip_from_the_compute_driver(tmp_path: Path) -> None:
    node = '[files]\n"/sys/class/kfd/kfd/topology/nodes/1/properties" = "gfx_target_version 90010\\n"\n'
    gpus = seen(changed(tmp_path, "ubuntu-rtx4090", "[files]\n", node)).accelerators
    assert [gpu.chip for gpu in gpus if gpu.vendor == "amd"] == ["gfx90a"]


def test_colab_is_told_from_other_containers(tmp_path: Path) -> None:
    told = '[environment]\nCOLAB_RELEASE_TAG = "release-colab"\n'
    assert seen(changed(tmp_path, "container-without-device", "[environment]\n", told)).environment == "colab"


def test_an_unknown_system_is_refused(tmp_path: Path) -> None:
    host = changed(tmp_path, "ubuntu-rtx4090", 'platform = "linux"', 'platform = "plan9"')
    with pytest.raises(Refused, match="plan9"):
        seen(host)


def test_a_recording_can_only_be_looked_at() -> None:
    host = recorded_host(MACHINES / "ubuntu-rtx4090")
    with pytest.raises(SystemRefused):
        host.files.write(PurePath("/tmp/never"), b"")  # noqa: S108 (never written)
    with pytest.raises(SystemRefused):
        host.programs.run(["/bin/true"])
    with pytest.raises(SystemRefused):
        host.fetcher()


@pytest.mark.parametrize("name", recorded())
def test_every_recorded_answer_is_asked_for(name: str) -> None:
    """A recording that holds what nobody asks would prove less than it seems to."""
    host = recorded_host(MACHINES / name)
    asked: list[tuple[str, ...]] = []
    run = host.programs.run

    def listening(argv: list[str], **arguments: Any) -> object:
        asked.append(without_scripts(tuple(map(str, argv))))
        return run(argv, **arguments)

    host.programs.run = listening  # type: ignore[method-assign, assignment]
    seen(host)
    told = tomllib.loads((MACHINES / name / "recording.toml").read_text("utf-8"))
    assert {tuple(answer["argv"]) for answer in told["programs"]} <= set(asked)


def test_this_machine(tmp_path: Path) -> None:
    host = real_host()
    machine = detect(host, data=tmp_path)
    running = machine.interpreters[0]
    assert running.running
    assert running.problem is None
    assert running.version == sys.version.split()[0]
    assert Path(running.path).resolve() == Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    assert len({Path(i.path).resolve() for i in machine.interpreters}) == len(machine.interpreters)
    assert machine.disk_free_bytes
    assert machine.memory_bytes
    assert machine.cpu_count >= len(os.sched_getaffinity(0)) if sys.platform == "linux" else machine.cpu_count


@pytest.fixture
def scratch_host(tmp_path: Path) -> Iterator[Host]:
    """This machine, but with an empty home and `bin` first on PATH."""
    real = real_host()
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    (tmp_path / "bin").mkdir()
    yield Host(
        programs=Programs(environment, real.cancel),
        files=real.files,
        environment=environment,
        home=tmp_path,
        cancel=real.cancel,
        fetcher=real.fetcher,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="makes executables by mode bits and asks /proc")
def test_broken_and_lying_pythons_on_path(scratch_host: Host, tmp_path: Path) -> None:
    """An executable that is no program, and a script in the place of an interpreter."""
    broken, shim = tmp_path / "bin" / "python3.13", tmp_path / "bin" / "python3.12"
    broken.write_bytes(b"\x7fELF but not really")
    shim.write_text("#!/bin/sh\nexit 1\n")
    for file in (broken, shim):
        file.chmod(0o755)
    found = detect(scratch_host, data=tmp_path).interpreters
    (listed,) = [i for i in found if i.path == str(broken)]
    assert "it does not run" in str(listed.problem)
    assert not [i for i in found if i.path == str(shim)]


def test_an_environment_of_the_running_python_is_not_another_python(scratch_host: Host, tmp_path: Path) -> None:
    import venv

    venv.create(tmp_path / "env", symlinks=True)
    inside = Host(
        programs=scratch_host.programs,
        files=scratch_host.files,
        environment=scratch_host.environment,
        home=tmp_path,
        cancel=scratch_host.cancel,
        fetcher=scratch_host.fetcher,
        system=System(executable=str(tmp_path / "env" / "bin" / "python")),
    )
    found = detect(inside, data=tmp_path).interpreters
    assert found[0].running
    assert str(tmp_path) not in found[0].path


def test_a_named_python_is_asked_and_an_environment_stands_for_its_base(tmp_path: Path) -> None:
    import venv

    host = real_host()
    plain = ask_interpreter(host, PurePath(sys._base_executable), "x86_64")  # type: ignore[attr-defined]
    assert plain.path == sys._base_executable  # type: ignore[attr-defined]
    assert plain.problem is None
    venv.create(tmp_path / "env", symlinks=True)
    inside = ask_interpreter(host, tmp_path / "env" / "bin" / "python", "x86_64")
    assert not inside.path.startswith(str(tmp_path))
    assert inside.version == plain.version
    missing = ask_interpreter(host, tmp_path / "no-python", "x86_64")
    assert "it does not run" in str(missing.problem)


def test_without_interpreters_and_ides_no_python_is_started(tmp_path: Path) -> None:
    machine = detect(recorded_host(MACHINES / "macos-m3"), data=tmp_path, interpreters=False, ides=False)
    assert not machine.interpreters
    assert not machine.ides
    assert machine.accelerators


def test_an_ide_on_its_way_in_or_out_is_none(tmp_path: Path) -> None:
    for name in (".pycharm-2026.3.1.4711.removed", "pycharm-2026.3.1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "product-info.json").write_text('{"productCode": "PY", "version": "2026.3.1"}')
    places = Places((), (), tmp_path, (IdeFolder(tmp_path, "ours"),), tmp_path, tmp_path, tmp_path)
    assert [ide.home for ide in find_ides(real_host(), places)] == [str(tmp_path / "pycharm-2026.3.1")]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("bin/pycharm", "bin/pycharm"),
        ("./bin/../bin/pycharm", "bin/pycharm"),
        ("../pycharm", None),
        ("bin/../../pycharm", None),
        ("/bin/sh", None),
        ("..\\..\\sh", None),
        ("", None),
        (".", None),
        (7, None),
    ],
)
def test_paths_of_a_product_info_stay_inside(path: object, expected: str | None) -> None:
    launch = {"os": "Linux", "arch": "amd64", "launcherPath": path}
    info = read_product_info(json.dumps({"productCode": "PY", "launch": [launch], "dataDirectoryName": "../.ssh"}))
    assert info is not None
    assert [launch.launcher for launch in info.launches] == [expected]
    assert info.settings_name is None


def test_paths_of_a_bundle_are_seen_from_its_top() -> None:
    launch = {"os": "macOS", "arch": "aarch64", "launcherPath": "../MacOS/pycharm"}
    info = read_product_info(json.dumps({"productCode": "PY", "launch": [launch]}), "Contents/Resources")
    assert info is not None
    found = info.launch("macos", "arm64")
    assert found is not None
    assert found.launcher == "Contents/MacOS/pycharm"
    assert info.launch("macos", "x86_64") is None
    assert info.launch("linux", "arm64") is None


def test_cancelled_detection_ends() -> None:
    cancel = Cancel()
    host = real_host(cancel)
    cancel.set(2)
    with pytest.raises(Interrupted):
        detect(host, data=PurePath("/"))


def test_machine_json_is_the_contracts() -> None:
    told = json.loads(machine_text(detected("ubuntu-h100")))
    assert told["schema"] == "machine/1"
    assert {"os", "arch", "distribution", "libc", "cpu", "memory_bytes", "disk_free_bytes"} <= told.keys()
    assert {"environment", "accelerators", "interpreters", "ides", "findings"} <= told.keys()
    assert told["accelerators"][0]["chip"] == "sm_90"
