"""The tree of an unpacked IDE: what it must be, what is wrong in it, and how it goes without anything of the user's."""

import os
import re
from itertools import count
from pathlib import Path, PurePath
from typing import NamedTuple

import msgspec

from setup_llm_dev.documents.ide_version import read_version
from setup_llm_dev.documents.lock import ArchiveIdeLock
from setup_llm_dev.documents.machine import Os
from setup_llm_dev.documents.product_info import FILE, FOLDERS, ProductInfo, read_product_info
from setup_llm_dev.errors import Corrupt, SetupError
from setup_llm_dev.host.archives.staging import drop_stale_staging
from setup_llm_dev.host.installed import Difference
from setup_llm_dev.host.installed_tree import InstalledTree, added_to_tree, compare_tree
from setup_llm_dev.host.transfer.store import Store
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

_SHOWN = 5
_LAUNCHER = "bin/pycharm"
_LIMIT = 256 << 20


class UnpackedIde(msgspec.Struct, frozen=True, kw_only=True):
    """What was unpacked, and from what; `launcher` is relative to the tree."""

    schema: str = "ide/1"
    archive_sha256: str
    version: str
    launcher: str
    tree: InstalledTree
    ide: ArchiveIdeLock | None = None  # None: written by an earlier version


class _Origin(msgspec.Struct, frozen=True):
    """The beginning of the facts."""

    archive_sha256: str


def read_facts(host: Host, place: PurePath) -> UnpackedIde | None:
    """What was written down of a tree; None where nothing was, and where it is damaged."""
    try:
        return msgspec.json.decode(host.files.read_bytes(place, _LIMIT), type=UnpackedIde)
    except (OSError, msgspec.DecodeError):
        return None


def sweep_ides(host: Host, ides: PurePath, store: PurePath) -> None:
    """Half-unpacked trees of killed runs, and archives in the store whose tree stands; needs the run's lock.

    ides: the folder of all of them.
    """
    drop_stale_staging(Path(ides))
    kept = Store(host.files, store)
    for place in (ides / name for name in host.files.list_dir(ides) if name.endswith(".json")):
        if not _is_kept(host, kept, place) or (facts := read_facts(host, place)) is None:
            continue
        tree = Path(ides / f"pycharm-{facts.version}")
        if tree.is_dir() and not wrong_in(host, tree, facts.tree):  # a damaged one is mended out of it
            host.files.remove(kept.place(facts.archive_sha256))


def _is_kept(host: Host, store: Store, facts: PurePath) -> bool:
    """Whether the archive of these facts lies in the store, without making objects of what they say of every file."""
    try:
        origin = msgspec.json.decode(host.files.read_bytes(facts, _LIMIT), type=_Origin)
    except (OSError, msgspec.DecodeError):
        return False
    return store.holds(origin.archive_sha256)


def read_product(host: Host, tree: PurePath) -> ProductInfo | None:
    """What an unpacked IDE says of itself."""
    for inside in FOLDERS:
        text = host.files.read_text(tree / inside / FILE)
        if text is not None:
            return read_product_info(text, inside)
    return None


class Started(NamedTuple):
    """How an unpacked IDE is started, and how it appears; paths are relative to its folder."""

    launcher: str
    version: str
    icon: str | None
    wm_class: str | None


def launch_of(host: Host, home: PurePath, system: Os, arch: str) -> Started:
    """As the IDE says; the launcher's usual place before it is there."""
    info = read_product(host, home)
    launch = info.launch(system, arch) if info else None
    launcher = launch.launcher if launch else None
    return Started(
        launcher=launcher or _LAUNCHER,
        version=info.version if info else "",
        icon=info.icon if info else None,
        wm_class=launch.wm_class if launch else None,
    )


def assert_product(host: Host, tree: Path, ide: ArchiveIdeLock, system: Os, arch: str) -> str:
    """The launcher, relative to the tree; raises Corrupt (5) if this is not the IDE of the lock, or can't be started.

    The bytes are those of the lock by then: what is wrong is what the list of releases, or a person, said of them.
    """
    info = read_product(host, tree)
    if info is None:
        raise Corrupt(message("{file} holds no PyCharm that tells what it is", file=ide.file_name))
    expected = (
        ("version", info.version, ide.version),
        ("buildNumber", info.build, ide.build or info.build),
        ("dataDirectoryName", info.settings_name, ide.settings_name),
    )
    for what, found, wanted in expected:
        if found != wanted:
            raise Corrupt(
                message(
                    "{file} is another PyCharm: its {what} is {found}, not {wanted}",
                    file=ide.file_name, what=what, found=found or "?", wanted=wanted or "?",
                ),
                hint=message("`setup-llm-dev apply --upgrade` asks anew which one there is"),
            )  # fmt: skip
    launch = info.launch(system, arch)
    if launch is None or launch.launcher is None or not _startable(tree, launch.launcher):
        raise Corrupt(
            message("{file} has no launcher for {os} on {arch}", file=ide.file_name, os=system, arch=arch)
        )  # fmt: skip
    return launch.launcher


def wrong_in(host: Host, tree: Path, known: InstalledTree, *, full: bool = False) -> tuple[Difference, ...]:
    """What is not as unpacked, but for the settings that people change in place. Raises Interrupted."""
    found = compare_tree(tree, known, full=full, cancel=host.cancel)
    return tuple(d for d in found if not (_is_setting(d.path) and d.what == "changed"))


