"""What an unpacked archive really holds: every file, link and program of a tree as it was when it was made."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.installed import Difference, InstalledFile, compare, measured

_LARGE = 1 << 20
_MADE_BY_PYTHON = "__pycache__"  # an IDE runs its own helpers out of its folder


class InstalledTree(msgspec.Struct, frozen=True):
    """Paths are relative with slashes; links are (path, target); programs are files that may be run."""

    files: tuple[InstalledFile, ...]
    links: tuple[tuple[str, str], ...]
    programs: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def measure_tree(folder: Path, cancel: Cancel | None = None) -> InstalledTree:
    """Hash every file below a folder that nobody else writes to. Raises OSError, Interrupted.

    In two threads, one for the few large files and one for the many small ones, which wait for different things.
    """
    found = sorted(_walk(folder))
    plain = [(path, status) for path, status in found if stat.S_ISREG(status.st_mode)]
    small = [path for path, status in plain if status.st_size <= _LARGE]
    large = [path for path, status in plain if status.st_size > _LARGE]
    with ThreadPoolExecutor(2) as pool:
        lanes = pool.map(lambda names: measured(folder, names, cancel), (large, small))
        files = [file for lane in lanes for file in lane]
    return InstalledTree(
        files=tuple(sorted(files, key=lambda file: file.path)),
        links=tuple((path, os.readlink(folder / path)) for path, status in found if stat.S_ISLNK(status.st_mode)),
        programs=tuple(path for path, status in plain if status.st_mode & stat.S_IXUSR),
    )


def compare_tree(
    folder: Path, known: InstalledTree, *, full: bool = False, cancel: Cancel | None = None
) -> tuple[Difference, ...]:
    """What differs: only files whose stat changed are hashed, or all if `full`. Added files are no difference.

    Raises Interrupted.
    """
    differences = list(compare(folder, known.files, full=full, cancel=cancel))
    named = {difference.path for difference in differences}
    for path, target in known.links:
        if _link(folder / path) != target:
            differences.append(Difference(path, "changed" if os.path.lexists(folder / path) else "missing"))
    for path in known.programs:
        if path not in named and not os.access(folder / path, os.X_OK):
            differences.append(Difference(path, "not executable"))
    return tuple(differences)


def added_to_tree(folder: Path, known: InstalledTree) -> tuple[str, ...]:
    """Files and links that stand there and were not unpacked; what Python caches beside its modules counts as none."""
    ours = {file.path for file in known.files} | {path for path, _ in known.links}
    return tuple(sorted(p for p, _ in _walk(folder) if p not in ours and _MADE_BY_PYTHON not in p.split("/")))


def _walk(folder: Path, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Everything but folders, each with its own stat."""
    with os.scandir(folder / below) as entries:
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(folder, path)
            else:
                yield path, os.lstat(folder / path)


def _link(path: Path) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None
