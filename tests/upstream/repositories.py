"""Repositories as a hub keeps them: commits of files with the content hashes that a client is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

Content = bytes | Path
Tree = Path | Mapping[str, Content]
Source = Path | Mapping[str, Content | Mapping[str, Content]]

LARGE = 1024 * 1024
LARGE_SUFFIXES = (".safetensors", ".bin", ".gguf", ".onnx", ".pt", ".pth", ".h5", ".msgpack")


@dataclass(frozen=True)
class RepositoryFile:
    """One file of a commit: its path, content, size in bytes, and whether it lives in large-file storage."""

    path: str
    content: Content
    large: bool

    @cached_property
    def size(self) -> int:
        """In bytes."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    @cached_property
    def sha256(self) -> str:
        """Of the content: the ETag of a large file."""
        return _hash(self.content, hashlib.sha256())

    @cached_property
    def oid(self) -> str:
        """The git blob id: of the content, or of the pointer that git keeps in place of a large file."""
        blob = self._pointer if self.large else self.content
        size = len(self._pointer) if self.large else self.size
        return _hash(blob, hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False))

    @property
    def etag(self) -> str:
        """What the hub calls the file's hash: sha256 for a large one, else the git blob id."""
        return self.sha256 if self.large else self.oid

    @property
    def _pointer(self) -> bytes:
        lines = (
            "version https://git-lfs.github.com/spec/v1",
            f"oid sha256:{self.sha256}",
            f"size {self.size}",
        )
        return "".join(f"{line}\n" for line in lines).encode()

    def listing(self) -> dict[str, Any]:
        """The file's row in a tree."""
        row: dict[str, Any] = {"type": "file", "path": self.path, "size": self.size, "oid": self.oid}
        if self.large:
            row["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": len(self._pointer)}
        return row


@dataclass(frozen=True)
class Commit:
    """A fixed set of files under an id of 40 hex digits that depends on their paths and contents only."""

    files: Mapping[str, RepositoryFile]

    @cached_property
    def id(self) -> str:
        """40 hex digits."""
        rows = [(path, file.etag) for path, file in sorted(self.files.items())]
        return hashlib.sha1(json.dumps(rows).encode(), usedforsecurity=False).hexdigest()

    def listing(self, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
        """The rows of a tree below `folder` ("" for all), folders included, in order of path."""
        prefix = folder + "/" if folder else ""
        inside = {path: file for path, file in self.files.items() if path.startswith(prefix)}
        folders = {parent for path in inside for parent in _parents(path) if parent.startswith(prefix)}
        rows = [_folder_row(path) for path in folders - {""}] + [file.listing() for file in inside.values()]
        shown = [row for row in rows if recursive or "/" not in row["path"].removeprefix(prefix)]
        return sorted(shown, key=lambda row: str(row["path"]))


@dataclass
class Repository:
    """Branches and tags on commits; a commit stays reachable by its id when its branch moves on."""

    name: str
    private: bool = False
    gated: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def push(self, branch: str, tree: Tree, *, large: int = LARGE) -> str:
        """Put a tree on a branch (made if new) and return the commit's id; `large` is in bytes."""
        commit = Commit({path: _file(path, content, large) for path, content in _contents(tree).items()})
        self.commits[commit.id] = commit
        self.branches[branch] = commit.id
        return commit.id

    def at(self, revision: str) -> Commit | None:
        """The commit that a branch, a tag or a full id names."""
        return self.commits.get(self.branches.get(revision, revision))


def _contents(tree: Tree) -> Mapping[str, Content]:
    if not isinstance(tree, Path):
        return tree
    if not tree.is_dir():
        raise NotADirectoryError(tree)
    return {path.relative_to(tree).as_posix(): path for path in sorted(tree.rglob("*")) if path.is_file()}


def _file(path: str, content: Content, large: int) -> RepositoryFile:
    small = RepositoryFile(path, content, large=False)
    return RepositoryFile(path, content, large=path.endswith(LARGE_SUFFIXES) or small.size > large)


def _folder_row(path: str) -> dict[str, Any]:
    oid = hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()
    return {"type": "directory", "path": path, "size": 0, "oid": oid}


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _hash(content: Content, digest: hashlib._Hash) -> str:
    if isinstance(content, bytes):
        digest.update(content)
        return digest.hexdigest()
    with content.open("rb") as file:
        while piece := file.read(1024 * 1024):
            digest.update(piece)
    return digest.hexdigest()
