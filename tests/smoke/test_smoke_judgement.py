"""Each check passes on good measurements and fails, with the right cause, on each way of being bad."""

import ast
import math
from pathlib import Path

import pytest
from smoke_run import judgement as j
from smoke_run.causes import CAUSES, CauseError, cause_of
from smoke_run.metrics import Scores

ON_GPU = {"parameters": ["cuda"], "gradients": ["cuda"], "optimizer_state": ["cuda"]}
STRAYED = {**ON_GPU, "gradients": ["cpu", "cuda"]}
POOR, GOOD = Scores(0.5, 0.5, 0.5, 0.5), Scores(0.97, 0.97, 0.97, 0.97)
ALMOST = Scores(0.94, 0.95, 0.95, 0.95)
LOP_SIDED = Scores(0.95, 1.0, 0.89, 0.94)
NAN = math.nan
SHORT, FLAT = j.Shortened(8, 18, fell=True, chance=0.5), j.Shortened(8, 18, fell=False, chance=0.5)
LUCKY = Scores(0.69, 0.69, 0.69, 0.69)
WORSE = Scores(0.75, 0.75, 0.40, 0.45)
FALLING = (0.7, 0.7, 0.7, 0.2, 0.1, 0.1)

JUDGED = [
    (j.judge_variant("cu130", "cu130"), "pass", None),
    (j.judge_variant("cpu", "cu130"), "fail", "variant-differs"),
    (j.judge_variant("cpu", "mps"), "pass", None),
    (j.judge_variant("cpu", None), "not-applicable", None),
    (j.judge_device("cuda", ON_GPU, 100, 100), "pass", None),
    (j.judge_device("cuda", ON_GPU, 100, 100, 2), "warn", "several-devices"),
    (j.judge_device("cuda", STRAYED, 100, 100, 2), "fail", "device-not-used"),
    (j.judge_device("cuda", ON_GPU, 0, 100), "fail", "device-not-used"),
    (j.judge_device("cuda", STRAYED, 100, 100), "fail", "device-not-used"),
    (j.judge_device("cpu", {}, None, 100), "fail", "device-not-used"),
    (j.judge_weights((), 103, ()), "pass", None),
    (j.judge_weights(("bert.x",), 102, ()), "fail", "weights-missing"),
    (j.judge_weights((), 103, ("bert.x",)), "fail", "weights-differ"),
    (j.judge_weights((), 0, ()), "warn", "weights-not-compared"),
    (j.judge_finite((0.7, 0.1), (1.0, 2.0)), "pass", None),
    (j.judge_finite((0.7, NAN), (1.0, 2.0)), "fail", "non-finite-loss"),
    (j.judge_finite((0.7, 0.1), (1.0, math.inf)), "fail", "non-finite-gradient"),
    (j.judge_finite((0.7, 0.0), (1.0, 2.0)), "fail", "zero-loss"),
    (j.judge_finite((), ()), "fail", "no-step-ran"),
    (j.judge_moved((), 3, 24, 24), "pass", None),
    (j.judge_moved(("a", "b", "c"), 3, 24, 24), "fail", "no-parameter-moved"),
    (j.judge_moved(("a",), 3, 24, 24), "fail", "some-parameters-stuck"),
    (j.judge_moved((), 3, 21, 24), "fail", "updates-skipped"),
    (j.judge_moved((), 3, 24, 24, idle=("a",)), "fail", "some-parameters-stuck"),
    (j.judge_initial_loss(0.70, 0.68, 2, True), "pass", None),
    (j.judge_initial_loss(0.70, 2.77, 2, True), "fail", "initial-loss-off"),
    (j.judge_initial_loss(0.70, NAN, 2, True), "fail", "initial-loss-off"),
    (j.judge_initial_loss(NAN, NAN, 2, True), "fail", "initial-loss-off"),
    (j.judge_initial_loss(0.01, 0.01, 2, False), "not-applicable", None),
    (j.judge_fall(FALLING), "pass", None),
    (j.judge_fall(FALLING[::-1]), "fail", "loss-did-not-fall"),
    (j.judge_fall((0.7,)), "fail", "loss-did-not-fall"),
    (j.judge_fall((NAN, NAN)), "fail", "loss-did-not-fall"),
    (j.judge_fall(()), "fail", "no-step-ran"),
    (j.judge_quality(POOR, GOOD, False), "pass", None),
    (j.judge_quality(GOOD, GOOD, False), "pass", None),
    (j.judge_quality(POOR, POOR, False), "fail", "quality-below-floor"),
    (j.judge_quality(POOR, ALMOST, False), "fail", "quality-below-floor"),
    (j.judge_quality(POOR, LOP_SIDED, False), "fail", "quality-below-floor"),
    (j.judge_quality(POOR, LOP_SIDED, True), "warn", "quality-below-floor"),
    (j.judge_quality(POOR, POOR, True), "fail", "quality-below-floor"),
    (j.judge_quality(POOR, GOOD, False, SHORT), "pass", None),
    (j.judge_quality(POOR, ALMOST, False, SHORT), "warn", "quality-after-short-training"),
    (j.judge_quality(POOR, LOP_SIDED, False, SHORT), "warn", "quality-after-short-training"),
    (j.judge_quality(POOR, ALMOST, False, FLAT), "fail", "quality-below-floor"),
    (j.judge_quality(POOR, LUCKY, False, SHORT), "fail", "quality-below-floor"),
    (j.judge_quality(POOR, WORSE, False, SHORT), "fail", "quality-below-floor"),
    (j.judge_quality(ALMOST, ALMOST, False, SHORT), "fail", "quality-below-floor"),
    (j.judge_quality(POOR, Scores(NAN, NAN, NAN, NAN), False, SHORT), "fail", "quality-below-floor"),
    (j.judge_reload(0.0, (), True), "pass", None),
    (j.judge_reload(1e-7, (), True), "fail", "reload-differs"),
    (j.judge_reload(1e-7, (), False), "pass", None),
    (j.judge_reload(0.0, ("a",), True), "fail", "reload-differs"),
    (j.judge_reload(NAN, (), True), "fail", "reload-differs"),
    (j.judge_budget(j.Spending(60, 25, 30, 20), True), "pass", None),
    (j.judge_budget(j.Spending(60, 25, 30, 70), False), "warn", "over-budget"),
    (j.judge_budget(j.Spending(60, 80, -30, 7.148), False), "warn", "little-time-left"),
]


