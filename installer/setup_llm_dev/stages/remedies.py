"""Remedies: what would let a build use a GPU, found by asking the rules again with one thing changed, or two."""

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations

import msgspec
from packaging.version import InvalidVersion, Version

from setup_llm_dev.accelerators.nvidia_fit import capability_of
from setup_llm_dev.accelerators.registry import vendor_of
from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Machine
from setup_llm_dev.documents.torch_catalog import TorchCatalog
from setup_llm_dev.documents.torch_rows import version
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.judge import Fit, judged
from setup_llm_dev.stages.offered import driver_os, offers_for

Kind = Callable[["Situation", TorchCatalog], "Iterator[Change]"]
ANY = ""  # a specifier that every release satisfies


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What a choice is made for: a machine, a specifier of releases, the installed Pythons, a variant or any."""

    machine: Machine
    wanted: str
    features: tuple[str, ...]
    asked: str | None = None

    def best_for(self, gpu: Accelerator | None, torch: TorchCatalog) -> tuple[Fit | None, tuple[Refusal, ...]]:
        """The best build that serves a GPU, by the hardware alone; and the refusals of builds for `gpu`'s vendor."""
        offers = offers_for(self.machine, torch, self.wanted, self.asked)
        vendors = {accelerator.vendor for accelerator in self.machine.accelerators if gpu is None or accelerator == gpu}
        ours = [o for o in offers if (v := vendor_of(o.variant)) is not None and v.VENDOR in vendors]
        fits, refusals = judged(ours, self.machine, torch, self.features, forced=False)
        return next((fit for fit in fits if fit.serves), None), refusals


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person could change, and the situation that would be then."""

    text: Message
    then: Situation


def remedies(situation: Situation, torch: TorchCatalog) -> list[Message]:
    """Each change that lets a build use the GPU, with that build; pairs of changes where no single one does.

    `situation`: of a machine with this GPU alone.
    """
    found: list[Message] = []
    if not _any_hope(situation, torch):
        return found
    for kind in _KINDS:
        found += _helping(kind(situation, torch), torch)
    return found or _pairs(situation, torch)


def _any_hope(situation: Situation, torch: TorchCatalog) -> bool:
    """Whether a build serves the GPU when all but its chip may be anything: where not, nothing needs to be tried."""
    (gpu,) = situation.machine.accelerators
    sound = msgspec.structs.replace(gpu, problem=None)
    machine = msgspec.structs.replace(situation.machine, accelerators=(sound,), libc=None, distribution=None)
    free = Situation(machine=machine, wanted=ANY, features=())
    return any(then.best_for(None, torch)[0] for then in (free, *(c.then for c in _drivers(free, torch))))


def _helping(changes: Iterable[Change], torch: TorchCatalog) -> Iterator[Message]:
    """Of one kind, the smallest change that helps, and the first that leads to a newer release than that."""
    newest: Version | None = None
    for change in changes:
        fit, _ = change.then.best_for(None, torch)
        if fit is not None and (newest is None or version(fit.offer.release) > newest):
            newest = version(fit.offer.release)
            yield message("with {change} it would be {build}", change=change.text, build=fit.offer.name)


def _pairs(situation: Situation, torch: TorchCatalog) -> list[Message]:
    """Of the first two kinds that help together."""
    for first, second in combinations(_KINDS, 2):
        both = (
            Change(text=message("{one} and {other}", one=one.text, other=two.text), then=two.then)
            for one in first(situation, torch)
            for two in second(one.then, torch)
        )
        if found := list(_helping(both, torch)):
            return found
    return []


def _drivers(situation: Situation, torch: TorchCatalog) -> Iterator[Change]:
    """Every driver version that decides anything: newer ones, the lowest first, then older branches."""
    (gpu,) = situation.machine.accelerators
    if gpu.vendor != "nvidia":
        return
    found = _version(gpu.driver)
    if found is None:
        yield from _first_driver(situation, torch)
        return
    for floor in _floors(situation, torch):
        if version(floor) > found:
            yield _with_driver(situation, floor)
    for last in sorted({branch.last for branch in torch.driver_branches if branch.last}, reverse=True):
        if last < found.major:
            yield _with_branch(situation, last)


def _first_driver(situation: Situation, torch: TorchCatalog) -> Iterator[Change]:
    """Where none is known: the one that leads to the best build, for it is to be installed anyway."""
    (gpu,) = situation.machine.accelerators
    sound = _with_gpu(situation, msgspec.structs.replace(gpu, problem=None))
    capability = capability_of(gpu, torch) or 0
    for branch in torch.driver_branches:
        if branch.last and branch.sm[0] <= capability <= branch.sm[1]:
            yield _with_branch(sound, branch.last)
            return
    changes = [_with_driver(sound, floor) for floor in _floors(situation, torch)]
    fits = [(change, fit) for change in changes if (fit := change.then.best_for(None, torch)[0]) is not None]
    if fits:
        yield max(fits, key=lambda pair: _worth(pair[1]))[0]  # the first, lowest driver of those that lead there


def _worth(fit: Fit) -> tuple[int, Version, Version]:
    return -fit.offer.doubt, version(fit.offer.release), fit.offer.toolkit_number


def _floors(situation: Situation, torch: TorchCatalog) -> list[str]:
    """The driver versions from which on something runs, the lowest first."""
    system = driver_os(situation.machine)
    floors = {getattr(cuda.driver, system) for cuda in torch.cuda.values()}
    floors |= {str(branch.first) for branch in torch.driver_branches if branch.first}
    return sorted(floors, key=version)


def _with_driver(situation: Situation, driver: str) -> Change:
    text = message("driver {driver} or newer", driver=driver)
    return _driven(situation, driver, text)


def _with_branch(situation: Situation, branch: int) -> Change:
    return _driven(situation, f"{branch}.999", message("a driver of the {branch} branch", branch=branch))


def _driven(situation: Situation, driver: str, text: Message) -> Change:
    (gpu,) = situation.machine.accelerators
    if situation.machine.environment == "container":
        text = message("{driver} on the host", driver=text)
    return Change(text=text, then=_with_gpu(situation, msgspec.structs.replace(gpu, driver=driver)))


def _repaired(situation: Situation, torch: TorchCatalog) -> Iterator[Change]:
    (gpu,) = situation.machine.accelerators
    if gpu.problem is not None:
        sound = msgspec.structs.replace(gpu, problem=None)
        yield Change(text=message("that repaired (see `setup-llm-dev doctor`)"), then=_with_gpu(situation, sound))


def _releases(situation: Situation, torch: TorchCatalog) -> Iterator[Change]:
    """Other releases than the recipe wants; told by where they stand to those."""
    every = msgspec.structs.replace(situation, wanted=ANY)
    fit, _ = every.best_for(None, torch)
    if fit is None or situation.wanted == ANY:
        return
    wanted = [version(o.release) for o in offers_for(situation.machine, torch, situation.wanted, None)]
    facts = {"release": fit.offer.release, "wanted": situation.wanted}
    text = message("torch {release} (the recipe wants {wanted})", **facts)
    if wanted and version(fit.offer.release) < min(wanted):
        text = message("torch {release} or older (the recipe wants {wanted})", **facts)
    yield Change(text=text, then=every)


def _unasked(situation: Situation, torch: TorchCatalog) -> Iterator[Change]:
    if situation.asked is not None:
        text = message("no {variant} asked for", variant=situation.asked)
        yield Change(text=text, then=msgspec.structs.replace(situation, asked=None))


def _pythons(situation: Situation, torch: TorchCatalog) -> Iterator[Change]:
    every = sorted({python for release in torch.releases for python in release.pythons}, key=version, reverse=True)
    for python in every if situation.features else ():
        then = msgspec.structs.replace(situation, features=(python,))
        yield Change(text=message("Python {version}", version=python), then=then)


def _systems(situation: Situation, torch: TorchCatalog) -> Iterator[Change]:
    machine = msgspec.structs.replace(situation.machine, libc=None, distribution=None)
    text = message("a newer release of the operating system")
    yield Change(text=text, then=msgspec.structs.replace(situation, machine=machine))


_KINDS: tuple[Kind, ...] = (_repaired, _drivers, _releases, _unasked, _pythons, _systems)


def _with_gpu(situation: Situation, gpu: Accelerator) -> Situation:
    machine = msgspec.structs.replace(situation.machine, accelerators=(gpu,))
    return msgspec.structs.replace(situation, machine=machine)


def _version(text: str | None) -> Version | None:
    try:
        return version(text) if text else None
    except InvalidVersion:
        return None
