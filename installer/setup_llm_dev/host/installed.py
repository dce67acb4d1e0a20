"""What an environment really holds: every file against the RECORD of the wheel it came from."""

import base64
import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.hashing import sha256_of

_WORKERS = 2  # one for the large files, one for the small ones
_SMALL = 1 << 20
# uv lists a file that its wheel did not record, but has no hash for it.
_WITHOUT_HASH = ("/RECORD", "/RECORD.jws", "/RECORD.p7s", ".pyc")


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
    environment: Path, on_file: Callable[[int], None] | None = None, *, cancel: Cancel | None = None
) -> tuple[tuple[InstalledFile, ...], tuple[Difference, ...]]:
    """Hash every file that the RECORDs of an environment name: 20,000 files of 900 MB in one to two seconds.

    Raises Interrupted. Plain strings instead of paths, since there are so many.
    """
    root = str(environment) + os.sep
    files: list[InstalledFile] = []
    differences: list[Difference] = []

    def one(rows: list[tuple[str, str, str]]) -> None:
        for path, recorded, size in rows:
            result = _measure(root, path, recorded, size, cancel)
            (files if isinstance(result, InstalledFile) else differences).append(result)  # type: ignore[arg-type]  # each list takes its own kind
            if on_file is not None and len(files) % 1000 == 0:
                on_file(len(files))

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(one, _lanes([row for folder in _dist_infos(environment) for row in _recorded(folder)])))
    return tuple(files), tuple(differences)


def measured(environment: Path, names: Iterable[str], cancel: Cancel | None = None) -> tuple[InstalledFile, ...]:
    """Files of the environment that no wheel brought, as they are now. Raises OSError, Interrupted."""
    root = str(environment) + os.sep
    files = []
    for name in names:
        status = os.lstat(root + name)
        digest = _digest(root + name, status.st_size, cancel)
        files.append(InstalledFile(name, digest, status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(files)


def compare(
    environment: Path, known: Iterable[InstalledFile], *, full: bool = False, cancel: Cancel | None = None
) -> tuple[Difference, ...]:
    """What differs from a list made by `read_records`; only files whose stat changed are hashed, or all if `full`.

    Raises Interrupted. (One `lstat` of a whole path for each is the fastest way: asking folder by folder, with or
    without descriptors of folders, costs more in Python than it saves in the kernel. Measured with 34,000 files.)
    """
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
        elif status.st_size != file.size or _readable_digest(root + file.path, cancel) != file.sha256:
            differences.append(Difference(file.path, "changed"))
    return tuple(differences)


def _readable_digest(path: str, cancel: Cancel | None) -> str | None:
    """None for what is no file any more, or can't be read."""
    try:
        return sha256_of(path, cancel)
    except OSError:
        return None


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


def _lanes(rows: list[tuple[str, str, str]]) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """The few large files and the many small ones, which take about as long.

    Two threads over the small ones would be twice as slow as one: they wait for the interpreter's lock, not for the
    disk (measured). With large files it is free nearly all the time.
    """
    large = [row for row in rows if row[2].isdigit() and int(row[2]) > _SMALL]
    small = [row for row in rows if not (row[2].isdigit() and int(row[2]) > _SMALL)]
    return large, small


def _recorded(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Absolute path, recorded hash and size of every file of one distribution."""
    try:
        text = (folder / "RECORD").read_text(encoding="utf-8")
    except OSError:
        yield str(folder / "RECORD"), "missing", ""
        return
    parent = str(folder.parent) + os.sep
    for row in csv.reader(text.splitlines()):
        if row:
            path = os.path.normpath(parent + row[0]) if ".." in row[0] else parent + row[0]
            yield path, row[1] if len(row) > 1 else "", row[2] if len(row) > 2 else ""


def _measure(root: str, path: str, recorded: str, size: str, cancel: Cancel | None) -> InstalledFile | Difference:
    if not path.startswith(root):
        return Difference(path, "unlisted")
    relative = path[len(root) :]
    if not recorded and not path.endswith(_WITHOUT_HASH):
        return Difference(relative, "unlisted")
    try:
        status = os.lstat(path)
    except OSError:
        return Difference(relative, "missing")
    try:
        digest = _digest(path, status.st_size, cancel) if recorded else None
    except OSError:  # a folder, or a link to nothing
        return Difference(relative, "changed")
    if digest is not None and recorded != "sha256=" + _urlsafe(bytes.fromhex(digest)):
        return Difference(relative, "empty" if status.st_size == 0 and size not in ("", "0") else "changed")
    return InstalledFile(relative, digest, status.st_size, status.st_mtime_ns, status.st_ino)


def _digest(path: str, size: int, cancel: Cancel | None) -> str:
    """sha256 in hex digits; small files in one read, since opening them is what costs."""
    if size > _SMALL:
        return sha256_of(path, cancel)
    if cancel is not None:
        cancel.raise_if_set()
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - a Path a file is a tenth of the time
        return hashlib.sha256(stream.read()).hexdigest()


def _urlsafe(digest: bytes) -> str:
    """RECORD's spelling: base64 for URLs without padding."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
