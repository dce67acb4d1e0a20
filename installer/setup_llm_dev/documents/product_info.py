"""product-info.json, by which every JetBrains IDE says what it is; nothing about an IDE is guessed from file names."""

import json
import posixpath
import re
from dataclasses import dataclass
from typing import Any, Literal

from setup_llm_dev.documents.machine import Os

FILE = "product-info.json"
FOLDERS: tuple[str, ...] = ("", "Contents/Resources")
"""Where it lies below the folder of an IDE: at its root, or inside the bundle of macOS."""

_CODES = ("PY", "PC")  # unified and Professional; Community
_SYSTEMS: dict[Os, str] = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
_ARCHES = {"amd64": "x86_64", "x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]*")


@dataclass(frozen=True)
class Launch:
    """How an IDE is started on one system; paths are relative to its folder, with slashes, and stay inside it."""

    os: str
    arch: str | None
    launcher: str | None
    wm_class: str | None = None


@dataclass(frozen=True)
class ProductInfo:
    """A PyCharm: `build` without the product's code, `settings_name` the name of its settings folder, if it tells."""

    name: str
    version: str
    build: str | None
    code: Literal["PY", "PC"]
    settings_name: str | None
    icon: str | None
    launches: tuple[Launch, ...]

    def launch(self, os: Os, arch: str) -> Launch | None:
        """The entry for a system; arch as in Machine (`x86_64`, `arm64`). Older files name no arch."""
        fitting = [launch for launch in self.launches if launch.os == _SYSTEMS[os]]
        exact = [launch for launch in fitting if launch.arch == _ARCHES.get(arch.lower(), arch)]
        return next(iter(exact or [launch for launch in fitting if launch.arch is None]), None)


def read_product_info(text: str, inside: str = "") -> ProductInfo | None:
    """The PyCharm that a file describes; None for another product, and for what is no such file.

    inside: the folder of the file below that of the IDE, with slashes, since its paths are relative to itself.

    >>> read_product_info('{"productCode": "PY", "name": "PyCharm", "version": "2026.2", "buildNumber": "262.1"}').build
    '262.1'
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or told.get("productCode") not in _CODES:
        return None
    build = _text(told, "buildNumber")
    return ProductInfo(
        name=_text(told, "name") or "PyCharm",
        version=_text(told, "version") or "",
        build=build.rpartition("-")[2] if build else None,
        code=told["productCode"],
        settings_name=_plain(_text(told, "dataDirectoryName")),
        icon=_inside(inside, _text(told, "svgIconPath")),
        launches=tuple(_launch(entry, inside) for entry in _list(told, "launch") if isinstance(entry, dict)),
    )


def _launch(entry: dict[str, Any], inside: str) -> Launch:
    arch = _text(entry, "arch")
    return Launch(
        os=_text(entry, "os") or "",
        arch=_ARCHES.get(arch.lower(), arch) if arch else None,
        launcher=_inside(inside, _text(entry, "launcherPath")),
        wm_class=_text(entry, "startupWmClass"),
    )


def _inside(folder: str, path: str | None) -> str | None:
    """A path of the file, seen from the folder of the IDE; None where it would leave that."""
    if not path or "\\" in path or "\0" in path or path.startswith("/"):
        return None
    whole = posixpath.normpath(posixpath.join(folder, path))
    return None if whole in (".", "..") or whole.startswith("../") else whole


def _plain(name: str | None) -> str | None:
    return name if name and _PLAIN_NAME.fullmatch(name) else None


def _text(told: dict[str, Any], key: str) -> str | None:
    value = told.get(key)
    return value if isinstance(value, str) and value else None


def _list(told: dict[str, Any], key: str) -> list[Any]:
    value = told.get(key)
    return value if isinstance(value, list) else []
