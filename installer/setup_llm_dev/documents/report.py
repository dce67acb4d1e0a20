"""The Report: what a run came to, `report/1` in JSON and in the workspace."""

from typing import Any, Literal

import msgspec

from setup_llm_dev.documents.lock import Gap
from setup_llm_dev.messages import Message

Verdict = Literal["pass", "partial", "fail"]
Status = Literal["pass", "warn", "fail", "not-applicable", "could-not-run"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check: what was measured, what was expected, and the named cause when it failed."""

    id: str
    status: Status
    measured: Any = None
    expected: Any = None
    cause: str | None = None
    cause_text: Message | None = None
    hint: Message | None = None


class StepOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A step of this run: `skipped` was satisfied already."""

    id: str
    kind: str
    phase: str
    outcome: Literal["skipped", "applied", "failed", "not-reached"]
    seconds: float = 0.0
    why: Message | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, sizes in bytes. `verdict` partial: every check passed, but there are gaps.

    proved: when the fine-tune passed that `checks` and `metrics` tell of, in this run or in an earlier one (ISO 8601).
    """

    schema: Literal["report/1"] = "report/1"
    verdict: Verdict
    recipe: str
    of: Literal["apply", "verify"] = "apply"
    gaps: tuple[Gap, ...] = ()
    notes: tuple[Message, ...] = ()
    steps: tuple[StepOutcome, ...] = ()
    checks: tuple[Check, ...] = ()
    device: dict[str, Any] | None = None
    torch: dict[str, Any] | None = None
    versions: dict[str, str] = {}
    metrics: dict[str, Any] = {}
    proved: str | None = None
    places: dict[str, str] = {}
    sizes: dict[str, int] = {}
    phase_seconds: dict[str, float] = {}
    next: tuple[Message, ...] = ()
    changed: bool = True
    seconds: float = 0.0
    created: str = ""
    log: str | None = None
    error: dict[str, Any] | None = None

    @property
    def repeats(self) -> bool:
        """Whether the proof is of an earlier run: what it rests on is the same still, so nothing was trained."""
        return self.proved is not None and not self.trained

    @property
    def trained(self) -> bool:
        """Whether the fine-tune ran in this run, and passed."""
        return any(step.id == "smoke" and step.outcome == "applied" for step in self.steps)
