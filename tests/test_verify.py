"""verify: it changes nothing, forgets a proof that it refutes, and knows the faults; and what the fine-tune sees."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from setup_llm_dev.components.workspace import APPLIED
from setup_llm_dev.documents.causes import FAULTS
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.recipe_reading import read_recipe
from setup_llm_dev.errors import CheckFailed, UsageError
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.state import one_run
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.verify import Verification
from setup_llm_dev.steps import smoke
from setup_llm_dev.steps.smoke import RunSmoke
from setup_llm_dev.steps.smoke_proof import read_proof, when_made, write_proof
from setup_llm_dev.steps.step import Satisfied, Unsatisfied, silent
from tests.e2e.machine import Machine
from tests.e2e.toy import PYCHARM, Toy
from tests.ground import scratch_host, tool
from tests.oracle import changes, manifest
from tests.upstream.acts import status
from tests.upstream.ide_archive import pycharm_archive

AGAIN = "setup-llm-dev apply toy"


@pytest.fixture
def installed(toy: Toy, toy_machine: Machine) -> Machine:
    """Set up but for the fine-tune, which can't pass here: this torch holds nothing.

    Without the note of what was left out, the fine-tune is among the checks.
    """
    done = toy.apply(toy_machine)
    assert done.code == 0, done.said
    (toy_machine.workspace / ".setup-llm-dev" / APPLIED).unlink()
    return toy_machine


def verification(toy: Toy, machine: Machine, *, fault: str | None = None, python: str | None = None) -> Verification:
    """On that machine, with a proof from before that says that all is well."""
    host = scratch_host(machine.home, toy.machine(machine.home).settings)
    recipe = read_recipe(str(toy.recipe), folder=toy.folder, os="linux", arch="x86_64")
    layout = Layout(
        data=machine.data,
        config=machine.home / "config",
        workspace=machine.workspace,
        hub_cache=machine.home / "hub",
    )
    options = Options(again=AGAIN)
    found = Verification.of(host, recipe, layout, options, fault=fault, python=python, model=None)
    ours = Verification.of(host, recipe, layout, options, fault=None, python=None, model=None).smoke
    assert ours is not None
    write_proof(host, ours.proof, {"verdict": "pass"}, when_made(ours.grounds))
    assert isinstance(ours.check(host), Satisfied)
    return found


def proofs(machine: Machine) -> list[str]:
    return os.listdir(machine.data / "proofs")


def test_a_refuted_proof_is_forgotten_so_that_the_next_run_proves_again(toy: Toy, installed: Machine) -> None:
    verify = verification(toy, installed)
    list(verify.events())
    report = verify.report(1.0)
    assert report.verdict == "fail"
    assert report.changed
    assert report.error is not None
    assert AGAIN in str(report.error["hint"])
    assert "switched" not in str(report.error["hint"])
    assert proofs(installed) == []


@pytest.mark.parametrize("way", ["fault", "python"])
def test_what_says_nothing_about_ours_leaves_the_proof(toy: Toy, installed: Machine, way: str) -> None:
    if way == "fault":
        verify = verification(toy, installed, fault="lr0")
    else:
        verify = verification(toy, installed, python=str(installed.python))
    list(verify.events())
    report = verify.report(1.0)
    assert report.verdict == "fail"
    assert not report.changed
    assert len(proofs(installed)) == 1
    assert report.error is not None
    assert ("--fault" in str(report.error["hint"])) == (way == "fault")
    assert AGAIN not in str(report.error["hint"])


def test_an_environment_that_is_not_ours_is_not_promised_to_be_mended(toy: Toy, installed: Machine) -> None:
    page = installed.run("verify", toy.recipe, "--python", sys.executable)
    assert page.code == 8, page.said
    assert "not made by setup-llm-dev" in page.out
    assert "broke off" in page.out
    assert not [words for words in ("repairs", "ran to its end") if words in page.out]


def test_a_verify_that_is_stopped_does_not_claim_to_go_on_later(toy: Toy, installed: Machine) -> None:
    held = one_run(installed.data / "run.lock", wait=False, cancel=Cancel(), on_wait=lambda _: None)
    with held, installed.start("verify", toy.recipe) as running:
        running.until_said("waiting for another run")
        done = running.interrupt(signal.SIGINT)
    assert done.code == 130
    assert "begins from the start" in done.err
    assert "goes on" not in done.err


def test_nothing_stays_of_a_verify_but_its_answer(toy: Toy, installed: Machine) -> None:
    before = manifest(installed.home)
    assert not (installed.data / "programs").exists()
    done = installed.run("verify", toy.recipe, "--json")
    assert done.code == 8, done.said
    report = done.document()
    assert not report["changed"]
    assert {check["id"]: check["status"] for check in report["checks"]}["run"] == "could-not-run", "it did start"
    lines = changes(before, manifest(installed.home))
    # Python compiles what it imports, and an empty folder of ours may go
    assert [line for line in lines if "__pycache__" not in line and not line.endswith("/scratch")] == []


def test_asking_for_a_verification_writes_nothing_before_the_lock_is_held(toy: Toy, installed: Machine) -> None:
    before = manifest(installed.home)
    host = scratch_host(installed.home, installed.settings)
    recipe = read_recipe(str(toy.recipe), folder=toy.folder, os="linux", arch="x86_64")
    layout = Layout(
        data=installed.data, config=installed.home, workspace=installed.workspace, hub_cache=installed.home / "hub"
    )
    Verification.of(host, recipe, layout, Options(), fault=None, python=None, model=None)
    Verification.of(host, recipe, layout, Options(), fault=None, python=sys.executable, model=str(layout.data))
    assert changes(before, manifest(installed.home)) == []


def test_every_byte_of_our_pycharm_is_read_again(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    launcher = toy_machine.data / "ide" / f"pycharm-{PYCHARM}" / "bin" / "pycharm"
    was = launcher.stat()
    launcher.write_bytes(launcher.read_bytes()[:-1] + b"?")
    os.utime(launcher, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert toy_machine.run("status", toy.recipe).code == 0, "whom the time and the size deceive"
    done = toy_machine.run("verify", toy.recipe, "--json")
    assert done.code == 8, done.said
    report = done.document()
    assert {check["id"]: check["status"] for check in report["checks"]} == {
        "packages-intact": "pass", "variant-intact": "pass", "model-intact": "pass", "ide-intact": "fail",
    }  # fmt: skip
    assert report["error"]["step"] == "ide-intact"
    assert "bin/pycharm" in report["error"]["message"]
    page = toy_machine.run("verify", toy.recipe).out
    assert "ide-intact" in page
    assert "PyCharm is as it was installed" in page


def test_a_pycharm_that_could_not_be_had_is_a_gap_and_one_that_is_gone_is_not(toy: Toy, toy_machine: Machine) -> None:
    toy.jetbrains.cdn.fault("*", status(404), times=None)
    assert toy.apply(toy_machine).code == 0
    toy.jetbrains.heal()
    done = toy_machine.run("verify", toy.recipe, "--json")
    assert done.code == 0, done.said
    assert {gap["what"] for gap in done.document()["gaps"]} == {"model", "ide"}
    assert "ide-intact" not in {check["id"] for check in done.document()["checks"]}
    assert toy.apply(toy_machine).code == 0
    shutil.rmtree(toy_machine.data / "ide" / f"pycharm-{PYCHARM}")
    assert toy_machine.run("verify", toy.recipe).code == 8


def test_a_pycharm_that_its_user_updated_is_a_gap(toy: Toy, toy_machine: Machine) -> None:
    home = toy_machine.home / "pycharm"
    toy_machine.home.mkdir()
    unpacked(pycharm_archive("2026.2.1", "262.1.1"), home)
    assert toy.apply(toy_machine).code == 0
    done = toy_machine.run("verify", toy.recipe, "--json")
    assert {gap["what"] for gap in done.document()["gaps"]} == {"model"}, done.said
    assert {check["id"]: check["status"] for check in done.document()["checks"]}["ide-intact"] == "pass"
    shutil.rmtree(home)
    unpacked(pycharm_archive("2026.2.2", "262.2.2"), home)
    done = toy_machine.run("verify", toy.recipe, "--json")
    assert done.code == 0, done.said
    assert {gap["what"] for gap in done.document()["gaps"]} == {"model", "ide"}


def unpacked(archive: bytes, home: Path) -> None:
    """An archive of PyCharm without the folder around it."""
    home.mkdir()
    subprocess.run(["tar", "xz", "--strip-components=1", "-C", home], input=archive, check=True)


def test_a_fault_needs_a_fine_tune_to_break(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    done = toy_machine.run("verify", toy.recipe, "--fault", "lr0")
    assert done.code == 3, done.said
    assert "break" in done.err
    assert toy_machine.run("verify", toy.recipe).code == 0, "there is nothing wrong with the rest"


def test_an_unknown_fault_is_a_wrong_word_with_the_nearest_ones(tmp_path: Path) -> None:
    done = tool("verify", "--fault", "nan-wieght", "--json", home=tmp_path / "home")
    assert done.returncode == 2, done.stderr
    error = json.loads(done.stdout)["error"]
    assert "nan-wieght" in error["message"]
    assert "nan-weight" in error["hint"]
    far = tool("verify", "--fault", "0815", home=tmp_path / "home")
    assert far.returncode == 2
    assert all(fault in far.stderr for fault in FAULTS)


def test_the_help_names_every_fault(tmp_path: Path) -> None:
    done = tool("verify", "--help", home=tmp_path / "home", COLUMNS="400")
    assert done.returncode == 0
    assert all(fault in done.stdout for fault in FAULTS)


def test_the_name_of_a_fault_is_looked_at_where_it_is_read() -> None:
    from setup_llm_dev.cli.verify import fault_name

    assert [fault_name(name) for name in FAULTS] == list(FAULTS)
    with pytest.raises(UsageError):
        fault_name("")


# what the fine-tune sees -------------------------------------------------------------------------------------

TELLS = """
import json, os
print(json.dumps({"event": "facts", "environment": dict(os.environ)}))
print(json.dumps({"event": "verdict", "verdict": VERDICT}))
raise SystemExit(CODE)
"""


def step(home: Path, *, passes: bool = True) -> RunSmoke:
    """A program that tells its environment, in the place of the fine-tune."""
    program = home / "program.py"
    program.parent.mkdir(parents=True, exist_ok=True)
    answer = ('"pass"', "0") if passes else ('"fail"', "8")
    program.write_text(TELLS.replace("VERDICT", answer[0]).replace("CODE", answer[1]))
    return RunSmoke(Path(sys.executable), program, (("task", "t"),), home / "proof.json", home / "scratch")


def seen(home: Path, environment: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = step(home).run(scratch_host(home, environment), silent)["facts"]["environment"]
    return found


def test_only_folders_of_a_driver_are_let_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver, other, gone = tmp_path / "driver", tmp_path / "other", tmp_path / "gone"
    driver.mkdir()
    other.mkdir()
    monkeypatch.setattr(smoke, "_DRIVER_FOLDERS", (str(gone), str(driver)))
    variable = f"{other}:{driver}/:{gone}:"
    assert seen(tmp_path, {"LD_LIBRARY_PATH": variable})["LD_LIBRARY_PATH"] == str(driver)
    assert "LD_LIBRARY_PATH" not in seen(tmp_path, {"LD_LIBRARY_PATH": str(other)})
    assert "LD_LIBRARY_PATH" not in seen(tmp_path, {})


@pytest.mark.parametrize("folder", ["/usr/lib64-nvidia", "/usr/lib/wsl/lib"])
def test_the_driver_folders_of_notebooks_and_of_wsl_are_known(folder: str) -> None:
    assert folder in smoke._DRIVER_FOLDERS


def test_the_user_s_choice_of_gpus_is_let_through_and_nothing_else(tmp_path: Path) -> None:
    chosen = {"ZE_AFFINITY_MASK": "1", "ONEAPI_DEVICE_SELECTOR": "level_zero:0", "HIP_VISIBLE_DEVICES": "1"}
    found = seen(tmp_path, {**chosen, "HF_TOKEN": "t", "PYTHONPATH": "/x", "LD_PRELOAD": "y.so"})
    assert {name: found.get(name) for name in chosen} == chosen
    assert not {"HF_TOKEN", "PYTHONPATH", "LD_PRELOAD"} & set(found)


def test_a_proof_is_for_what_it_was_made_on_and_for_nothing_that_was_made_like_it_since(tmp_path: Path) -> None:
    host, note = scratch_host(tmp_path), tmp_path / "generation.json"
    note.write_text("the environment")
    smoke = replace(step(tmp_path), grounds=(note, tmp_path / "none"))
    smoke.apply(host, silent)
    assert isinstance(smoke.check(host), Satisfied)
    proof = read_proof(host, smoke.proof)
    assert proof is not None
    assert datetime.fromisoformat(proof["proved"]) <= host.now()
    was = note.stat().st_mtime_ns
    os.utime(note, ns=(was, was + 1))
    assert isinstance(smoke.check(host), Unsatisfied), "the same bytes, written anew"
    smoke.apply(host, silent)
    note.unlink()
    assert isinstance(smoke.check(host), Unsatisfied)


def test_a_failure_of_apply_says_that_nothing_was_switched(tmp_path: Path) -> None:
    host = scratch_host(tmp_path)
    with pytest.raises(CheckFailed) as error:
        step(tmp_path, passes=False).apply(host, silent)
    assert "nothing was switched" in str(error.value.hint)
    assert read_proof(host, tmp_path / "proof.json") is None
