"""The hub's published cache layout, written so that every library of the hub finds what is in it.

`blobs/<etag>`, `snapshots/<commit>/<path>` as links to them, `refs/<revision>`, `trees/<commit>.json`; the etag of a
small file is git's hash of it, that of a large one its sha256.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath

from setup_llm_dev.documents.lock import HubModelLock, ModelFile
from setup_llm_dev.errors import Corrupt
from setup_llm_dev.host.files import Files
from setup_llm_dev.messages import message

_TREE_FORMAT = 1
_PARTIALS = ".setup-llm-dev"


@dataclass(frozen=True)
class HubCache:
    """One repository at one commit in the cache folder `cache`."""

    files: Files
    cache: PurePath
    model: HubModelLock

    @property
    def repository(self) -> PurePath:
        return self.cache / _checked(f"models--{self.model.repository.replace('/', '--')}")

    @property
    def snapshot(self) -> PurePath:
        return self._below("snapshots", self.model.commit)

    @property
    def partials(self) -> PurePath:
        """Inside the repository's folder, where the hub's own tools look for nothing, on the file system of blobs."""
        return self.repository / _PARTIALS

    def blob(self, file: ModelFile) -> PurePath:
        return self._below("blobs", file.sha256 or file.git_sha1 or "")

    def shown(self, file: ModelFile) -> PurePath:
        """A file under its name in the snapshot."""
        return self._below("snapshots", self.model.commit, file.path)

    def link(self, file: ModelFile) -> None:
        """Show a blob under its name in the snapshot; a copy where links can't be made."""
        place, blob = self.shown(file), self.blob(file)
        if self.files.link_target(place) != os.path.relpath(blob, place.parent):
            self.files.link_file(place, blob, relative=True)

    def write_tree(self) -> None:
        """The listing of the whole commit, by which completeness and hashes can be checked without network.

        Nothing is written for a lock of an earlier version, which does not know every file.
        """
        place = self._below("trees", f"{self.model.commit}.json")
        every = (*self.model.files, *self.model.unfetched)
        if self.files.exists(place) or not self.model.unfetched_known or any(f.git_sha1 is None for f in every):
            return
        listing = {file.path: _row(file) for file in sorted(every, key=lambda file: file.path)}
        text = json.dumps({"format_version": _TREE_FORMAT, "files": listing}, indent=1)
        self.files.write(place, text.encode())

    def write_ref(self) -> None:
        """So that `from_pretrained(NAME)` finds it offline. A ref that names a snapshot which is there is not ours."""
        ref = self._below("refs", *self.model.revision.split("/"))
        named = self.files.read_text(ref)
        stands = named and _is_name(named.strip()) and self.files.is_dir(self._below("snapshots", named.strip()))
        if self.model.revision != self.model.commit and not stands:
            self.files.write(ref, self.model.commit.encode())

    def mark(self) -> None:
        """The tag by which backup programs know a cache, as the hub's own client writes it."""
        tag = self.cache / "CACHEDIR.TAG"
        if not self.files.exists(tag):
            self.files.write(tag, b"Signature: 8a477f597d28d172789f06886806bc55\n")

    def drop(self, file: ModelFile) -> None:
        """Take a file with wrong bytes out of the cache, with the blob that it shows.

        One step far and only within this repository's own `blobs`: whoever can write to the cache could make a link
        lead anywhere.
        """
        place = Path(self.shown(file))
        target = self.files.link_target(place)
        self.files.remove_tree(place)
        blob = Path(os.path.normpath(place.parent / target)) if target is not None else None
        if blob is not None and blob.parent == Path(self.repository / "blobs"):
            self.files.remove_tree(blob)

    def drop_partials(self) -> None:
        """The folder of partial files, once nothing is left in it."""
        self.files.remove_empty_dir(self.partials)

    def _below(self, *names: str) -> PurePath:
        """Whatever a hub or a lock calls things, they lie below the repository's folder; else Corrupt (5)."""
        return self.repository.joinpath(*map(_checked, names))


def _is_name(text: str) -> bool:
    return text not in ("", ".", "..") and not re.search(r"[/\\:\x00]", text)


def _checked(name: str) -> str:
    if _is_name(name):
        return name
    raise Corrupt(
        message("“{name}” is no name for a file of a model", name=name[:200]),
        hint=message("nothing of it was written; make a new lock with `setup-llm-dev apply --upgrade`"),
    )


def _row(file: ModelFile) -> dict[str, object]:
    row: dict[str, object] = {"size": file.size, "blob_id": file.git_sha1}
    if file.sha256 is not None:
        row |= {"lfs_sha256": file.sha256, "lfs_size": file.size}
    if file.xet_hash is not None:
        row["xet_hash"] = file.xet_hash
    return row
