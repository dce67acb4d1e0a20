"""What an earlier run left: the file itself, or a partial file of which every piece is read again before it counts."""

import io
from dataclasses import dataclass
from pathlib import Path, PurePath

from setup_llm_dev.documents.transfer import Wanted
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.hashing import Hasher
from setup_llm_dev.host.transfer.kept import Kept
from setup_llm_dev.host.transfer.partials import Orphan, Partial, orphans
from setup_llm_dev.host.transfer.pieces import PIECE, Claim


@dataclass(frozen=True, slots=True)
class Adopted:
    """A partial file that is ours now: the size of the whole, and the pieces that are there."""

    partial: Partial
    size: int
    claims: tuple[Claim, ...]


def present_size(files: Files, target: Path, wanted: Wanted, cancel: Cancel) -> int | None:
    """The size of the target if it is right by content, else None: then what stood there is removed.

    Its name says that it is verified, so nothing else may bear it. Raises OSError, SystemRefused, Interrupted.
    """
    if target.is_file():
        size = target.stat().st_size
        if wanted.size in (None, size) and hash_of(target, size, wanted, cancel) == wanted.digest:
            return size
    if target.is_dir() and not target.is_symlink():
        files.remove_tree(target)
    else:
        target.unlink(missing_ok=True)
    return None


def hash_of(path: Path, size: int, wanted: Wanted, cancel: Cancel | None = None) -> str:
    """Of the kind that is wanted; raises OSError, Interrupted."""
    with io.FileIO(path, "rb") as stream:
        hasher = Hasher(stream, size if wanted.sha256 is None else None, cancel=cancel)
        hasher.advance(size)
        return hasher.hexdigest()


def adopt(folder: PurePath, wanted: Wanted, cancel: Cancel) -> Adopted | None:
    """The best partial file that nobody works on, None where there is none. Raises OSError, Interrupted."""
    for orphan in orphans(folder, wanted.digest):
        sizes = {wanted.size, orphan.kept.size} - {None}
        if not orphan.kept.claims or len(sizes) != 1:
            continue
        partial = _taken(folder, wanted.digest, orphan)
        if partial is not None:
            size = sizes.pop() or 0
            return Adopted(partial, size, _believed(partial, size, cancel))
    return None


def _taken(folder: PurePath, digest: str, orphan: Orphan) -> Partial | None:
    try:
        return Partial(folder, digest, orphan)
    except (FileNotFoundError, PermissionError):  # another process was faster; on Windows: has it open
        return None


def _believed(partial: Partial, size: int, cancel: Cancel) -> tuple[Claim, ...]:
    """Those pieces that still are what they were; the log says no more than that."""
    buffer = bytearray(PIECE)
    good: list[Claim] = []
    try:
        for claim in partial.kept.claims:
            cancel.raise_if_set()
            if partial.is_intact(claim, size, buffer):
                good.append(claim)
        if len(good) < len(partial.kept.claims):
            partial.restart(Kept(size, partial.kept.origins, tuple(good)))
    except BaseException:
        partial.close()
        raise
    return tuple(good)
