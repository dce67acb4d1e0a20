"""Let the model judge sentences: once as it was before training, once as it is now.

.venv/bin/python predict.py "The soup was great." "I would not come here again."
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

HERE = Path(__file__).resolve().parent
EXAMPLES = [
    "The soup was marvelous.",
    "The soup was disgusting.",
    "We will gladly come again.",
    "I would not come here again.",
]


def judge(model_folder: Path | str, sentences: list[str], labels: dict[int, str] | None = None) -> dict[int, str]:
    """Print a label for every sentence; returns the model's labels by number."""
    # Loading the libraries takes seconds: they are imported here, once it is clear that there is a model to ask.
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()  # the new last layer of the untrained model is no news
    logging.disable_progress_bar()
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    extra = {"num_labels": len(labels), "id2label": labels} if labels else {}
    model = AutoModelForSequenceClassification.from_pretrained(model_folder, **extra)
    model.eval()  # no learning now
    batch = tokenizer(sentences, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        # The model gives one number for each label; softmax turns them into shares that add up to 1.
        shares = model(**batch).logits.softmax(dim=-1)
    for sentence, row in zip(sentences, shares, strict=True):
        best = int(row.argmax())
        print(f"  {model.config.id2label[best]:<10} {row[best]:4.0%}  {sentence}")
    return model.config.id2label


def main() -> None:
    """Judge the sentences of the command line, or a few examples."""
    parser = argparse.ArgumentParser(description="Try the trained model")
    parser.add_argument("sentences", nargs="*", default=EXAMPLES)
    parser.add_argument("--trained", type=Path, default=HERE / "checkpoints" / "text-classification")
    parser.add_argument("--before", type=Path, help="the model before training (default: the prepared one)")
    options = parser.parse_args()
    if not (options.trained / "config.json").exists():
        parser.error(f"there is no trained model in {options.trained}: run train.py first")
    print("after training:")
    labels = judge(options.trained, options.sentences)
    from train import prepared_settings

    before = options.before or prepared_settings().get("model")
    if before:
        print("before training (a coin toss):")
        judge(before, options.sentences, labels)


if __name__ == "__main__":
    main()
