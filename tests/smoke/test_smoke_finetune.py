"""The fine-tune for real: a clean run passes, and each deliberate fault is caught by its check."""

import shutil
from pathlib import Path

import pytest
from smoke_outcome import Outcome, Smoke
from smoke_run.faults import FAULTS
from smoke_run.judgement import CHECKS


def test_a_clean_run_passes_every_check(smoke: Smoke, tmp_path: Path) -> None:
    found = smoke(expect_variant="cpu")
    assert {name: check["status"] for name, check in found.checks().items()} == dict.fromkeys(CHECKS, "pass")
    assert found.code == 0
    assert not found.of("fault")
    phases = ["import", "load", "evaluate-before", "train", "evaluate-after", "save-reload"]
    assert [event["name"] for event in found.of("phase")] == phases
    metrics = found.verdict()["metrics"]
    assert len(found.of("progress")) == metrics["steps"]
    assert metrics["accuracy"] > metrics["accuracy_before"]
    assert metrics["loss_last"] < metrics["loss_first"]
    assert metrics["samples_per_second"] > 0
    assert list((tmp_path / "scratch").iterdir()) == [], "the run left something behind"


# Two steps are enough where the check does not depend on how well the model learned.
CAUGHT = [
    ("lr0", 2, "parameters-moved", "no-parameter-moved"),
    ("nan-weight", 2, "finite", "non-finite-loss"),
    ("frozen-layer", 2, "parameters-moved", "some-parameters-stuck"),
    ("loss-scaled", 1, "initial-loss", "initial-loss-off"),
    ("random-weights", 1, "weights-loaded", "weights-differ"),
    ("unsaved", None, "saved-and-reloaded", "reload-differs"),
    ("labels-shuffled", None, "quality", "quality-below-floor"),
    ("sign-flipped", 6, "loss-fell", "loss-did-not-fall"),
]


@pytest.mark.parametrize(("fault", "max_steps", "check", "cause"), CAUGHT)
def test_a_fault_is_said_caught_and_named(
    smoke: Smoke, fault: str, max_steps: int | None, check: str, cause: str
) -> None:
    found = smoke(fault=fault, max_steps=max_steps)
    assert found.code == 8
    assert found.events[0] == {"event": "fault", "name": fault, "text": FAULTS[fault]}
    assert found.checks()[check]["status"] == "fail"
    assert found.checks()[check]["cause"] == cause
    assert found.verdict()["verdict"] == "fail"
    if fault in ("lr0", "nan-weight", "frozen-layer", "random-weights", "unsaved"):
        assert found.verdict()["cause"] == cause, "the verdict names the root"
    if fault == "unsaved":
        assert found.verdict()["failed"] == ["saved-and-reloaded"], "the training itself went well"
    if fault == "sign-flipped":
        measured = found.checks()[check]["measured"]
        assert measured["last"] > measured["first"], "the loss was driven up"
    spared(found, fault)


def spared(found: Outcome, fault: str) -> None:
    """A fault must not make checks fail that have nothing to do with it: then they would prove nothing."""
    untouched = {"device", "budget"}
    untouched |= set() if fault == "nan-weight" else {"finite"}
    untouched |= set() if fault == "random-weights" else {"weights-loaded"}
    untouched |= set() if fault in ("nan-weight", "unsaved") else {"saved-and-reloaded"}
    untouched |= set() if fault in ("lr0", "frozen-layer", "nan-weight") else {"parameters-moved"}
    failed = set(found.verdict()["failed"])
    assert not failed & untouched


def test_every_fault_is_tried_here_but_the_one_that_needs_a_gpu() -> None:
    assert {row[0] for row in CAUGHT} == set(FAULTS) - {"wrong-device"}


def test_a_fault_that_this_device_can_not_have_is_no_pass(smoke: Smoke) -> None:
    found = smoke(fault="wrong-device")
    assert found.code == 8
    assert found.checks()["run"]["cause"] == "fault-not-possible"


def test_a_damaged_model_and_a_missing_gpu_are_named(smoke: Smoke, smoke_model: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(smoke_model, damaged)
    with (damaged / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    assert smoke(model=str(damaged)).checks()["run"]["cause"] == "model-unreadable"
    wrong_build = smoke(device="auto", expect_variant="cu130")
    assert wrong_build.checks()["variant"]["cause"] == "variant-differs"
    assert wrong_build.code == 8
