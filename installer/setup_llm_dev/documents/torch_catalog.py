"""The catalogue of PyTorch's builds: what exists and what it needs, one dated fact with its evidence a row."""

import re
from collections.abc import Iterator
from datetime import date
from functools import cache, cached_property
from typing import Literal

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from setup_llm_dev.documents.catalog_row import Row
from setup_llm_dev.documents.torch_rows import (
    DOUBTFUL,
    Capability,
    Companion,
    Cubin,
    Cuda,
    DriverBranch,
    Elsewhere,
    Fact,
    Floor,
    Lack,
    Published,
    Rocm,
    version,
)

DriverOs = Literal["linux", "windows"]


class Release(Fact, frozen=True, kw_only=True):
    """A series such as 2.15: its patch releases, newest first, and its Pythons, newest last.

    pypi_default: which variant the wheel without a label on the default package index is, by platform.
    """

    series: str
    patches: tuple[str, ...]
    pythons: tuple[str, ...]
    pypi_default: dict[str, str]
    builds: tuple[Published, ...]
    floors: tuple[Floor, ...]
    companions: tuple[Companion, ...] = ()
    lacks: tuple[Lack, ...] = ()

    def companions_of(self, patch: str, variant: str) -> tuple[str, ...]:
        """Requirements; triton under that name belongs to CUDA builds alone."""
        rows = (c for c in self.companions if c.torch == patch and (c.name != "triton" or variant.startswith("cu")))
        return tuple(f"{c.name}{c.wanted}" for c in rows)

    def systems_on(self, platform: str, variant: str) -> tuple[tuple[str, str | None], ...]:
        """Each Python with wheels of `variant` on `platform`, with the oldest glibc or macOS that these install on."""
        lacking = {python for lack in self.lacks if lack.platform == platform for python in lack.pythons}
        floors = [f for f in self.floors if f.platform == platform and (not f.variants or variant in f.variants)]
        return tuple((p, _highest(floors, p)) for p in self.pythons if p not in lacking)


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One release in one variant for one platform, with everything that decides whether it fits.

    systems: each Python that it has wheels for, with the oldest glibc or macOS for these. on_pypi: the wheel without
    a label on the default package index is this variant. toolkit, driver, own_driver: CUDA only; `driver` is the
    oldest that starts it. companions: requirements that go with it. doubt: 0 where all is known, 1 where what it has
    code for is concluded from neighbours, 2 where nobody has seen that it exists.
    """

    release: str
    platform: str
    published: Published
    systems: tuple[tuple[str, str | None], ...]
    on_pypi: bool
    companions: tuple[str, ...] = ()
    toolkit: str | None = None
    driver: str | None = None
    own_driver: str | None = None
    doubt: int = 0

    @property
    def variant(self) -> str:
        return self.published.variant

    @property
    def name(self) -> str:
        return f"{self.release}+{self.variant}"

    @property
    def pythons(self) -> tuple[str, ...]:
        return tuple(python for python, _ in self.systems)

    @property
    def toolkit_number(self) -> Version:
        """13.2 of `cu132`, 7.14 of `rocm7.14`, 0 of variants without a toolkit in their name."""
        number = self.toolkit or self.variant.removeprefix("rocm")
        return version(number if number[0].isdigit() else "0")

    @property
    def certain(self) -> bool:
        return self.doubt == 0

    @property
    def listed(self) -> bool:
        """Whether the catalogue has it: a newer CUDA that somebody asks for may be published all the same."""
        return self.toolkit is None or self.published.code is not None


class TorchCatalog(Row, frozen=True, kw_only=True, dict=True):
    """`manifests/catalog/torch.toml`. collected: the day when its makers were last asked."""

    schema: Literal[2]
    collected: date
    index_root: str
    cuda: dict[str, Cuda]
    driver_branches: tuple[DriverBranch, ...]
    cubin: tuple[Cubin, ...]
    rocm: dict[str, Rocm]
    capability: tuple[Capability, ...]
    elsewhere: tuple[Elsewhere, ...]
    releases: tuple[Release, ...]

    @property
    def variants(self) -> tuple[str, ...]:
        """Every variant of every release and platform, in the order of the file."""
        return tuple(dict.fromkeys(b.variant for r in self.releases for b in r.builds))

    def offers(self, platform: str, driver_os: DriverOs) -> tuple[Offer, ...]:
        """What is published for `platform` (`linux_x86_64`), best first.

        That is: what is known for certain, newer releases, higher toolkits; in a release, the advertised before the
        others.
        """
        key = (platform, driver_os)
        if key not in self._made:
            self._made[key] = tuple(sorted(self._offers(platform, driver_os), key=_offer_place))
        return self._made[key]

    @cached_property
    def _made(self) -> dict[tuple[str, str], tuple[Offer, ...]]:
        """A choice asks for the same offers again and again."""
        return {}

    def _offers(self, platform: str, driver_os: DriverOs) -> Iterator[Offer]:
        for release in self.releases:
            published = [b for b in release.builds if b.platform == platform]
            for patch in release.patches:
                for build in published:
                    yield self._offer(release, patch, build, driver_os)

    def _offer(
        self,
        release: Release,
        patch: str,
        build: Published,
        driver_os: DriverOs,
    ) -> Offer:
        cuda = self.cuda.get(build.variant)
        return Offer(
            release=patch,
            platform=build.platform,
            published=build,
            systems=release.systems_on(build.platform, build.variant),
            on_pypi=release.pypi_default.get(build.platform) == build.variant,
            companions=release.companions_of(patch, build.variant),
            toolkit=cuda.toolkit if cuda else None,
            driver=getattr(cuda.driver, driver_os) if cuda else None,
            own_driver=getattr(cuda.own_driver, driver_os) if cuda and cuda.own_driver else None,
            doubt=self._doubt(build),
        )

    def chip_of(self, name: str) -> str | None:
        """`sm_89` for the name of an NVIDIA card; the longest listed name contained in it wins."""
        return _chip(self.capability, name)

    def _doubt(self, build: Published) -> int:
        rocm = self.rocm.get(build.variant)
        if build.evidence in DOUBTFUL:
            return 2
        return int(not DOUBTFUL.isdisjoint({build.code, rocm.evidence if rocm else None}))


@cache
def _chip(capability: tuple[Capability, ...], name: str) -> str | None:
    found = [(len(n), row.chip) for row in capability for n in row.names if _says(name, n)]
    return max(found)[1] if found else None


@cache
def specifiers(text: str) -> SpecifierSet:
    return SpecifierSet(text)


@cache
def is_wanted(release: str, wanted: str) -> bool:
    """Whether a release satisfies a specifier; "" is satisfied by all."""
    return specifiers(wanted).contains(release)


def _offer_place(offer: Offer) -> tuple[object, ...]:
    return (
        offer.doubt,
        tuple(-part for part in version(offer.release).release),
        not offer.published.advertised,
        tuple(-part for part in offer.toolkit_number.release),
    )


def _highest(floors: list[Floor], python: str) -> str | None:
    told = [floor.system for floor in floors if not floor.pythons or python in floor.pythons]
    return max(told, key=version) if told else None


@cache
def _word(listed: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(listed)}(?![A-Za-z0-9])", re.IGNORECASE)


def _says(name: str, listed: str) -> bool:
    """Whole words only: `L4` is not in `L40`, `RTX 4070` is in `NVIDIA GeForce RTX 4070 Laptop GPU`."""
    return _word(listed).search(name) is not None
