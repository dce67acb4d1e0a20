"""The causes that the smoke program names, as sentences that can be translated, and the faults that it can make.

The program stands apart and imports nothing of ours, so its tables are said again here; a test compares both.
"""

from typing import NamedTuple

from setup_llm_dev.messages import Message, message

FAULTS: tuple[str, ...] = (
    "lr0",
    "nan-weight",
    "frozen-layer",
    "gradient-zeroed",
    "labels-shuffled",
    "loss-scaled",
    "sign-flipped",
    "random-weights",
    "unsaved",
    "wrong-device",
)


class Cause(NamedTuple):
    """What went wrong, and what to do about it."""

    text: Message
    hint: Message


CAUSES: dict[str, Cause] = {
    "non-finite-loss": Cause(
        message("a loss was NaN or infinite"),
        message("try fp32 and a smaller learning rate; check the model's weights"),
    ),
    "non-finite-gradient": Cause(
        message("a gradient was NaN or infinite"),
        message("try fp32 and a smaller learning rate; check the GPU and its driver"),
    ),
    "zero-loss": Cause(
        message("a loss was exactly 0.0, which a NaN can hide behind"),
        message("check the labels and the weights"),
    ),
    "no-step-ran": Cause(
        message("no optimizer step was taken"),
        message("read the log of this run for the reason"),
    ),
    "no-parameter-moved": Cause(
        message("training changed no parameter"),
        message("the learning rate is 0, or the optimizer is not attached to the model"),
    ),
    "some-parameters-stuck": Cause(
        message("some parameters never changed"),
        message("a layer is frozen or takes no part in the loss"),
    ),
    "updates-skipped": Cause(
        message("fewer optimizer updates were applied than planned"),
        message("repair a loss or gradient that is not finite first; use bf16 or fp32 instead of fp16"),
    ),
    "initial-loss-off": Cause(
        message("the first loss is not what a fresh classifier has"),
        message("the loss is scaled wrongly, or the weights are damaged"),
    ),
    "loss-did-not-fall": Cause(
        message("the loss did not fall during training"),
        message("check the learning rate (the recipe's smoke.learning_rate)"),
    ),
    "quality-below-floor": Cause(
        message("the trained model answers too many unseen sentences wrongly"),
        message("check the labels, the learning rate and that the model is a pretrained one"),
    ),
    "quality-after-short-training": Cause(
        message("the time was enough for a short training only: the trained model is better, but not yet good"),
        message("raise smoke.budget_seconds in the recipe for the full training"),
    ),
    "no-better-than-before": Cause(
        message("the trained model is no better than the untrained one"),
        message("check the labels and the learning rate"),
    ),
    "weights-missing": Cause(
        message("parts of the model were filled with random numbers"),
        message("the model folder is incomplete: fetch the model again"),
    ),
    "weights-differ": Cause(
        message("loaded parameters differ from the weight file"),
        message("the model folder is damaged: fetch the model again"),
    ),
    "weights-not-compared": Cause(
        message("no parameter could be matched with the weight file"),
        message("the file names its tensors in a way this check can't follow"),
    ),
    "reload-differs": Cause(
        message("the saved model, loaded again, is not the one that was trained"),
        message("check the disk and the save_pretrained call"),
    ),
    "model-unreadable": Cause(
        message("the model folder could not be loaded"),
        message("it needs config.json, a tokenizer and *.safetensors: fetch it again"),
    ),
    "variant-differs": Cause(
        message("another build of torch is installed than the one chosen"),
        message("run setup-llm-dev again: it repairs the environment"),
    ),
    "device-unavailable": Cause(
        message("the device that was asked for can't be used"),
        message("check the GPU driver, or ask for the CPU build"),
    ),
    "device-not-used": Cause(
        message("training did not run on the expected device"),
        message("check the GPU driver and the torch build"),
    ),
    "several-devices": Cause(
        message("training was spread over several GPUs"),
        message("name one GPU, for example with CUDA_VISIBLE_DEVICES=0"),
    ),
    "device-unsupported": Cause(
        message("this torch build has no code for this GPU"),
        message("choose a torch build made for the GPU's generation"),
    ),
    "out-of-memory": Cause(
        message("the memory was not enough"),
        message("close other programs, or choose a smaller model"),
    ),
    "disk-full": Cause(
        message("the disk is full"),
        message("free some space and run again"),
    ),
    "not-permitted": Cause(
        message("a file or folder may not be read or written"),
        message("check the owner of the folders named above"),
    ),
    "import-failed": Cause(
        message("a library could not be imported"),
        message("run setup-llm-dev again: it repairs the environment"),
    ),
    "file-missing": Cause(
        message("a file is missing"),
        message("run setup-llm-dev again: it repairs what is missing"),
    ),
    "data-invalid": Cause(
        message("the labelled data can't be used"),
        message('each line must be a JSON object with the keys "text" and "label"'),
    ),
    "job-invalid": Cause(
        message("the job file can't be used"),
        message("run setup-llm-dev again: it writes the job file"),
    ),
    "over-budget": Cause(
        message("even the shortest useful training takes longer than the budget"),
        message("raise smoke.budget_seconds in the recipe"),
    ),
    "little-time-left": Cause(
        message(
            "so much of the time budget was gone before training that the shortest useful training no longer fitted in"
        ),
        message(
            "nothing is broken: run it again when the machine is less busy, or raise smoke.budget_seconds in the recipe"
        ),
    ),
    "earlier-failure": Cause(
        message("an earlier step failed, so this was not checked"),
        message("repair the earlier failure first"),
    ),
    "fault-not-caught": Cause(
        message("a deliberate fault was put in and no check saw it"),
        message("this is a defect of the smoke: please report it"),
    ),
    "fault-not-possible": Cause(
        message("this fault can't be made on this device"),
        message("try it on a machine with a GPU"),
    ),
    "unexpected-error": Cause(
        message("something unforeseen happened"),
        message("the traceback is in the log"),
    ),
}
