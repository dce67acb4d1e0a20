"""The bytes that ship with us and end up on the machine: the smoke program, the starter project, its data."""

import io
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_EPOCH = (2020, 1, 1, 0, 0, 0)
_SKIPPED = ("__pycache__",)
STARTERS = {"text-classification": "text_classification"}


@dataclass(frozen=True)
class Resources:
    """`smoke` is a zip archive that Python runs; `starter` are (relative path, bytes) of a task's project."""

    smoke: bytes
    starter: tuple[tuple[str, bytes], ...]

    @property
    def smoke_digest(self) -> str:
        return sha256(self.smoke).hexdigest()


def read_resources(task: str, *, data: bool = True) -> Resources:
    """The same bytes on every machine and at every call, so that their digests can be compared.

    data: whether the task's sentences are part of the starter project.
    """
    files = starter_files(task)
    return Resources(smoke_archive(), files if data else tuple(f for f in files if not f[0].startswith("data/")))


def smoke_archive(folder: Path = _PACKAGE / "smoke") -> bytes:
    """The folder `smoke` as a zip archive with fixed times and order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def starter_files(task: str) -> tuple[tuple[str, bytes], ...]:
    """The project that a user goes on with, its data included; empty for a task without one."""
    if task not in STARTERS:
        return ()
    folder = _PACKAGE / "starter" / STARTERS[task]
    files = [(path.relative_to(folder).as_posix(), path.read_bytes()) for path in _files(folder)]
    data = _PACKAGE / "smoke" / "smoke_run" / "data"
    files += [(f"data/{path.name}", path.read_bytes()) for path in _files(data) if path.suffix == ".jsonl"]
    return tuple(files)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not set(_SKIPPED) & set(p.parts))
