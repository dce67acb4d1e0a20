"""The files of a model on the disk: whether they are what the lock says, and the stat that saves asking again."""

import json
from pathlib import Path, PurePath
from typing import Any

from setup_llm_dev.documents.lock import ModelFile
from setup_llm_dev.host.hashing import git_sha1_of, sha256_of
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.steps.step import Satisfied, Unsatisfied


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
    text = host.files.read_text(path)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


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
