"""Looking at a computer that may not answer: parts side by side, every program and the whole with one deadline."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, Generic, TypeVar

from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.run import Completed, Programs
from setup_llm_dev.host.world import Host

PROGRAM_SECONDS = 5.0  # of one program, what it takes to end it included
_PATIENCE = 0.2
_LIMIT = 1 << 20  # no answer that we want is longer than a megabyte

T = TypeVar("T")


class Hurried(Programs):
    """Programs of another door, each ended after PROGRAM_SECONDS, and all at the deadline of the whole.

    The same question is asked once: several parts of detection want to know the same.
    """

    def __init__(self, door: Programs, until: float) -> None:
        self._door = door
        self._until = until
        self._asked: dict[tuple[str, ...], Aside[Completed]] = {}
        self._turn = threading.Lock()

    def find(self, name: str) -> Path | None:
        return self._door.find(name)

    def run(self, argv: Sequence[str | PurePath], **settings: Any) -> Completed:
        """As the other door runs it, but sooner over; without an answer where no time is left to ask."""
        command = tuple(str(a) for a in argv)
        with self._turn:
            if command not in self._asked:
                self._asked[command] = Aside(lambda: self._run(command, settings))
            asking = self._asked[command]
        return asking.answer(self._until, Completed(command, None, "", ""))

    def _run(self, command: tuple[str, ...], settings: dict[str, Any]) -> Completed:
        left = min(PROGRAM_SECONDS, self._until - time.monotonic()) - 2 * _PATIENCE
        if left <= 0:
            return Completed(command, None, "", "")
        timeout = min(float(settings.get("timeout", left)), left)
        return self._door.run(command, **{"limit": _LIMIT, "patience": _PATIENCE} | settings | {"timeout": timeout})

    def built_environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return self._door.built_environment(extra)


def hurried(host: Host, seconds: float) -> Host:
    """The same world, whose programs all end within `seconds` from now."""
    return replace(host, programs=Hurried(host.programs, time.monotonic() + seconds))


class Aside(Generic[T]):
    """A call that goes on beside us. Its thread does not keep the process from ending."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._answers: list[T] = []
        self._failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def answer(self, until: float, otherwise: T) -> T:
        """What the call returned, or raises what it raised; `otherwise` when it is not over at `until` (monotonic)."""
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._failures:
            raise self._failures[0]
        return self._answers[0] if self._answers else otherwise

    @property
    def over(self) -> bool:
        return bool(self._answers or self._failures)

    def _run(self) -> None:
        try:
            self._answers.append(self._call())
        except BaseException as error:
            self._failures.append(error)


def asked(host: Host, *argv: str | PurePath, **settings: Any) -> Completed | None:
    """What a program said, None where it can't be started."""
    try:
        return host.programs.run(argv, **settings)
    except SystemRefused:
        return None
