"""Hashes of files: the one loop that reads them, which tells how far it is and ends when the run is to end."""

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path, PurePath

from setup_llm_dev.host.cancel import Cancel

_LEAST, _PIECE = 1 << 16, 1 << 20  # bytes between two looks at the token

Progress = Callable[[int], None]
"""Called with the bytes that are read so far."""


class Hasher:
    """The hash of a file that may still grow, read in order: sha256, or git's hash of a blob."""

    def __init__(
        self,
        stream: io.FileIO,
        git_size: int | None = None,
        *,
        cancel: Cancel | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`git_size`: for git's hash, which begins with the size."""
        self.position = 0
        self._stream = stream
        self._cancel = cancel
        self._progress = progress
        self._buffer = memoryview(b"")
        self._hash = hashlib.sha256() if git_size is None else hashlib.sha1(usedforsecurity=False)
        if git_size is not None:
            self._hash.update(b"blob %d\0" % git_size)

    def advance(self, to: int) -> None:
        """Take in what is there. Raises OSError where the file is shorter, Interrupted."""
        while self.position < to:
            if not self._take(to - self.position):
                raise OSError(5, "the partial file is shorter than what was written", str(self._stream.name))

    def finish(self) -> None:
        """Take in everything up to the end. Raises OSError, Interrupted."""
        size = os.fstat(self._stream.fileno()).st_size
        while self._take(min(max(size + 1, _LEAST), _PIECE)):  # small files are many: no large buffer for each
            pass

    def hexdigest(self) -> str:
        """Of everything so far."""
        return self._hash.hexdigest()

    def _take(self, most: int) -> int:
        if self._cancel is not None:
            self._cancel.raise_if_set()
        if len(self._buffer) < min(most, _PIECE):
            self._buffer = memoryview(bytearray(min(most, _PIECE)))
        count = self._stream.readinto(self._buffer[:most]) or 0
        self._hash.update(self._buffer[:count])
        self.position += count
        if self._progress is not None:
            self._progress(self.position)
        return count


def sha256_of(path: PurePath | str, cancel: Cancel | None = None, progress: Progress | None = None) -> str:
    """Hex digest of a file's bytes. Raises OSError, and Interrupted where the token is set meanwhile."""
    with io.FileIO(str(path), "rb") as stream:
        hasher = Hasher(stream, cancel=cancel, progress=progress)
        hasher.finish()
        return hasher.hexdigest()


def git_sha1_of(path: PurePath | str, cancel: Cancel | None = None) -> str:
    """The hash that git gives a file, in hex digits. Raises OSError, Interrupted."""
    with io.FileIO(str(path), "rb") as stream:
        size = Path(path).stat().st_size
        hasher = Hasher(stream, size, cancel=cancel)
        hasher.advance(size)
        return hasher.hexdigest()
