"""Deliberate faults, by name: each proves that a check can fail, and each is said in the output."""

FAULTS: dict[str, str] = {
    "lr0": "the learning rate is 0",
    "nan-weight": "one weight is NaN",
    "frozen-layer": "one layer of the model is frozen",
    "gradient-zeroed": "one weight matrix gets no gradient",
    "labels-shuffled": "the labels are shuffled in every batch",
    "loss-scaled": "the loss is four times too large",
    "sign-flipped": "every gradient has the wrong sign",
    "random-weights": "the pretrained weights are replaced by random ones",
    "unsaved": "the trained model is not saved, an older one lies in its place",
    "wrong-device": "training runs on the CPU although a GPU was asked for",
}
