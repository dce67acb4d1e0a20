"""Versions of JetBrains' products, and which of them a recipe's wish means."""

import re

from packaging.version import Version

LATEST = "latest"
_VERSION = re.compile(r"20[0-9]{2}\.[0-9]{1,3}(?:\.[0-9]{1,5}){0,2}")


def read_version(text: object) -> Version | None:
    """`2025.3.2.1` (two to four parts); None for anything else, such as the names of previews.

    >>> read_version("2025.3.2.1"), read_version("2026.3 EAP")
    (<Version('2025.3.2.1')>, None)
    """
    return Version(text) if isinstance(text, str) and _VERSION.fullmatch(text) else None


def fits(wish: str, version: Version) -> bool:
    """Whether a release is what a recipe wants: any, of a line (`2026.2`), or exactly that one (`2026.2.3`).

    >>> [fits(wish, Version("2026.2.0.1")) for wish in ("latest", "2026.2", "2026.2.0.1", "2026.2.1")]
    [True, True, True, False]
    """
    if wish == LATEST:
        return True
    wanted = Version(wish)
    return version.release[:2] == wanted.release if len(wanted.release) == 2 else version == wanted


def line_of(version: Version) -> str:
    """The part that names the folder of the settings: `2026.2` of 2026.2.0.1."""
    return f"{version.major}.{version.minor}"
