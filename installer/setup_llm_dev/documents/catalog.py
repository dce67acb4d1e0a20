"""The Catalog: what exists, read from `manifests/catalog/*.toml`: builds of PyTorch, and models."""

from datetime import date
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from setup_llm_dev.documents.catalog_row import Row
from setup_llm_dev.documents.torch_catalog import TorchCatalog
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import message

ModelEvidence = Literal["read", "quoted", "hub"]
T = TypeVar("T")


class ModelFile(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a model: `name` relative to the model's folder.

    git_sha1: git's hash of it, or of the pointer that stands for a large file; on a hub every file has one.
    """

    name: str
    bytes: int
    sha256: str
    git_sha1: str | None = None


class ModelFacts(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that recipes name. version, wheel_sha256, folder and files: where the bytes were read.

    commit: of a model of the hub, the one that `files` belong to. modelscope: its id on ModelScope, which may carry the
    same bytes. evidence: of the hashes, how they are known.
    learning_rate: the one that this model is known to train with in a short fine-tune; a recipe's is for its own model.
    """

    source: str
    name: str
    licence: str
    parameters: int
    download_bytes: int
    learning_rate: float | None = None
    version: str | None = None
    wheel_sha256: str | None = None
    folder: str | None = None
    commit: str | None = None
    modelscope: str | None = None
    evidence: ModelEvidence | None = None
    files: tuple[ModelFile, ...] = ()


class ModelCatalog(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`manifests/catalog/models.toml`."""

    schema: Literal[1]
    collected: date
    models: tuple[ModelFacts, ...]

    def of(self, source: str) -> ModelFacts | None:
        return next((m for m in self.models if m.source == source), None)


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """Everything under `manifests/catalog/`."""

    torch: TorchCatalog
    models: ModelCatalog


def read_catalog(folder: Path) -> Catalog:
    """The catalogue from `folder` (the one that holds torch.toml); raises UsageError naming file and key."""
    return Catalog(
        torch=read_table(folder / "torch.toml", TorchCatalog),
        models=read_table(folder / "models.toml", ModelCatalog),
    )


def read_table(path: Path, kind: type[T]) -> T:
    """One file of the catalogue; raises UsageError naming file and key."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise UsageError(
            message("the catalogue {path} can't be read: {why}", path=str(path), why=str(error))
        ) from error
    except msgspec.MsgspecError as error:
        raise UsageError(message("the catalogue {path} is not valid: {why}", path=str(path), why=str(error))) from error
