"""The judge of the end-to-end tests: reads the disk with hashlib and os alone and shares no code with the tool."""

import base64
import csv
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """What a path is: kind (`file`, `folder`, `link`), mode, content (sha256, or where a link points), mtime in ns."""

    kind: str
    mode: int
    content: str
    mtime: int


Manifest = dict[str, Entry]

MARKER = ".setup-llm-dev-data"
"""The first file of a data folder, and the last to go; it stays where something of the user's keeps the folder."""


def manifest(root: Path, *, without: tuple[str, ...] = ()) -> Manifest:
    """Every path below `root`, relative to it; subtrees named in `without` are left out."""
    return {path.relative_to(root).as_posix(): _entry(path) for path in _walk(root, root, without)}


def changes(before: Manifest, after: Manifest, *, times: bool = True) -> list[str]:
    """One line for each path that came, went or changed; a folder's time says nothing of its own."""
    lines = [f"gone: {path}" for path in before if path not in after]
    lines += [f"new: {path}" for path in after if path not in before]
    for path in before.keys() & after.keys():
        one, other = before[path], after[path]
        same_time = not times or one.kind == "folder" or one.mtime == other.mtime
        if (one.kind, one.mode, one.content) != (other.kind, other.mode, other.content) or not same_time:
            lines.append(f"changed: {path}")
    return sorted(lines)


def broken_files(environment: Path) -> list[str]:
    """Files of an environment that are not what the RECORD of their wheel says; and RECORDs that are missing."""
    broken = []
    infos = sorted(environment.glob("lib/python3.*/site-packages/*.dist-info"))
    for info in infos:
        if not (info / "RECORD").is_file():
            broken.append(f"{info.name}: no RECORD")
            continue
        for row in csv.reader((info / "RECORD").read_text(encoding="utf-8").splitlines()):
            if why := _broken(Path(os.path.normpath(info.parent / row[0])), row[1]):
                broken.append(f"{row[0]}: {why}")
    return broken if infos else ["no package at all"]


def recorded_files(environment: Path) -> dict[str, str]:
    """Path and recorded hash of every file of every wheel: equal for equal environments, wherever they lie.

    Scripts name the environment in their first line, so they and the RECORD lines of theirs are left out.
    """
    found = {}
    for info in sorted(environment.glob("lib/python3.*/site-packages/*.dist-info")):
        for row in csv.reader((info / "RECORD").read_text(encoding="utf-8").splitlines()):
            if row[1] and not row[0].startswith("../"):
                found[row[0]] = row[1]
    return found


def done_holds(workspace: Path) -> list[str]:
    """What contradicts «done» when the disk is read again: link, environment, report, lock."""
    wrong = []
    venv = workspace / ".venv"
    if not venv.is_symlink() or not (venv / "bin" / "python").exists():
        return [".venv is no link to an environment with a Python"]
    wrong += broken_files(venv.resolve())
    if not (venv / "generation.json").is_file():
        wrong.append("the environment is not marked as complete")
    report = json.loads((workspace / "report.json").read_text(encoding="utf-8"))
    if report["verdict"] not in ("pass", "partial"):
        wrong.append(f"the report says {report['verdict']}")
    wrong += not_passed(report["checks"])
    if not (workspace / "setup-llm-dev.lock.toml").is_file():
        wrong.append("no lock")
    return wrong


def not_passed(checks: list[dict[str, str]]) -> list[str]:
    """Checks that did not pass; where other programs left too little time, a shortened training may warn."""
    status = {check["id"]: check["status"] for check in checks}
    passed = [("budget", "warn"), ("quality", "warn")] if status.get("budget") == "warn" else []
    return [f"check {name}: {it}" for name, it in status.items() if it != "pass" and (name, it) not in passed]


def files_with(root: Path, secret: bytes) -> list[str]:
    """Files below `root` whose bytes contain a secret."""
    found = []
    for path in _walk(root, root, ()):
        if path.is_file() and not path.is_symlink() and secret in path.read_bytes():
            found.append(path.relative_to(root).as_posix())
    return found


def comparable(root: Path, rewrite: Callable[[str, bytes], bytes | None]) -> dict[str, str]:
    """Kind, mode and content of every path; `rewrite` takes out what may differ, None leaves a file out."""
    found = {}
    for path in _walk(root, root, ()):
        name = path.relative_to(root).as_posix()
        entry = _entry(path, hashed=False)
        content: bytes | None = entry.content.encode()
        if entry.kind == "file":
            content = rewrite(name, path.read_bytes())
        if content is not None:
            found[name] = f"{entry.kind} {entry.mode:o} {hashlib.sha256(content).hexdigest()[:16]}"
    return found


def _broken(path: Path, recorded: str) -> str | None:
    if not path.is_file():
        return "missing"
    if not recorded:
        return None
    digest = base64.urlsafe_b64encode(_digest(path).digest()).rstrip(b"=").decode()
    return None if recorded == f"sha256={digest}" else "other bytes"


def _walk(folder: Path, root: Path, without: tuple[str, ...]) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda item: item.name):
        path = Path(entry.path)
        if path.relative_to(root).as_posix() in without:
            continue
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, root, without)


def _entry(path: Path, *, hashed: bool = True) -> Entry:
    state = path.lstat()
    mode = stat.S_IMODE(state.st_mode)
    if stat.S_ISLNK(state.st_mode):
        return Entry("link", 0, str(path.readlink()), state.st_mtime_ns)
    if stat.S_ISDIR(state.st_mode):
        return Entry("folder", mode, "", state.st_mtime_ns)
    return Entry("file", mode, _digest(path).hexdigest() if hashed else "", state.st_mtime_ns)


def _digest(path: Path) -> "hashlib._Hash":
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256")
