"""From names of wheels to rows of the catalogue, and what is new in them: pure, so tests can ask it anything."""

import re
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import msgspec
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from setup_llm_dev.documents.torch_catalog import Release, TorchCatalog
from setup_llm_dev.documents.torch_rows import DOUBTFUL, Evidence, Published

_ENDS = {"x86_64": "linux_x86_64", "aarch64": "linux_arm64", "win_amd64": "windows_x86_64", "arm64": "macos_arm64"}
_WEAK = DOUBTFUL | {"issue", "branch"}  # what an index knows better


class Listed(NamedTuple):
    """A wheel of torch that an index lists: `variant` is None for one without a label."""

    release: str
    variant: str | None
    platform: str
    python: str


def listed_wheels(names: Iterable[str]) -> list[Listed]:
    """The wheels among file names that a choice could ask for; free-threaded ones and other platforms are none."""
    return [listed for name in names if (listed := _listed(name)) is not None]


def _listed(name: str) -> Listed | None:
    try:
        project, version, _, tags = parse_wheel_filename(name)
    except (InvalidWheelFilename, ValueError):
        return None
    tag = next(iter(tags))
    platform = next((place for end, place in _ENDS.items() if _ends(tag.platform, end)), None)
    if project != "torch" or tag.abi != tag.interpreter or platform is None or version.is_prerelease:
        return None
    return Listed(version.public, version.local, platform, re.sub(r"^cp3", "3.", tag.interpreter))


def _ends(platform: str, end: str) -> bool:
    return platform.endswith(end) and (platform.startswith("macosx") == (end == "arm64"))


def merged(catalog: TorchCatalog, told: list[Listed], today: date) -> tuple[TorchCatalog, list[str]]:
    """The catalogue with what the indexes list, and one line for each change. What only people know stays."""
    changes: list[str] = []
    releases = tuple(_release(catalog, release, told, today, changes) for release in catalog.releases)
    known = {release.series for release in catalog.releases}
    for series in sorted({_series(row.release) for row in told} - known, key=Version):
        if Version(series) > Version(catalog.releases[0].series):
            changes.append(f"{series} is on torch's index and not in it: its rows are written by hand")
    return msgspec.structs.replace(catalog, releases=releases), changes


def _series(release: str) -> str:
    return ".".join(release.split(".")[:2])


def _release(catalog: TorchCatalog, release: Release, told: list[Listed], today: date, changes: list[str]) -> Release:
    ours = [row for row in told if _series(row.release) == release.series]
    patches = sorted({*release.patches, *(row.release for row in ours)}, key=Version, reverse=True)
    changes += [f"{patch} is new" for patch in patches if patch not in release.patches]
    pythons = sorted({*release.pythons, *(row.python for row in ours)}, key=Version)
    changes += [f"{release.series}: Python {p} is new" for p in pythons if p not in release.pythons]
    labelled = {(row.platform, row.variant) for row in ours if row.variant is not None}
    builds = [_confirmed(release, build, labelled, today, changes) for build in release.builds]
    kept = [build for build in builds if not _absent(build, release, labelled, told, changes)]
    there = {(build.platform, build.variant) for build in release.builds}
    new = [_new(catalog, release, *pair, today, changes) for pair in sorted(labelled - there, key=str)]
    return msgspec.structs.replace(
        release, patches=tuple(patches), pythons=tuple(pythons), builds=(*kept, *filter(None, new))
    )


def _confirmed(
    release: Release, build: Published, labelled: set[tuple[str, str | None]], today: date, changes: list[str]
) -> Published:
    """A row that was less than read from an index, and is listed there."""
    if (build.platform, build.variant) not in labelled or build.evidence not in _WEAK:
        return build
    if build.evidence in DOUBTFUL:
        changes.append(f"{release.series}+{build.variant} on {build.platform} is published: it was {build.evidence}")
    else:
        changes.append(f"{release.series}+{build.variant} on {build.platform}: seen on the index")
    return msgspec.structs.replace(build, evidence="index", date=today, note=None)


def _absent(
    build: Published, release: Release, labelled: set[tuple[str, str | None]], told: list[Listed], changes: list[str]
) -> bool:
    """A row that nobody has seen, of a variant whose wheels the index lists for other releases, is taken out."""
    listed_at_all = any(row.variant == build.variant and row.platform == build.platform for row in told)
    if not listed_at_all or (build.platform, build.variant) in labelled or build.variant == "mps":
        return False
    if build.evidence in DOUBTFUL:
        changes.append(f"{release.series}+{build.variant} on {build.platform} is not published: taken out")
        return True
    if any(_series(row.release) == release.series for row in told if row.variant == build.variant):
        changes.append(f"{release.series}+{build.variant} on {build.platform} is not on the index: left as it is")
    return False


def _new(
    catalog: TorchCatalog, release: Release, platform: str, variant: str | None, today: date, changes: list[str]
) -> Published | None:
    """A build that nobody wrote down: what it has code for is that of its nearest relative, until a person looks."""
    name = f"{release.series}+{variant} on {platform}"
    if variant is None or not _understood(catalog, variant):
        changes.append(f"{name} is published, and its toolkit is unknown here: left to a person")
        return None
    twin = _relative(catalog, release, platform, variant)
    if variant.startswith("cu") and twin is None:
        changes.append(f"{name} is published, and nothing like it is known: left to a person")
        return None
    changes.append(f"{name} is new" + (f", with the code of {twin[0]}" if twin else ""))
    sm, code = (twin[1].sm, _INFERRED) if twin else ((), None)
    return Published(platform=platform, variant=variant, sm=sm, code=code, evidence="index", date=today)


_INFERRED: Evidence = "inferred"


def _understood(catalog: TorchCatalog, variant: str) -> bool:
    return variant in catalog.cuda or variant in catalog.rocm or variant in ("cpu", "xpu")


def _relative(catalog: TorchCatalog, release: Release, platform: str, variant: str) -> tuple[str, Published] | None:
    """The same variant of the nearest other release, else the same release's nearest toolkit of the same major."""
    if not variant.startswith("cu"):
        return None
    here = Version(release.series)
    others = sorted(catalog.releases, key=lambda r: abs(Version(r.series).minor - here.minor))
    for other in others:
        for build in other.builds:
            if (build.platform, build.variant) == (platform, variant):
                return f"{other.series}+{variant}", build
    for build in release.builds:
        same_major = build.variant in catalog.cuda and catalog.cuda[build.variant].major == catalog.cuda[variant].major
        if build.platform == platform and same_major:
            return f"{release.series}+{build.variant}", build
    return None
