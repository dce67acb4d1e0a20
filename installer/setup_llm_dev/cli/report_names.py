"""What the keys of documents are called by people: parts, phases, places, checks and their states."""

from setup_llm_dev.messages import Message, message

PARTS: dict[str, Message] = {
    "python": message("Python"),
    "packages": message("packages"),
    "wheels": message("packages, to download"),
    "model": message("model"),
    "datasets": message("data sets"),
    "ide": message("PyCharm"),
    "plugins": message("plugins of PyCharm"),
    "git": message("version control"),
    "smoke": message("smoke fine-tune"),
}
PHASES: dict[str, Message] = {
    "stage": message("install"),
    "check": message("check"),
    "switch": message("switch over"),
}
PLACES: dict[str, Message] = {
    "workspace": message("project"),
    "python": message("Python"),
    "environment": message("environment"),
    "data": message("our data"),
    "report": message("report"),
    "model": message("model"),
}
STATUSES: dict[str, Message] = {
    "warn": message("worth knowing"),
    "not-applicable": message("does not apply here"),
    "could-not-run": message("not checked"),
}
CHECKS: dict[str, Message] = {
    "packages-intact": message("every installed file is what its wheel says"),
    "variant-intact": message("torch says that it is the chosen build"),
    "model-intact": message("the model's files are what the lock says"),
    "ide-intact": message("PyCharm is as it was installed"),
    "variant": message("torch is the chosen build"),
    "device": message("training ran on the expected device"),
    "weights-loaded": message("the model's weights were really loaded"),
    "finite": message("every loss and gradient is a finite number"),
    "parameters-moved": message("training changed every parameter"),
    "initial-loss": message("the first loss is that of a fresh classifier"),
    "loss-fell": message("the loss fell"),
    "quality": message("unseen sentences are answered well, and better than before"),
    "saved-and-reloaded": message("the saved model, loaded again, gives the same answers"),
    "budget": message("training fits the time budget"),
    "run": message("the smoke program ran to its end"),
    "program": message("the smoke program ended with a verdict"),
}
BROKEN_OFF: dict[str, Message] = {
    "run": message("the smoke program broke off"),
    "program": message("the smoke program ended without a verdict"),
}
"""Checks that are about the program itself: said as what they found, since «not checked» would be wrong."""
