"""The builds of torch: what its own index and the package index list, written into `torch.toml` and `hashes.toml`.

No index tells what code a wheel has: those lists are kept, and a new build inherits the nearest one as `inferred`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

import msgspec
from refresh_builds import Listed, listed_wheels, merged
from refresh_hashes import fitting, write_hashes
from refresh_index import resolved, version_of, wheels
from refresh_run import Run
from torch_text import torch_text

from setup_llm_dev.host.web.simple_index import Link, links


def refresh_torch(run: Run, root: str, *, default: bool, index: str | None) -> None:
    """Everything about torch. `default`: the package index too; `index`: another one in its place."""
    found: dict[str, dict[str, str]] = {"pytorch": {}, "index": {}}
    pages = _pages(run, root)
    for page in pages.values():
        found["pytorch"] |= _hashed(run, page)
    told = [listed for page in pages.values() for listed in listed_wheels(link.name for link in page)]
    if default:
        unlabelled = _package_index(run, found["index"], index)
        told += listed_wheels(unlabelled)
    write_hashes(run, found)
    if told:
        _write_builds(run, told)


def _pages(run: Run, root: str) -> dict[str, tuple[Link, ...]]:
    """The root page, which lists all variants together, else the page of each variant that we know."""
    base = root.rstrip("/")
    every = run.ask(base, partial(links, run.host, base, "torch", flat=False))
    if every is None:
        return {}  # the host does not answer: it won't for the variants either
    pages = {"": every} if every else {}
    for variant in () if every else run.catalog.torch.variants:
        page = f"{base}/{variant}"
        pages[variant] = run.ask(page, partial(links, run.host, page, "torch", flat=False)) or ()
    return pages


def _hashed(run: Run, page: Iterable[Link]) -> dict[str, str]:
    return fitting(run.catalog, ((link.name, link.sha256) for link in page if link.sha256))


def _package_index(run: Run, hashes: dict[str, str], index: str | None) -> list[str]:
    """Names of the unlabelled wheels of every release; their hashes are added to `hashes`."""
    names: list[str] = []
    for release in run.catalog.torch.releases:
        for patch in release.patches:
            wishes = (f"torch=={patch}", "triton; sys_platform == 'linux'")
            question = partial(resolved, run.host, wishes, release.pythons, index)
            packages = run.ask(f"torch {patch} on the package index", question)
            hashes |= fitting(run.catalog, wheels(packages or []).items())
            names += wheels(packages or [])
    _newer(run, index)
    return names


def _newer(run: Run, index: str | None) -> None:
    """A release that nobody wrote down yet is named: what it has code for is read out of its wheels by a person."""
    newest = run.catalog.torch.releases[0]
    question = partial(resolved, run.host, (f"torch>{newest.patches[0]}", "torchvision"), newest.pythons[-2:], index)
    packages = run.ask(f"a torch newer than {newest.patches[0]} on the package index", question)
    if packages:
        pair = f"torch {version_of(packages, 'torch')} with torchvision {version_of(packages, 'torchvision')}"
        run.changes.append(f"torch.toml: {pair} is not in it: its rows are written by hand")


def _write_builds(run: Run, told: list[Listed]) -> None:
    path = run.folder / "torch.toml"
    today = datetime.now(UTC).date()
    catalog, changes = merged(run.catalog.torch, told, today)
    run.changes += [f"{path.name}: {change}" for change in changes]
    if changes:
        path.write_text(torch_text(msgspec.structs.replace(catalog, collected=today)), "utf-8")
