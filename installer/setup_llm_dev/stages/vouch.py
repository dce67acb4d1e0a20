"""Bytes that a mirror of our own choosing carries: somebody else must vouch for them, or they are not used.

Who named a mirror trusts it; one that we turned to is nobody's word. torch's wheels are compared with what the maker's
index says where it answers, else with the catalogue that ships with us; so is the model that the catalogue knows.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import tomli_w
from packaging.tags import Tag
from packaging.utils import canonicalize_name

from setup_llm_dev.documents.catalog import ModelFacts
from setup_llm_dev.documents.catalog import ModelFile as KnownFile
from setup_llm_dev.documents.choices import Build
from setup_llm_dev.documents.hash_catalog import HashCatalog
from setup_llm_dev.documents.lock import HubModelLock, ModelFile, ModelScopeModelLock
from setup_llm_dev.documents.recipe_values import TORCH_FAMILY
from setup_llm_dev.errors import Corrupt, Unreachable
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.resolver import Unsatisfiable
from setup_llm_dev.host.web.carriers import Kind
from setup_llm_dev.host.web.simple_index import links, local_folder
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.project import TorchSource

_TRUST = message("to trust a mirror, name it yourself: SETUP_LLM_DEV_MIRRORS_TORCH, SETUP_LLM_DEV_MIRRORS_PYPI")


class Unvouched(Unreachable):
    """Nobody who may say so says that these are the right bytes: as good as not there (4)."""


class Contradicted(Corrupt):
    """A mirror says that other bytes are the right ones than those who may say so (5)."""


@dataclass
class Vouching:
    """Remembers what the maker's index said, and whether it answers at all."""

    host: Host
    surroundings: Surroundings
    hashes: HashCatalog
    index_root: str  # the maker's
    _pages: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _silent: bool = False

    def doubts(self, source: TorchSource) -> bool:
        """Whether we turned to a source. The maker's own index, and what the user named, need nobody's word."""
        chosen = self.surroundings.chosen
        if source.default:
            return "pypi" in chosen
        of_mirror = self.surroundings.is_mirror(source.url, "torch")
        return "torch" in chosen and of_mirror and source.url not in self.surroundings.find_links

    def possible(self, build: Build, source: TorchSource, tags: frozenset[Tag]) -> bool:
        """Whether to ask a source for a build at all: a resolution takes seconds, and only so many are tried."""
        if not self.doubts(source):
            return True
        return self.hashes.knows(build.version, tags) or bool(source.url and self._official(build.variant, "torch"))

    def impossible(self, build: Build) -> Message:
        """Why a build was passed over."""
        return message(
            "torch {version}: it could only come from a mirror, and nobody else vouches for its hash",
            version=build.version,
        )

    def vouched(self, pylock: str, build: Build, source: TorchSource) -> str:
        """The lock, each wheel of torch's family with a hash that somebody vouches for, told or not by the mirror.

        Raises Unsatisfiable (3) naming the wheel where nobody does, Contradicted (5) where the mirror says something
        else.
        """
        if not self.doubts(source):
            return pylock
        lock = tomllib.loads(pylock)
        changed = False
        for package in lock.get("packages", []):
            project = canonicalize_name(str(package["name"]))
            if project not in (TORCH_FAMILY if not source.default else {"torch"}):
                continue
            for wheel in package.get("wheels", [])[:1]:
                changed |= self._compare(project, wheel, build, source)
        return tomli_w.dumps(lock) if changed else pylock

    def _compare(self, project: str, wheel: dict[str, Any], build: Build, source: TorchSource) -> bool:
        """Whether a hash was added that the mirror did not tell."""
        address = str(wheel.get("url") or wheel.get("path") or "")
        if local_folder(address) is not None:
            return False  # the user's own listing
        name = unquote(urlsplit(address).path.rpartition("/")[2])
        told = wheel.setdefault("hashes", {}).get("sha256")
        known = self._known(project, name, build, source)
        if not known:
            raise Unsatisfiable(
                message("{file} could only come from a mirror, and nobody else vouches for its hash", file=name),
                hint=_TRUST,
            )
        if told is None:
            wheel["hashes"]["sha256"] = known[0]
            return True
        if told not in known:
            raise Contradicted(
                message(
                    "{file}: the mirror {host} says sha256 {found}, which is not the known {expected}",
                    file=name, host=urlsplit(address).netloc, found=told, expected=known[0],
                ),
                hint=message(
                    "that mirror is out of date, or somebody tampered with it; name another one: "
                    "SETUP_LLM_DEV_MIRRORS_TORCH"
                ),
            )  # fmt: skip
        return False

    def _known(self, project: str, name: str, build: Build, source: TorchSource) -> tuple[str, ...]:
        """What it may be, the one to expect first; the catalogue is asked first, since it is here."""
        expected = self.hashes.best(name, own_index=not source.default)
        if expected is not None:
            return tuple(dict.fromkeys([expected, *sorted(self.hashes.of(name))]))
        official = self._official(build.variant, project).get(name) if not source.default else None
        return (official,) if official else ()

    def _official(self, variant: str, project: str) -> dict[str, str]:
        """File names and hashes of the maker's page; empty where it does not answer."""
        key = (variant, project)
        if key not in self._pages and not self._silent:
            page = f"{self.index_root.rstrip('/')}/{variant}"
            try:
                rows = links(self.host, page, project, flat=False, brief=True)
            except Unreachable:
                self._silent = True
                return {}
            self._pages[key] = {row.name: row.sha256 for row in rows if row.sha256}
        return self._pages.get(key, {})


