"""Disk and memory: whether the recipe has room, and file systems that are slow, read-only or won't run programs."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePath

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.deadline import Aside
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.recorded import RecordedFiles
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.diagnoses.mounts import NETWORK, Mount, mount_of, mounts
from setup_llm_dev.stages.diagnoses.situation import Situation, Told

_GB = 1_000_000_000
_ENVIRONMENT = {True: 1.1 * _GB, False: 6.5 * _GB}  # unpacked, for the CPU and for a GPU, whose libraries are large
_IDE = 1.2 * _GB * 4  # the archive, and the tree that it becomes
_SPARE = 0.5 * _GB
_FILES_WANTED = 40_000  # names that an environment and the cache of its packages take
_PROBE_BYTES = 16 << 20
_SLOW = 25_000_000  # bytes a second; a hard disk writes four times that
_PROBE_SECONDS = 3.0
Need = tuple[Message, PurePath, float]


def look(situation: Situation) -> Iterator[Told]:
    table = mounts(situation.host)
    needs = list(_needs(situation))
    yield from _room(situation, needs, table)
    yield from _names(situation, needs)
    yield from _kinds(needs, table)
    yield from _speed(situation)


def _needs(situation: Situation) -> Iterator[Need]:
    """What a first run writes, and where; nothing where it was set up already."""
    layout, recipe = situation.layout, situation.recipe
    done = situation.environment is not None
    build = next(iter(situation.choices.builds), None)
    size = _ENVIRONMENT[build is None or build.variant in ("cpu", "mps")]
    yield message("the environment"), layout.environments, 0 if done else size
    yield message("the cache of packages"), _uv_cache(situation), 0 if done else size
    facts = situation.catalog.models.of(recipe.model.source) if recipe.model and "model" in situation.parts else None
    yield message("the model"), layout.hub_cache, 0 if done or facts is None else facts.download_bytes
    if "ide" in situation.parts:
        yield message("PyCharm"), layout.ides, 0 if done else _IDE


def _uv_cache(situation: Situation) -> PurePath:
    return Uv(situation.host, Surroundings()).cache_dir()


def _room(situation: Situation, needs: list[Need], table: tuple[Mount, ...]) -> Iterator[Entry]:
    """Sums for each file system."""
    by_mount: dict[str, list[Need]] = {}
    for need in needs:
        mount = mount_of(need[1], table)
        by_mount.setdefault(mount.place if mount else need[1].anchor, []).append(need)
    for place, group in by_mount.items():
        free, wanted = _free(situation, group[0][1]), sum(size for _, _, size in group) + _SPARE
        if free is None:
            continue
        short = free < wanted
        yield Entry(
            id="disk-short" if short else "disk-room", group="disk", level="error" if short else "ok",
            text=message("{place}: about {need} GB are needed, {free} GB are free", place=place,
                         need=f"{wanted / _GB:.1f}", free=f"{free / _GB:.1f}"),
            hint=message("free some space, or put our data elsewhere with --home DIR, the cache of packages with "
                         "UV_CACHE_DIR, models with HF_HOME") if short else None,
            evidence=tuple(f"{path}: {what}, {size / _GB:.1f} GB" for what, path, size in group if size),
            reference="disk",
        )  # fmt: skip


def _free(situation: Situation, path: PurePath) -> int | None:
    try:
        return situation.host.files.free_bytes(path)
    except OSError:
        return None


def _names(situation: Situation, needs: list[Need]) -> Iterator[Entry]:
    """File systems that are out of names for files, and folders that may not be written."""
    if not _is_here(situation) or not hasattr(os, "statvfs"):
        return
    for place in dict.fromkeys(_existing(path) for _, path, _ in needs):
        told = os.statvfs(place)
        if told.f_files and told.f_favail < _FILES_WANTED:
            yield Entry(
                id="disk-no-inodes", group="disk", level="error",
                text=message("{place}: the file system has room for {count} more files only", place=str(place),
                             count=told.f_favail),
                hint=message("remove many small files, or use another file system (--home DIR)"),
                evidence=(f"statvfs: {told.f_favail} of {told.f_files} free",), reference="disk",
            )  # fmt: skip
        if not os.access(place, os.W_OK | os.X_OK):
            yield Entry(
                id="disk-not-writable", group="disk", level="error",
                text=message("{place} may not be written by this user", place=str(place)),
                hint=message("make it yours, or name another folder with --home DIR"),
                commands=(f"ls -ld {place}",), evidence=(f"access({place}, W_OK): no",), reference="disk",
            )  # fmt: skip


def _kinds(needs: list[Need], table: tuple[Mount, ...]) -> Iterator[Entry]:
    for mount in dict.fromkeys(filter(None, (mount_of(path, table) for _, path, _ in needs))):
        what = ", ".join(str(path) for _, path, _ in needs if mount_of(path, table) == mount)
        evidence = (f"/proc/self/mountinfo: {mount.place} {mount.kind} {','.join(sorted(mount.options))}",)
        if "ro" in mount.options:
            yield Entry(
                id="disk-read-only", group="disk", level="error",
                text=message("the file system of {what} is read-only", what=what),
                hint=message("if it was not so before, look for errors of the disk in `dmesg`; else use --home DIR"),
                evidence=evidence, reference="disk",
            )  # fmt: skip
        if "noexec" in mount.options:
            yield Entry(
                id="disk-noexec", group="disk", level="error",
                text=message("no program may be started from the file system of {what}", what=what),
                cause=message("it is mounted with `noexec`; an environment holds a Python and libraries"),
                hint=message("put our data on another file system with --home DIR"), evidence=evidence,
                reference="disk",
            )  # fmt: skip
        if mount.kind in NETWORK:
            yield Entry(
                id="disk-remote", group="disk", level="warning",
                text=message("{what} lies on another computer's disk ({kind}): installing and loading will be slow",
                             what=what, kind=mount.kind),
                hint=message("put them on a local disk: --home DIR, UV_CACHE_DIR, HF_HOME"), evidence=evidence,
                reference="disk",
            )  # fmt: skip


def _speed(situation: Situation) -> Iterator[Entry]:
    """A nameless file is written, flushed and gone again; nothing stays of it."""
    if not _is_here(situation) or (_free(situation, situation.layout.data) or 0) < 4 * _PROBE_BYTES:
        return
    place = _existing(situation.layout.data)
    if not os.access(place, os.W_OK):
        return
    asking = Aside(lambda: _bytes_a_second(place))
    speed = asking.answer(time.monotonic() + _PROBE_SECONDS, 0.0)
    slow = speed < _SLOW
    shown = f"{speed / 1e6:.0f}" if speed else f"< {_PROBE_BYTES / _PROBE_SECONDS / 1e6:.0f}"
    yield Entry(
        id="disk-slow" if slow else "disk-speed", group="disk", level="warning" if slow else "ok",
        text=message("{place} writes {speed} MB a second", place=str(place), speed=shown),
        hint=message("put our data on a faster disk with --home DIR") if slow else None,
        evidence=(f"{_PROBE_BYTES >> 20} MiB written and flushed",), reference="disk",
    )  # fmt: skip


def _bytes_a_second(folder: Path) -> float:
    """0 where nothing can be written there, which others tell."""
    data, began = os.urandom(_PROBE_BYTES), time.monotonic()
    try:
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        return 0.0
    return _PROBE_BYTES / max(time.monotonic() - began, 1e-6)


def _is_here(situation: Situation) -> bool:
    files: Files = situation.host.files
    return not isinstance(files, RecordedFiles)


def _existing(path: PurePath) -> Path:
    """The folder, or the nearest one above that is there."""
    place = Path(path)
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return place
