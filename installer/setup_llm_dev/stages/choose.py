"""Choose: rank the builds of PyTorch that fit a machine, and say of every other one why it does not."""

import difflib
import re
from collections.abc import Iterable

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from setup_llm_dev.accelerators.registry import VendorModule, vendor_of
from setup_llm_dev.documents.catalog import Catalog, Offer, TorchCatalog
from setup_llm_dev.documents.choices import Build, Choices, Refusal
from setup_llm_dev.documents.machine import Accelerator, Interpreter, Machine
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.refusals import grouped, no_interpreter, unpublished, variant_of

AUTO = "auto"
_FAMILIES = {"cu": "cu", "nvidia": "cu", "rocm": "rocm", "amd": "rocm", "hip": "rocm", "xpu": "xpu", "intel": "xpu"}
_UNLABELLED_ONLY = "mps"  # macOS wheels carry no label on any index


class _Fit(msgspec.Struct, frozen=True, kw_only=True):
    """An offer that fits, why, and how many of the machine's GPUs it serves."""

    offer: Offer
    why: Message
    serves: int = 0


def choose(machine: Machine, recipe: Recipe, catalog: Catalog, *, variant: str | None = None) -> Choices:
    """The builds for `machine` that satisfy `recipe`, best first, with the interpreters in the order to try.

    GPU builds come before CPU builds; among them those that serve more of the GPUs, those whose facts are
    certain, then newer releases, then the catalogue's order. `variant` (or the recipe's, unless `auto`) is
    honoured even where the hardware speaks against it; `why` says so then. Nothing fits: no builds, and the
    refusals say why. Pure. Raises UsageError for a variant that the catalogue does not know.
    """
    torch = catalog.torch
    asked = _asked(variant or recipe.torch.variant, torch)
    interpreters = _interpreters(machine, recipe)
    offers = _offers(machine, recipe, torch, asked)
    judged = [_judge(offer, machine, torch, interpreters, asked is not None) for offer in offers]
    refusals = [j for j in judged if isinstance(j, Refusal)]
    fits = _ranked([j for j in judged if isinstance(j, _Fit)], machine, refusals, asked is not None)
    return Choices(
        builds=tuple(build for fit in fits for build in _builds(fit, torch.index_root)),
        interpreters=tuple(i.path for i in interpreters),
        refusals=(
            *no_interpreter(machine, recipe, interpreters),
            *grouped(refusals, offers),
            *unpublished(machine, recipe, torch, offers, asked),
        ),
    )


def _asked(variant: str, torch: TorchCatalog) -> str | None:
    if variant == AUTO or variant in torch.variants:
        return None if variant == AUTO else variant
    raise UsageError(
        message("there is no build of PyTorch named {variant}", variant=variant), hint=_meant(variant, torch)
    )


def _meant(word: str, torch: TorchCatalog) -> Message:
    """Makers' names stand for the builds of that maker, never for the one whose letters happen to be near."""
    lower = word.lower()
    family = next((prefix for name, prefix in _FAMILIES.items() if lower.startswith(name)), None)
    version = "".join(c for c in lower if c.isdecimal() or c == ".")
    if family is not None and not version:
        builds = ", ".join(name for name in torch.variants if name.startswith(family))
        return message("name one of {builds}, or {auto} for the one that fits this machine", builds=builds, auto=AUTO)
    wanted = lower if family is None else family + (version.replace(".", "") if family == "cu" else version)
    if near := difflib.get_close_matches(wanted, (AUTO, *torch.variants), n=1):
        return message("did you mean {near}?", near=near[0])
    return message("known are {variants}", variants=", ".join((AUTO, *torch.variants)))


def _interpreters(machine: Machine, recipe: Recipe) -> tuple[Interpreter, ...]:
    """The running one first, then the newest."""
    wanted = SpecifierSet(recipe.python.version)
    usable = [i for i in machine.interpreters if i.problem is None and i.has_venv and i.version in wanted]
    usable.sort(key=lambda i: Version(i.version), reverse=True)
    return tuple(sorted(usable, key=lambda i: not i.running))


def _offers(machine: Machine, recipe: Recipe, torch: TorchCatalog, asked: str | None) -> tuple[Offer, ...]:
    """What is published for this platform, in the releases and the variant that are wanted, newest first."""
    if (machine.libc or "").startswith("musl"):
        return ()
    windows_driver = machine.os == "windows" or machine.environment == "wsl"
    every = torch.offers(f"{machine.os}_{machine.arch}", "windows" if windows_driver else "linux")
    wanted = SpecifierSet(recipe.torch.version)
    return tuple(o for o in every if o.release in wanted and asked in (None, o.variant))


def _judge(
    offer: Offer, machine: Machine, torch: TorchCatalog, interpreters: tuple[Interpreter, ...], forced: bool
) -> _Fit | Refusal:
    if refusal := _system_too_old(offer, machine) or _no_python(offer, interpreters):
        return refusal
    vendor = vendor_of(offer.variant)
    judged = _on_cpu(offer, machine) if vendor is None else _on_gpu(offer, machine, torch, vendor)
    if not forced:
        return judged
    if isinstance(judged, Refusal):
        return _Fit(offer=offer, why=message("asked for, although on this machine: {why}", why=judged.reason))
    return _Fit(offer=offer, why=message("asked for"), serves=judged.serves)


