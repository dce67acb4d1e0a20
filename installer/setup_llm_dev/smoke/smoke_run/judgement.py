"""From measurements to checks: pure functions, one a check, that decide pass or fail and name the cause."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from smoke_run.metrics import Scores

Status = Literal["pass", "warn", "fail", "not-applicable", "could-not-run"]

# In this order the first failing check is the one nearest to the root of the trouble.
CHECKS: tuple[str, ...] = (
    "variant",
    "device",
    "weights-loaded",
    "finite",
    "parameters-moved",
    "initial-loss",
    "loss-fell",
    "quality",
    "saved-and-reloaded",
    "budget",
)
INITIAL_LOSS_TOLERANCE = 0.5  # nats around ln(labels): a fresh head on pretrained features leans to one side
FALLEN_SHARE = 0.9  # last losses against first; a small learning rate falls no further in 24 steps
WELL_FITTED = 0.1  # nats; below this there is nothing left to fall
ACCURACY_FLOOR = 0.95
OTHER_FLOOR = 0.90  # precision, recall, F1: three errors of one kind among 32 sentences
PLACES = ("parameters", "gradients", "optimizer_state")
ABOVE_CHANCE = 0.2  # of accuracy: what even a short training must gain over guessing
WINDOW = 3  # steps that are averaged at both ends of the run


@dataclass(frozen=True)
class Check:
    """One answer; `cause` is a key of `causes.CAUSES`, None where nothing is wrong."""

    id: str
    status: Status
    measured: Any
    expected: str
    cause: str | None = None


def judge(id: str, holds: bool, measured: Any, expected: str, cause: str) -> Check:
    """A check that passes if `holds`, else fails with `cause`."""
    return Check(id, "pass" if holds else "fail", measured, expected, None if holds else cause)


def judge_variant(measured: str, expected: str | None) -> Check:
    """Compare the build of torch that was imported with the chosen one; on macOS `cpu` and `mps` are one."""
    if expected is None:
        return Check("variant", "not-applicable", measured, "no particular build")
    same = measured == expected or {measured, expected} == {"cpu", "mps"}
    return judge("variant", same, measured, expected, "variant-differs")


def judge_device(
    expected: str, places: Mapping[str, Sequence[str]], grown: int | None, model_bytes: int, gpus: int = 1
) -> Check:
    """Parameters, gradients and optimizer state must all have been on `expected` and nowhere else.

    `grown` is by how many bytes the device's memory grew when the model was moved there, None on a CPU; `gpus`
    is over how many the Trainer spread the batches.
    """
    measured = {**{kind: list(found) for kind, found in places.items()}, "memory_grown_bytes": grown, "gpus": gpus}
    there = all(list(places.get(kind, ())) == [expected] for kind in PLACES)  # seen nowhere is not there
    room = grown is None or grown >= model_bytes
    wanted = f"parameters, gradients and optimizer state on {expected}, at most one GPU"
    if there and room and gpus > 1:
        return Check("device", "warn", measured, wanted, "several-devices")
    return judge("device", there and room, measured, wanted, "device-not-used")


def judge_weights(missing: Sequence[str], compared: int, different: Sequence[str]) -> Check:
    """`missing`: parameters outside the head that no file gave; `different`: those unlike the file's."""
    measured = {"missing": list(missing[:5]), "compared": compared, "different": list(different[:5])}
    expected = "only the head is new, all other parameters equal the file bit for bit"
    if not missing and not different and not compared:
        return Check("weights-loaded", "warn", measured, expected, "weights-not-compared")
    cause = "weights-missing" if missing else "weights-differ"
    return judge("weights-loaded", not missing and not different, measured, expected, cause)


def judge_finite(losses: Sequence[float], gradient_norms: Sequence[float]) -> Check:
    """Every loss and every gradient a finite number, no loss exactly 0.0."""
    bad_losses = [step for step, loss in enumerate(losses, 1) if not math.isfinite(loss)]
    bad_gradients = [step for step, norm in enumerate(gradient_norms, 1) if not math.isfinite(norm)]
    zeros = [step for step, loss in enumerate(losses, 1) if loss == 0.0]
    measured = {
        "losses": len(losses),
        "non_finite_losses_at_steps": bad_losses,
        "non_finite_gradients_at_steps": bad_gradients,
        "zero_losses_at_steps": zeros,
    }
    findings = (
        (not losses or not gradient_norms, "no-step-ran"),
        (bool(bad_losses), "non-finite-loss"),
        (bool(bad_gradients), "non-finite-gradient"),
        (bool(zeros), "zero-loss"),
    )
    cause = next((name for wrong, name in findings if wrong), None)
    expected = "every loss and gradient finite, no loss 0.0"
    return Check("finite", "fail" if cause else "pass", measured, expected, cause)


