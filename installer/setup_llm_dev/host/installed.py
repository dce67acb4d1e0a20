"""What an environment really holds: every file against the RECORD of the wheel it came from."""

import base64
import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

_WORKERS = 2  # more threads only queue for the same disk


class InstalledFile(msgspec.Struct, frozen=True, array_like=True):
    """A file of a wheel: path relative to the environment, its hash by RECORD, and the stat that goes with it."""

    path: str
    sha256: str | None  # None: RECORD itself and what RECORD lists without hash
    size: int
    mtime_ns: int
    inode: int


class Difference(msgspec.Struct, frozen=True):
    """A file that is not what RECORD says: `missing`, `empty`, `changed`, or `unlisted` for a bad RECORD line."""

    path: str
    what: str


def read_records(
    environment: Path, on_file: Callable[[int], None] | None = None
) -> tuple[tuple[InstalledFile, ...], tuple[Difference, ...]]:
    """Hash every file that the RECORDs of an environment name. 900 MB take about three seconds."""
    wanted = list(_recorded(environment))
    files: list[InstalledFile] = []
    differences: list[Difference] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        results = pool.map(lambda item: _measure(environment, *item), wanted, chunksize=1)
        for count, result in enumerate(results, 1):
            (files if isinstance(result, InstalledFile) else differences).append(result)  # type: ignore[arg-type]
            if on_file is not None and count % 500 == 0:
                on_file(count)
    return tuple(files), tuple(differences)


def compare(environment: Path, known: Iterable[InstalledFile], *, full: bool = False) -> tuple[Difference, ...]:
    """What differs from a list made by `read_records`; only files whose stat changed are hashed, or all if `full`."""
    differences = []
    root = str(environment) + os.sep
    for file in known:
        try:
            status = os.lstat(root + file.path)
        except OSError:
            differences.append(Difference(file.path, "missing"))
            continue
        same = (status.st_size, status.st_mtime_ns, status.st_ino) == (file.size, file.mtime_ns, file.inode)
        if same and not full:
            continue
        if file.sha256 is None:
            continue
        if status.st_size == 0 and file.size:
            differences.append(Difference(file.path, "empty"))
        elif status.st_size != file.size or _sha256(Path(root + file.path)) != file.sha256:
            differences.append(Difference(file.path, "changed"))
    return tuple(differences)


def distributions(environment: Path) -> dict[str, str]:
    """Names and versions by the dist-info folders."""
    found = {}
    for folder in _dist_infos(environment):
        name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        found[name.replace("_", "-").lower()] = version
    return found


def site_packages(environment: Path) -> Path | None:
    """`lib/python3.x/site-packages` or `Lib/site-packages` of an environment."""
    for candidate in (*sorted(environment.glob("lib/python3.*/site-packages")), environment / "Lib/site-packages"):
        if candidate.is_dir():
            return candidate
    return None


def _dist_infos(environment: Path) -> list[Path]:
    folder = site_packages(environment)
    return sorted(folder.glob("*.dist-info")) if folder else []


def _recorded(environment: Path) -> Iterator[tuple[Path, str, str]]:
    for folder in _dist_infos(environment):
        record = folder / "RECORD"
        try:
            text = record.read_text(encoding="utf-8")
        except OSError:
            yield record, "missing", ""
            continue
        for row in csv.reader(text.splitlines()):
            if row:
                path = Path(os.path.normpath(folder.parent / row[0]))
                yield path, row[1] if len(row) > 1 else "", row[2] if len(row) > 2 else ""


def _measure(environment: Path, path: Path, recorded: str, size: str) -> InstalledFile | Difference:
    try:
        relative = str(path.relative_to(environment))
    except ValueError:
        return Difference(str(path), "unlisted")
    try:
        status = path.lstat()
    except OSError:
        return Difference(relative, "missing")
    digest = None
    if recorded:
        digest = _sha256(path)
        if recorded != "sha256=" + _urlsafe(digest):
            return Difference(relative, "empty" if status.st_size == 0 and size not in ("", "0") else "changed")
    return InstalledFile(relative, digest, status.st_size, status.st_mtime_ns, status.st_ino)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _urlsafe(digest: str) -> str:
    """RECORD's spelling: base64 for URLs without padding."""
    return base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
