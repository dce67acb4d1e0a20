"""Teach a language model to tell good reviews from bad ones, and save what it has learned.

Run it with the Python of this folder:

    .venv/bin/python train.py            (Linux, macOS)
    .venv\\Scripts\\python train.py       (Windows)

Then try it: .venv/bin/python predict.py "The soup was great."
"""

import argparse
import json
import os
import sys
from pathlib import Path

# One thread: for a small model several threads only stand in each other's way. A GPU does not care.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

# ---------------------------------------------------------------- settings: change them and see what happens
EPOCHS = 4  # how often the model sees every training sentence
BATCH_SIZE = 16  # how many sentences it looks at before it corrects itself
LONGEST = 128  # longer texts are cut off after so many tokens (pieces of words)
SEED = 1  # the same seed gives the same result again

HERE = Path(__file__).resolve().parent


def prepared_settings() -> dict:
    """What the installer found out: the folder of the model, and a learning rate that suits it."""
    file = HERE / ".setup-llm-dev" / "smoke.json"
    if not file.exists():
        return {}
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["model"] = str(file.parent / settings["model"])
    return settings


def read_sentences(file: Path) -> list[dict]:
    """1. Read the data: one line is one example, {"text": "...", "label": "..."}."""
    lines = file.read_text(encoding="utf-8-sig").split("\n")
    return [json.loads(line) for line in lines if line.strip()]


def to_numbers(examples: list[dict], tokenizer, labels: list[str]) -> list[dict]:
    """2. Turn text into numbers: the tokenizer cuts it into tokens, each token has a number."""
    rows = []
    for example in examples:
        row = dict(tokenizer(example["text"], truncation=True, max_length=LONGEST))
        row["labels"] = labels.index(example["label"])
        rows.append(row)
    return rows


def accuracy(prediction) -> dict:
    """Which share of the sentences got the right label?"""
    guesses = prediction.predictions.argmax(axis=-1)
    return {"accuracy": float((guesses == prediction.label_ids).mean())}


def main() -> None:
    """Data, model, evaluation, training, evaluation again, saving."""
    prepared = prepared_settings()
    parser = argparse.ArgumentParser(description="Fine-tune a model on data/train.jsonl")
    parser.add_argument("--model", default=prepared.get("model"), help="model folder (default: the prepared one)")
    parser.add_argument("--train", type=Path, default=HERE / "data" / "train.jsonl", help="training sentences")
    parser.add_argument("--eval", type=Path, default=HERE / "data" / "eval.jsonl", help="sentences to test with")
    parser.add_argument("--epochs", type=float, default=EPOCHS)
    parser.add_argument("--learning-rate", type=float, default=prepared.get("learning_rate", 5e-5))
    parser.add_argument("--output", type=Path, default=HERE / "checkpoints" / "text-classification")
    options = parser.parse_args()
    if options.model is None:
        parser.error("no model folder: give one with --model")

    # The data. Sentences for testing must be ones that the model has not seen in training.
    train_examples, eval_examples = read_sentences(options.train), read_sentences(options.eval)
    labels = sorted({example["label"] for example in train_examples})
    print(f"{len(train_examples)} sentences to learn from, {len(eval_examples)} to test with, labels: {labels}")

    # The model: it knows English already. On top comes a new last layer, which knows nothing yet.
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForSequenceClassification.from_pretrained(
        options.model,
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        dtype=torch.float32,
    )

    # How to train. bf16 makes a recent NVIDIA GPU (2020 or later) faster; a CPU stays with full precision.
    bf16 = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
    arguments = TrainingArguments(
        output_dir=str(options.output),
        num_train_epochs=options.epochs,
        per_device_train_batch_size=BATCH_SIZE,
        per_device_eval_batch_size=32,
        learning_rate=options.learning_rate,
        warmup_steps=0.1,  # the first tenth of the steps is careful; in a short run, more would spoil it
        logging_steps=2,
        logging_nan_inf_filter=False,  # if something breaks, we want to see it
        save_strategy="no",
        report_to="none",
        disable_tqdm=not sys.stderr.isatty(),  # progress bars are for people who watch
        bf16=bf16,
        dataloader_pin_memory=torch.cuda.is_available(),
        seed=SEED,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=to_numbers(train_examples, tokenizer, labels),
        eval_dataset=to_numbers(eval_examples, tokenizer, labels),
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),  # makes the sentences of a batch equally long
        compute_metrics=accuracy,
    )

    before = trainer.evaluate()["eval_accuracy"]  # an untrained last layer guesses
    trainer.train()
    after = trainer.evaluate()["eval_accuracy"]
    print(f"accuracy before training: {before:.2f}, after: {after:.2f} (1.00 is perfect)")

    trainer.save_model(str(options.output))  # model and tokenizer, ready for predict.py
    print(f"saved to {options.output}")


if __name__ == "__main__":
    main()
