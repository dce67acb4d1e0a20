"""Get a model from ModelScope into a folder of ours."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.codec import from_stored, to_stored
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.lock import ModelScopeModelLock
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.host.configuration import read_surroundings
from setup_llm_dev.host.hubs.modelscope import wanted_files
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.model import MANIFEST
from setup_llm_dev.steps.model_files import check_files, measure, stats
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied

_MIB = 1 << 20


@dataclass(frozen=True)
class FetchModelScopeModel:
    """The locked files in `folder`, which is named by their hashes; partial ones lie in `partials` on its disk."""

    kind: ClassVar[str] = "modelscope-model"
    model: ModelScopeModelLock
    folder: PurePath
    partials: PurePath
    config: PurePath
    optional: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    phase: ClassVar[Phase] = "stage"

    @property
    def id(self) -> str:
        return "model"

    def describe(self) -> Message:
        mib = round(self.model.size / _MIB)
        return message("get the model {name} ({size} MiB)", name=self.model.source, size=mib)

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
        host.files.write(self.folder / MANIFEST, json.dumps(measure(self.folder, self.model.files)).encode())
        return {"folder": str(self.folder), "bytes": self.model.size}

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        host.files.remove_tree(self.folder)
        return ()

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
