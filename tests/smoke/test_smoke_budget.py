"""The arithmetic that turns one timed step into a training plan."""

import pytest
from smoke_run.budget import RUNGS, StepCost, choose_plan, padded_length, seconds_for_training

COST = StepCost(seconds_per_token=0.001, seconds_per_update=0.1)  # 16 x 16 tokens: 0.356 s a step


def test_the_best_training_is_taken_when_it_fits() -> None:
    plan = choose_plan(COST, seconds_left=10, length=16)
    assert (plan.batch_size, plan.steps, plan.max_length, plan.fits) == (16, 24, 16, True)
    assert plan.expected_seconds == pytest.approx(24 * 0.356)


def test_a_tighter_budget_takes_smaller_batches_then_fewer_steps() -> None:
    assert (choose_plan(COST, 6, 16).batch_size, choose_plan(COST, 6, 16).steps) == RUNGS[1]
    assert (choose_plan(COST, 4.2, 16).batch_size, choose_plan(COST, 4.2, 16).steps) == RUNGS[2]


def test_long_texts_are_cut_only_when_fewer_steps_do_not_help() -> None:
    assert choose_plan(COST, 21, 128).max_length == 128
    cut = choose_plan(COST, 20, 128)
    assert (cut.max_length, cut.batch_size, cut.fits) == (64, 8, True)


def test_what_never_fits_still_runs_the_least_training_and_says_so() -> None:
    plan = choose_plan(COST, seconds_left=-5, length=40)
    assert (plan.batch_size, plan.steps) == RUNGS[-1]
    assert not plan.fits
    assert plan.max_length == 16


@pytest.mark.parametrize(
    ("seconds_left", "length", "shortened"), [(10, 16, False), (6, 16, True), (4.2, 16, True), (-5, 16, True)]
)
def test_what_the_time_took_from_the_training_is_known(seconds_left: float, length: int, shortened: bool) -> None:
    assert choose_plan(COST, seconds_left, length).shortened is shortened


def test_cut_texts_are_a_shortened_training_and_a_cap_on_the_steps_is_none() -> None:
    cut = choose_plan(COST, 20, 128)
    assert (cut.max_length, cut.fits, cut.shortened) == (64, True, True)
    assert not choose_plan(COST, 100, 16, max_steps=2).shortened


def test_all_that_comes_after_training_is_set_aside() -> None:
    """One evaluation after training and two for the comparison of the saved model: three more passes."""
    assert seconds_for_training(60, elapsed=20, one_evaluation=5, model_bytes=0) == 60 - 20 - 15
    assert seconds_for_training(60, 20, 5, 440_000_000) == pytest.approx(60 - 20 - 15 - 8.8)


def test_a_cap_on_the_steps_holds() -> None:
    assert choose_plan(COST, 100, 16, max_steps=2).steps == 2


@pytest.mark.parametrize("steps", range(1, 25))
def test_warm_up_is_never_more_than_a_tenth(steps: int) -> None:
    assert choose_plan(COST, 1000, 16, max_steps=steps).warmup_steps <= steps / 10


def test_lengths_are_rounded_up_between_the_bounds() -> None:
    assert [padded_length(n) for n in (1, 16, 17, 33, 128, 512)] == [16, 16, 24, 40, 128, 128]
