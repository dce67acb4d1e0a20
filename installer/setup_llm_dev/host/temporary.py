"""Private folders in the system's place for temporary files, whose names say which process they belong to."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from setup_llm_dev.host.leftovers import drop_left_folders

_TEMPORARY = "setup-llm-dev."


@contextlib.contextmanager
def temporary() -> Iterator[Path]:
    """A private folder in the system's place for such; its name says whose it is, see `drop_temporary`."""
    with tempfile.TemporaryDirectory(prefix=_prefix(), ignore_cleanup_errors=True) as name:
        yield Path(name)


def left_temporary() -> Path:
    """The same, for what is to be read after we have ended: a later run removes it. Raises OSError."""
    return Path(tempfile.mkdtemp(prefix=_prefix()))


def drop_temporary() -> None:
    """Remove what killed processes of ours left in the system's place for temporary folders."""
    drop_left_folders(Path(tempfile.gettempdir()), _TEMPORARY)


def _prefix() -> str:
    return f"{_TEMPORARY}{os.getpid()}."
