"""The transfer engine: large files in parallel ranges, resumed across runs, hashed as they come, published whole."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from setup_llm_dev.documents.transfer import DownloadFacts, Limits
from setup_llm_dev.errors import Interrupted
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.transfer.crew import Crew
from setup_llm_dev.host.transfer.job import Job
from setup_llm_dev.host.transfer.request import Request
from setup_llm_dev.host.transfer.routes import shown
from setup_llm_dev.host.transfer.words import late, no_room, silent, slow
from setup_llm_dev.host.web.answers import Asker, Failed
from setup_llm_dev.messages import message

Progress = Callable[[int, int | None], None]
_TICK = 0.1  # seconds
_FLUSH = 64 << 20  # bytes after which what is there is made durable
_TOUCH = 10.0  # seconds between signs of life for other processes


class Transfer:
    """One call: some files, one budget of connections. Runs in the caller's thread, which alone reports and decides."""

    def __init__(
        self,
        jobs: Sequence[Job],
        lock: threading.RLock,
        asker: Asker,
        files: Files,
        cancel: Cancel,
        limits: Limits,
        progress: Progress | None,
        deadline: float | None,
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._cancel = cancel
        self._limits = limits
        self._progress = progress
        self._news = threading.Condition(lock)
        self._began = time.monotonic()
        self._deadline = None if deadline is None else self._began + deadline
        self._crew = Crew(jobs, asker, cancel, limits, lock)
        self._speeds: dict[Job, deque[tuple[float, int]]] = {job: deque() for job in jobs}
        self._touched = self._began
        for job in jobs:
            job.on_end = self._wake

    def run(self) -> tuple[DownloadFacts, ...]:
        """Until every file is there or one can't be had; raises that one's error. What came is kept."""
        self._check_room()
        flusher = threading.Thread(target=self._flush, name="flush", daemon=True)
        try:
            flusher.start()
            for job in self._jobs:
                if job.follower:
                    job.follower.start()
            while not self._over():
                self._tick()
            self._report()
        except BaseException as error:
            for job in self._jobs:
                job.fail(error)
            raise
        finally:
            self._wind_up(flusher)
        failed = [job for job in self._jobs if job.error is not None]
        for job in sorted(failed, key=lambda job: isinstance(job.error, Interrupted)):  # those only stopped last
            raise job.explained() or SystemError
        return tuple(self._facts(job) for job in self._jobs)

    def _over(self) -> bool:
        with self._news:
            return all(job.ended for job in self._jobs) or any(job.failed for job in self._jobs)

    def _tick(self) -> None:
        self._crew.hire()
        with self._news:
            if not self._over():
                self._news.wait(_TICK)
        self._cancel.raise_if_set()
        now = time.monotonic()
        with self._news:
            requests = tuple(self._crew.requests)
            self._crew.budget.measure(now, self._crew.received, len(requests))
            self._watch(now, requests)
            if now - self._touched > _TOUCH:
                self._touched = now
                for job in self._jobs:
                    if job.partial is not None and not job.ended:
                        job.partial.touch()
        self._report()

    # what is too slow ----------------------------------------------------------------------------------------

    def _watch(self, now: float, requests: Sequence[Request]) -> None:
        for request in requests:
            if now - request.last > self._limits.idle_seconds:
                self._crew.abort(request, Failed(silent(shown(request.route), self._limits.idle_seconds), again=True))
        for job in self._jobs:
            own = [request for request in requests if request.job is job]
            if self._is_slow(job, now, bool(own)):
                self._speeds[job].clear()
                for request in own:
                    self._crew.abort(request, Failed(slow(shown(request.route), self._limits.floor_rate), again=False))
        if self._deadline is not None and now > self._deadline:
            for job in self._jobs:
                if not job.ended:
                    job.fail(late(job.wanted.name, now - self._began))

    def _is_slow(self, job: Job, now: float, active: bool) -> bool:
        """Below the floor for as long as the limits say, not counting the time in which nobody is asked."""
        speeds = self._speeds[job]
        if not active:
            speeds.clear()
            return False
        speeds.append((now, job.heard))
        while len(speeds) > 1 and now - speeds[1][0] >= self._limits.floor_seconds:
            speeds.popleft()
        elapsed = now - speeds[0][0]
        if elapsed < self._limits.floor_seconds:
            return False
        return job.heard - speeds[0][1] < self._limits.floor_rate * elapsed

    # disk ----------------------------------------------------------------------------------------------------

    def _check_room(self) -> None:
        need: dict[int, int] = {}
        for job in self._jobs:
            try:
                device = job.device()
                need[device] = need.get(device, 0) + job.room_needed()
                have = self._files.free_bytes(job.folder)
            except OSError as error:
                raise system_error(error, job.folder) from error
            if need[device] > have:
                raise no_room(need[device], have, job.folder)

    def _flush(self) -> None:
        """Make bytes durable while others come, so that little is left to wait for at the end."""
        flushed: dict[Job, int] = {}
        while not self._over() and not self._crew.stopping:
            for job in self._jobs:
                partial = job.partial
                if partial is None or job.fetched_bytes - flushed.get(job, 0) < _FLUSH:
                    continue
                flushed[job] = job.fetched_bytes
                try:
                    partial.flush()
                except OSError as error:
                    if not job.ended:
                        job.fail(system_error(error, job.folder))
            time.sleep(_TICK)

    def _wind_up(self, flusher: threading.Thread) -> None:
        failed = any(job.failed for job in self._jobs)
        for job in self._jobs:
            if failed and not job.ended:
                job.fail(Interrupted(message("stopped")))
        self._crew.stop()
        self._crew.join(0.5)
        flusher.join(0.2)
        for job in self._jobs:
            if job.follower:
                job.follower.join(0.3 if self._cancel.is_set() else 30.0)
            job.leave()

    # what is told --------------------------------------------------------------------------------------------

    def _report(self) -> None:
        if self._progress is None:
            return
        with self._news:
            sizes = [job.pieces.size for job in self._jobs]
            total = None if None in sizes else sum(size or 0 for size in sizes)
            done = sum(job.pieces.done_bytes + job.pieces.begun_bytes for job in self._jobs)
            done += sum(request.pending for request in self._crew.requests)
        self._progress(done if total is None else min(done, total), total)

    def _wake(self) -> None:
        with self._news:
            self._news.notify_all()

    def _facts(self, job: Job) -> DownloadFacts:
        return DownloadFacts(
            size=job.pieces.size or 0,
            fetched=job.fetched_bytes,
            kept=job.kept_bytes,
            source=without_credentials(job.last_source),
            seconds=time.monotonic() - self._began,
        )
