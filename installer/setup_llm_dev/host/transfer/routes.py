"""The sources of one file: which is asked next, what failures and wrong bytes do to their standing."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from setup_llm_dev.documents.transfer import Limits, Source
from setup_llm_dev.errors import Corrupt, SetupError, Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.transfer.words import counted, slow
from setup_llm_dev.host.web.answers import Failed
from setup_llm_dev.messages import message

_PROGRESS = 64 << 10  # bytes after which a source that failed is asked again without a pause
_RENEWALS = 2
FICKLE = 3


@dataclass(eq=False)
class Route:
    """One source and what we learned of it. `number` is its name in the log of the partial file."""

    number: int
    source: Source
    address: str | None = None  # where its redirect led
    validator: str | None = None
    ranges: bool | None = None  # None: not asked yet
    ceiling: int = 1 << 10  # connections that it bears
    latency: float = 0.0  # seconds until an answer begins
    active: int = 0
    epoch: int = 0  # of failures: those of one moment count once
    failures: int = 0
    progress: int = 0  # new bytes since the last failure
    cuts: int = 0  # bodies that ended with an error
    weak_since: float = 0.0  # when it began to bring only little between two failures
    weak_bytes: int = 0  # what it brought since then
    renewals: int = 0
    wrong: int = 0  # times that the hash of the whole was wrong with its bytes alone
    ready_at: float = 0.0
    short: int = 0  # times that it ended in good order before the end
    changes: int = 0  # of its validator
    banned: SetupError | None = None

    def is_changed(self, validator: str | None) -> bool:
        """Whether the file is another one than before.

        A validator that changes again and again says nothing (each server behind one name has its own).
        """
        if (self.ranges is None and self.validator is None) or validator == self.validator:
            return False
        self.changes += 1
        return self.changes < FICKLE

    def advanced(self, count: int) -> None:
        """New bytes came from here."""
        self.progress += count
        if self.progress >= _PROGRESS:
            self.renewals = 0


class Routes:
    """All sources of a file, in the order in which they are tried. Its user holds a lock around every call."""

    def __init__(self, sources: Sequence[Source], limits: Limits, clock: Callable[[], float]) -> None:
        self.all = [Route(number, source) for number, source in enumerate(dict.fromkeys(sources))]
        self._limits = limits
        self._clock = clock
        self._only: Route | None = None

    def choose(self) -> Route | None:
        """The best source, if it may be asked now: only failures bring the next one in."""
        now = self._clock()
        ready = [route for route in self._open() if route.ready_at <= now]
        best = min(ready, key=lambda route: route.failures, default=None)
        return best if best is not None and best.active < self._most(best) else None

    def failed(self, route: Route, epoch: int, failure: Failed, *, others: int) -> None:
        """A request that began in `epoch` failed; `others` of the same source are being served well."""
        if epoch != route.epoch or route.banned:
            return
        if others and failure.again:  # it bears no more than these
            route.ceiling = max(1, others)
            route.ready_at = self._clock() + (failure.wait or self._limits.backoff_seconds)
            return
        route.epoch += 1
        fresh = route.progress >= _PROGRESS
        route.failures = 1 if route.progress else route.failures + 1
        weak = self._is_weak(route, fresh)
        route.progress = 0
        if not failure.again or route.failures >= self._limits.tries:
            error = failure.error
            route.banned = counted(error, route.failures) if isinstance(error, Unreachable) else error
        elif weak:
            route.banned = slow(shown(route), self._limits.floor_rate)
        elif failure.wait is not None:
            route.ready_at = self._clock() + failure.wait
        elif not fresh:
            pause = self._limits.backoff_seconds * 2 ** (route.failures - 1)
            route.ready_at = self._clock() + pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def _is_weak(self, route: Route, fresh: bool) -> bool:
        """Whether the little that it brings between failures stays below the floor, pauses counted: no end in sight."""
        now = self._clock()
        if fresh or not route.weak_bytes:
            route.weak_since, route.weak_bytes = now, 0
        route.weak_bytes += route.progress
        elapsed = now - route.weak_since
        if fresh or elapsed < self._limits.floor_seconds:
            return False
        weak = route.weak_bytes < self._limits.floor_rate * elapsed
        route.weak_bytes = 0
        return weak

    def expired(self, route: Route, epoch: int, inner: Failed) -> None:
        """The address that it redirected us to is no longer good: ask the first one again, but not for ever."""
        route.address = None
        if epoch != route.epoch:
            return
        route.epoch += 1
        route.renewals += 1
        if route.renewals > _RENEWALS:
            route.banned = inner.error

    def accuse(self, numbers: set[int], error: SetupError) -> None:
        """The hash of the whole was wrong with bytes of these sources: from now on one source alone at a time."""
        guilty = [route for route in self.all if route.number in numbers]
        alone = guilty[0] if len(numbers) == 1 and guilty else None
        if alone is not None:
            alone.wrong += 1
            if alone.wrong > 1 or any(route is not alone for route in self._open()):
                alone.banned = error
        self._only = next((route for route in self._open() if route is not alone), None) or alone

    @property
    def lost(self) -> SetupError | None:
        """Why no source is left, wrong bytes before silence; None while there is one."""
        if any(route.banned is None for route in self.all):
            return None
        if not self.all:
            return Unreachable(message("no address is known that it could be fetched from"))
        wrong = (route.banned for route in self.all if isinstance(route.banned, Corrupt))
        return next(wrong, self.all[-1].banned)

    @property
    def alone(self) -> Route | None:
        """The one source whose bytes may be used, after bytes of several turned out to be wrong."""
        if self._only is not None and self._only.banned:
            self._only = next(iter(self._open()), None)
        return self._only

    def _open(self) -> list[Route]:
        """Not given up; in the order of the sources."""
        only = self._only if self._only is not None and not self._only.banned else None
        return [route for route in self.all if route.banned is None and only in (None, route)]

    def _most(self, route: Route) -> int:
        return route.ceiling if route.ranges else 1


def shown(route: Route) -> str:
    """Its address as it may be told."""
    return without_credentials(route.source.url)
