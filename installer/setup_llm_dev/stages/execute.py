"""execute: the one stage that changes the machine; a generator of events."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from setup_llm_dev.documents.events import Applied, Began, Event, Failed, Progressed, Skipped, Started
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.errors import Dispensable, Interrupted, SetupError, Unreachable
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.step import Progress, Remembering, Satisfied, Step

_LANES = 4
_PATIENCE_SECONDS = 0.6


Keep = Callable[[Event, Receipt], None]


def execute(steps: Sequence[Step], host: Host, *, recipe: str, run: str, keep: Keep | None = None) -> Iterator[Event]:
    """Bring every step to «satisfied»: staging steps side by side, then checks, then switches, one by one.

    A step is skipped if it is satisfied; otherwise applied and then asked again, as its post-condition. The first
    failure ends the run before anything is switched; a `Failed` event carries the error. Of an optional
    step it is forgiven that its host can't be reached, and what it calls dispensable itself: what needs that step is
    left out, and all else goes on.

    `keep` writes down that a step begins, with what stood there before, and returns before the step changes anything;
    it is called from the lanes, one at a time.
    """
    runner = _Runner(steps, host, keep)
    yield Began(recipe=recipe, run=run, steps=tuple(step.id for step in steps))
    for phase in ("stage", "check", "switch"):
        group = [step for step in steps if step.phase == phase]
        yield from runner.group(group, lanes=_LANES if phase == "stage" else 1)
        if runner.stopped:
            return


class _Runner:
    """Runs groups of steps; events of all lanes come out of one queue, in the order in which they happened."""

    def __init__(self, steps: Sequence[Step], host: Host, keep: Keep | None) -> None:
        self._keep = keep
        self._host = host
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._began = time.monotonic()
        self._done: set[str] = set()
        self._names = {step.id for step in steps}
        self._lock = threading.Lock()
        self._cancelled_at = 0.0
        self.stopped = False

    def group(self, steps: list[Step], lanes: int) -> Iterator[Event]:
        waiting = list(steps)
        running: dict[str, Future[None]] = {}
        pool = ThreadPoolExecutor(lanes, thread_name_prefix="lane")
        try:
            while waiting or running:
                for step in self._ready(waiting, lanes - len(running)):
                    waiting.remove(step)
                    running[step.id] = pool.submit(self._one, step)
                if not running:
                    break  # what is left needs a step that failed
                event = self._next()
                if event is not None:
                    yield event
                running = {name: future for name, future in running.items() if not future.done()}
                if self._out_of_patience():
                    yield from self._rest()
                    yield from self._abandoned([step for step in steps if step.id in running])
                    return
                if self.stopped:
                    waiting = []
            yield from self._rest()
        finally:
            # Lanes look at the cancel token and end their children; there is nothing to wait for after that.
            pool.shutdown(wait=not self._host.cancel.is_set(), cancel_futures=True)

    def _next(self) -> Event | None:
        with contextlib.suppress(queue.Empty):
            return self._events.get(timeout=0.2)
        return None

    def _out_of_patience(self) -> bool:
        """A second after the signal nobody waits any longer: what a lane still does is only seen by us."""
        if not self._host.cancel.is_set():
            return False
        self._cancelled_at = self._cancelled_at or time.monotonic()
        return time.monotonic() - self._cancelled_at > _PATIENCE_SECONDS

    def _abandoned(self, running: list[Step]) -> Iterator[Event]:
        self.stopped = True
        error = Interrupted(message("stopped"), signal_number=self._host.cancel.signal_number)
        for step in running:
            yield Failed(step=step.id, phase=step.phase, seconds=0.0, text=error.message,
                         exit_code=error.exit_code, error=error, at=self._at())  # fmt: skip

    def _rest(self) -> Iterator[Event]:
        while not self._events.empty():
            event = self._events.get()
            if event is not None:
                yield event

    def _ready(self, waiting: list[Step], places: int) -> list[Step]:
        if self.stopped:
            return []
        fit = [step for step in waiting if all(n in self._done or n not in self._names for n in step.needs)]
        return fit[:places]

    def _one(self, step: Step) -> None:
        began = time.monotonic()
        try:
            self._bring(step, began)
            with self._lock:
                self._done.add(step.id)
        except BaseException as error:
            self._fail(step, began, error)
        finally:
            self._events.put(None)

    def _bring(self, step: Step, began: float) -> None:
        self._host.cancel.raise_if_set()
        answer = step.check(self._host)
        if isinstance(answer, Satisfied):
            self._events.put(Skipped(step=step.id, phase=step.phase, summary=step.describe(), at=self._at()))
            return
        before = step.before(self._host) if isinstance(step, Remembering) else {}
        started = Started(step=step.id, phase=step.phase, summary=step.describe(), why=answer.why, at=self._at())
        self._tell(started, before)
        receipt = step.apply(self._host, self._progress(step))
        after = step.check(self._host)
        if not isinstance(after, Satisfied):
            raise SetupError(
                message("step {step} ended, but its result is not as it should be: {why}", step=step.id, why=after.why)
            )
        seconds = time.monotonic() - began
        self._tell(Applied(step=step.id, phase=step.phase, seconds=seconds, receipt=receipt, at=self._at()))

    def _tell(self, event: Event, before: Receipt | None = None) -> None:
        """Into the journal first, then to whoever looks: a journal that can't be written stops the step."""
        if self._keep is not None:
            with self._lock:
                self._keep(event, before or {})
        self._events.put(event)

    def _progress(self, step: Step) -> Progress:
        def tell(done: float | None, total: float | None, unit: str, text: Message | None = None) -> None:
            self._host.cancel.raise_if_set()
            self._events.put(Progressed(step=step.id, done=done, total=total, unit=unit, text=text, at=self._at()))

        return tell

    def _fail(self, step: Step, began: float, error: BaseException) -> None:
        shown = self._stopped(_as_setup_error(step, error))
        forgiven = step.optional and isinstance(shown, Unreachable | Dispensable)
        if not forgiven:
            self.stopped = True
        with contextlib.suppress(SetupError, OSError):  # the failure itself is what counts
            if self._keep is not None:
                with self._lock:
                    self._keep(self._failed(step, began, shown, forgiven), {})
        self._events.put(self._failed(step, began, shown, forgiven))

    def _stopped(self, error: SetupError) -> SetupError:
        """Whatever failed after the signal failed because of it, or is of no interest any more."""
        if not self._host.cancel.is_set() or isinstance(error, Interrupted):
            return error
        stopped = Interrupted(message("stopped"), signal_number=self._host.cancel.signal_number)
        stopped.__cause__ = error
        return stopped

    def _failed(self, step: Step, began: float, shown: SetupError, forgiven: bool) -> Failed:
        return Failed(
            step=step.id,
            phase=step.phase,
            seconds=time.monotonic() - began,
            text=shown.message,
            hint=shown.hint,
            exit_code=shown.exit_code,
            forgiven=forgiven,
            error=shown,
            at=self._at(),
        )

    def _at(self) -> float:
        return round(time.monotonic() - self._began, 3)


def _as_setup_error(step: Step, error: BaseException) -> SetupError:
    if isinstance(error, SetupError):
        return error
    if isinstance(error, OSError):
        return system_error(error, error.filename or step.id)
    bug = SetupError(
        message("step {step} broke: {kind}: {text}", step=step.id, kind=type(error).__name__, text=str(error))
    )
    bug.__cause__ = error
    return bug
