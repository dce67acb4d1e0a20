"""Sentences as tensors of equal length."""

import random
from collections.abc import Sequence
from typing import Any

from smoke_run.budget import padded_length
from smoke_run.samples import Corpus, Sample

Encoded = dict[str, Any]  # one sentence as tensors: input_ids, attention_mask, …, labels
MOST_EVALUATED = 256  # sentences of a person's own data; the built-in ones are fewer


def encode_corpus(
    torch: Any, tokenizer: Any, corpus: Corpus, seed: int, longest: int
) -> tuple[list[Encoded], list[Encoded]]:
    """Both splits, shuffled by `seed`, padded to one length of at most `longest` tokens."""
    train, evaluation = list(corpus.train), list(corpus.evaluation)
    random.Random(seed).shuffle(train)
    random.Random(seed).shuffle(evaluation)
    evaluation = evaluation[:MOST_EVALUATED]
    texts = [sample.text for sample in train + evaluation]
    found = max(len(ids) for ids in tokenizer(texts, truncation=True, max_length=longest)["input_ids"])
    length = min(padded_length(found), longest)
    return (
        _encode(torch, tokenizer, train, corpus.labels, length),
        _encode(torch, tokenizer, evaluation, corpus.labels, length),
    )


def _encode(torch: Any, tokenizer: Any, samples: Sequence[Sample], labels: Sequence[str], length: int) -> list[Encoded]:
    texts = [sample.text for sample in samples]
    table = tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    numbers = torch.tensor([labels.index(sample.label) for sample in samples])
    columns = {**table, "labels": numbers}
    return [{key: column[row] for key, column in columns.items()} for row in range(len(samples))]


def stack(torch: Any, rows: Sequence[Encoded]) -> Encoded:
    """One batch, on the CPU, of sentences of equal length."""
    return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}


def batch_on(torch: Any, rows: Sequence[Encoded], device: Any) -> Encoded:
    """One batch on `device`."""
    return {key: tensor.to(device) for key, tensor in stack(torch, rows).items()}
