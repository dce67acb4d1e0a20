"""The hashes of a resolved lock: which ones the indexes told, and which had to be computed from the bytes."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import tomli_w

from setup_llm_dev.documents.recipe_values import TORCH_FAMILY
from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.configuration import Surroundings, with_credentials
from setup_llm_dev.host.web.simple_index import Link, links, local_folder
from setup_llm_dev.host.world import Host
from setup_llm_dev.stages.project import TorchSource


def complete(pylock: str, host: Host, source: TorchSource, surroundings: Surroundings) -> tuple[str, tuple[str, ...]]:
    """The lock with a sha256 for every wheel, and the names of packages whose index told none.

    Where the resolver left one out, the index's own word is taken, else the bytes are hashed: whoever reads the
    lock later must know that those are only what was seen first. Raises Unreachable (4).
    """
    lock = tomllib.loads(pylock)
    told = _Told(host, source, surroundings)
    changed, unhashed = False, []
    for package in lock.get("packages", []):
        for wheel in package.get("wheels", [])[:1]:
            hashes = wheel.setdefault("hashes", {})
            link = told.link(str(package["name"]), _file_name(wheel), wanted="sha256" not in hashes)
            if link is not None and link.sha256 is None:
                unhashed.append(str(package["name"]))
            if "sha256" not in hashes:
                known = link.sha256 if link is not None else None
                hashes["sha256"] = known or _computed(host, _address(wheel), surroundings)
                changed = True
    return (tomli_w.dumps(lock) if changed else pylock), tuple(unhashed)


@dataclass
class _Told:
    """What the configured listings say of a file. uv's own default index tells hashes and is not asked."""

    host: Host
    source: TorchSource
    surroundings: Surroundings
    _pages: dict[tuple[TorchSource, str], tuple[Link, ...]] = field(default_factory=dict)
    _telling: set[TorchSource] = field(default_factory=set)

    def link(self, project: str, file_name: str, *, wanted: bool) -> Link | None:
        """The file as the first listing names it; None where none does, or where all are known to tell hashes.

        An index that told one hash tells them all: it is asked again only if the hash itself is `wanted`.
        """
        for listing in self._listings(project):
            if listing in self._telling and not wanted:
                continue
            for link in self._page(listing, project):
                if link.name == file_name:
                    if link.sha256 and not listing.flat:
                        self._telling.add(listing)
                    return link
        return None

    def _listings(self, project: str) -> Iterator[TorchSource]:
        """The family comes from its one source; all else never does."""
        if not self.source.default and project in TORCH_FAMILY:
            yield self.source
            return
        yield from (TorchSource(url, flat=True) for url in self.surroundings.find_links)
        yield from (TorchSource(url) for url in self.surroundings.extra_indexes)
        if self.surroundings.default_index:
            yield TorchSource(self.surroundings.default_index)

    def _page(self, listing: TorchSource, project: str) -> tuple[Link, ...]:
        key = (listing, "" if listing.flat else project)
        if key not in self._pages:
            try:
                self._pages[key] = links(self.host, listing.url, project, flat=listing.flat)
            except Unreachable:
                self._pages[key] = ()  # the resolver had an answer all the same; of hashes nothing is known
        return self._pages[key]


def _address(wheel: dict[str, Any]) -> str:
    return str(wheel.get("url") or wheel.get("path") or "")


def _file_name(wheel: dict[str, Any]) -> str:
    return unquote(urlsplit(_address(wheel)).path.rsplit("/", 1)[-1])


def _computed(host: Host, address: str, surroundings: Surroundings) -> str:
    place = local_folder(address)
    if place is not None:
        return host.files.sha256(place)
    return host.fetcher().sha256(with_credentials(address, surroundings))
