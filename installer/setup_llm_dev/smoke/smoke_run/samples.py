"""Labelled sentences: the ones that travel inside this program, or a person's own."""

import json
import pkgutil
from dataclasses import dataclass
from pathlib import Path

from smoke_run.causes import CauseError

POSITIVE = "positive"


@dataclass(frozen=True)
class Sample:
    """One sentence and its label."""

    text: str
    label: str


@dataclass(frozen=True)
class Corpus:
    """A train and an eval split; `labels` in the order of their numbers; `own` if a person brought it."""

    train: tuple[Sample, ...]
    evaluation: tuple[Sample, ...]
    labels: tuple[str, ...]
    own: bool

    @property
    def positive(self) -> int | None:
        """The number of the label that precision and recall speak of; None where no label has that name."""
        return self.labels.index(POSITIVE) if POSITIVE in self.labels and len(self.labels) == 2 else None


def load_corpus(train: Path | None, evaluation: Path | None) -> Corpus:
    """Read both files, or the built-in sentences where they are None. Raises CauseError `data-invalid`."""
    if train is None or evaluation is None:
        return corpus(read_built_in("train"), read_built_in("eval"), own=False)
    return corpus(_read(train), _read(evaluation), own=True)


def corpus(train: tuple[Sample, ...], evaluation: tuple[Sample, ...], own: bool) -> Corpus:
    """Join two splits; every label must occur in both and there must be at least two."""
    labels = tuple(sorted({sample.label for sample in train}))
    if len(labels) < 2:
        raise CauseError("data-invalid", f"the training data has {len(labels)} label(s), at least 2 are needed")
    strange = {sample.label for sample in evaluation} - set(labels)
    if strange:
        raise CauseError("data-invalid", f"labels never seen in training: {', '.join(sorted(strange))}")
    if not evaluation:
        raise CauseError("data-invalid", "the evaluation data is empty")
    return Corpus(train, evaluation, labels, own)


def read_built_in(split: str) -> tuple[Sample, ...]:
    """The sentences of `train` or `eval` that travel inside this program."""
    data = pkgutil.get_data("smoke_run", f"data/sentiment/{split}.jsonl")
    if data is None:
        raise CauseError("file-missing", f"the built-in {split} sentences are missing from this program")
    return parse_samples(data.decode("utf-8"), split)


def _read(path: Path) -> tuple[Sample, ...]:
    try:
        # utf-8-sig: editors on Windows like to put a byte order mark at the start
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CauseError("data-invalid", f"{path} is not UTF-8: {error}") from error
    return parse_samples(text, str(path))


def parse_samples(text: str, name: str) -> tuple[Sample, ...]:
    """Parse JSON lines; `name` is what a CauseError `data-invalid` calls the file."""
    # not splitlines(): a JSON string may hold U+2028, which splitlines() would cut at
    numbered = enumerate(text.split("\n"), start=1)
    return tuple(_parse(line, f"{name}, line {number}") for number, line in numbered if line.strip())


def _parse(line: str, place: str) -> Sample:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise CauseError("data-invalid", f"{place}: not JSON ({error})") from error
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("text", "label")):
        raise CauseError("data-invalid", f'{place}: expected {{"text": "…", "label": "…"}}')
    return Sample(row["text"], row["label"])
