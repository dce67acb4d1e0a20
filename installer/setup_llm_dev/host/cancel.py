"""The cancel token: everything that waits looks at it."""

import threading

from setup_llm_dev.errors import Interrupted
from setup_llm_dev.messages import message


class Cancel:
    """Set once, by a signal handler; `signal_number` says by which."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.signal_number = 2

    def set(self, signal_number: int = 2) -> None:
        self.signal_number = signal_number
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep that ends early when cancelled; True if cancelled."""
        return self._event.wait(seconds)

    def raise_if_set(self) -> None:
        if self._event.is_set():
            raise Interrupted(message("stopped"), signal_number=self.signal_number)
