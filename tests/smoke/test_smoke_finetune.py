"""The fine-tune for real: a clean run passes, and each deliberate fault is caught by its check."""

import shutil
from pathlib import Path

import pytest
from smoke_outcome import FULL, Outcome, Smoke
from smoke_run.budget import RUNGS
from smoke_run.faults import FAULTS
from smoke_run.judgement import CHECKS

pytestmark = pytest.mark.provisioned


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


def test_the_least_training_is_a_pass_too_and_says_that_it_is_the_least(smoke: Smoke) -> None:
    """A second is never enough: what a slow machine has to do with, and slowness is no failure."""
    found = smoke(budget_seconds=1)
    assert found.code == 0, found.checks()
    facts = {key: value for event in found.of("facts") for key, value in event.items()}
    assert (facts["batch_size"], facts["steps"], facts["max_length"]) == (*RUNGS[-1], 16)
    assert facts["training_shortened"]
    warned = {name for name, check in found.checks().items() if check["status"] == "warn"}
    assert warned in ({"budget"}, {"budget", "quality"})
    assert found.checks()["quality"]["measured"]["steps"] == RUNGS[-1][1]


LEAST = 1  # second of budget: enough for the least training only
# Two steps are enough where the check does not depend on how well the model learned.
CAUGHT = [
    ("lr0", LEAST, None, "parameters-moved", "no-parameter-moved"),
    ("nan-weight", LEAST, 2, "finite", "non-finite-loss"),
    ("frozen-layer", LEAST, 2, "parameters-moved", "some-parameters-stuck"),
    ("loss-scaled", LEAST, 1, "initial-loss", "initial-loss-off"),
    ("random-weights", LEAST, 1, "weights-loaded", "weights-differ"),
    ("unsaved", LEAST, None, "saved-and-reloaded", "reload-differs"),
    ("labels-shuffled", LEAST, None, "quality", "quality-below-floor"),
    ("sign-flipped", LEAST, 6, "loss-fell", "loss-did-not-fall"),
]
# The same check finds the same cause as in the row of `frozen-layer`, and of the same fault with less training.
TWINS = [
    ("gradient-zeroed", LEAST, 2, "parameters-moved", "some-parameters-stuck"),
    ("labels-shuffled", FULL, None, "quality", "quality-below-floor"),
]
NIGHTLY = [pytest.param(*row, marks=pytest.mark.nightly) for row in TWINS]


@pytest.mark.parametrize(("fault", "budget", "max_steps", "check", "cause"), [*CAUGHT, *NIGHTLY])
def test_a_fault_is_said_caught_and_named(
    smoke: Smoke, fault: str, budget: float, max_steps: int | None, check: str, cause: str
) -> None:
    found = smoke(fault=fault, budget_seconds=budget, max_steps=max_steps)
    assert found.code == 8
    assert found.events[0] == {"event": "fault", "name": fault, "text": FAULTS[fault]}
    assert found.checks()[check]["status"] == "fail"
    assert found.checks()[check]["cause"] == cause
    assert found.verdict()["verdict"] == "fail"
    if fault in ("lr0", "nan-weight", "frozen-layer", "gradient-zeroed", "random-weights", "unsaved"):
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
    still = ("lr0", "frozen-layer", "gradient-zeroed", "nan-weight")
    untouched |= set() if fault in still else {"parameters-moved"}
    failed = set(found.verdict()["failed"])
    assert not failed & untouched


def test_every_fault_is_tried_here_but_the_one_that_needs_a_gpu() -> None:
    assert {row[0] for row in (*CAUGHT, *TWINS)} == set(FAULTS) - {"wrong-device"}


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