def updated_itself(host: Host, tree: PurePath, facts: UnpackedIde) -> bool:
    """Whether the IDE's own updater has put a newer release in its place: that is as the user wants it."""
    return host.files.is_file(tree / facts.launcher) and newer_than(host, tree, facts.version) is not None


def newer_than(host: Host, tree: PurePath, version: str) -> str | None:
    """The version of the IDE in `tree`, if it is newer than that one."""
    info = read_product(host, tree)
    now, then = (read_version(told) for told in (info.version if info else None, version))
    return info.version if info is not None and now is not None and then is not None and now > then else None


def keep_aside(host: Host, tree: Path, known: InstalledTree) -> Path | None:
    """Before a tree is made anew: what the user put or changed in it moves to a folder that nobody else removes.

    To a fresh one each time, so that nothing kept earlier is lost; all of it moves, or nothing. Returns that folder,
    None where nothing had to move. Raises OSError, SystemRefused (6).
    """
    paths = to_keep_aside(host, tree, known)
    if not paths:
        return None
    kept = place_aside(host, tree)
    moved: list[str] = []
    try:
        for path in paths:
            host.files.make_dir((kept / path).parent)
            host.files.rename(tree / path, kept / path)
            moved.append(path)
    except (SetupError, OSError):
        for path in reversed(moved):
            host.files.rename(kept / path, tree / path)
        _remove_empty_folders(host, kept)
        raise
    return kept


def to_keep_aside(host: Host, tree: Path, known: InstalledTree) -> tuple[str, ...]:
    """What `keep_aside` would move, relative to the tree. Raises Interrupted."""
    return (*added_to_tree(tree, known), *_changed_settings(host, tree, known))


def place_aside(host: Host, tree: PurePath) -> Path:
    """`TREE.kept`, or the first of `TREE.kept-2`, `TREE.kept-3`… that holds nothing."""
    names = (f"{tree.name}.kept{f'-{number}' if number > 1 else ''}" for number in count(1))
    return next(Path(tree.with_name(name)) for name in names if not _holds_something(host, tree.with_name(name)))


def places_aside(host: Host, tree: PurePath) -> tuple[Path, ...]:
    """The folders that `keep_aside` has made of a tree, and that hold something still."""
    shape = re.compile(re.escape(tree.name) + r"\.kept(-[0-9]+)?")
    found = (tree.with_name(name) for name in host.files.list_dir(tree.parent) if shape.fullmatch(name))
    return tuple(Path(place) for place in found if _holds_something(host, place))


def take_away(host: Host, tree: Path, known: InstalledTree) -> tuple[Message, ...]:
    """Remove a tree of ours; files that the user added or changed stay where they are, and are named."""
    stays = users_part(host, tree, known)
    if not stays:
        host.files.remove_tree(tree)
        return ()
    for path in {*(file.path for file in known.files), *(path for path, _ in known.links)} - set(stays):
        host.files.remove(tree / path)
    _remove_empty_folders(host, tree)
    named = ", ".join(stays[:_SHOWN])
    if len(stays) > _SHOWN:
        more = len(stays) - _SHOWN
        return (
            message("{path} keeps what is yours: {files} and {count} more", path=str(tree), files=named, count=more),
        )
    return (message("{path} keeps what is yours: {files}", path=str(tree), files=named),)


def users_part(host: Host, tree: Path, known: InstalledTree) -> tuple[str, ...]:
    """Files that the user added or changed, relative to the tree. Raises Interrupted."""
    changed = (d.path for d in compare_tree(tree, known, cancel=host.cancel) if d.what not in ("missing", "empty"))
    return tuple(sorted({*added_to_tree(tree, known), *changed}))


def _changed_settings(host: Host, tree: Path, known: InstalledTree) -> tuple[str, ...]:
    """Files alone: what lies in a folder that has taken the place of one counts as added."""
    found = (d.path for d in compare_tree(tree, known, cancel=host.cancel) if d.what == "changed")
    return tuple(path for path in found if _is_setting(path) and not _is_real_folder(tree / path))


def _is_setting(path: str) -> bool:
    """Advice of many years tells people to change these in the installation."""
    return path.startswith("bin/") and path.endswith((".vmoptions", ".properties"))


def _is_real_folder(place: PurePath) -> bool:
    return Path(place).is_dir() and not Path(place).is_symlink()


def _holds_something(host: Host, place: PurePath) -> bool:
    """Folders alone are what a run left that was killed before it had moved anything."""
    if not _is_real_folder(place):
        return host.files.exists(place)
    unread: list[OSError] = []
    walk = os.walk(place, onerror=unread.append)
    held = any(names or any((Path(folder) / name).is_symlink() for name in below) for folder, below, names in walk)
    return held or bool(unread)


def _startable(tree: Path, launcher: str) -> bool:
    place = tree / launcher
    inside = place.resolve().is_relative_to(tree.resolve())
    return inside and place.is_file() and os.access(place, os.X_OK)


def _remove_empty_folders(host: Host, tree: Path) -> None:
    """Deepest first; caches of Python's go with the modules that they belonged to."""
    for folder, _, names in os.walk(tree, topdown=False):
        place = Path(folder)
        if place.name == "__pycache__":
            host.files.remove_tree(place)
        elif not names:
            host.files.remove_empty_dir(place)
