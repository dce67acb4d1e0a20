"""What a PEP 751 lock says about bytes: names, hashes, sizes."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from setup_llm_dev.documents.pylock import LockedWheel, locked_wheels
from setup_llm_dev.errors import Corrupt, UsageError
from setup_llm_dev.host.web.simple_index import local_folder
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

_UNPACKED_TIMES = 4  # measured: 250 MB of wheels become 906 MB


@dataclass(frozen=True)
class PylockFacts:
    """`unpacked_bytes` is measured where the wheels lie on this machine, estimated elsewhere."""

    wheels: tuple[LockedWheel, ...]
    download_bytes: int | None
    unpacked_bytes: int | None

    @property
    def count(self) -> int:
        return len(self.wheels)


def read_pylock(text: str, host: Host) -> PylockFacts:
    """Read what the resolver wrote of what indexes told; sizes that they did not tell come by stat or HEAD.

    Raises Corrupt (5) where a name or a hash of theirs is none.
    """
    try:
        locked = locked_wheels(text)
    except UsageError as error:
        raise Corrupt(error.message, hint=message("nothing was fetched; ask another index")) from error
    wheels = tuple(_sized(locked, host))
    sizes = [wheel.size for wheel in wheels]
    unpacked = [_unpacked(wheel) for wheel in wheels]
    return PylockFacts(
        wheels,
        sum(s for s in sizes if s) if all(s is not None for s in sizes) else None,
        sum(u for u in unpacked if u) if all(u is not None for u in unpacked) else None,
    )


def _sized(wheels: tuple[LockedWheel, ...], host: Host) -> list[LockedWheel]:
    missing = tuple(w.url for w in wheels if w.size is None and local_folder(w.url) is None)
    by_url = dict(zip(missing, host.fetcher().sizes(missing), strict=True)) if missing else {}
    return [w if w.size is not None else _with_size(w, by_url.get(w.url)) for w in wheels]


def _with_size(wheel: LockedWheel, size: int | None) -> LockedWheel:
    place = local_folder(wheel.url)
    if size is None and place is not None and place.is_file():
        size = place.stat().st_size
    return LockedWheel(wheel.name, wheel.version, wheel.url, wheel.sha256, size)


def _unpacked(wheel: LockedWheel) -> int | None:
    place = local_folder(wheel.url)
    if place is not None and place.is_file():
        return _zip_size(place)
    return None if wheel.size is None else wheel.size * _UNPACKED_TIMES


def _zip_size(path: Path) -> int | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(item.file_size for item in archive.infolist())
    except (OSError, zipfile.BadZipFile):
        return None
