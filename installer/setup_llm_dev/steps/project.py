"""Merge what PyCharm should know into the project's `.idea`; `undo` takes only that out again."""

import base64
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.idea_edits import Change, without
from setup_llm_dev.documents.idea_module import listed_modules
from setup_llm_dev.documents.idea_project import (
    IGNORE,
    MEMORY,
    MISC,
    MODULES,
    RUN_FOLDER,
    WORKSPACE,
    ProjectWish,
    changes,
)
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.user_files import (
    TRIES,
    Seen,
    Untouchable,
    drop_staged,
    edit_file,
    look,
    remove_unchanged,
    require_writable,
    restless,
    swap,
    unfinished_if_barred,
)
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.folders import drop_folders, missing_folders
from setup_llm_dev.steps.preview import FileChange
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied

_FIXED = (MISC, MODULES, WORKSPACE, IGNORE, MEMORY)


@dataclass(frozen=True)
class MergeProject:
    """`.idea` of the workspace as `wish` says; all else in its files keeps its bytes.

    hub_cache: the models' cache; run configurations name it by `$USER_HOME$` where it lies in the user's home, and say
    nothing of it elsewhere, since they are for every machine. A PyCharm that has the project open reads changed files
    again by itself, and may write them at any time: so each is replaced only if it still holds what was read.
    """

    kind: ClassVar[str] = "ide-project"
    wish: ProjectWish
    hub_cache: PurePath | None = None
    needs: tuple[str, ...] = ()
    phase: ClassVar[Phase] = "switch"
    optional: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return "ide-project"

    @property
    def workspace(self) -> PurePath:
        return self.wish.folder

    def describe(self) -> Message:
        return message("prepare the project for PyCharm")

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        """Raises Refused (3) for a project file that can't be read or written, or that no IDE wrote."""
        files = self._read(host)
        wanted = self._changes(host, files)
        if not wanted:
            return Satisfied()
        for path in wanted:
            with _in_words(self.workspace / path):
                require_writable(files.get(path) or self._look(host, path))
        return Unsatisfied(message("to be written: {files}", files=", ".join(wanted)))

    def refuse_foreign(self, host: Host) -> None:
        """Raises Refused (3) where `.idea`, or a file in it, is a link out of the project, or can't be read."""
        self._read(host)

    def preview(self, host: Host) -> tuple[FileChange, ...]:
        files = self._read(host)
        wanted = self._changes(host, files)
        return tuple(FileChange(self.workspace / path, _data(files, path), c.data) for path, c in wanted.items())

    def before(self, host: Host) -> Receipt:
        files = self._read(host)
        wanted = self._changes(host, files)
        places = [(files.get(path) or self._look(host, path)).path for path in wanted]
        written = {path: _entry(_data(files, path), change) for path, change in wanted.items()}
        return {"written": written, "folders": missing_folders(host, places)}

    def apply(self, host: Host, progress: Progress) -> Receipt:
        written: dict[str, Any] = {}
        folders = self.before(host)["folders"]
        contended = ""
        for _ in range(TRIES):
            contended = self._write(host, written)
            if not contended:
                return {"written": written, "folders": folders}
        raise restless(self.workspace / contended)

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        """Raises RollbackIncomplete (9) for a file that can't be read or written now."""
        left = []
        for path, entry in reversed(receipt.get("written", {}).items()):
            if (why := _take_back(host, self.workspace, path, entry)) is not None:
                left.append(why)
        drop_folders(host, receipt)
        return tuple(left)

    def record(self) -> dict[str, Any]:
        return {"workspace": str(self.workspace)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "MergeProject":
        """Enough for `undo`, which goes by the receipt."""
        return cls(ProjectWish(folder=Path(record["workspace"]), sdk_name=""))

    def _write(self, host: Host, written: dict[str, Any]) -> str:
        """The file that somebody else wrote meanwhile; empty when all is done."""
        files = self._read(host)
        for path, change in self._changes(host, files).items():
            with _in_words(self.workspace / path):
                seen = files.get(path) or self._look(host, path)
                require_writable(seen)
                if seen.data != _data(files, path) or not swap(host, seen, change.data):
                    return path
            written[path] = _entry(_data(files, path), change)
        return ""

    def _read(self, host: Host) -> dict[str, Seen]:
        idea = self.workspace / ".idea"
        if host.files.exists(idea) and not host.files.is_dir(idea):
            raise Refused(
                message("{path} is not a folder", path=str(idea)),
                hint=message("move it away, then run the same command again"),
            )
        files = {path: self._seen(host, path) for path in _FIXED}
        more = [f".idea/{name}" for name in host.files.list_dir(idea) if name.endswith(".iml")]
        runs = host.files.list_dir(self.workspace / RUN_FOLDER)
        more += [f"{RUN_FOLDER}/{name}" for name in runs if name.endswith(".xml")]
        more += [path for path in listed_modules(files[MODULES].data) if path not in more]
        return files | {path: self._seen(host, path) for path in more}

    def _seen(self, host: Host, path: str) -> Seen:
        """Raises Refused (3) for something that is there and can't be read, or lies elsewhere."""
        with _in_words(self.workspace / path):
            return self._look(host, path)

    def _look(self, host: Host, path: str) -> Seen:
        return look(host, self.workspace / path, within=self.workspace)

    def _changes(self, host: Host, files: Mapping[str, Seen]) -> Mapping[str, Change]:
        wish = self.wish
        runs = tuple(replace(run, environment=(*run.environment, *_cache(self.hub_cache, host))) for run in wish.runs)
        excluded = tuple(name for name in wish.excluded if not holds_code(host, self.workspace / name))
        return changes({path: seen.data for path, seen in files.items()}, replace(wish, runs=runs, excluded=excluded))


def _data(files: Mapping[str, Seen], path: str) -> bytes | None:
    return files[path].data if path in files else None


@contextlib.contextmanager
def _in_words(path: PurePath) -> Iterator[None]:
    """Untouchable as Refused (3)."""
    try:
        yield
    except Untouchable as error:
        raise Refused(
            message("{path} was not changed: {why}", path=str(path), why=error.why),
            hint=message("move it away, then run the same command again"),
        ) from error


def holds_code(host: Host, folder: PurePath) -> bool:
    """Whether a folder such as `models` is a package of the user's rather than what its name says to us."""
    return not folder.name.startswith(".") and any(name.endswith(".py") for name in host.files.list_dir(folder))


def _cache(hub_cache: PurePath | None, host: Host) -> tuple[tuple[str, str], ...]:
    """The setting of the hub's library by which a program finds the models that are there already."""
    if hub_cache is None:
        return ()
    name, folder = ("HF_HOME", hub_cache.parent) if hub_cache.name == "hub" else ("HF_HUB_CACHE", hub_cache)
    if not folder.is_relative_to(host.home) or folder == host.home:
        return ()
    return ((name, f"$USER_HOME$/{folder.relative_to(host.home).as_posix()}"),)


# undo -------------------------------------------------------------------------------------------------------


def _entry(before: bytes | None, change: Change) -> dict[str, Any]:
    """Edits are text: only what was parsed as UTF-8 is edited."""
    return {
        "sha256": sha256(change.data).hexdigest(),
        "before": None if before is None else base64.b64encode(before).decode(),
        "edits": [[text.decode(), old.decode()] for text, old in change.edits],
    }


def _take_back(host: Host, workspace: PurePath, path: str, entry: Mapping[str, Any]) -> Message | None:
    """Why something of ours stays in a file, if it does."""
    place = workspace / path
    removal = _Removal(place, entry)
    try:
        with unfinished_if_barred(place):
            seen = look(host, place, within=workspace)
            drop_staged(host, seen.path)
            if seen.data is None or (
                removal.made(seen.data) and remove_unchanged(host, place, seen.data, within=workspace)
            ):
                return None
            edit_file(host, place, removal, within=workspace)
    except Untouchable as error:
        return message("{path} stays as it is: {why}", path=str(place), why=error.why)
    return removal.left


class _Removal:
    """A file without what we wrote into it, as `edit_file` wants it; `left` says what is no longer ours."""

    def __init__(self, place: PurePath, entry: Mapping[str, Any]) -> None:
        self._place = place
        self._entry = entry
        self._before = None if entry["before"] is None else base64.b64decode(entry["before"])
        self.left: Message | None = None

    def made(self, found: bytes) -> bool:
        """Whether these are the bytes of a file that was not there before."""
        return self._before is None and self._is_ours(found)

    def __call__(self, found: bytes | None) -> bytes | None:
        self.left = None
        if found is None or found == self._before:
            return None
        if self._is_ours(found):
            return self._before
        return self._without_edits(found)

    def _is_ours(self, found: bytes) -> bool:
        return sha256(found).hexdigest() == str(self._entry["sha256"])

    def _without_edits(self, found: bytes) -> bytes | None:
        edits = [(text.encode(), old.encode()) for text, old in self._entry["edits"]]
        if self._before is None or not edits:
            self.left = message("{path} was changed since, so it stays", path=str(self._place))
            return None
        wanted, clean = without(found, edits)
        if not clean:
            self.left = message(
                "{path} was changed since, so some of what we wrote stays in it", path=str(self._place)
            )  # fmt: skip
        return wanted
