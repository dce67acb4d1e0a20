"""What happens while a plan is executed, one value an event; the CLI draws them, the journal keeps them."""

from typing import Any

import msgspec

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.messages import Message


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    at: float = 0.0  # seconds since the run began


class Began(_Event, frozen=True, kw_only=True, tag="began"):
    recipe: str
    steps: tuple[str, ...]
    run: str


class Skipped(_Event, frozen=True, kw_only=True, tag="skipped"):
    step: str
    phase: Phase
    summary: Message


class Started(_Event, frozen=True, kw_only=True, tag="started"):
    step: str
    phase: Phase
    summary: Message
    why: Message


class Progressed(_Event, frozen=True, kw_only=True, tag="progress"):
    """`done` of `total` in `unit` (bytes, steps, files); None where not known; `text` says what is going on."""

    step: str
    done: float | None = None
    total: float | None = None
    unit: str = ""
    text: Message | None = None


class Applied(_Event, frozen=True, kw_only=True, tag="applied"):
    step: str
    phase: Phase
    seconds: float
    receipt: Receipt


class Failed(_Event, frozen=True, kw_only=True, tag="failed"):
    """`forgiven`: an optional step whose host could not be reached; the run goes on, and it becomes a gap."""

    step: str
    phase: Phase
    seconds: float
    text: Message
    hint: Message | None = None
    exit_code: int = 1
    forgiven: bool = False
    error: Any = None  # the exception itself for our own callers; never encoded


class Undone(_Event, frozen=True, kw_only=True, tag="undone"):
    step: str
    summary: Message
    left: tuple[Message, ...] = ()


Event = Began | Skipped | Started | Progressed | Applied | Failed | Undone
