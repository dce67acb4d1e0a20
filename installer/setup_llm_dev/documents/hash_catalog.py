"""The hashes of torch's wheels that ship with us, read from `manifests/catalog/hashes.toml`."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from setup_llm_dev.documents.catalog import read_table
from setup_llm_dev.documents.catalog_row import Row


class HashCatalog(Row, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """File name to sha256 (64 hex digits), one table a witness; see the comments in the file.

    One name may have several: makers publish other bytes under the same name on the package index than on their own.
    """

    schema: int
    collected: date
    wheel: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    pytorch: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    quoted: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    index: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it

    def of(self, file_name: str) -> frozenset[str]:
        """Every known sha256 of a file of this name; empty where there is none."""
        return frozenset(table[file_name] for table in self._tables if file_name in table)

    def best(self, file_name: str, *, own_index: bool) -> str | None:
        """The one to expect: on torch's own index, or on the package index."""
        mine = (self.wheel, self.pytorch, self.quoted)
        order = (*mine, self.index) if own_index else (self.index, *mine)
        return next((table[file_name] for table in order if file_name in table), None)

    def knows(self, version: str, tags: frozenset[Tag]) -> bool:
        """Whether a wheel of `torch==VERSION` (with its label) for one of these tags has a hash here."""
        return any(not tags.isdisjoint(of_wheel) for of_wheel in self._torch.get(Version(version), ()))

    @property
    def _tables(self) -> tuple[Mapping[str, str], ...]:
        return (self.wheel, self.pytorch, self.quoted, self.index)

    @cached_property
    def _torch(self) -> dict[Version, list[frozenset[Tag]]]:
        found: dict[Version, list[frozenset[Tag]]] = {}
        for version, tags in self._wheels("torch"):
            found.setdefault(version, []).append(tags)
        return found

    def _wheels(self, project: str) -> Iterator[tuple[Version, frozenset[Tag]]]:
        for table in self._tables:
            for file_name in table:
                name, version, _, tags = parse_wheel_filename(file_name)
                if name == project:
                    yield version, tags


def read_hashes(folder: Path) -> HashCatalog:
    """From the folder that holds hashes.toml; raises UsageError naming file and key."""
    return read_table(folder / "hashes.toml", HashCatalog)
