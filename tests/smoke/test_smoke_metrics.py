"""The scores, against values worked out by hand."""

import pytest
from smoke_run.metrics import scores


def test_two_labels_are_scored_for_the_positive_one() -> None:
    found = scores([1, 1, 1, 0, 0], [1, 1, 0, 1, 0], labels=2, positive=1)
    assert found.accuracy == pytest.approx(3 / 5)
    assert [found.precision, found.recall, found.f1] == pytest.approx([2 / 3] * 3)


def test_precision_and_recall_are_not_mixed_up() -> None:
    found = scores([1, 1, 1, 1, 0], [1, 0, 0, 0, 0], labels=2, positive=1)
    assert (found.precision, found.recall) == (1.0, 0.25)


def test_several_labels_are_averaged() -> None:
    found = scores([0, 1, 2, 2], [0, 1, 2, 0], labels=3, positive=None)
    assert found.precision == pytest.approx((0.5 + 1 + 1) / 3)
    assert found.recall == pytest.approx((1 + 1 + 0.5) / 3)


def test_a_label_that_is_never_predicted_scores_zero() -> None:
    assert scores([1, 0], [0, 0], labels=2, positive=1).f1 == 0.0


@pytest.mark.parametrize(("truth", "predicted"), [([], []), ([1], [1, 0])])
def test_nothing_to_score_is_an_error(truth: list[int], predicted: list[int]) -> None:
    with pytest.raises(ValueError, match="true labels"):
        scores(truth, predicted, labels=2, positive=1)
