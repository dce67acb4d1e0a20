"""Write a file: one of ours, replaced when it differs; or a starting point for the user, made only if missing."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.documents.xml_nodes import SIZE_LIMIT
from setup_llm_dev.host.user_files import Untouchable, look, unfinished_if_barred
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.folders import drop_folders, missing_folders
from setup_llm_dev.steps.foreign import refuse_foreign, refused
from setup_llm_dev.steps.preview import FileChange
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied

_MODE = 0o644


@dataclass(frozen=True)
class WriteFiles:
    """A group of files below `folder`: (relative path, bytes). `ours`: whether we may replace what differs.

    What we replaced is kept in the receipt, so that `undo` can put it back; so are the folders that had to be made.
    """

    kind: ClassVar[str] = "write"
    name: str
    folder: PurePath
    contents: tuple[tuple[str, bytes], ...]
    summary: Message
    ours: bool
    phase: Phase = "switch"
    needs: tuple[str, ...] = ()
    optional: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return self.name

    def describe(self) -> Message:
        return self.summary

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        """Raises Refused (3) for what stands there and could not be put back, see `refuse_foreign`."""
        self._refuse_foreign(host)
        missing = self.differing(host)
        if not missing:
            return Satisfied()
        return Unsatisfied(message("to be written: {files}", files=", ".join(missing)))

    def differing(self, host: Host) -> tuple[str, ...]:
        """The files that are missing, or not ours as they should be."""
        return tuple(path for path, data in self.contents if not self._holds(host, path, data))

    def stands(self, host: Host) -> bool:
        """Whether every file is there, with these bytes if they are ours."""
        return all(self._holds(host, path, data) for path, data in self.contents)

    def preview(self, host: Host) -> tuple[FileChange, ...]:
        """Files for the user; our own are nobody's work."""
        if self.ours:
            return ()
        missing = ((path, data) for path, data in self.contents if not self._holds(host, path, data))
        return tuple(FileChange(self.folder / path, None, data) for path, data in missing)

    def before(self, host: Host) -> Receipt:
        """What will be replaced, file by file, and the folders that will be made."""
        self._refuse_foreign(host)
        written = {
            path: self._entry(host, path, data) for path, data in self.contents if not self._holds(host, path, data)
        }
        return {"written": written, "folders": missing_folders(host, (self.folder / path for path in written))}

    def apply(self, host: Host, progress: Progress) -> Receipt:
        receipt = self.before(host)
        for path, data in self.contents:
            if path in receipt["written"]:
                host.files.write(self.folder / path, data)
        return receipt

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        """Raises RollbackIncomplete (9) for a file that can't be read now: it may be ours."""
        written = receipt.get("written") or {path: self._lost(data) for path, data in self.contents}
        taken = [_taken_back(host, self.folder / path, entry) for path, entry in written.items()]
        drop_folders(host, receipt)
        return tuple(why for why in taken if why is not None)

    def record(self) -> dict[str, Any]:
        digests = {path: sha256(data).hexdigest() for path, data in self.contents}
        return {"name": self.name, "folder": str(self.folder), "digests": digests, "ours": self.ours}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "_Recorded":
        return _Recorded(record)

    @staticmethod
    def _lost(data: bytes) -> dict[str, Any]:
        """No receipt, because of a crash: what has our bytes is ours."""
        return {"sha256": sha256(data).hexdigest(), "before": None}

    def _refuse_foreign(self, host: Host) -> None:
        refuse_foreign(host, self.folder, (path for path, _ in self.contents), ours=self.ours)

    def _entry(self, host: Host, path: str, data: bytes) -> dict[str, Any]:
        """Raises Refused (3) for what can't be kept."""
        place = self.folder / path
        try:
            seen = look(host, place)
        except Untouchable as error:
            raise refused(place, error.why) from error
        if seen.data is not None and len(seen.data) > SIZE_LIMIT:
            raise refused(place, message("it is larger than {limit} bytes", limit=SIZE_LIMIT))
        before = None if seen.data is None else base64.b64encode(seen.data).decode()
        return {"sha256": sha256(data).hexdigest(), "before": before, "mode": seen.mode}

    def _holds(self, host: Host, path: str, data: bytes) -> bool:
        place = self.folder / path
        if not self.ours:
            return host.files.exists(place)
        return host.files.link_target(place) is None and _bytes(host, place, len(data) + 1) == data


class _Recorded(WriteFiles):
    """Read back from the journal: the digests stand for the bytes."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(record["name"], Path(record["folder"]), (), message("files"), record["ours"])
        object.__setattr__(self, "_digests", record["digests"])

    def record(self) -> dict[str, Any]:
        return super().record() | {"digests": self._digests}  # type: ignore[attr-defined]  # set past the frozen fields

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        digests: dict[str, str] = self._digests  # type: ignore[attr-defined]  # set past the frozen fields
        entries = {path: {"sha256": digest, "before": None} for path, digest in digests.items()}
        return super().undo(host, receipt if "written" in receipt else {"written": entries})


def _bytes(host: Host, path: PurePath, limit: int) -> bytes | None:
    try:
        return host.files.read_bytes(path, limit)
    except OSError:
        return None


def _taken_back(host: Host, place: PurePath, entry: Mapping[str, Any]) -> Message | None:
    """Why a file stays, if it does."""
    changed = message("{path} was changed since, so it stays", path=str(place))
    try:
        with unfinished_if_barred(place):
            found = look(host, place).data
    except Untouchable:  # a link to nothing, a folder, a FIFO; or a file instead of its folder
        return changed if host.files.exists(place) else None
    before = None if entry["before"] is None else base64.b64decode(entry["before"])
    if found is None or found == before:
        return None  # an interrupted run did not get as far as this file, or an interrupted undo did
    if host.files.link_target(place) is not None or sha256(found).hexdigest() != entry["sha256"]:
        return changed
    if before is not None:
        host.files.write(place, before, entry.get("mode", _MODE))
    else:
        host.files.remove(place)
    return None
