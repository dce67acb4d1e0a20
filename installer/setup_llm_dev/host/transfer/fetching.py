"""One request from its question to its last byte: what is offered is fitted to what is wanted, and written down."""

import threading
import time
from collections.abc import Callable

from setup_llm_dev.documents.transfer import Limits
from setup_llm_dev.host.transfer.budget import Budget
from setup_llm_dev.host.transfer.job import Job
from setup_llm_dev.host.transfer.pieces import PIECE, Claim, crc32
from setup_llm_dev.host.transfer.request import Request
from setup_llm_dev.host.transfer.routes import shown
from setup_llm_dev.host.transfer.words import cut_off, endless, too_short
from setup_llm_dev.host.web.answers import Asker, Body, Cut, Failed, NoRanges, Span

_FIRST_STEP, _LEAST_STEP = 64 << 10, 16 << 10
_LEAST_STAKE = 1 << 10


class Fetching:
    """Asks and reads for all threads of a crew. `requests` are those being asked; `lock` guards them and the jobs.

    `received` counts the bytes of all. `hashing` is told of a file that somebody should begin to hash now.
    """

    def __init__(
        self,
        asker: Asker,
        limits: Limits,
        budget: Budget,
        lock: threading.RLock,
        hashing: Callable[[Job], None],
    ) -> None:
        self.requests: set[Request] = set()
        self.received = 0
        self._asker = asker
        self._limits = limits
        self._budget = budget
        self._lock = lock
        self._hashing = hashing

    def run(self, request: Request, buffer: memoryview) -> None:
        """Until the range is there or the answer ends; `buffer` holds one piece.

        Raises Failed, Expired and Cut for what the source did, OSError for what the disk did.
        """
        route, span = request.route, self._span(request)
        try:
            body = self._asker.ask(route.source, route.address, span, route.validator, request.wire)
            try:
                self._agree(request, span, body)
                self._read(request, body, buffer)
            finally:
                request.wire.let_go()
                body.close()
        except NoRanges:
            route.ranges = False

    def _span(self, request: Request) -> Span:
        """The range to ask for; none where the whole file is one question, or the source knows no ranges."""
        lease, size = request.lease, request.job.pieces.size
        if request.route.ranges is False or (lease.at == 0 and size is not None and lease.stop == size):
            return Span()
        return Span(lease.at, lease.at + self._budget.ask(0.0) if lease.stop is None else lease.stop)

    def _agree(self, request: Request, span: Span, body: Body) -> None:
        """Fit what is offered to what is wanted. Raises NoRanges, Cut, OSError."""
        job, route = request.job, request.route
        with self._lock:
            if job.ended:
                raise Cut("nobody wants it any more")
            route.latency = time.monotonic() - request.began
            route.address = body.address if body.address != route.source.url else None
            size = job.pieces.size
            if body.is_part and (body.total is None if size is None else body.total not in (None, size)):
                raise NoRanges
            if route.is_changed(body.validator) and route.number in job.pieces.sources:
                job.forget({route.number})
            elif not body.is_part and span.stop is not None:
                route.ranges = False
            job.learned(route, body.validator, body.total)
            if body.is_part:
                route.ranges = True
                job.pieces.bound(request.lease, body.start + (body.length or 0))
            else:
                self._take_whole(request)

    def _take_whole(self, request: Request) -> None:
        """This connection brings the file from its beginning; all others of this file end."""
        job = request.job
        for other in tuple(self.requests):
            if other is not request and other.job is job:
                job.revoke(other.lease)
                other.wire.cut()
        if not request.lease.revoked:
            job.pieces.give_back(request.lease, -1)
        request.lease = job.pieces.take_all()

    def _read(self, request: Request, body: Body, buffer: memoryview) -> None:
        lease, at, step = request.lease, body.start, _FIRST_STEP
        first = at
        while not lease.revoked and (lease.stop is None or at < lease.stop):
            end = (at // PIECE + 1) * PIECE
            end = end if lease.stop is None else min(end, lease.stop)
            start, ended, cut = at, False, None
            while at < end and not ended:
                want = min(self._at_stake(request, step), end - at)
                before = time.monotonic()
                try:
                    count = body.readinto(buffer[at - start : at - start + want])
                except Cut as error:
                    count, cut = 0, error
                    request.route.cuts += 1
                ended = count < want
                at += count
                step = self._told(request, count, before, step)
            if lease.stop is None and at > self._limits.unknown_size:
                raise Failed(endless(shown(request.route)), again=False)
            self._keep(request, buffer[: at - start], start, ended=ended and cut is None and lease.stop is None)
            if cut is not None:
                raise cut
            if ended:
                self._ended_early(request, body, at, first)
                return

    @staticmethod
    def _at_stake(request: Request, step: int) -> int:
        """What a connection that is reset may lose: little where that happens, since it may happen again and again."""
        return min(step, max(_LEAST_STAKE, request.received // 4)) if request.route.cuts else step

    def _told(self, request: Request, count: int, before: float, step: int) -> int:
        """Count bytes; the next step is so long that news come several times a second."""
        now = time.monotonic()
        if count:
            request.last = now
            request.received += count
            request.job.heard += count
            self.received += count
            request.pending += count
        if now - before < 0.02:
            return min(PIECE, step * 2)
        return max(_LEAST_STEP, step // 2) if now - before > 0.2 else step

    def _keep(self, request: Request, view: memoryview, start: int, *, ended: bool) -> None:
        """Write bytes to their place, and claim the piece if it is complete. Raises OSError."""
        job, lease, index = request.job, request.lease, start // PIECE
        request.pending = 0
        if job.pieces.is_done(index):
            lease.at = start + len(view)
            return
        filled, crc = lease.begun
        with lease.lock:
            if lease.revoked or job.partial is None:
                return
            job.partial.write(view, start)
        filled, crc = filled + len(view), crc32(view, crc)
        with self._lock:
            if not job.pieces.holds(lease):
                return
            if ended:
                job.take_size(start + len(view), request.route.number)
                lease.stop = job.pieces.size
            lease.at = start + len(view)
            job.fetched_bytes += len(view)
            request.route.advanced(len(view))
            job.last_source = request.route.source.url
            if not filled or filled < job.pieces.length(index):
                lease.begun = (filled, crc)
                return
            lease.begun = (0, 0)
            claim = Claim(index, crc, request.route.number)
            job.pieces.finish(claim)
            job.partial.claim(claim)
            job.grown.notify_all()
            hash_now = job.check.is_due_while_bytes_come()
        if hash_now:
            self._hashing(job)

    def _ended_early(self, request: Request, body: Body, at: int, first: int) -> None:
        """A body was shorter than what we asked for: as its headers said, or cut off. Raises Failed."""
        lease, size = request.lease, request.job.pieces.size
        if lease.revoked or lease.stop is None or at >= lease.stop:
            return
        as_told = body.length is not None and at == body.start + body.length
        if as_told and body.is_part and at > first:
            return  # a source may answer with less than the whole part
        if as_told and not body.is_part and size is not None:
            request.route.short += 1
            raise Failed(too_short(shown(request.route), at, size), again=request.route.short < 2)
        raise Failed(cut_off(shown(request.route)), again=True)
