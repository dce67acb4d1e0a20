"""The lock of a model that ModelScope keeps."""

import hashlib

import msgspec

from setup_llm_dev.documents.lock import ModelFile


class ModelScopeModelLock(msgspec.Struct, frozen=True, kw_only=True, tag="modelscope", tag_field="kind"):
    """A repository of ModelScope: its files by sha256, and of each the commit that it was last changed in.

    ModelScope names no commit for a whole listing: `digest`, of names and hashes, stands for it.
    """

    source: str
    repository: str
    revision: str
    endpoint: str
    files: tuple[ModelFile, ...]
    commits: dict[str, str]  # path: 40 hex digits
    learning_rate: float | None = None  # the catalogue's for this model, where it stands in for the recipe's

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """64 hex digits: the same names with the same bytes, whatever branch or commit they come from."""
        rows = sorted(f"{file.sha256}  {file.path}\n" for file in self.files)
        return hashlib.sha256("".join(rows).encode()).hexdigest()
