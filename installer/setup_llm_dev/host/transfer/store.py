"""The store: files named by their sha256, each there whole or not at all."""

import re
from pathlib import Path, PurePath

from setup_llm_dev.host.files import Files


class Store:
    """A folder of verified files, `sha256/ab/abcd…`, and the place where their parts wait (`partials`)."""

    def __init__(self, files: Files, folder: PurePath) -> None:
        self.folder = folder
        self.partials = folder / "partials"
        self._files = files

    def place(self, sha256: str) -> PurePath:
        """Where the file with these 64 hex digits is, or will be; raises ValueError for anything else."""
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise ValueError(f"{sha256!r} is no sha256")
        return self.folder / "sha256" / sha256[:2] / sha256

    def holds(self, sha256: str, size: int | None = None) -> bool:
        """Whether the file is there, by name and size: what has that name was verified when it got it."""
        path = Path(self.place(sha256))
        return path.is_file() and not path.is_symlink() and size in (None, path.stat().st_size)

    def verified(self, sha256: str) -> bool:
        """Whether the file is there and its bytes, read again, still have this hash; anything else is removed."""
        path = Path(self.place(sha256))
        try:
            if not path.is_symlink() and path.is_file() and self._files.sha256(path) == sha256:
                return True
        except OSError:
            pass  # unreadable is as good as not there
        self._files.remove_tree(path)
        return False

    def remove(self, sha256: str) -> None:
        """Forget a file, and what is left of attempts to get it that nobody goes on with."""
        from setup_llm_dev.host.transfer.partials import (
            drop_orphans,  # here, since a run that finds all well removes nothing
        )

        drop_orphans(self.partials, sha256)
        self._files.remove(self.place(sha256))
