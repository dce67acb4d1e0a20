"""What a power cut leaves: names and bytes are there for good once these have returned.

What one function alone needs it imports itself: those who only look at the disk wait for every import.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import PurePath

_FLUSH_SECONDS = 0.7


def flush_dir(path: PurePath) -> None:
    """The names in a folder; raises OSError. Windows has no such call and journals them itself."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_tree(path: PurePath) -> None:
    """Everything that anybody wrote below `path`: one `syncfs` where the system has it. Raises OSError.

    Measured with ext4 and a power cut: without it every module file of a fresh environment is empty afterwards.
    """
    if sys.platform == "linux":
        import ctypes

        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.syncfs(descriptor) != 0:
                raise OSError(ctypes.get_errno(), "syncfs failed", str(path))
        finally:
            os.close(descriptor)
    elif hasattr(os, "sync"):
        os.sync()


@contextlib.contextmanager
def flushing(path: PurePath) -> Iterator[None]:
    """`flush_tree` again and again meanwhile, so that little is left to wait for at the end.

    It only gets ahead: what it can't flush is for the last flush to tell.
    """
    import threading

    done = threading.Event()

    def pump() -> None:
        while not done.wait(_FLUSH_SECONDS):
            with contextlib.suppress(OSError):
                flush_tree(path)

    thread = threading.Thread(target=pump, name="flush", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
