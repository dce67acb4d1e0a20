"""The rows of the catalogue of PyTorch's builds: each a fact with its evidence and its date."""

from datetime import date
from functools import cache
from typing import Literal

import msgspec
from packaging.version import Version

from setup_llm_dev.documents.catalog_row import Row

Evidence = Literal["wheel", "pypi", "index", "branch", "ci", "issue", "wheel-table", "inferred"]
DOUBTFUL: frozenset[Evidence] = frozenset({"wheel-table", "inferred"})


class Fact(Row, frozen=True, kw_only=True):
    """How something is known, and since when. `note` is for people."""

    evidence: Evidence
    date: date
    note: str | None = None


class Driver(Row, frozen=True, kw_only=True):
    """A driver version for each operating system whose driver numbers count."""

    linux: str
    windows: str | None = None


class Cuda(Fact, frozen=True, kw_only=True):
    """One CUDA toolkit that PyTorch is built with: the oldest driver that starts it, and the toolkit's own.

    Code for virtual architectures (PTX) is compiled by the driver, which for that must be at least the toolkit's own.
    """

    toolkit: str
    driver: Driver
    own_driver: Driver | None = None

    @property
    def major(self) -> int:
        return version(self.toolkit).major


class DriverBranch(Fact, frozen=True, kw_only=True):
    """Cards from `sm[0]` to `sm[1]` are driven by branches `first` to `last`, both included.

    A branch has ten numbers: 580 is 580 to 589, of which Windows uses several.
    """

    sm: tuple[int, int]
    name: str
    first: int | None = None
    last: int | None = None

    def too_new(self, driver: int) -> bool:
        return self.last is not None and driver // 10 > self.last // 10

    def too_old(self, driver: int) -> bool:
        return self.first is not None and driver < self.first


class Cubin(Fact, frozen=True, kw_only=True):
    """Code for `code` runs on the same major, equal or higher minor, minus `excepted`; or on `only` these."""

    code: int
    excepted: tuple[int, ...] = msgspec.field(default=(), name="except")
    except_before: str | None = None
    only: tuple[int, ...] = ()

    def runs_on(self, device: int, toolkit: str) -> bool:
        """`device` is a compute capability times ten, 89 for 8.9; `toolkit` is the build's CUDA, 13.2."""
        if self.only:
            return device in self.only
        lifted = self.except_before is not None and version(toolkit) >= version(self.except_before)
        if device in self.excepted and not lifted:
            return False
        return device // 10 == self.code // 10 and device >= self.code


class Rocm(Fact, frozen=True, kw_only=True):
    """One ROCm that PyTorch is built with, and the chips it has code for."""

    chips: tuple[str, ...]


class Capability(Fact, frozen=True, kw_only=True):
    """Names of NVIDIA cards of one compute capability."""

    chip: str
    names: tuple[str, ...]


class Elsewhere(Fact, frozen=True, kw_only=True):
    """Builds that another publisher makes for GPUs which torch's own index does not serve."""

    vendor: str
    platform: str
    who: str
    index: str
    board: str | None = None


class Published(Fact, frozen=True, kw_only=True):
    """One variant of a release on one platform. evidence: that it exists; code: how `sm` is known.

    sm: the compute capabilities, times ten, that code is compiled in for; ptx: those a driver can compile from.
    advertised: False for what is published without being shown to people who choose.
    """

    platform: str
    variant: str
    sm: tuple[int, ...] = ()
    ptx: tuple[int, ...] = ()
    code: Evidence | None = None
    advertised: bool = True


class Floor(Fact, frozen=True, kw_only=True):
    """The oldest glibc or macOS that the wheels of a platform install on.

    pythons, variants: only the wheels for these Pythons, only those of these variants; without any, all.
    """

    platform: str
    system: str
    pythons: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()


class Lack(Fact, frozen=True, kw_only=True):
    """Pythons of the release that have no wheels on one platform."""

    platform: str
    pythons: tuple[str, ...]


class Companion(Fact, frozen=True, kw_only=True):
    """The versions of another package that belong to one release of torch, as a specifier."""

    torch: str
    name: str
    wanted: str


@cache
def version(text: str) -> Version:
    """`packaging`'s; the same few are asked for thousands of times. Raises InvalidVersion."""
    return Version(text)
