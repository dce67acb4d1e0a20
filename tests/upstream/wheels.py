"""Tiny real wheels: well made ones to stand in for big packages, and spoiled ones to be refused."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

Flaw = Literal["record-lies", "unrecorded-file", "escape", "dist-info-first"]
CP311_LINUX = "cp311-cp311-manylinux_2_28_x86_64"


def build_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    files: Mapping[str, str | bytes] | None = None,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    tag: str = "py3-none-any",
    flaw: Flaw | None = None,
) -> Path:
    """Write `NAME-VERSION-TAG.whl` into `folder` and return its path; the same input gives the same bytes.

    `files` maps paths inside the wheel to contents; without it the wheel has one module with a `__version__`.

    - `record-lies`: RECORD has a wrong hash for the first file;
    - `unrecorded-file`: the wheel has one file more than RECORD names;
    - `escape`: an entry leaves the target folder;
    - `dist-info-first`: an unusual order, but allowed.

    >>> import tempfile
    >>> build_wheel(Path(tempfile.mkdtemp()), "Tiny-Thing", "1.0+cpu").name
    'tiny_thing-1.0+cpu-py3-none-any.whl'
    """
    stem = re.sub(r"[-_.]+", "_", name).lower()
    content = {stem + ".py": f"__version__ = {version!r}\n"} if files is None else files
    payload = {path: text.encode() if isinstance(text, str) else text for path, text in content.items()}
    if flaw == "escape":
        payload["../escaped.py"] = b"raise SystemExit('out of its folder')\n"
    info = f"{stem}-{version}.dist-info"
    about = {
        f"{info}/METADATA": _metadata(name, version, requires, requires_python),
        f"{info}/WHEEL": _wheel(tag),
    }
    record = {f"{info}/RECORD": _record(payload | about, f"{info}/RECORD", lies=flaw == "record-lies")}
    if flaw == "unrecorded-file":
        payload["stowaway.py"] = b"raise SystemExit('nobody recorded me')\n"
    ordered = about | record | payload if flaw == "dist-info-first" else payload | about | record
    return _write(folder / f"{stem}-{version}-{tag}.whl", ordered)


def torch_wheel(
    folder: Path,
    version: str,
    variant: str | None = "cpu",
    *,
    tag: str = CP311_LINUX,
    requires: Iterable[str] = (),
    labelled: bool = True,
    flaw: Flaw | None = None,
) -> Path:
    """A stand-in for torch; `variant` is `cpu`, `cu130`, `rocm7.2`, `xpu`, or None for no label (macOS).

    `labelled=False` names the wheel as the general index does: no label in file name and METADATA, but
    `torch/version.py` keeps it.
    """
    full = version if variant is None else f"{version}+{variant}"
    files = {
        "torch/__init__.py": "from torch.version import __version__ as __version__\n",
        "torch/version.py": _torch_version(full, variant or ""),
    }
    return build_wheel(
        folder, "torch", full if labelled else version, files=files, requires=requires, tag=tag, flaw=flaw
    )


def core_metadata(wheel: Path) -> bytes:
    """The METADATA file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        return archive.read(name)


def _torch_version(full: str, variant: str) -> str:
    cuda = re.fullmatch(r"cu(\d+)(\d)", variant)
    hip = re.fullmatch(r"rocm(.+)", variant)
    facts = {
        "__version__": full,
        "debug": False,
        "cuda": ".".join(cuda.groups()) if cuda else None,
        "git_version": hashlib.sha256(full.encode()).hexdigest()[:40],
        "hip": hip[1] if hip else None,
        "xpu": full if variant == "xpu" else None,
    }
    return "".join(f"{name} = {value!r}\n" for name, value in facts.items())


def _metadata(name: str, version: str, requires: Iterable[str], requires_python: str | None) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return ("\n".join(lines) + "\n").encode()


def _wheel(tag: str) -> bytes:
    python, abi, platforms = tag.split("-")
    tags = [f"Tag: {one}-{abi}-{platform}\n" for one in python.split(".") for platform in platforms.split(".")]
    pure = str(abi == "none" and platforms == "any").lower()
    return f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\n{''.join(tags)}".encode()


def _record(files: Mapping[str, bytes], own_path: str, *, lies: bool) -> bytes:
    rows = [[path, _digest(content), str(len(content))] for path, content in files.items()]
    if lies:
        rows[0][1] = _digest(b"something else")
    return "".join(",".join(row) + "\n" for row in [*rows, [own_path, "", ""]]).encode()


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _write(path: Path, entries: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)  # dated 1980: the same bytes on any day
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path
