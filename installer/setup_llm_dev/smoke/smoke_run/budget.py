"""How much training fits: one timed step and the seconds left become steps, batch size and length."""

from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 128  # tokens; a smoke has no need of more
SHORTEST = 16
LENGTH_MULTIPLE = 8  # tensor cores like multiples of 8
EVALUATIONS_TO_COME = 3  # after training, and both models when the saved one is compared with the trained one
SAVE_SECONDS_PER_BYTE = 2e-8  # set aside for saving and loading again: measured 9 s for 440 MB
WARMUP_SHARE = 0.1  # a longer warm-up never lets a short run train
RUNGS: tuple[tuple[int, int], ...] = ((16, 24), (8, 24), (8, 18))  # (batch size, steps), the best first


@dataclass(frozen=True)
class StepCost:
    """What one step costs: seconds a token, forward and backward, and seconds an update."""

    seconds_per_token: float
    seconds_per_update: float

    def training_seconds(self, batch_size: int, steps: int, length: int) -> float:
        """Seconds of `steps` steps over batches of `batch_size` x `length` tokens."""
        return steps * (self.seconds_per_token * batch_size * length + self.seconds_per_update)


@dataclass(frozen=True)
class TrainingPlan:
    """The training that was chosen; `fits` is False where even the least useful one is over the budget.

    `shortened` tells that the time did not allow the best one: smaller batches, fewer steps or cut sentences.
    """

    batch_size: int
    steps: int
    max_length: int  # tokens
    expected_seconds: float
    fits: bool
    shortened: bool

    @property
    def warmup_steps(self) -> int:
        """Never more than a tenth of the steps."""
        return int(self.steps * WARMUP_SHARE)


def padded_length(longest: int) -> int:
    """The length in tokens to pad to, for data whose longest sentence has `longest` tokens.

    >>> padded_length(13), padded_length(17), padded_length(900)
    (16, 24, 128)
    """
    rounded = -(-longest // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
    return max(SHORTEST, min(LONGEST, rounded))


def seconds_for_training(budget: float, elapsed: float, one_evaluation: float, model_bytes: int) -> float:
    """What is left of `budget` seconds for training, when what comes after it is set aside; may be negative."""
    return budget - elapsed - EVALUATIONS_TO_COME * one_evaluation - SAVE_SECONDS_PER_BYTE * model_bytes


def choose_plan(cost: StepCost, seconds_left: float, length: int, max_steps: int | None = None) -> TrainingPlan:
    """The best training that ends within `seconds_left`, else the least one, marked as not fitting.

    Steps are given up before length, because a cut sentence can lose the word that matters.
    """
    for batch_size, steps, tokens in _ladder(length):
        wanted = min(steps, max_steps or steps)
        seconds = cost.training_seconds(batch_size, wanted, tokens)
        best = (batch_size, steps, tokens) == (*RUNGS[0], length)
        fits = seconds <= seconds_left
        plan = TrainingPlan(batch_size, wanted, tokens, seconds, fits, shortened=not best)
        if plan.fits:
            break
    return plan


def _ladder(length: int) -> Iterator[tuple[int, int, int]]:
    lengths = [length]
    while lengths[-1] // 2 >= SHORTEST:
        lengths.append(lengths[-1] // 2 // LENGTH_MULTIPLE * LENGTH_MULTIPLE)
    for tokens in lengths:
        for batch_size, steps in RUNGS:
            yield batch_size, steps, tokens
