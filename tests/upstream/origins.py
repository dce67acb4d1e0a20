"""Several loopback servers that are one service: they run together, and the first of them speaks for it."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from .exchange import Exchange
from .server import Upstream


class Origins:
    """Runs all its servers from `with` to its end. `first` is the one that a user would name, the others follow."""

    def __init__(self, first: Upstream, *others: Upstream) -> None:
        self.all = (first, *others)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        for origin in self.all:
            self._running.enter_context(origin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def url(self) -> str:
        """Of the first origin, without a slash at the end."""
        return self.all[0].url

    @property
    def port(self) -> int:
        """Of the first origin."""
        return self.all[0].port

    @property
    def log(self) -> tuple[Exchange, ...]:
        """Every request to the first origin, oldest first."""
        return self.all[0].log

    def heal(self) -> None:
        """Forget the faults of all origins."""
        for origin in self.all:
            origin.heal()
