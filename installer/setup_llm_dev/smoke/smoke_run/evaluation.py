"""How well a model does on the eval split."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from smoke_run.encoding import Encoded, batch_on
from smoke_run.metrics import Scores, scores
from smoke_run.samples import Corpus

BATCH = 32


@dataclass(frozen=True)
class Evaluation:
    """Mean loss in nats, the scores, and the seconds that it took."""

    loss: float
    scores: Scores
    seconds: float


def evaluate(torch: Any, model: Any, rows: Sequence[Encoded], corpus: Corpus) -> Evaluation:
    """Evaluate `model`, on the device where it is, in fp32 and without dropout."""
    started = time.perf_counter()
    logits = all_logits(torch, model, rows)
    truth = torch.stack([row["labels"] for row in rows])
    loss = float(torch.nn.functional.cross_entropy(logits, truth))
    found = logits.argmax(dim=-1).tolist()
    result = scores(truth.tolist(), found, len(corpus.labels), corpus.positive)
    return Evaluation(loss, result, time.perf_counter() - started)


def all_logits(torch: Any, model: Any, rows: Sequence[Encoded]) -> Any:
    """The logits of all rows on the CPU, shape (rows, labels)."""
    model.eval()
    with torch.no_grad():
        batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        return torch.cat([model(**batch_on(torch, batch, model.device)).logits.float().cpu() for batch in batches])
