"""Which pieces of a file are there, and who fetches which: handed out in order, so that the beginning grows first."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

try:  # four times as fast; the same values
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

__all__ = ["PIECE", "Claim", "Lease", "Pieces", "crc32"]

PIECE = 1 << 20
_MISSING, _LEASED, _DONE = range(3)


@dataclass(frozen=True, slots=True)
class Claim:
    """A piece that is there: its number, the CRC-32 of its bytes, and the number of the source that brought it."""

    index: int
    crc: int
    source: int


@dataclass(eq=False, slots=True)
class Lease:
    """Bytes from `at` up to `stop` (None: to the end, wherever that is) that one connection is to fetch.

    Bytes are written only under `lock` and only while not `revoked`: afterwards the range may be somebody else's.
    """

    at: int
    stop: int | None
    begun: tuple[int, int] = (0, 0)  # of the piece at `at`: bytes that are there, and their CRC-32
    revoked: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Pieces:
    """The map of one file in pieces of 1 MiB; `size` may be told later. Its user holds a lock around every call."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.claims: dict[int, Claim] = {}
        self.done_bytes = 0
        self._states = bytearray(_count(size) if size is not None else 0)
        self._begun: dict[int, tuple[int, int, int]] = {}  # piece → bytes there, CRC-32, source
        self._first_open = 0
        self._leases: set[Lease] = set()

    @property
    def frontier(self) -> int:
        """Bytes from the beginning of the file that are there without a hole."""
        while self._first_open < len(self._states) and self._states[self._first_open] == _DONE:
            self._first_open += 1
        reached = self._first_open * PIECE
        return reached if self.size is None else min(reached, self.size)

    @property
    def is_complete(self) -> bool:
        return self.size is not None and self.frontier == self.size

    @property
    def active(self) -> int:
        """Connections at work."""
        return len(self._leases)

    @property
    def begun_bytes(self) -> int:
        """Bytes that are there of pieces that are not complete."""
        return sum(one[0] for one in self._begun.values()) + sum(lease.begun[0] for lease in self._leases)

    def holds(self, lease: Lease) -> bool:
        """Whether this connection is still at work here."""
        return lease in self._leases

    def is_done(self, index: int) -> bool:
        return index < len(self._states) and self._states[index] == _DONE

    def length(self, index: int) -> int:
        """Bytes of a piece; the last one is shorter."""
        return PIECE if self.size is None else min(PIECE, self.size - index * PIECE)

    def set_size(self, size: int) -> None:
        """The size became known; pieces beyond it are forgotten."""
        for index in [index for index in self.claims if index >= _count(size)]:
            self._forget(index)
        self.size = size
        count = _count(size)
        self._states = self._states[:count] + bytearray(max(0, count - len(self._states)))

    def take(self, most: int, source: int) -> Lease | None:
        """The first missing pieces in a row, at most `most` bytes; None where every piece is there or being fetched."""
        if self.size is None:
            return None if self._leases else self._lease(self.frontier, None, source)
        self._first_open = min(self._first_open, len(self._states))
        first = self._states.find(_MISSING, self._first_open)
        if first < 0:
            return None
        last = first
        while self._joins(first, last) and (last - first) * PIECE < max(most, 1):
            last += 1
        return self._lease(first * PIECE, min(last * PIECE, self.size), source)

    def take_all(self) -> Lease:
        """The whole file as one stream, from its beginning; every other lease is to be revoked before."""
        self._begun.clear()
        lease = Lease(0, self.size)
        self._hold(lease)
        return lease

    def bound(self, lease: Lease, stop: int) -> None:
        """A lease to an end that was not known ends here."""
        if lease.stop is None and lease in self._leases:
            lease.stop = stop if self.size is None else min(stop, self.size)
            for index in range(lease.at // PIECE, _count(lease.stop)):
                if self._states[index] == _MISSING:
                    self._states[index] = _LEASED

    def split(self, lease: Lease, source: int) -> Lease | None:
        """The later half of what another connection has still to fetch; None where that is no whole piece."""
        if lease.stop is None or lease.revoked or lease not in self._leases:
            return None
        open_pieces = _count(lease.stop) - (lease.at // PIECE + 1)
        if open_pieces < 1:
            return None
        middle = (_count(lease.stop) - (open_pieces + 1) // 2) * PIECE
        stop, lease.stop = lease.stop, middle
        for index in range(middle // PIECE, _count(stop)):
            self._states[index] = _MISSING
        return self._lease(middle, stop, source)

    def finish(self, claim: Claim) -> None:
        """A piece is there."""
        index = claim.index
        if index >= len(self._states):
            self._states.extend(bytes(index + 1 - len(self._states)))
        if self._states[index] != _DONE:
            self.done_bytes += self.length(index)
        self._states[index] = _DONE
        self.claims[index] = claim
        self._begun.pop(index, None)

    def give_back(self, lease: Lease, source: int) -> None:
        """A connection ended: what it has not brought is missing again, a piece begun can be continued."""
        self._leases.discard(lease)
        first = lease.at // PIECE
        for index in range(first, len(self._states) if lease.stop is None else _count(lease.stop)):
            if index < len(self._states) and self._states[index] == _LEASED:
                self._states[index] = _MISSING
        filled, crc = lease.begun
        if filled and not self.is_done(first):
            self._begun[first] = (filled, crc, source)

    def fill(self) -> None:
        """Every piece is there: the file was complete before."""
        self._states = bytearray([_DONE]) * len(self._states)
        self.done_bytes = self.size or 0

    def drop(self, indices: Iterable[int]) -> None:
        """Pieces that can't be trusted are missing again."""
        for index in indices:
            self._forget(index)
        self._begun.clear()

    @property
    def sources(self) -> set[int]:
        """Numbers of those who brought the pieces."""
        return {claim.source for claim in self.claims.values()}

    def leases(self) -> Iterator[Lease]:
        """Of all connections at work."""
        return iter(tuple(self._leases))

    def _joins(self, first: int, index: int) -> bool:
        """Whether a run that starts at `first` goes on with this piece; one that is begun starts its own."""
        return (
            index < len(self._states)
            and self._states[index] == _MISSING
            and (index == first or index not in self._begun)
        )

    def _lease(self, start: int, stop: int | None, source: int) -> Lease:
        filled, crc, brought_by = self._begun.pop(start // PIECE, (0, 0, source))
        if brought_by != source:  # a piece is of one source, so that a bad one can be told
            filled = crc = 0
        lease = Lease(start + filled, stop, (filled, crc))
        self._hold(lease)
        return lease

    def _hold(self, lease: Lease) -> None:
        self._leases.add(lease)
        stop = len(self._states) if lease.stop is None else _count(lease.stop)
        for index in range(lease.at // PIECE, stop):
            if self._states[index] == _MISSING:
                self._states[index] = _LEASED

    def _forget(self, index: int) -> None:
        if self.is_done(index):
            self.done_bytes -= self.length(index)
            self._states[index] = _MISSING
            self._first_open = min(self._first_open, index)
        self.claims.pop(index, None)


def _count(size: int) -> int:
    return -(-size // PIECE)
