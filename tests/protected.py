"""A folder where write protection holds, even where root runs the tests."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def unprivileged_folder() -> Iterator[Path]:
    """A fresh folder, and no rights of root until the end: this process is then its owner and nobody else.

    Threads that are started meanwhile, and children, have no more rights either.
    """
    # The folders of pytest are closed to all but their owner.
    folder = Path(tempfile.mkdtemp(prefix="protected."))
    root = os.geteuid() == 0
    if root:
        os.chown(folder, _NOBODY, _NOBODY)
        os.setresgid(_NOBODY, _NOBODY, 0)
        os.setresuid(_NOBODY, _NOBODY, 0)
    try:
        yield folder.resolve()
    finally:
        if root:
            os.setresuid(0, 0, 0)
            os.setresgid(0, 0, 0)
        shutil.rmtree(folder)
