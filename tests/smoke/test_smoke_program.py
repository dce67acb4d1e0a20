"""The program where no fine-tune is possible: it still answers in events, and never with a pass."""

import json
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from smoke_outcome import Outcome
from smoke_run.faults import FAULTS
from smoke_run.judgement import CHECKS
from smoke_run.libraries import prepare_surroundings

from setup_llm_dev.documents.causes import FAULTS as OFFERED

Run = Callable[..., Outcome]


def test_without_a_job_it_looks_beside_itself(run_program: Run, smoke_program: Path) -> None:
    found = run_program(Path(sys.executable))
    assert found.code == 8
    assert found.checks()["run"]["cause"] == "job-invalid"
    assert str(smoke_program.parent / "smoke.json") in found.checks()["run"]["measured"]["error"]


def test_an_environment_without_torch_fails_and_every_check_says_so(run_program: Run, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False, symlinks=sys.platform != "win32")
    python = bare / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    job = tmp_path / "job.json"
    document = {"schema": "smoke-job/1", "task": "text-classification", "model": "nowhere"}
    job.write_text(json.dumps(document), encoding="utf-8")
    found = run_program(python, "--job", str(job))
    assert found.code == 8
    assert found.checks()["run"]["cause"] == "import-failed"
    assert "torch" in found.checks()["run"]["measured"]["error"]
    assert "Traceback" in found.talk
    assert set(found.checks()) == {"run", *CHECKS}
    assert {check["status"] for check in found.checks().values()} == {"could-not-run"}
    assert found.verdict()["verdict"] == "fail"
    assert found.verdict()["cause"] == "import-failed"


def test_an_unknown_task_or_fault_is_named_with_what_there_is(run_program: Run, tmp_path: Path) -> None:
    for change, words in (({"task": "poetry"}, "text-classification"), ({"fault": "rust"}, "nan-weight")):
        job = tmp_path / "job.json"
        document = {"schema": "smoke-job/1", "task": "text-classification", "model": "m", **change}
        job.write_text(json.dumps(document), encoding="utf-8")
        found = run_program(Path(sys.executable), "--job", str(job))
        assert found.code == 8
        assert words in found.checks()["run"]["measured"]["error"]


def test_the_surroundings_are_cleared_of_other_projects() -> None:
    surroundings = {
        "ACCELERATE_USE_CPU": "1",
        "WORLD_SIZE": "4",
        "CUDA_VISIBLE_DEVICES": "2,3",
        "PATH": "/bin",
    }
    prepare_surroundings(surroundings, threads=1)
    assert "ACCELERATE_USE_CPU" not in surroundings
    assert "WORLD_SIZE" not in surroundings
    assert surroundings["CUDA_VISIBLE_DEVICES"] == "2"
    assert (surroundings["OMP_NUM_THREADS"], surroundings["HF_HUB_OFFLINE"]) == ("1", "1")
    assert surroundings["PATH"] == "/bin"


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, {"CUDA_VISIBLE_DEVICES": "0"}),
        ({"CUDA_VISIBLE_DEVICES": ""}, {"CUDA_VISIBLE_DEVICES": ""}),
        ({"HIP_VISIBLE_DEVICES": "1,0"}, {"HIP_VISIBLE_DEVICES": "1"}),
        ({"ROCR_VISIBLE_DEVICES": "2,3"}, {"ROCR_VISIBLE_DEVICES": "2", "HIP_VISIBLE_DEVICES": "0"}),
        (
            {"ROCR_VISIBLE_DEVICES": "2,3", "HIP_VISIBLE_DEVICES": "1"},
            {"ROCR_VISIBLE_DEVICES": "3", "HIP_VISIBLE_DEVICES": "0"},
        ),
        ({"ZE_AFFINITY_MASK": "1,0"}, {"ZE_AFFINITY_MASK": "1"}),
        ({"ONEAPI_DEVICE_SELECTOR": "level_zero:1,2"}, {"ONEAPI_DEVICE_SELECTOR": "level_zero:1"}),
        (
            {"ONEAPI_DEVICE_SELECTOR": "!opencl:*;level_zero:0;level_zero:1", "ZE_AFFINITY_MASK": "2,3"},
            {"ONEAPI_DEVICE_SELECTOR": "level_zero:0;!opencl:*", "ZE_AFFINITY_MASK": "2,3"},
        ),
    ],
)
def test_one_gpu_is_left_in_sight(given: dict[str, str], left: dict[str, str]) -> None:
    surroundings = dict(given)
    prepare_surroundings(surroundings, threads=1)
    assert {name: value for name, value in surroundings.items() if name in left or name in given} == left


def test_the_faults_that_the_command_line_offers_are_those_that_there_are() -> None:
    assert tuple(FAULTS) == OFFERED