def judge_moved(stuck: Sequence[str], total: int, updates: int, steps: int, idle: Sequence[str] = ()) -> Check:
    """`stuck`: the parameters that training left bit-equal; `idle`: those whose gradient was zero at every step.

    `updates`: optimizer steps really applied.
    """
    measured = {"moved": total - len(stuck), "of": total, "updates": updates, "stuck": list(stuck[:5])}
    measured["without_gradient"] = list(idle[:5])
    expected = f"all {total} parameter tensors changed and had a gradient, {steps} updates applied"
    if not updates or len(stuck) == total:
        return Check("parameters-moved", "fail", measured, expected, "no-parameter-moved")
    still = bool(stuck or idle)
    cause = "some-parameters-stuck" if still else "updates-skipped"
    return judge("parameters-moved", not still and updates == steps, measured, expected, cause)


def judge_initial_loss(evaluated: float, first_step: float, labels: int, fresh_head: bool) -> Check:
    """Both the loss of the untrained model (nats) and the Trainer's first one must be near ln(labels)."""
    expected = f"{math.log(labels):.3f} ± {INITIAL_LOSS_TOLERANCE}"
    measured = {"before_training": evaluated, "first_step": first_step}
    if not fresh_head:
        return Check("initial-loss", "not-applicable", measured, "the model brought a trained head")
    off = max(abs(loss - math.log(labels)) for loss in (evaluated, first_step))
    # a comparison with NaN is False, so a NaN fails here
    near = off <= INITIAL_LOSS_TOLERANCE and math.isfinite(evaluated + first_step)
    return judge("initial-loss", near, measured, expected, "initial-loss-off")


def judge_fall(losses: Sequence[float]) -> Check:
    """The mean of the last losses against the mean of the first ones."""
    if not losses:
        return Check("loss-fell", "fail", None, "a loss a step", "no-step-ran")
    window = max(1, min(WINDOW, len(losses) // 2))
    first, last = (sum(part) / window for part in (losses[:window], losses[-window:]))
    fell = len(losses) > 1 and (last <= FALLEN_SHARE * first or first <= WELL_FITTED)
    expected = f"at most {FALLEN_SHARE} of the first"
    return judge("loss-fell", fell, {"first": first, "last": last}, expected, "loss-did-not-fall")


@dataclass(frozen=True)
class Shortened:
    """A training that the time cut short: the sizes that were left of it, and the share of lucky guesses."""

    batch_size: int
    steps: int
    fell: bool  # whether the loss did
    chance: float

    @property
    def floor(self) -> float:
        """The accuracy that even so little training must reach."""
        return self.chance + ABOVE_CHANCE


def judge_quality(before: Scores, after: Scores, own_data: bool, shortened: Shortened | None = None) -> Check:
    """Above the floor on unseen sentences, and better than before; own data need not reach the floor.

    Nor need a `shortened` training, because a slow machine is no failure: there it is enough that the loss fell
    and that the model became better than before and than guessing.
    """
    measured = {
        "accuracy": after.accuracy,
        "precision": after.precision,
        "recall": after.recall,
        "f1": after.f1,
    }
    measured |= {"accuracy_before": before.accuracy, "f1_before": before.f1}
    expected = f"accuracy ≥ {ACCURACY_FLOOR}, precision, recall and F1 ≥ {OTHER_FLOOR}, all above before"
    if shortened is not None:
        measured |= {"batch_size": shortened.batch_size, "steps": shortened.steps}
        expected += f"; after a training cut short for time, accuracy ≥ {shortened.floor:.2f} and a fallen loss"
    floor = after.accuracy >= ACCURACY_FLOOR and min(after.precision, after.recall, after.f1) >= OTHER_FLOOR
    rose = after.accuracy > before.accuracy and after.f1 > before.f1
    better = before.accuracy >= ACCURACY_FLOOR or rose
    if floor and better:
        return Check("quality", "pass", measured, expected)
    if own_data and better:
        return Check("quality", "warn", measured, expected, "quality-below-floor")
    if shortened is not None and shortened.fell and rose and after.accuracy >= shortened.floor:
        return Check("quality", "warn", measured, expected, "quality-after-short-training")
    return Check("quality", "fail", measured, expected, "no-better-than-before" if floor else "quality-below-floor")


def judge_reload(largest_difference: float, unequal: Sequence[str], exact: bool) -> Check:
    """The saved and reloaded model: parameters bit-equal, and logits too (`exact`) or within 1e-5."""
    measured = {"largest_logit_difference": largest_difference, "unequal_parameters": list(unequal[:5])}
    allowed = 0.0 if exact else 1e-5
    same = largest_difference <= allowed and not unequal
    expected = f"parameters bit-equal, logits within {allowed}"
    return judge("saved-and-reloaded", same, measured, expected, "reload-differs")


@dataclass(frozen=True)
class Spending:
    """Seconds: the whole `budget`, what went `before` training, what is left for it, what it is expected to take."""

    budget: float
    before: float
    left: float
    training: float


def judge_budget(spending: Spending, fits: bool) -> Check:
    """Slowness is never a failure, only worth saying; and who took the time, training or what came before it."""
    room = max(spending.left, 0.0)
    measured = {"seconds_before_training": round(spending.before, 1), "training_seconds": round(spending.training, 1)}
    expected = f"training within {room:.0f} s" if room >= 1 else "some seconds left for training"
    expected += f", of {spending.budget:.0f} s in all"
    cause = None if fits else "over-budget" if spending.training > spending.budget else "little-time-left"
    return Check("budget", "pass" if fits else "warn", measured, expected, cause)
