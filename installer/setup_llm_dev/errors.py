"""What can go wrong, one class an exit code (see the table in the README).

SetupError                1  a bug of ours, when nothing better fits
├── UsageError            2  arguments, recipe, lock or configuration; nothing was touched
├── Refused               3  no build fits, or something that is not ours stands in the way
├── Unreachable           4  a host, proxy, name or certificate; partial bytes are kept
├── Corrupt               5  bytes are not what they should be; nothing of them was installed
├── SystemRefused         6  disk full, permission, read-only, missing program
├── Busy                  7  another run holds the data folder, or PyCharm is running
├── CheckFailed           8  a check ran and said no
├── RollbackIncomplete    9  an undo could not be completed
└── Interrupted     128 + n  ended by signal n; the same command goes on
"""

from collections.abc import Mapping
from typing import Any

from setup_llm_dev.messages import Message


class SetupError(Exception):
    """An error for the person in front of the screen: what happened, and what to do next (`hint`)."""

    exit_code: int = 1

    def __init__(self, message: Message, *, hint: Message | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return str(self.message)


class UsageError(SetupError):
    """Wrong arguments, recipe, lock or configuration."""

    exit_code = 2


class Refused(SetupError):
    """No build fits this machine, or something that is not ours stands in the way."""

    exit_code = 3


class Unreachable(SetupError):
    """A host did not answer, or not in a way that we can use; `url` was asked, `status` is HTTP's if it answered."""

    exit_code = 4

    def __init__(
        self, message: Message, *, url: str = "", status: int | None = None, hint: Message | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.url = url
        self.status = status


class Corrupt(SetupError):
    """Bytes are not what they should be: hash, size, unsafe archive."""

    exit_code = 5


class SystemRefused(SetupError):
    """The disk or the system would not let us: full, quota, permission, missing program."""

    exit_code = 6


class Dispensable(SystemRefused):
    """The same of something that the rest can do without: an optional step forgives it."""


class Busy(SetupError):
    """Somebody else holds what we need."""

    exit_code = 7


class CheckFailed(SetupError):
    """A check ran and said no; `result` is everything it measured."""

    exit_code = 8
    result: Mapping[str, Any] | None = None


class RollbackIncomplete(SetupError):
    """An undo could not be completed; the message lists what is left."""

    exit_code = 9


class Interrupted(SetupError):
    """Ended by a signal; `signal_number` is 1, 2 or 15 (SIGHUP, SIGINT, SIGTERM)."""

    def __init__(self, message: Message, *, signal_number: int = 2, hint: Message | None = None) -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number

    @property
    def code(self) -> int:
        """The exit code by the shell's convention."""
        return 128 + self.signal_number