@pytest.mark.parametrize(("check", "status", "cause"), JUDGED)
def test_the_judgement(check: j.Check, status: str, cause: str | None) -> None:
    assert (check.status, check.cause) == (status, cause)


def test_a_shortened_training_is_said_where_it_is_judged() -> None:
    check = j.judge_quality(POOR, ALMOST, False, SHORT)
    assert (check.measured["batch_size"], check.measured["steps"]) == (8, 18)
    assert "cut short" in check.expected
    assert "0.70" in check.expected
    full = j.judge_quality(POOR, GOOD, False)
    assert "steps" not in full.measured
    assert "cut short" not in full.expected


def test_every_check_is_known_by_its_place_in_the_order() -> None:
    assert {check.id for check, _, _ in JUDGED} == set(j.CHECKS)


def test_the_causes_that_the_code_names_are_those_of_the_table() -> None:
    sources = Path(j.__file__).parent
    named = {
        node.value
        for path in sources.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {check.cause for check, _, _ in JUDGED if check.cause} <= set(CAUSES)
    table = (sources / "causes.py").read_text(encoding="utf-8").split("class CauseError")[0]
    others = "".join(path.read_text(encoding="utf-8") for path in sources.rglob("*.py")).replace(table, "")
    assert [cause for cause in CAUSES if f'"{cause}"' not in others] == []
    assert set(CAUSES) <= named


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_has_a_sentence_and_a_next_action(cause: str) -> None:
    assert cause == cause.lower()
    assert " " not in cause
    assert len(CAUSES[cause].text) > 10
    assert len(CAUSES[cause].hint) > 10


class OutOfMemoryError(RuntimeError):
    """Named as torch's own."""


class SafetensorError(Exception):
    """Named as that of safetensors."""


@pytest.mark.parametrize(
    ("error", "phase", "cause"),
    [
        (CauseError("data-invalid", "x"), "load", "data-invalid"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "train", "out-of-memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "train", "out-of-memory"),
        (MemoryError(), "train", "out-of-memory"),
        (
            RuntimeError("CUDA error: no kernel image is available for execution"),
            "load",
            "device-unsupported",
        ),
        (RuntimeError("Found no NVIDIA driver on your system"), "load", "device-unavailable"),
        (ModuleNotFoundError("No module named 'torch'"), "import", "import-failed"),
        (OSError(28, "No space left on device"), "save-reload", "disk-full"),
        (PermissionError(13, "Permission denied"), "save-reload", "not-permitted"),
        (FileNotFoundError(2, "No such file"), "start", "file-missing"),
        (SafetensorError("header too small"), "load", "model-unreadable"),
        (OSError("does not appear to have a file named config.json"), "load", "model-unreadable"),
        (ValueError("what is this"), "train", "unexpected-error"),
    ],
)
def test_an_error_is_named(error: Exception, phase: str, cause: str) -> None:
    assert cause_of(error, phase) == cause
    assert cause in CAUSES
