"""The Plan: the steps of a run in order, `plan/1` in JSON."""

from datetime import date
from typing import Literal

import msgspec

from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.lock import Gap
from setup_llm_dev.documents.machine import Finding, Machine
from setup_llm_dev.messages import Message

Phase = Literal["stage", "check", "switch"]


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step in outline; `satisfied` None where it was not asked (no lock yet)."""

    id: str
    kind: str
    phase: Phase
    optional: bool
    summary: Message
    satisfied: bool | None = None
    why_not: Message | None = None


class PlannedTorch(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen build; `index` is the URL that will be, or was, asked.

    companions: the versions of other packages of its family that go with it, where something asks for these.
    sources: the places that this machine's configuration names, in the order in which they would be asked; what they
    offer decides on the release, so it is known only once it is pinned. Empty where `index` alone is asked.
    """

    version: str
    variant: str
    index: str
    why: Message
    companions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class CatalogueAge(msgspec.Struct, frozen=True, kw_only=True):
    """When the makers were last asked what exists, and how many days ago that was."""

    collected: date
    days: int


class FileDiff(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the user's that would change (`diff`, unified, without control characters), or be made (`new`).

    lines: of the file as it would be. A new file is told by its path and lines alone, `diff` is empty then.
    """

    path: str
    diff: str = ""
    new: bool = False
    lines: int = 0


class PlanDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `plan --json` prints. Bytes are None until pinned, and where an index tells no sizes.

    findings: about the choice, such as a GPU that no build serves; those about the machine are in `machine`.
    catalogue: None where the build comes out of a lock.
    """

    schema: Literal["plan/1"] = "plan/1"
    recipe: str
    machine: Machine
    pinned: bool
    torch: PlannedTorch | None
    python: str | None = None
    refusals: tuple[Refusal, ...] = ()
    findings: tuple[Finding, ...] = ()
    catalogue: CatalogueAge | None = None
    gaps: tuple[Gap, ...] = ()
    steps: tuple[PlannedStep, ...] = ()
    download_bytes: int | None = None
    disk_bytes: int | None = None
    workspace: str | None = None
    data: str | None = None
    diffs: tuple[FileDiff, ...] = ()
