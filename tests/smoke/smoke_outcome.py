"""What a run of the smoke program said, and where its sources are."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).resolve().parents[2] / "installer" / "setup_llm_dev"
SMOKE = SOURCES / "smoke"
FULL = 450
"""Seconds of budget for the best training: ten times what it takes, since other tests run at the same time."""
# The program is no part of our package: the tests import it from the folder that becomes the zip's root.
sys.path.insert(0, str(SMOKE))


@dataclass(frozen=True)
class Outcome:
    """What one run of the program said and how it ended."""

    code: int
    events: list[dict[str, Any]]
    talk: str

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind, in order."""
        return [event for event in self.events if event["event"] == kind]

    def checks(self) -> dict[str, dict[str, Any]]:
        """The checks by their id."""
        return {event["id"]: event for event in self.of("check")}

    def verdict(self) -> dict[str, Any]:
        """The last event, which must be the verdict."""
        assert self.events[-1]["event"] == "verdict"
        return self.events[-1]


Smoke = Callable[..., Outcome]
