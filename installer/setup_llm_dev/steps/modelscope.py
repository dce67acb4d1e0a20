"""Get a model from ModelScope into a folder of ours."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.codec import from_stored, to_stored
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.lock import ModelScopeModelLock
from setup_llm_dev.host.configuration import read_surroundings
from setup_llm_dev.host.hubs.modelscope import wanted_files
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message
from setup_llm_dev.steps.model_files import MANIFEST, OwnFolder, announced, check_files, note, stats
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied


@dataclass(frozen=True)
class FetchModelScopeModel(OwnFolder):
    """The locked files in `folder`, which is named by their hashes; partial ones lie in `partials` on its disk."""

    kind: ClassVar[str] = "modelscope-model"
    model: ModelScopeModelLock
    folder: PurePath
    partials: PurePath
    config: PurePath

    def describe(self) -> Message:
        return announced(self.model.source, self.model.size)

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        return check_files(host, self.folder, self.model.files, stats(host, self.folder / MANIFEST))

    def apply(self, host: Host, progress: Progress) -> Receipt:
        """Each file appears under its name once its hash is right; the note of what was hashed comes last."""
        wanted = wanted_files(self.model, read_surroundings(host, self.config).modelscope)
        items = tuple((one, self.folder / file.path) for one, file in zip(wanted, self.model.files, strict=True))
        host.fetcher().download_all(
            items,
            partials=self.partials,
            progress=lambda done, total: progress(done, total or self.model.size, "bytes", None),
        )
        host.files.flush_tree(self.folder)
        note(host, self.folder / MANIFEST, self.folder, self.model.files)
        return {"folder": str(self.folder), "bytes": self.model.size}

    def record(self) -> dict[str, Any]:
        return {
            "model": to_stored(self.model),
            "folder": str(self.folder),
            "partials": str(self.partials),
            "config": str(self.config),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "FetchModelScopeModel":
        places = (Path(record[name]) for name in ("folder", "partials", "config"))
        return cls(from_stored(record["model"], ModelScopeModelLock), *places)
