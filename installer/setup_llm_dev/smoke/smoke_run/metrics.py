"""Accuracy, precision, recall and F1 of predicted against true labels."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scores:
    """Shares between 0 and 1; with two labels of the positive one, with more their mean over the labels."""

    accuracy: float
    precision: float
    recall: float
    f1: float


def scores(truth: Sequence[int], predicted: Sequence[int], labels: int, positive: int | None) -> Scores:
    """Score `predicted` against `truth`: label numbers in `range(labels)`, equally many, at least one.

    `positive` is the label that precision, recall and F1 speak of; None takes the mean over all labels.

    >>> scores([1, 1, 0, 0], [1, 0, 0, 0], labels=2, positive=1)
    Scores(accuracy=0.75, precision=1.0, recall=0.5, f1=0.6666666666666666)
    """
    if not truth or len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} true labels against {len(predicted)} predicted ones")
    right = sum(a == b for a, b in zip(truth, predicted, strict=True))
    judged = range(labels) if positive is None else (positive,)
    rows = [_of_one_label(truth, predicted, label) for label in judged]
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return Scores(right / len(truth), *mean)


def _of_one_label(truth: Sequence[int], predicted: Sequence[int], label: int) -> tuple[float, float, float]:
    hits = sum(a == b == label for a, b in zip(truth, predicted, strict=True))
    precision = _share(hits, sum(b == label for b in predicted))
    recall = _share(hits, sum(a == label for a in truth))
    return precision, recall, _share(2 * precision * recall, precision + recall)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
