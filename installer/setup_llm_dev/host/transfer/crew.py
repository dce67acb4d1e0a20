"""Who does what next: threads take the next missing part of a file, and a source that fails is weighed."""

import threading
import time
from collections.abc import Sequence

from setup_llm_dev.documents.transfer import Limits
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.transfer.budget import Budget
from setup_llm_dev.host.transfer.fetching import Fetching
from setup_llm_dev.host.transfer.job import Job
from setup_llm_dev.host.transfer.pieces import PIECE, Lease
from setup_llm_dev.host.transfer.request import Request
from setup_llm_dev.host.transfer.routes import Route, shown
from setup_llm_dev.host.transfer.words import cut_off
from setup_llm_dev.host.transfer.workers import Workers
from setup_llm_dev.host.web.answers import Asker, Cut, Expired, Failed


class Crew:
    """The threads that fetch. Everything they share is guarded by `lock`."""

    def __init__(
        self, jobs: Sequence[Job], asker: Asker, cancel: Cancel, limits: Limits, lock: threading.RLock
    ) -> None:
        self.jobs = jobs
        self.stopping = False
        self.budget = Budget(limits, len(jobs))
        self._cancel = cancel
        self._work = threading.Condition(lock)
        self._workers = Workers()
        self._fetching = Fetching(asker, limits, self.budget, lock, self._hash)
        self._busy = 0

    @property
    def requests(self) -> set[Request]:
        """Those that are being asked."""
        return self._fetching.requests

    @property
    def received(self) -> int:
        """Bytes of all files that came over the network."""
        return self._fetching.received

    def hire(self) -> None:
        """As many threads as there may be connections."""
        with self._work:
            self._workers.hire(self._run, self.budget.allowed)
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
        self._workers.join(seconds)

    def abort(self, request: Request, why: Failed) -> None:
        """End one request for this reason."""
        request.stopped = request.stopped or why
        request.wire.cut()

    def _hash(self, job: Job) -> None:
        with self._work:
            self._workers.start(job.check.run, "hash")

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
                    check = job.check.is_due_at_the_end()
                    self._work.notify_all()
            if check:
                job.check.run(lasting=False)

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
        if route is None or not self._has_own_ground(job, route):
            return None
        lease = job.pieces.take(self.budget.ask(route.latency), route.number) or self._split(job, route)
        if lease is None:
            return None
        route.active += 1
        request = Request(job, route, lease, route.epoch, time.monotonic())
        request.last = request.began
        self.requests.add(request)
        return request

    def _has_own_ground(self, job: Job, route: Route) -> bool:
        """Where one source alone is still trusted, nothing of others may be left; False where the disk refuses that."""
        if job.routes.alone is route and job.pieces.sources - {route.number}:
            try:
                job.forget()
            except OSError as error:
                job.fail(system_error(error, job.folder))
        return not job.ended

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
            self._fetching.run(request, buffer)
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
