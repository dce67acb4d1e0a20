"""The threads of a transfer: those that fetch, as many as there may be connections, and others beside them."""

import threading
import time
from collections.abc import Callable


class Workers:
    """Daemons: one that hangs in the system is left behind. Its user holds a lock around `hire` and `start`."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._hired = 0

    def hire(self, run: Callable[[], None], count: int) -> None:
        """So many threads that fetch; those that are there already count, those beside them don't."""
        while self._hired < count:
            self._hired += 1
            self.start(run, f"fetch-{self._hired}")

    def start(self, run: Callable[[], None], name: str) -> None:
        """One thread for another work."""
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the threads, all together as long as this."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
