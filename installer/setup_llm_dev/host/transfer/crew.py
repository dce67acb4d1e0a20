"""The threads that fetch: each takes the next missing part of a file, asks a source for it, and writes it down."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from setup_llm_dev.documents.transfer import Limits
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.transfer.budget import Budget
from setup_llm_dev.host.transfer.job import Job
from setup_llm_dev.host.transfer.pieces import PIECE, Claim, Lease, crc32
from setup_llm_dev.host.transfer.routes import Route, shown
from setup_llm_dev.host.transfer.words import cut_off, endless, too_short
from setup_llm_dev.host.web.answers import Asker, Body, Cut, Expired, Failed, NoRanges, Span
from setup_llm_dev.host.web.sockets import Wire

_FIRST_STEP, _LEAST_STEP = 64 << 10, 16 << 10
_LEAST_STAKE = 1 << 10


@dataclass(eq=False)
class Request:
    """One question to one source, from the moment it is asked."""

    job: Job
    route: Route
    lease: Lease
    epoch: int
    began: float
    wire: Wire = field(default_factory=Wire)
    last: float = 0.0  # when bytes came
    received: int = 0
    pending: int = 0  # bytes of a piece that is not written yet
    stopped: Failed | None = None  # why the controller cut it


class Crew:
    """The threads that fetch. Everything they share is guarded by `lock`."""

    def __init__(
        self, jobs: Sequence[Job], asker: Asker, cancel: Cancel, limits: Limits, lock: threading.RLock
    ) -> None:
        self.jobs = jobs
        self.requests: set[Request] = set()
        self.received = 0
        self.stopping = False
        self.budget = Budget(limits, len(jobs))
        self._asker = asker
        self._cancel = cancel
        self._limits = limits
        self._work = threading.Condition(lock)
        self._threads: list[threading.Thread] = []
        self._busy = 0

    def hire(self) -> None:
        """As many threads as there may be connections."""
        with self._work:
            while len(self._threads) < self.budget.allowed:
                self._start(self._run, f"fetch-{len(self._threads)}")
            self._work.notify_all()

    def stop(self) -> None:
        """End every request; threads that hang in the system are left behind, and can't write any more."""
        with self._work:
            self.stopping = True
            for request in self.requests:
                request.wire.cut()
            self._work.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for the threads, all together as long as this."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def abort(self, request: Request, why: Failed) -> None:
        """End one request for this reason."""
        request.stopped = request.stopped or why
        request.wire.cut()

    def _start(self, run: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        buffer = memoryview(bytearray(PIECE))
        while (task := self._next()) is not None:
            job = task if isinstance(task, Job) else task.job
            try:
                if isinstance(task, Job):
                    job.prepare(self._cancel)
                else:
                    self._fetch(task, buffer)
            except OSError as error:
                job.fail(system_error(error, job.folder))
            except BaseException as error:  # whatever it is, the caller of the engine must hear it
                job.fail(error)
            finally:
                with self._work:
                    self._busy -= 1
                    check = job.is_to_be_checked()
                    self._work.notify_all()
            if check:
                job.check(lasting=False)

    def _next(self) -> "Job | Request | None":
        with self._work:
            while not self.stopping:
                if self._busy < self.budget.allowed:
                    for job in self.jobs:
                        task = self._task(job)
                        if task is not None:
                            self._busy += 1
                            return task
                self._work.wait(0.2)  # a source may be ready again
        return None

    def _task(self, job: Job) -> "Job | Request | None":
        if job.state == "new" and not job.ended:
            job.state = "preparing"
            return job
        if job.state != "open" or job.ended or job.verified:
            return None
        route = job.routes.choose()
        if route is None:
            return None
        if job.routes.alone is route and job.pieces.sources - {route.number}:
            job.forget()
        lease = job.pieces.take(self.budget.ask(route.latency), route.number) or self._split(job, route)
        if lease is None:
            return None
        route.active += 1
        request = Request(job, route, lease, route.epoch, time.monotonic())
        request.last = request.began
        self.requests.add(request)
        return request

    def _split(self, job: Job, route: Route) -> Lease | None:
        """Near the end: half of what a slow connection has still to bring."""
        now = time.monotonic()
        for request in self.requests:
            lease = request.lease
            if request.job is not job or lease.stop is None or not request.received or not route.ranges:
                continue
            left = (lease.stop - lease.at) * (now - request.began) / request.received
            if left > 1.0 and (half := job.pieces.split(lease, route.number)):
                return half
        return None

    # one request ---------------------------------------------------------------------------------------------

    def _fetch(self, request: Request, buffer: memoryview) -> None:
        job, route = request.job, request.route
        failure: Failed | Expired | None = None
        try:
            self._ask_and_read(request, buffer)
        except (Failed, Expired) as error:
            failure = error
        except Cut:
            failure = Failed(cut_off(shown(route)), again=True)
        finally:
            with self._work:
                self.requests.discard(request)
                route.active -= 1
                if not request.lease.revoked:
                    job.pieces.give_back(request.lease, route.number)
        if failure is not None and not self.stopping and not request.lease.revoked:
            self._weigh(request, request.stopped or failure)

    def _weigh(self, request: Request, failure: "Failed | Expired") -> None:
        job, route = request.job, request.route
        with self._work:
            if isinstance(failure, Expired):
                job.routes.expired(route, request.epoch, failure.args[0])
            else:
                others = 0 if request.received else self._served_by(route)
                job.routes.failed(route, request.epoch, failure, others=others)
            lost = job.routes.lost
        if lost is not None:
            job.fail(lost)

    def _served_by(self, route: Route) -> int:
        return sum(1 for request in self.requests if request.route is route and request.received)

    def _ask_and_read(self, request: Request, buffer: memoryview) -> None:
        route, span = request.route, self._span(request)
        try:
            body = self._asker.ask(route.source, route.address, span, route.validator, request.wire)
            try:
                self._agree(request, span, body)
                self._read(request, body, buffer)
            finally:
                body.close()
        except NoRanges:
            route.ranges = False

    def _span(self, request: Request) -> Span:
        """The range to ask for; none where the whole file is one question, or the source knows no ranges."""
        lease, size = request.lease, request.job.pieces.size
        if request.route.ranges is False or (lease.at == 0 and size is not None and lease.stop == size):
            return Span()
        return Span(lease.at, lease.at + self.budget.ask(0.0) if lease.stop is None else lease.stop)

    def _agree(self, request: Request, span: Span, body: Body) -> None:
        """Fit what is offered to what is wanted. Raises NoRanges, Failed."""
        job, route = request.job, request.route
        with self._work:
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
        with self._work:
            if not job.pieces.holds(lease):
                return
            if ended:
                job.pieces.set_size(start + len(view))
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
            hash_now = job.needs_hashing()
        if hash_now:
            self._start(job.check, "hash")

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
