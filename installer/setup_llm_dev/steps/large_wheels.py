"""Wheels too large to be fetched twice: through our own transfer engine into the store, and from there to uv.

uv starts a file from nothing when its process died (measured); torch and the CUDA libraries are gigabytes.
"""

import tomllib
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

import tomli_w

from setup_llm_dev.documents.pylock import LockedWheel, locked_wheels
from setup_llm_dev.documents.transfer import Source, Wanted
from setup_llm_dev.host.configuration import Surroundings, with_credentials
from setup_llm_dev.host.own_variables import large_bytes
from setup_llm_dev.host.transfer.store import Store
from setup_llm_dev.host.world import Host
from setup_llm_dev.steps.step import Progress

LARGE_BYTES = 256 << 20


def large_wheels(host: Host, pylock: str, surroundings: Surroundings) -> tuple[LockedWheel, ...]:
    """Those of a lock that come over the network and have `LARGE_BYTES` or more; sizes not told come by HEAD.

    Asked is who would be fetched from first: where a mirror was turned to, the maker may be out of reach.
    """
    remote = _remote(pylock)
    unknown = tuple(wheel.url for wheel in remote if wheel.size is None)
    asked = tuple(with_credentials(surroundings.carriers(url)[0], surroundings) for url in unknown)
    sizes = dict(zip(unknown, host.fetcher().sizes(asked), strict=True)) if unknown else {}
    least = _least(host)
    return tuple(wheel for wheel in remote if (wheel.size or sizes.get(wheel.url) or 0) >= least)


def with_spares(pylock: str, surroundings: Surroundings) -> tuple[LockedWheel, ...]:
    """Those of a lock that somebody else carries too, for when the address in it fails."""
    return tuple(wheel for wheel in _remote(pylock) if len(surroundings.carriers(wheel.url)) > 1)


def fetch(
    host: Host, wheels: tuple[LockedWheel, ...], store: PurePath, surroundings: Surroundings, progress: Progress
) -> None:
    """Bring wheels into the store; raises Unreachable (4), Corrupt (5), SystemRefused (6). Partial bytes are kept."""
    kept = Store(host.files, store)
    wanted = tuple((_wanted(wheel, surroundings), kept.place(wheel.sha256)) for wheel in wheels)
    host.fetcher().download_all(
        wanted, partials=kept.partials, progress=lambda done, total: progress(done, total, "bytes", None)
    )


def from_store(host: Host, pylock: str, wheels: tuple[LockedWheel, ...], store: PurePath, folder: Path) -> Path:
    """The lock for uv, in `folder`, where these wheels are files of the store under their proper names.

    The names lie at places that never change, because uv's cache knows a local wheel by its place.
    """
    lock: dict[str, Any] = tomllib.loads(pylock)
    addresses = {wheel.sha256: _named(host, wheel, store).as_uri() for wheel in wheels}
    for package in lock["packages"]:
        for wheel in package.get("wheels", [])[:1]:
            if wheel["hashes"]["sha256"] in addresses:
                wheel["url"] = addresses[wheel["hashes"]["sha256"]]
    path = folder / "pylock.store.toml"
    path.write_text(tomli_w.dumps(lock), encoding="utf-8")
    return path


def _remote(pylock: str) -> list[LockedWheel]:
    return [wheel for wheel in locked_wheels(pylock) if urlsplit(wheel.url).scheme in ("http", "https")]


def _named(host: Host, wheel: LockedWheel, store: PurePath) -> Path:
    """A link with the name that a wheel must have, to its bytes in the store."""
    place = Path(store) / "wheels" / wheel.sha256[:12] / wheel.file_name
    target = Path(Store(host.files, store).place(wheel.sha256))
    if host.files.resolve(place) != host.files.resolve(target):
        host.files.link_file(place, target)
    return place


def _wanted(wheel: LockedWheel, surroundings: Surroundings) -> Wanted:
    sources = tuple(Source(with_credentials(url, surroundings)) for url in surroundings.carriers(wheel.url))
    return Wanted(name=f"{wheel.name} {wheel.version}", sources=sources, size=wheel.size, sha256=wheel.sha256)


def _least(host: Host) -> int:
    named = large_bytes(host.environment)
    return LARGE_BYTES if named is None else named
