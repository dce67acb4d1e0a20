"""sweep: what interrupted runs left in our own folders goes before a new run begins."""

import contextlib
import re
from pathlib import PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.leftovers import is_half_way
from setup_llm_dev.host.temporary import drop_temporary
from setup_llm_dev.host.world import Host
from setup_llm_dev.stages.generations import in_use
from setup_llm_dev.stages.made_folders import drop_made, made_folders, settle
from setup_llm_dev.steps.environment import read_marker
from setup_llm_dev.steps.ide_tree import sweep_ides

_GENERATION = re.compile(r"[0-9a-f]{12}-\d+")


def sweep(host: Host, layout: Layout) -> None:
    """Scratch folders, half-removed trees, temporary files, unfinished generations; only with the run's lock held.

    By the shape of our own names, in folders of a data folder that is ours, and never through a link.
    """
    drop_temporary()
    for name in _names(host, layout.scratch):
        if name.startswith("tmp."):
            _remove(host, layout.scratch / name)
    if host.files.link_target(layout.scratch) is None:
        host.files.remove_empty_dir(layout.scratch)
    for name in host.files.list_dir(layout.data):
        if is_half_way(name):
            _remove(host, layout.data / name)
    for folder in (layout.environments, layout.models, layout.data / "locks", layout.proofs, layout.data / "programs",
                   layout.ides, layout.backups, *_recipes(host, layout)):  # fmt: skip
        for name in _names(host, folder):
            if is_half_way(name):
                _remove(host, folder / name)
    sweep_ides(host, layout.ides, layout.store)
    used = in_use(host, layout)
    for recipe in _recipes(host, layout):
        for name in filter(_GENERATION.fullmatch, _names(host, recipe)):
            # One that a workspace shows is never swept: without its marker it is drift, not what a run left.
            if read_marker(host, recipe / name) is None and host.files.resolve(recipe / name) not in used:
                _remove(host, recipe / name)


def tidy(host: Host, layout: Layout) -> None:
    """After an undo: folders of ours that are empty now, and those that runs made above and beside them."""
    sweep(host, layout)
    for folder in (*_recipes(host, layout), layout.environments, layout.models, layout.proofs, layout.data / "locks",
                   layout.data / "programs", layout.scratch, layout.ides, layout.backups,
                   *_store_folders(host, layout.store)):  # fmt: skip
        host.files.remove_empty_dir(folder)
    drop_made(host, made_folders(host, layout) or ())
    settle(host, layout)


def _store_folders(host: Host, store: PurePath) -> tuple[PurePath, ...]:
    """Of three levels, the innermost first."""
    groups = tuple(store / name for name in host.files.list_dir(store))
    shelves = tuple(group / name for group in groups for name in host.files.list_dir(group))
    return (*shelves, *groups, store)


def _recipes(host: Host, layout: Layout) -> tuple[PurePath, ...]:
    return tuple(layout.environments / name for name in _names(host, layout.environments))


def _names(host: Host, folder: PurePath) -> tuple[str, ...]:
    """What lies in a folder of ours; nothing where somebody put a link in its place."""
    return () if host.files.link_target(folder) is not None else host.files.list_dir(folder)


def _remove(host: Host, path: PurePath) -> None:
    """What can't be removed now (files in use on a network file system) is no reason to stop; the next run tries."""
    with contextlib.suppress(SystemRefused, OSError):
        host.files.remove_tree(path)
