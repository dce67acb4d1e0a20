"""The parts of a set-up that can be named, and the phases of a run, in their order."""

PARTS = ("python", "packages", "model", "datasets", "ide", "smoke")
PHASES = ("stage", "check", "switch")
