"""The first run of the command, then the second: what a user has afterwards, judged on the disk."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CANARY, Provisioned
from tests.e2e.machine import no_orphan
from tests.jps import understood
from tests.oracle import broken_files, changes, done_holds, files_with, manifest, not_passed

pytestmark = pytest.mark.provisioned
CHECKS = {"variant", "weights-loaded", "budget", "device", "finite", "parameters-moved", "initial-loss", "loss-fell",
          "quality", "saved-and-reloaded"}  # fmt: skip


def python_says(provisioned: Provisioned, text: str) -> str:
    done = subprocess.run(
        [provisioned.machine.python, "-I", "-c", text], capture_output=True, encoding="utf-8", check=True
    )
    return done.stdout.strip()


def test_only_what_could_not_be_reached_is_missing(provisioned: Provisioned) -> None:
    report = provisioned.machine.report()
    assert report["verdict"] == "partial"
    assert {gap["what"] for gap in report["gaps"]} == {"model", "ide"}
    model = next(gap for gap in report["gaps"] if gap["what"] == "model")
    assert model["url"].startswith(provisioned.machine.settings["HF_ENDPOINT"])
    assert model["command"] == "setup-llm-dev apply text-classification --upgrade"
    assert {check["id"] for check in report["checks"]} == CHECKS
    assert not_passed(report["checks"]) == []


def test_the_disk_agrees_with_the_report(provisioned: Provisioned) -> None:
    assert done_holds(provisioned.machine.workspace) == []
    assert len(list(provisioned.machine.generation.glob("lib/python3.*/site-packages/*.dist-info"))) > 20
    no_orphan(provisioned.machine.home)


def test_the_report_says_what_was_measured(provisioned: Provisioned) -> None:
    report = provisioned.machine.report()
    metrics = report["metrics"]
    assert metrics["accuracy"] > max(0.9, metrics["accuracy_before"])
    assert metrics["loss_last"] < metrics["loss_first"]
    assert {"precision", "recall", "f1", "samples_per_second", "peak_memory_bytes"} <= metrics.keys()
    for place in ("workspace", "python", "environment", "data", "model"):
        assert Path(report["places"][place]).exists()
    assert Path(report["log"]).is_file()


def test_what_a_person_reads_is_plain_text(provisioned: Provisioned) -> None:
    assert "\x1b" not in provisioned.first.out + provisioned.first.err
    for word in (str(provisioned.machine.workspace), "train.py", "predict.py", "PyCharm", "bert-base-uncased"):
        assert word in provisioned.first.out


def test_torch_is_the_build_that_the_report_names(provisioned: Provisioned) -> None:
    torch = provisioned.machine.report()["torch"]
    assert python_says(provisioned, "import torch; print(torch.__version__)") == torch["version"]
    assert torch["variant"] in torch["version"]
    assert python_says(provisioned, "import sys; print(sys.prefix)") == str(provisioned.machine.venv)


def test_pip_in_the_environment_does_not_swap_torch(provisioned: Provisioned) -> None:
    version = provisioned.machine.report()["torch"]["version"]
    release = int(version.split(".")[1])
    pip = [str(provisioned.machine.python), "-m", "pip", "install", "--dry-run", "--no-deps"]
    environment = provisioned.machine.environment()
    other = subprocess.run([*pip, f"torch!={version}"], capture_output=True, encoding="utf-8", env=environment)
    assert other.returncode != 0
    assert f"(constraint) torch=={version}" in other.stdout + other.stderr, other.stdout + other.stderr
    same = subprocess.run(
        [*pip, "--upgrade", f"torch>=2.{release}"], capture_output=True, encoding="utf-8", env=environment
    )
    assert same.returncode == 0, same.stderr
    assert "Would install" not in same.stdout


def test_a_beginner_trains_and_then_predicts(provisioned: Provisioned, tmp_path: Path) -> None:
    """In the workspace, as its guide says, but for where the trained model goes: the workspace stays as it was."""
    trained = tmp_path / "trained"

    def python(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [provisioned.machine.python, "-B", *words],
            capture_output=True, encoding="utf-8", env={"HOME": str(tmp_path), "PATH": os.defpath},
            cwd=provisioned.machine.workspace,
        )  # fmt: skip

    early = python("predict.py", "--trained", trained)
    assert early.returncode == 2
    assert "run train.py first" in early.stderr
    training = python("train.py", "--output", trained)
    assert training.returncode == 0, training.stderr
    assert "accuracy before training" in training.stdout
    assert "after: 1.00" in training.stdout or "after: 0.9" in training.stdout
    predicted = python("predict.py", "--trained", trained, "The soup was marvelous.", "The soup was disgusting.")
    assert predicted.returncode == 0, predicted.stderr
    after, before = predicted.stdout.split("before training")
    assert [line.split()[0] for line in after.splitlines()[1:]] == ["positive", "negative"]
    assert "marvelous" in before


def test_the_smoke_program_runs_by_hand(provisioned: Provisioned) -> None:
    """With a fault, which ends it early: the verdict must come out of this very program."""
    program = provisioned.machine.workspace / ".setup-llm-dev" / "smoke.pyz"
    done = subprocess.run(
        [provisioned.machine.python, "-I", program, "--json", "--fault", "lr0", "--max-steps", "2"],
        capture_output=True, encoding="utf-8", env={"HOME": "/nonexistent", "PATH": os.defpath},
    )  # fmt: skip
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, verdict["cause"]) == (8, "no-parameter-moved"), done.stderr


def test_pycharm_understands_the_project(provisioned: Provisioned, tmp_path: Path) -> None:
    workspace = provisioned.machine.workspace
    read = understood(provisioned.machine.home, project=workspace)
    assert (read["errors"], read["messages"]) == ([], [])
    [module] = read["project"]["modules"]
    assert module["contentRoots"] == [workspace.as_uri().replace("%20", " ")]
    assert f"{module['contentRoots'][0]}/.venv" in module["excludedRoots"]
    assert read["project"]["sdk"]["type"] == "Python SDK"
    names = {configuration["name"] for configuration in read["project"]["runConfigurations"]}
    assert {"train", "predict"} <= names


def test_no_child_and_no_file_ever_held_the_token(provisioned: Provisioned) -> None:
    assert provisioned.watch.children > 5, "the children were not seen at all"
    assert provisioned.watch.leaks == []
    assert CANARY not in provisioned.first.out + provisioned.first.err
    assert files_with(provisioned.machine.home, CANARY.encode()) == []


def test_the_second_run_does_nothing_and_writes_nothing(provisioned: Provisioned) -> None:
    machine = provisioned.machine
    before = manifest(machine.home)
    done = machine.run("apply", "--json")
    assert done.code == 0, done.said
    assert done.document()["changed"] is False
    assert done.document()["verdict"] == "partial"
    assert changes(before, manifest(machine.home)) == []
    assert "Nothing had to be done" in machine.run().out


def test_a_file_that_was_never_executed_is_found_broken_by_the_judge(tmp_path: Path) -> None:
    """The judge itself: an environment without packages is no success."""
    assert broken_files(tmp_path) == ["no package at all"]
