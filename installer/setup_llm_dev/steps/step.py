"""What a step is: a value with four verbs; the executor knows nothing else of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message


@dataclass(frozen=True)
class Satisfied:
    """Nothing to do, by content."""


@dataclass(frozen=True)
class Unsatisfied:
    """Something to do; `why` says what is missing or different."""

    why: Message


Progress = Callable[[float | None, float | None, str, Message | None], None]
"""done, total, unit (`bytes`, `steps`, `files`), and a sentence about what is going on; each may be empty."""


def silent(_done: float | None, _total: float | None, _unit: str, _text: Message | None = None) -> None:
    """A Progress for those who don't look."""


@runtime_checkable
class Remembering(Protocol):
    """A step that replaces something: what stood there goes into the journal before the step begins."""

    def before(self, host: Host) -> Receipt:
        """The receipt as far as it is known before; `undo` works with it after a crash."""
        ...


@runtime_checkable
class Resting(Protocol):
    """A step whose result holds for what the steps `bases` made, and for nothing that they make later."""

    @property
    def bases(self) -> tuple[str, ...]: ...


@runtime_checkable
class Hesitating(Protocol):
    """A step that can't be taken back at every moment."""

    def refuse_undo(self, host: Host) -> None:
        """Raises Busy (7) if `undo` can't be done now; asked before anything is taken back."""
        ...


class Step(Protocol):
    """A change, fully decided when it is made: it never asks which system or GPU it is on.

    `check` only reads. `apply` may be called again after any interruption. `undo` copes with an empty receipt, which
    is what a crash before the receipt was written leaves.
    """

    kind: ClassVar[str]

    @property
    def id(self) -> str: ...
    @property
    def phase(self) -> Phase: ...
    @property
    def optional(self) -> bool: ...
    @property
    def needs(self) -> tuple[str, ...]: ...

    def describe(self) -> Message: ...
    def check(self, host: Host) -> Satisfied | Unsatisfied: ...
    def apply(self, host: Host, progress: Progress) -> Receipt: ...
    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        """Take the change back; the answer names what was left because it is no longer ours."""
        ...

    def record(self) -> dict[str, Any]:
        """The fields that `undo` needs, for the journal: strings, numbers, lists and tables."""
        ...
