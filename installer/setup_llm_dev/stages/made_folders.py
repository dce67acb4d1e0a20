"""Folders above and beside our own that runs had to make, remembered so that they go again, and no others.

`~/.local/share` on a bare home is such a one. A folder that was there before stays, even if it is empty in the end.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.host.world import Host
from setup_llm_dev.platforms.registry import current_platform
from setup_llm_dev.stages.data_folder import MARKER, claim

MADE = "made-folders.json"
"""In the data folder: an array of absolute paths."""


@dataclass
class Making:
    """The folders that were missing before a run: written down before it makes any, and what it made afterwards."""

    host: Host
    layout: Layout
    missing: tuple[PurePath, ...]
    _noted: bool = field(default=False, init=False)

    def data_folder(self) -> None:
        """Make the data folder; what is missing is looked up again, since an uninstall may have removed it again."""
        if not self.host.files.exists(self.layout.data / MARKER):
            self.missing = tuple(dict.fromkeys((*self.missing, *_missing(self.host, self.layout))))
            claim(self.host.files, self.layout, home=self.host.home)

    def note(self) -> None:
        """With the run's lock held, before the first change."""
        if not self._noted:
            _write(self.host, self.layout, (*(made_folders(self.host, self.layout) or ()), *self.missing))
            self._noted = True

    def settle(self) -> None:
        """What is still missing was not made, by this run or by one that was killed before it could say so."""
        settle(self.host, self.layout)


def before_run(host: Host, layout: Layout) -> Making:
    """To be asked before the run's lock is taken, since that makes the data folder. Only reads."""
    return Making(host, layout, _missing(host, layout))


def _missing(host: Host, layout: Layout) -> tuple[PurePath, ...]:
    places = current_platform(host.system).places(host.home, host.environment, layout.data)
    folders = (layout.data, layout.workspace, layout.hub_cache, Uv(host, Surroundings()).cache_dir(),
               places.settings, places.programs, places.applications)  # fmt: skip
    return tuple(dict.fromkeys(made for folder in folders for made in host.files.missing_parents(folder / "file")))


@contextmanager
def remembering(making: Making) -> Iterator[Making]:
    """Around a run that holds the lock. The data folder itself is made by then, so its parents are noted at once."""
    if making.layout.data in making.missing:
        making.note()
    try:
        yield making
    finally:
        with suppress(SystemRefused):  # it would hide how the run ended
            making.settle()


def made_folders(host: Host, layout: Layout) -> tuple[Path, ...] | None:
    """What runs made, None where nobody wrote that down."""
    text = host.files.read_text(layout.data / MADE)
    try:
        rows = json.loads(text) if text is not None else None
    except ValueError:
        return None
    if not isinstance(rows, list):
        return None
    return tuple(Path(row) for row in rows if isinstance(row, str) and Path(row).is_absolute())


def settle(host: Host, layout: Layout) -> None:
    """Forget folders that are not there (any more): whoever makes them from now on is somebody else."""
    made = made_folders(host, layout)
    if made is not None:
        _write(host, layout, (path for path in made if host.files.is_dir(path)))


def drop_made(host: Host, made: Iterable[Path]) -> None:
    """Those that are empty, the innermost first; links stay."""
    for path in sorted(made, key=lambda path: len(path.parts), reverse=True):
        if host.files.link_target(path) is None:
            host.files.remove_empty_dir(path)


def sparing_found(host: Host, layout: Layout, workspaces: Iterable[PurePath]) -> Host:
    """The world where a workspace that was there before us outlives an undo, even if nothing is left in it."""
    made = made_folders(host, layout)
    found = frozenset(map(Path, workspaces)) - frozenset(made or ())
    return replace(host, files=_Sparing(host.cancel, found)) if made is not None and found else host


class _Sparing(Files):
    """Files where some folders are not ours to remove."""

    def __init__(self, cancel: Cancel, spared: Collection[Path]) -> None:
        super().__init__(cancel)
        self._spared = spared

    def remove_empty_dir(self, path: PurePath) -> bool:
        return False if Path(path) in self._spared else super().remove_empty_dir(path)


def _write(host: Host, layout: Layout, folders: Iterable[PurePath]) -> None:
    text = json.dumps(sorted({str(folder) for folder in folders}), indent=1) + "\n"
    if host.files.read_text(layout.data / MADE) != text:
        host.files.write(layout.data / MADE, text.encode())
