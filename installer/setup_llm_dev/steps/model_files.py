"""The files of a model on the disk: whether they are what the lock says, and the stat that saves asking again."""

import json
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.lock import ModelFile
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.host.hashing import git_sha1_of, sha256_of
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.step import Satisfied, Unsatisfied

MANIFEST = ".manifest.json"
"""Our note of what was hashed, beside the files; no file of a model begins with a dot (`lock_values.wanted`)."""
_MIB = 1 << 20


class ModelStep:
    """What all ways of getting a model share: a recipe has one model, and it is there before anything is switched."""

    optional: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    phase: ClassVar[Phase] = "stage"

    @property
    def id(self) -> str:
        return "model"


class OwnFolder(ModelStep):
    """Of a model whose files lie in a folder of ours, which goes with the step; the manifest is written last."""

    folder: PurePath

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        host.files.remove_tree(self.folder)
        return ()


def announced(source: str, size: int) -> Message:
    """What will be fetched, `size` in bytes."""
    return message("get the model {name} ({size} MiB)", name=source, size=round(size / _MIB))


def note(host: Host, path: PurePath, folder: PurePath, files: tuple[ModelFile, ...]) -> None:
    """Write down at `path` that these files in `folder` were hashed and are right."""
    host.files.write(path, json.dumps(measure(folder, files)).encode())


def check_files(
    host: Host, folder: PurePath, files: tuple[ModelFile, ...], known: dict[str, Any]
) -> Satisfied | Unsatisfied:
    """Whether all are there and right; those with a `known` stat are not read again. Raises Interrupted."""
    for file in files:
        place = Path(folder / file.path)
        if not place.is_file():
            return Unsatisfied(message("{file} is missing", file=file.path))
        status, entry = place.stat(), known.get(file.path, {})
        if status.st_size != file.size:
            return Unsatisfied(message("{file} has the wrong size", file=file.path))
        if [status.st_mtime_ns, status.st_ino] != entry.get("stat") and not right(host, place, file):
            return Unsatisfied(message("{file} has wrong bytes", file=file.path))
    return Satisfied()


def measure(folder: PurePath, files: tuple[ModelFile, ...]) -> dict[str, Any]:
    """What was hashed, with the stat that saves hashing it again while nothing touches it."""
    measured = {}
    for file in files:
        status = Path(folder / file.path).stat()
        stat = [status.st_mtime_ns, status.st_ino]
        measured[file.path] = {"size": file.size, "sha256": file.sha256, "git_sha1": file.git_sha1, "stat": stat}
    return measured


def stats(host: Host, path: PurePath) -> dict[str, Any]:
    """What `note` wrote; nothing where there is no such note, or a damaged one."""
    text = host.files.read_text(path)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    sound = isinstance(found, dict) and all(
        isinstance(entry, dict) and {"size", "sha256", "stat"} <= entry.keys() for entry in found.values()
    )
    return found if sound else {}


def right(host: Host, path: PurePath, file: ModelFile) -> bool:
    """Right size, and the hash that the lock has: sha256, or git's blob sha1 of a small file. Raises Interrupted."""
    try:
        if Path(path).stat().st_size != file.size:
            return False
        if file.sha256:
            return sha256_of(path, host.cancel) == file.sha256
        return git_sha1_of(path, host.cancel) == file.git_sha1
    except OSError:
        return False
