"""Which addresses may carry the bytes that a maker publishes at one address: mirrors first, the maker's own last.

A mirror is never asked what the bytes are: whoever fetches compares them with the hash that is locked.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

Kind = Literal["pypi", "torch", "hub", "jetbrains_downloads", "python", "modelscope"]
KINDS: tuple[Kind, ...] = get_args(Kind)

HUB = "https://huggingface.co"
# Where makers publish. Of torch's two, links of the first lead to the second.
_MAKERS: dict[Kind, tuple[str, ...]] = {
    "torch": ("https://download.pytorch.org/whl", "https://download-r2.pytorch.org/whl"),
    "hub": (HUB,),
    "jetbrains_downloads": ("https://download.jetbrains.com",),
    "python": ("https://github.com/astral-sh/python-build-standalone/releases/download",),
}
# A file of the default package index is known by its path, which mirrors keep: two parts of two digits, one of 60.
_PACKAGE = re.compile(r"/(packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/[^/?#]+)$")


@dataclass(frozen=True)
class Mirror:
    """`url` stands where the maker's root stands; `flat`: of torch, each variant is one page with all its files."""

    kind: Kind
    url: str
    flat: bool = False


def carriers(url: str, mirrors: Iterable[Mirror], known: Iterable[Mirror] = ()) -> tuple[str, ...]:
    """Every address to try, in order; one of a mirror leads to the other mirrors and to its maker as well.

    known: mirrors that are not to be asked, but whose addresses may stand in a lock of an earlier day.

    >>> carriers("https://huggingface.co/a/b/resolve/main/c", [Mirror("hub", "https://mirror.example")])
    ('https://mirror.example/a/b/resolve/main/c', 'https://huggingface.co/a/b/resolve/main/c')
    """
    asked = tuple(mirrors)
    maker = _at_maker(url, (*asked, *known))
    return tuple(dict.fromkeys([*_mirrored(maker, asked), url, maker]))


def _mirrored(url: str, mirrors: tuple[Mirror, ...]) -> Iterable[str]:
    package = _PACKAGE.search(urlsplit(url).path)
    for mirror in mirrors:
        base = mirror.url.rstrip("/")
        if mirror.kind == "pypi" and package and base.endswith("/simple"):
            yield _join(base.removesuffix("/simple"), package[1])
        for root in _MAKERS.get(mirror.kind, ()):
            if (rest := _below(url, root)) is not None:
                yield _join(base, _unfolded(rest) if mirror.flat else rest)


def _at_maker(url: str, mirrors: tuple[Mirror, ...]) -> str:
    """The maker's address of what a known mirror has, or the address as it is."""
    for mirror in mirrors:
        rest = _below(url, mirror.url)
        if rest is not None and mirror.kind in _MAKERS:
            return _join(_MAKERS[mirror.kind][0], rest)
    return url


def _unfolded(rest: str) -> str:
    """VARIANT/FILE: a flat listing has no folder for a project."""
    parts = rest.split("/")
    return f"{parts[0]}/{parts[-1]}"


def _below(url: str, root: str) -> str | None:
    start = root.rstrip("/") + "/"
    return url.removeprefix(start) if url.startswith(start) else None


def _join(root: str, rest: str) -> str:
    return f"{root.rstrip('/')}/{rest}"