def _system_too_old(offer: Offer, machine: Machine) -> Refusal | None:
    """Against the oldest glibc or macOS that the wheels install on; an unknown one is let pass."""
    told = re.fullmatch(r"(glibc|macOS) ([\d.]+)", (machine.libc or machine.distribution) or "")
    if told is None or offer.system is None or Version(told[2]) >= Version(offer.system):
        return None
    return Refusal(
        candidate=offer.name,
        reason=message("needs {system} {floor} or newer", system=told[1], floor=offer.system),
        hint=message("use a newer release of the operating system"),
    )


def _no_python(offer: Offer, interpreters: tuple[Interpreter, ...]) -> Refusal | None:
    installed = [_feature(i.version) for i in interpreters]
    if not installed or any(feature in offer.pythons for feature in installed):
        return None
    newest = sorted(set(installed), key=Version)
    return Refusal(
        candidate=offer.name,
        reason=message(
            "needs Python {oldest} to {newest}, found {found}",
            oldest=offer.pythons[0],
            newest=offer.pythons[-1],
            found=", ".join(newest),
        ),
        hint=message("install one of these Pythons"),
    )


def _on_cpu(offer: Offer, machine: Machine) -> _Fit:
    found = message("no GPU was found") if not machine.accelerators else message("runs without a GPU")
    return _Fit(offer=offer, why=found)


def _on_gpu(offer: Offer, machine: Machine, torch: TorchCatalog, vendor: VendorModule) -> _Fit | Refusal:
    gpus = [a for a in machine.accelerators if a.vendor == vendor.VENDOR]
    if not gpus:
        return _without_gpu(offer, vendor)
    answers = [(gpu, vendor.fit(gpu, offer, torch)) for gpu in gpus]
    served = [gpu for gpu, refusal in answers if refusal is None]
    if not served:
        return next(refusal for _, refusal in answers if refusal is not None)
    why = _gpu_sentence(served, offer)
    if len(served) < len(gpus):
        left = next(gpu.name for gpu, refusal in answers if refusal is not None)
        why = message("{why}; it does not run on {gpu}", why=why, gpu=left)
    return _Fit(offer=offer, why=why, serves=len(served))


def _without_gpu(offer: Offer, vendor: VendorModule) -> _Fit | Refusal:
    if offer.variant == _UNLABELLED_ONLY:
        return _Fit(offer=offer, why=message("the one build for macOS; no GPU was found, it runs on the CPU"))
    return Refusal(
        candidate=offer.name,
        reason=message("no {vendor} GPU was found", vendor=vendor.NAME),
        hint=message("plan for a GPU that is not here: --assume gpu=nvidia:sm_89:580")
        if vendor.VENDOR == "nvidia"
        else None,
    )


def _gpu_sentence(served: list[Accelerator], offer: Offer) -> Message:
    names = ", ".join(dict.fromkeys(gpu.name for gpu in served))
    if offer.driver is None:
        return message("{gpu}: this build uses it", gpu=names)
    return message(
        "{gpu}: has code for it, and driver {driver} is {floor} or newer",
        gpu=names,
        driver=served[0].driver or "",
        floor=offer.driver,
    )


def _ranked(fits: list[_Fit], machine: Machine, refusals: list[Refusal], forced: bool) -> list[_Fit]:
    """GPU builds first: those serving more GPUs, then certain facts, else in the order of the catalogue."""
    on_gpu = [f for f in fits if vendor_of(f.offer.variant)]
    on_gpu.sort(key=lambda f: (-f.serves, not f.offer.certain))
    on_cpu = [f for f in fits if vendor_of(f.offer.variant) is None]
    if machine.accelerators and not on_gpu and not forced:
        on_cpu = [_because(f, machine, refusals) for f in on_cpu]
    return [_with_doubt(fit) for fit in (*on_gpu, *on_cpu)]


def _because(fit: _Fit, machine: Machine, refusals: list[Refusal]) -> _Fit:
    """A CPU build on a machine with a GPU: what is wrong with the GPU builds of its release, or of any."""
    vendors = {a.vendor for a in machine.accelerators}
    ours = [r for r in refusals if (v := vendor_of(variant_of(r))) is not None and v.VENDOR in vendors]
    same = [r for r in ours if r.candidate.startswith(f"{fit.offer.release}+")]
    for refusal in (*same, *ours):
        why = message("no GPU build fits: {variant}: {why}", variant=refusal.candidate, why=refusal.reason)
        return msgspec.structs.replace(fit, why=why)
    return fit


def _with_doubt(fit: _Fit) -> _Fit:
    if fit.offer.certain:
        return fit
    if not fit.offer.seen:
        why = message("{why}; announced, not yet seen published", why=fit.why)
    else:
        why = message("{why}; what it has code for is concluded from other releases", why=fit.why)
    return msgspec.structs.replace(fit, why=why)


def _builds(fit: _Fit, index_root: str) -> Iterable[Build]:
    """The labelled wheel of the variant's index, then the unlabelled one where that is known to be it."""
    offer = fit.offer
    shape = Build(release=offer.release, variant=offer.variant, label="", index="", pythons=offer.pythons, why=fit.why)
    if offer.variant != _UNLABELLED_ONLY:
        labelled = {"label": offer.variant, "index": f"{index_root}/{offer.variant}"}
        yield msgspec.structs.replace(shape, **labelled)
    if offer.on_pypi:
        yield shape


def _feature(version: str) -> str:
    return ".".join(version.split(".")[:2])
