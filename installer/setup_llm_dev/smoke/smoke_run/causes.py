"""The causes that a check can name: a table of stable ids with a sentence and a next action each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """What went wrong, in one sentence, and what to do about it."""

    text: str
    hint: str


CAUSES: dict[str, Cause] = {
    # training went wrong
    "non-finite-loss": Cause(
        "a loss was NaN or infinite", "try fp32 and a smaller learning rate; check the model's weights"
    ),
    "non-finite-gradient": Cause(
        "a gradient was NaN or infinite", "try fp32 and a smaller learning rate; check the GPU and its driver"
    ),
    "zero-loss": Cause("a loss was exactly 0.0, which a NaN can hide behind", "check the labels and the weights"),
    "no-step-ran": Cause("no optimizer step was taken", "read the log of this run for the reason"),
    "no-parameter-moved": Cause(
        "training changed no parameter",
        "the learning rate is 0, or the optimizer is not attached to the model",
    ),
    "some-parameters-stuck": Cause("some parameters never changed", "a layer is frozen or takes no part in the loss"),
    "updates-skipped": Cause(
        "fewer optimizer updates were applied than planned",
        "repair a loss or gradient that is not finite first; use bf16 or fp32 instead of fp16",
    ),
    "initial-loss-off": Cause(
        "the first loss is not what a fresh classifier has",
        "the loss is scaled wrongly, or the weights are damaged",
    ),
    "loss-did-not-fall": Cause(
        "the loss did not fall during training", "check the learning rate (the recipe's smoke.learning_rate)"
    ),
    "quality-below-floor": Cause(
        "the trained model answers too many unseen sentences wrongly",
        "check the labels, the learning rate and that the model is a pretrained one",
    ),
    "quality-after-short-training": Cause(
        "the time was enough for a short training only: the trained model is better, but not yet good",
        "raise smoke.budget_seconds in the recipe for the full training",
    ),
    "no-better-than-before": Cause(
        "the trained model is no better than the untrained one", "check the labels and the learning rate"
    ),
    # the model on disk
    "weights-missing": Cause(
        "parts of the model were filled with random numbers",
        "the model folder is incomplete: fetch the model again",
    ),
    "weights-differ": Cause(
        "loaded parameters differ from the weight file", "the model folder is damaged: fetch the model again"
    ),
    "weights-not-compared": Cause(
        "no parameter could be matched with the weight file",
        "the file names its tensors in a way this check can't follow",
    ),
    "reload-differs": Cause(
        "the saved model, loaded again, is not the one that was trained",
        "check the disk and the save_pretrained call",
    ),
    "model-unreadable": Cause(
        "the model folder could not be loaded",
        "it needs config.json, a tokenizer and *.safetensors: fetch it again",
    ),
    # the environment
    "variant-differs": Cause(
        "another build of torch is installed than the one chosen",
        "run setup-llm-dev again: it repairs the environment",
    ),
    "device-unavailable": Cause(
        "the device that was asked for can't be used", "check the GPU driver, or ask for the CPU build"
    ),
    "device-not-used": Cause("training did not run on the expected device", "check the GPU driver and the torch build"),
    "several-devices": Cause(
        "training was spread over several GPUs", "name one GPU, for example with CUDA_VISIBLE_DEVICES=0"
    ),
    "device-unsupported": Cause(
        "this torch build has no code for this GPU", "choose a torch build made for the GPU's generation"
    ),
    "out-of-memory": Cause("the memory was not enough", "close other programs, or choose a smaller model"),
    "disk-full": Cause("the disk is full", "free some space and run again"),
    "not-permitted": Cause("a file or folder may not be read or written", "check the owner of the folders named above"),
    "import-failed": Cause("a library could not be imported", "run setup-llm-dev again: it repairs the environment"),
    "file-missing": Cause("a file is missing", "run setup-llm-dev again: it repairs what is missing"),
    "data-invalid": Cause(
        "the labelled data can't be used", 'each line must be a JSON object with the keys "text" and "label"'
    ),
    "job-invalid": Cause("the job file can't be used", "run setup-llm-dev again: it writes the job file"),
    # the run itself
    "over-budget": Cause(
        "even the shortest useful training takes longer than the budget",
        "raise smoke.budget_seconds in the recipe",
    ),
    "little-time-left": Cause(
        "so much of the time budget was gone before training that the shortest useful training no longer fitted in",
        "nothing is broken: run it again when the machine is less busy, or raise smoke.budget_seconds in the recipe",
    ),
    "earlier-failure": Cause("an earlier step failed, so this was not checked", "repair the earlier failure first"),
    "fault-not-caught": Cause(
        "a deliberate fault was put in and no check saw it", "this is a defect of the smoke: please report it"
    ),
    "fault-not-possible": Cause("this fault can't be made on this device", "try it on a machine with a GPU"),
    "unexpected-error": Cause("something unforeseen happened", "the traceback is in the log"),
}


class CauseError(Exception):
    """A failure whose cause is known where it happens; `cause` is a key of `CAUSES`."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


# Libraries have no common error classes for these: the words of their messages are what there is to go by.
PHRASES: tuple[tuple[str, str], ...] = (
    ("out of memory", "out-of-memory"),
    ("can't allocate memory", "out-of-memory"),
    ("not enough memory", "out-of-memory"),
    ("no kernel image", "device-unsupported"),
    ("found no nvidia driver", "device-unavailable"),
    ("no cuda gpus are available", "device-unavailable"),
    ("driver version is insufficient", "device-unavailable"),
    ("not compiled with cuda", "device-unavailable"),
    ("no space left", "disk-full"),
)
ERROR_CLASSES: tuple[tuple[str, str], ...] = (
    ("MemoryError", "out-of-memory"),
    ("ImportError", "import-failed"),
    ("FileNotFoundError", "file-missing"),
    ("PermissionError", "not-permitted"),
    ("SafetensorError", "model-unreadable"),
)


def cause_of(error: BaseException, phase: str) -> str:
    """Return the key of `CAUSES` that names `error`, which happened in `phase`."""
    if isinstance(error, CauseError):
        return error.cause
    words = str(error).lower()
    for phrase, cause in PHRASES:
        if phrase in words:
            return cause
    classes = {kind.__name__ for kind in type(error).__mro__}
    for name, cause in ERROR_CLASSES:
        if name in classes:
            return cause
    return "model-unreadable" if phase == "load" and isinstance(error, OSError | ValueError) else "unexpected-error"
