"""The data folder is ours alone: a marker in it says so, and no other folder is taken, swept or removed from."""

import os
import re
import stat
from pathlib import Path, PurePath

from setup_llm_dev.documents.journal import is_journal
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.leftovers import HALF_WAY
from setup_llm_dev.messages import message
from setup_llm_dev.platforms.folders import APP

MARKER = ".setup-llm-dev-data"
_TEXT = b"""\
This folder belongs to setup-llm-dev, which keeps its environments, models and journals here and sweeps what is left \
of interrupted runs; keep files of your own elsewhere. `setup-llm-dev uninstall` removes it.
"""
_BEGUN = frozenset({"run.lock", "run.owner", "made-folders.json"})
"""Files of a run that was ended before its first journal."""
_CACHES = frozenset({".cache", ".config", ".local"})
"""Where the folder stands in for a home, our children keep their caches in it before a run takes it."""
_JOURNAL_BYTES = 1 << 20


def claim(files: Files, layout: Layout, *, home: PurePath | None = None) -> None:
    """Make the folder, and before anything else in it the marker; raises Refused (3) for a folder that is not ours.

    Safe to be killed anywhere: a folder that holds nothing, or no more than the beginning of the marker, may be taken.
    """
    refuse_foreign(files, layout, home=home)
    files.make_dir(layout.data)
    if not _is_regular(layout.data / MARKER):
        files.write(layout.data / MARKER, _TEXT)


def refuse_foreign(files: Files, layout: Layout, *, home: PurePath | None = None) -> None:
    """Raises Refused (3) where the data folder is there, holds something, and was not made by us. Only reads.

    SystemRefused (6) where it can't be read. `home`: the one in whose place the folder stands, if it does.
    """
    if is_ours(files, layout) or _may_be_taken(files, layout.data, stands_in=home == layout.data):
        return
    raise Refused(
        message("{folder} holds other files, and nothing of setup-llm-dev: nothing is done in it",
                folder=str(layout.data)),
        hint=message("give it a folder of its own: --home {folder}", folder=str(layout.data / APP)),
    )  # fmt: skip


def is_ours(files: Files, layout: Layout) -> bool:
    """By its marker, or by a journal that only we could have written. Only reads."""
    return _is_regular(layout.data / MARKER) or any(
        _is_journal(files, layout.journals / name)
        for name in files.list_dir(layout.journals)
        if re.fullmatch(r"\d{8}T\d{12}Z-\d+\.jsonl", name)
    )


def _may_be_taken(files: Files, folder: PurePath, *, stands_in: bool) -> bool:
    if not files.exists(folder):
        return True
    try:
        with os.scandir(folder) as entries:
            return all(_is_nobodys(entry, stands_in=stands_in) for entry in entries)
    except NotADirectoryError:
        raise Refused(
            message("{folder} is not a folder", folder=str(folder)), hint=message("name another one: --home DIR")
        ) from None
    except OSError as error:
        raise system_error(error, folder) from error


def _is_nobodys(entry: os.DirEntry[str], *, stands_in: bool) -> bool:
    """An empty folder, or what a run leaves that was ended before its first journal. Raises OSError."""
    if entry.is_dir(follow_symlinks=False):
        return (stands_in and entry.name in _CACHES) or not os.listdir(entry)
    begun_marker = entry.name.startswith(f".{MARKER}.") and HALF_WAY.fullmatch(entry.name) is not None
    return entry.name in _BEGUN or begun_marker


def _is_regular(path: PurePath) -> bool:
    try:
        return stat.S_ISREG(Path(path).lstat().st_mode)
    except OSError:
        return False


def _is_journal(files: Files, path: PurePath) -> bool:
    try:
        return _is_regular(path) and is_journal(files.read_bytes(path, _JOURNAL_BYTES))
    except OSError:
        return False
