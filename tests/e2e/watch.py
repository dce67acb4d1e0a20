"""Looks at every child of a command while it runs: its arguments and its environment must not carry a secret."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

_PAUSE = 0.01


class Watch:
    """`leaks` names the children that carried the secret, `children` how many command lines were seen at all."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._seen: set[bytes] = set()
        self.leaks: list[str] = []

    @property
    def children(self) -> int:
        return len(self._seen)

    @contextlib.contextmanager
    def over(self, process: int) -> Iterator["Watch"]:
        """Sample the children of a process, not the process itself: that one was given the secret."""
        stop = threading.Event()
        thread = threading.Thread(target=self._sample, args=(process, stop), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()

    def _sample(self, process: int, stop: threading.Event) -> None:
        own = Path(f"/proc/{process}/cmdline").read_bytes()
        while not stop.wait(_PAUSE):
            for child in descendants(process):
                with contextlib.suppress(OSError):
                    self._look(Path(f"/proc/{child}"), own)

    def _look(self, folder: Path, own: bytes) -> None:
        words = (folder / "cmdline").read_bytes()
        if words == own:
            return  # between fork and exec a child still is its parent
        self._seen.add(words)
        if self._secret in words or self._secret in (folder / "environ").read_bytes():
            self.leaks.append(words.replace(b"\0", b" ").decode("utf-8", "replace"))


def descendants(process: int) -> list[int]:
    """Process ids of children, their children and so on (Linux)."""
    found = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for word in task.read_text().split():
                found += [int(word), *descendants(int(word))]
    return found
