"""Reading a file while it still comes: a consumer that takes the bytes in order."""

import io
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from setup_llm_dev.host.transfer.job import Job


class Replaced(OSError):
    """Bytes that were handed out turned out to be wrong, or will never be followed by the rest."""


class Reader(io.RawIOBase):
    """The bytes of a file from 0 in order, each as soon as it is there; the end only once the whole hash was right."""

    def __init__(self, job: "Job", stream: io.FileIO) -> None:
        super().__init__()
        self._job = job
        self._stream = stream
        self._generation = job.generation
        self._position = 0

    @property
    def is_stale(self) -> bool:
        """Whether what was read is no longer what the file has."""
        return self._generation != self._job.generation

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """As many bytes as asked for, fewer only at the end; blocks until they are there. Raises Replaced."""
        parts = []
        while size:
            ready = self._ready()
            if not ready:
                break
            part = self._stream.read(ready if size < 0 else min(size, ready)) or b""
            self._position += len(part)
            size -= len(part) if size > 0 else 0
            parts.append(part)
        if self.is_stale:
            raise Replaced("the bytes were replaced")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # its stub says more
        """What is there already, at least one byte but at the end."""
        count = min(self._ready(), len(buffer))
        count = self._stream.readinto(memoryview(buffer)[:count]) or 0 if count else 0
        self._position += count
        if self.is_stale:
            raise Replaced("the bytes were replaced")
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _ready(self) -> int:
        job = self._job
        with job.grown:
            while True:
                if job.failed or self.is_stale:
                    raise Replaced("the transfer failed" if job.failed else "the bytes were replaced")
                ready = job.pieces.frontier - self._position
                if ready > 0 or job.verified:
                    return ready
                job.grown.wait()


class Follower:
    """Runs a consumer in a thread of its own, again from 0 whenever bytes were replaced under it."""

    def __init__(self, job: "Job", consume: Callable[[BinaryIO], None]) -> None:
        self.error: BaseException | None = None
        self.is_done = False
        self._job = job
        self._consume = consume
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until the consumer has returned."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._once():
            pass
        with self._job.grown:
            self.is_done = True
        self._job.tell()

    def _once(self) -> bool:
        """Whether the consumer is through: it returned, or failed on bytes that are right."""
        with self._job.grown:
            while self._job.reading_from is None and not self._job.failed:
                self._job.grown.wait()
            if self._job.failed or self._job.reading_from is None:
                return True
            reader = Reader(self._job, self._job.reading_from())
        error: BaseException | None = None
        try:
            self._consume(cast(BinaryIO, reader))
        except BaseException as raised:
            error = raised
        finally:
            reader.close()
        return self._judged(reader, error)

    def _judged(self, reader: Reader, error: BaseException | None) -> bool:
        """Wrong bytes may make a consumer fail (or be content too early): wait until we know whether they were."""
        job = self._job
        if error is not None and not job.may_be_wrong_bytes(error):
            self.error = error
            job.fail(error)
            return True
        with job.grown:
            while not (job.verified or job.failed or reader.is_stale):
                job.grown.wait()
            if reader.is_stale and not job.failed:
                return False
            self.error = None if job.failed else error
            return True
