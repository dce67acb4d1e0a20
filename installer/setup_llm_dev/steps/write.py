"""Write a file: one of ours, replaced when it differs; or a starting point for the user, made only if missing."""

import base64
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.preview import FileChange
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied


@dataclass(frozen=True)
class WriteFiles:
    """A group of files below `folder`: (relative path, bytes). `ours`: whether we may replace what differs.

    What we replaced is kept in the receipt, so that `undo` can put it back.
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
        missing = [path for path, data in self.contents if not self._holds(host, path, data)]
        if not missing:
            return Satisfied()
        return Unsatisfied(message("to be written: {files}", files=", ".join(missing)))

    def preview(self, host: Host) -> tuple[FileChange, ...]:
        """Files for the user; our own are nobody's work."""
        if self.ours:
            return ()
        missing = ((path, data) for path, data in self.contents if not self._holds(host, path, data))
        return tuple(FileChange(self.folder / path, None, data) for path, data in missing)

    def before(self, host: Host) -> Receipt:
        """What will be replaced, file by file."""
        written: dict[str, Any] = {}
        for path, data in self.contents:
            if self._holds(host, path, data):
                continue
            before = _bytes(host, self.folder / path)
            written[path] = {
                "sha256": sha256(data).hexdigest(),
                "before": None if before is None else base64.b64encode(before).decode(),
            }
        return {"written": written}

    def apply(self, host: Host, progress: Progress) -> Receipt:
        receipt = self.before(host)
        for path, data in self.contents:
            if path in receipt["written"]:
                host.files.write(self.folder / path, data)
        return receipt

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        left = []
        written = receipt.get("written") or {path: self._lost(data) for path, data in self.contents}
        for path, entry in written.items():
            place = self.folder / path
            found = _bytes(host, place)
            if found is None:
                _remove_empty_parents(host, place, self.folder)  # an undo that was cut short left them
                continue
            before = base64.b64decode(entry["before"]) if entry["before"] is not None else None
            if found == before:
                continue  # an interrupted run did not get as far as this file
            if sha256(found).hexdigest() != entry["sha256"]:
                left.append(message("{path} was changed since, so it stays", path=str(place)))
            elif before is not None:
                host.files.write(place, before)
            else:
                host.files.remove(place)
                _remove_empty_parents(host, place, self.folder)
        return tuple(left)

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

    def _holds(self, host: Host, path: str, data: bytes) -> bool:
        if not self.ours:
            return host.files.exists(self.folder / path)
        return _bytes(host, self.folder / path) == data


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


def _bytes(host: Host, path: PurePath) -> bytes | None:
    try:
        return host.files.read_bytes(path)
    except OSError:
        return None


def _remove_empty_parents(host: Host, place: PurePath, root: PurePath) -> None:
    """Folders that we made for our files go with them, the root included, as soon as they are empty."""
    for folder in place.parents:
        if not host.files.remove_empty_dir(folder) or folder == root:
            return
