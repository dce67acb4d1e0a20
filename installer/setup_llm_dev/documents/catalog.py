"""The Catalog: which PyTorch builds exist and what they need, read from `manifests/catalog/*.toml`."""

import re
from datetime import date
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from packaging.version import Version

from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import message

Evidence = Literal["wheel", "branch", "ci", "issue", "wheel-table", "inferred"]
ModelEvidence = Literal["read", "quoted", "hub"]
DriverOs = Literal["linux", "windows"]
T = TypeVar("T")


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every row of the catalogue has in common: a key that nobody reads is a spelling mistake."""


class Driver(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The oldest driver that starts a CUDA build, by the operating system whose driver numbers count."""

    linux: str
    windows: str


class Cuda(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One CUDA toolkit that PyTorch is built with."""

    toolkit: str
    driver: Driver
    evidence: Evidence


class DriverBranch(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cards from `sm[0]` to `sm[1]` are driven by branches `first` to `last` (both included)."""

    sm: tuple[int, int]
    name: str
    evidence: Evidence
    first: int | None = None
    last: int | None = None


class Cubin(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Code for `code` runs on the same major, equal or higher minor, minus `excepted`; or on `only` these."""

    code: int
    evidence: Evidence
    excepted: tuple[int, ...] = msgspec.field(default=(), name="except")
    except_before: str | None = None
    only: tuple[int, ...] = ()

    def runs_on(self, device: int, toolkit: str) -> bool:
        """`device` is a compute capability times ten, 89 for 8.9; `toolkit` is the build's CUDA, 13.2."""
        if self.only:
            return device in self.only
        lifted = self.except_before is not None and Version(toolkit) >= Version(self.except_before)
        if device in self.excepted and not lifted:
            return False
        return device // 10 == self.code // 10 and device >= self.code


class Rocm(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ROCm that PyTorch is built with, and the chips it has code for."""

    chips: tuple[str, ...]
    evidence: Evidence


class Code(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is compiled into one variant of a release on one platform; capabilities times ten."""

    variant: str
    platform: str
    sm: tuple[int, ...]
    evidence: Evidence
    ptx: tuple[int, ...] = ()


class Release(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A series such as 2.15 with its patch releases, newest first. See the comments in torch.toml."""

    series: str
    patches: tuple[str, ...]
    pythons: tuple[str, ...]
    system: dict[str, str]
    pypi_default: dict[str, str]
    variants: dict[str, tuple[str, ...]]
    evidence: Evidence
    code: tuple[Code, ...]
    unseen: tuple[str, ...] = ()

    def code_of(self, variant: str, platform: str) -> Code | None:
        return next((c for c in self.code if c.variant == variant and c.platform == platform), None)


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One release in one variant for one platform, with everything that decides whether it fits.

    preference: its place among the variants of its release, 0 is best. system: the oldest glibc or macOS.
    on_pypi: the unlabelled wheel of the default package index is this variant. toolkit, driver, code:
    CUDA only; `driver` is the oldest that starts it. seen: someone has seen such a wheel.
    """

    release: str
    variant: str
    platform: str
    pythons: tuple[str, ...]
    preference: int
    on_pypi: bool
    seen: bool = True
    system: str | None = None
    toolkit: str | None = None
    driver: str | None = None
    code: Code | None = None

    @property
    def name(self) -> str:
        return f"{self.release}+{self.variant}"

    @property
    def certain(self) -> bool:
        """Whether it is known to exist, and what it has code for, from more than neighbouring releases."""
        return self.seen and (self.code is None or self.code.evidence not in ("inferred", "wheel-table"))


class TorchCatalog(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`manifests/catalog/torch.toml`."""

    schema: Literal[1]
    collected: date
    index_root: str
    cuda: dict[str, Cuda]
    driver_branches: tuple[DriverBranch, ...]
    cubin: tuple[Cubin, ...]
    rocm: dict[str, Rocm]
    capability: dict[str, tuple[str, ...]]
    releases: tuple[Release, ...]

    @property
    def variants(self) -> tuple[str, ...]:
        """Every variant of every release and platform, in the order of the file, newest first."""
        every = (v for r in self.releases for names in r.variants.values() for v in names)
        return tuple(dict.fromkeys(every))

    def offers(self, platform: str, driver_os: DriverOs) -> tuple[Offer, ...]:
        """What is published for `platform` (`linux_x86_64`), newest release first, best variant first."""
        return tuple(
            self._offer(release, patch, variant, platform, driver_os)
            for release in self.releases
            for patch in release.patches
            for variant in release.variants.get(platform, ())
        )

    def chip_of(self, name: str) -> str | None:
        """`sm_89` for the name of an NVIDIA card; the longest listed name contained in it wins."""
        found = [(len(n), chip) for chip, names in self.capability.items() for n in names if _says(name, n)]
        return max(found)[1] if found else None

    def _offer(self, release: Release, patch: str, variant: str, platform: str, driver_os: DriverOs) -> Offer:
        cuda = self.cuda.get(variant)
        return Offer(
            release=patch,
            variant=variant,
            platform=platform,
            pythons=release.pythons,
            preference=release.variants[platform].index(variant),
            on_pypi=release.pypi_default.get(platform) == variant,
            seen=variant not in release.unseen,
            system=release.system.get(platform),
            toolkit=cuda.toolkit if cuda else None,
            driver=getattr(cuda.driver, driver_os) if cuda else None,
            code=release.code_of(variant, platform),
        )


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


def _says(name: str, listed: str) -> bool:
    """Whole words only: `L4` is not in `L40`, `RTX 4070` is in `NVIDIA GeForce RTX 4070 Laptop GPU`."""
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(listed)}(?![A-Za-z0-9])", name, re.IGNORECASE) is not None
