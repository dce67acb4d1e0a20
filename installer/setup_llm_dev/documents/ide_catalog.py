"""What ships with us about PyCharm: known builds and hashes, the maker's hosts, read from `ides.toml`."""

from datetime import date
from typing import Literal

import msgspec
from packaging.version import Version

from setup_llm_dev.documents.ide_version import fits

BuildEvidence = Literal["product-info", "debugger", "feed-copy", "packager"]
FileEvidence = Literal["two-packagers", "packager", "script", "checksum-file", "feed-copy"]


class IdeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A build's file for one platform (`linux_x86_64`); `size` in bytes, `sha256` 64 hex digits."""

    platform: str
    name: str
    evidence: FileEvidence
    seen: date
    sha256: str | None = None
    size: int | None = None


class IdeBuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A release; `major` names the folder of its settings, `build` is without the product's code."""

    version: str
    major: str
    evidence: BuildEvidence
    seen: date
    build: str | None = None
    released: date | None = None
    files: tuple[IdeFile, ...] = ()

    @property
    def release(self) -> Version:
        return Version(self.version)

    def hashed(self, platform: str) -> IdeFile | None:
        """The file for a platform, if its hash is known."""
        return next((f for f in self.files if f.platform == platform and f.sha256), None)


class IdeCatalog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`manifests/catalog/ides.toml`; `keys` are the names that the maker's list has for a platform's file."""

    schema: Literal[1]
    collected: date
    feed: str
    downloads: str
    folder: str
    domains: tuple[str, ...]
    keys: dict[str, tuple[str, ...]]
    ides: tuple[IdeBuild, ...]

    def fitting(self, wish: str) -> tuple[IdeBuild, ...]:
        """The known builds that a recipe's wish means, newest first."""
        return tuple(ide for ide in self.ides if fits(wish, ide.release))

    def hashed(self, wish: str, platform: str) -> tuple[tuple[IdeBuild, IdeFile], ...]:
        """Those of them with a hash of their file for a platform."""
        pairs = ((ide, ide.hashed(platform)) for ide in self.fitting(wish))
        return tuple((ide, file) for ide, file in pairs if file is not None)

    def sha256_of(self, version: Version, platform: str) -> str | None:
        """The known hash of one release's file for a platform."""
        found = (ide.hashed(platform) for ide in self.ides if ide.release == version)
        return next((file.sha256 for file in found if file is not None), None)

    def knows(self, sha256: str) -> bool:
        """Whether some file has this hash."""
        return any(file.sha256 == sha256 for ide in self.ides for file in ide.files)

    def url(self, file: IdeFile) -> str:
        """The maker's address of a file."""
        return f"{self.downloads}{self.folder}{file.name}"
