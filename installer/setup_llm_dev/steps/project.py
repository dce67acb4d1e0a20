"""Merge what PyCharm should know into the project's `.idea`; `undo` takes only that out again."""

import base64
from collections.abc import Mapping
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
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.preview import FileChange
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied
from setup_llm_dev.steps.swap import ATTEMPTS, clear, read_user_file, restless, swap

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
        """Raises Refused (3) for a project file that can't be read or that no IDE wrote."""
        wanted = self._changes(host, self._read(host))
        if not wanted:
            return Satisfied()
        return Unsatisfied(message("to be written: {files}", files=", ".join(wanted)))

    def preview(self, host: Host) -> tuple[FileChange, ...]:
        files = self._read(host)
        wanted = self._changes(host, files)
        return tuple(FileChange(self.workspace / path, files.get(path), c.data) for path, c in wanted.items())

    def before(self, host: Host) -> Receipt:
        files = self._read(host)
        wanted = self._changes(host, files)
        return {"written": {path: _entry(files.get(path), change) for path, change in wanted.items()}}

    def apply(self, host: Host, progress: Progress) -> Receipt:
        written: dict[str, Any] = {}
        contended = ""
        for _ in range(ATTEMPTS):
            contended = self._write(host, written)
            if not contended:
                return {"written": written}
        raise restless(self.workspace / contended)

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        left = []
        for path, entry in reversed(receipt.get("written", {}).items()):
            if (why := _take_back(host, self.workspace, path, entry)) is not None:
                left.append(why)
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
            if not swap(host, self.workspace / path, files.get(path), change.data):
                return path
            written[path] = _entry(files.get(path), change)
        return ""

    def _read(self, host: Host) -> dict[str, bytes | None]:
        idea = self.workspace / ".idea"
        if host.files.exists(idea) and not host.files.is_dir(idea):
            raise Refused(
                message("{path} is not a folder", path=str(idea)),
                hint=message("move it away, then run the same command again"),
            )
        files = {path: read_user_file(host, self.workspace / path) for path in _FIXED}
        more = [f".idea/{name}" for name in host.files.list_dir(idea) if name.endswith(".iml")]
        runs = host.files.list_dir(self.workspace / RUN_FOLDER)
        more += [f"{RUN_FOLDER}/{name}" for name in runs if name.endswith(".xml")]
        more += [path for path in listed_modules(files[MODULES]) if path not in more]
        return files | {path: read_user_file(host, self.workspace / path) for path in more}

    def _changes(self, host: Host, files: Mapping[str, bytes | None]) -> Mapping[str, Change]:
        wish = self.wish
        runs = tuple(replace(run, environment=(*run.environment, *_cache(self.hub_cache, host))) for run in wish.runs)
        excluded = tuple(name for name in wish.excluded if not holds_code(host, self.workspace / name))
        return changes(files, replace(wish, runs=runs, excluded=excluded))


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
    before = None if entry["before"] is None else base64.b64decode(entry["before"])
    clear(host, place)
    for _ in range(ATTEMPTS):
        found = read_user_file(host, place)
        if found is None:
            _remove_empty_parents(host, place, workspace)
            return None
        if found == before:
            return None
        if sha256(found).hexdigest() == entry["sha256"] and before is None:
            host.files.remove(place)
            _remove_empty_parents(host, place, workspace)
            return None
        wanted, why = _reverted(place, found, before, entry)
        if wanted == found or swap(host, place, found, wanted):
            return why
    raise restless(place)


def _reverted(
    place: PurePath, found: bytes, before: bytes | None, entry: Mapping[str, Any]
) -> tuple[bytes, Message | None]:
    if before is not None and sha256(found).hexdigest() == entry["sha256"]:
        return before, None
    if before is None or not entry["edits"]:
        return found, message("{path} was changed since, so it stays", path=str(place))
    wanted, clean = without(found, [(text.encode(), old.encode()) for text, old in entry["edits"]])
    if clean:
        return wanted, None
    return wanted, message("{path} was changed since, so some of what we wrote stays in it", path=str(place))


def _remove_empty_parents(host: Host, place: PurePath, root: PurePath) -> None:
    for folder in place.parents:
        if not host.files.remove_empty_dir(folder) or folder == root:
            return