def vouched_model(lock: HubModelLock, surroundings: Surroundings, facts: ModelFacts | None) -> HubModelLock:
    """A model of the hub as it may be used: as it is where the hub itself or the user's own mirror told of it.

    From a mirror that we turned to: only the catalogue's files, which must all be there with their hashes. What the
    catalogue does not know stays as the mirror says. Raises Unvouched (4).
    """
    if not _doubted(lock.endpoint, surroundings, "hub") or facts is None or not facts.files:
        return lock
    told = {file.path: file for file in lock.files}
    wrong = [file.name for file in facts.files if not _same(told.get(file.name), file)]
    if wrong or (facts.commit is not None and facts.commit != lock.commit):
        raise Unvouched(
            message(
                "the mirror {endpoint} has another {model} than the catalogue: {files}",
                endpoint=lock.endpoint, model=facts.source, files=", ".join(wrong) or lock.commit,
            ),
            url=lock.endpoint,
            hint=message("to trust a mirror, name it yourself: HF_ENDPOINT"),
        )  # fmt: skip
    kept = {file.name for file in facts.files}
    return msgspec.structs.replace(lock, files=tuple(file for file in lock.files if file.path in kept))


def unverified(lock: HubModelLock, surroundings: Surroundings, facts: ModelFacts | None) -> Message | None:
    """What to say of a model that only a mirror tells of; None where somebody vouches for it."""
    if not _doubted(lock.endpoint, surroundings, "hub") or (facts is not None and facts.files):
        return None
    return message("the hashes of {model} are the word of the mirror {url} alone", model=lock.source, url=lock.endpoint)


def catalogue_model(facts: ModelFacts | None, revision: str, endpoint: str) -> HubModelLock | None:
    """The lock of a model without asking anybody: None where the catalogue does not know commit and files."""
    if facts is None or facts.commit is None or revision not in ("main", facts.commit):
        return None
    rows = tuple(_locked(file) for file in facts.files)
    if not any(row.path.endswith(".safetensors") for row in rows):
        return None
    name = facts.source.partition(":")[2]
    return HubModelLock(
        source=facts.source, repository=name, revision=revision, commit=facts.commit, endpoint=endpoint, files=rows
    )


def same_bytes(lock: HubModelLock, facts: ModelFacts, other: ModelScopeModelLock) -> bool:
    """Whether ModelScope has every file of a model, by the catalogue's sha256."""
    told = {file.path: (file.size, file.sha256) for file in other.files}
    known = {file.name: (file.bytes, file.sha256) for file in facts.files}
    return all(told.get(file.path) == known.get(file.path) is not None for file in lock.files)


def _same(told: ModelFile | None, known: KnownFile) -> bool:
    """By sha256 where it is told, else by git's hash, which a hub tells of small files alone."""
    if told is None or told.size != known.bytes:
        return False
    return told.sha256 == known.sha256 if told.sha256 else told.git_sha1 == known.git_sha1 is not None


def _locked(known: KnownFile) -> ModelFile:
    """As the hub would tell it: sha256 of large files only, so that the file lies in the cache under its usual name."""
    large = known.name.endswith(".safetensors") or known.git_sha1 is None
    sha256 = known.sha256 if large else None
    return ModelFile(path=known.name, size=known.bytes, sha256=sha256, git_sha1=known.git_sha1)


def _doubted(endpoint: str, surroundings: Surroundings, kind: Kind) -> bool:
    mirrors: Iterator[str] = (mirror.url.rstrip("/") for mirror in surroundings.mirrors if mirror.kind == kind)
    return kind in surroundings.chosen and endpoint.rstrip("/") in mirrors
