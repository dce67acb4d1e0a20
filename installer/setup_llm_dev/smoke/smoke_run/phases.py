"""The phases of a run: which one is under way, and how long each took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from smoke_run.reporter import Reporter


class Phases:
    """A clock for the whole run that reports each phase when it ends."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._started = time.perf_counter()
        self.current = "start"
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the body and report it as phase `name`; if it raises, only `current` tells."""
        self.current = name
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started
        self._reporter.event("phase", name=name, seconds=round(self.seconds[name], 3))

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._started
