"""Disk space: what a plan will still write, and whether there is room for it."""

from pathlib import Path, PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import ArchiveIdeLock, ModelLock, PackageModelLock
from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.compose import Plan
from setup_llm_dev.steps.step import Satisfied, Unsatisfied

_GIB = 1 << 30
_UNPACKED_TIMES = 3  # of an IDE: 1.1 GB become about 3
Status = Satisfied | Unsatisfied


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


def disk_needs(host: Host, plan: Plan, statuses: dict[str, Status]) -> tuple[tuple[PurePath, int | None], ...]:
    """What the steps that are left will write, in bytes, and where; None where an index told no size."""
    needs: list[tuple[PurePath, int | None]] = []
    cache = Uv(host, Surroundings()).cache_dir()
    if isinstance(statuses.get("packages"), Unsatisfied):
        unpacked = plan.lock.packages.unpacked_bytes
        needs += [(plan.layout.environments, unpacked), (cache, unpacked)]
    model = plan.lock.model
    if isinstance(statuses.get("model"), Unsatisfied) and model is not None:
        needs += [(place, model.size) for place in _places_of_model(plan.layout, model, cache)]
    ide = plan.lock.ide
    if isinstance(statuses.get("ide"), Unsatisfied) and isinstance(ide, ArchiveIdeLock):
        unpacked = ide.size and ide.size * _UNPACKED_TIMES
        needs += [(plan.layout.store, ide.size), (plan.layout.ides, unpacked)]
    return tuple(needs)


def _places_of_model(layout: Layout, model: ModelLock, cache: PurePath) -> tuple[PurePath, ...]:
    """A package's weights lie in uv's cache, unpacked in the scratch, and staged, all at the same time."""
    if isinstance(model, PackageModelLock):
        return cache, layout.scratch, layout.models
    return (layout.hub_cache,)


def _device(place: PurePath) -> int:
    probe = Path(place)
    while not probe.exists() and probe != probe.parent:
        probe = probe.parent
    return probe.stat().st_dev
