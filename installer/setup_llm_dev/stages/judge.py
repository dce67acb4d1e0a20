"""Judge: does one build of PyTorch fit a machine, why, and how many of its GPUs does it serve."""

import re
from collections.abc import Iterable

import msgspec

from setup_llm_dev.accelerators.registry import FITS, Fitter, vendor_of
from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Machine, Vendor
from setup_llm_dev.documents.torch_catalog import Offer, TorchCatalog
from setup_llm_dev.documents.torch_rows import version
from setup_llm_dev.messages import Message, message

UNLABELLED_ONLY = "mps"  # macOS wheels carry no label on any index
_FAR_MORE = 2  # times the memory


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """An offer that fits, why, which of the machine's GPUs it serves, and the Pythons it has wheels for here."""

    offer: Offer
    why: Message
    pythons: tuple[str, ...]
    serves: tuple[Accelerator, ...] = ()


def judged(
    offers: Iterable[Offer], machine: Machine, torch: TorchCatalog, features: tuple[str, ...], *, forced: bool
) -> tuple[tuple[Fit, ...], tuple[Refusal, ...]]:
    """Those that fit, best first, and why the others don't, in the order of the offers, which come best first too.

    features: the installed Pythons, `3.12`. forced: a variant was asked for, and is honoured even where the hardware
    speaks against it.
    """
    answers = [_judge(offer, machine, torch, features, forced) for offer in offers]
    fits = [a for a in answers if isinstance(a, Fit)]
    vendors = _vendors(fits)
    fits.sort(key=lambda fit: _fit_place(fit, vendors))
    return tuple(fits), tuple(a for a in answers if isinstance(a, Refusal))


def usable(machine: Machine) -> tuple[Accelerator, ...]:
    """The GPUs that count: the graphics of a processor that no build runs on are not among them."""
    return tuple(a for a in machine.accelerators if a.kind != "igpu")


def _vendors(fits: Iterable[Fit]) -> list[Fitter]:
    """The usual order; but a vendor whose GPUs have more than twice the memory of the first one's goes first.

    Only where both are known, and a build serves them for certain: the card of a desktop's screen is not to keep the
    big one idle.
    """
    memory: dict[Vendor, int] = {}
    for fit in fits:
        vendor = vendor_of(fit.offer.variant)
        if vendor and fit.serves and fit.offer.certain:
            memory[vendor.VENDOR] = max(memory.get(vendor.VENDOR, 0), _memory(fit))
    served = [vendor for vendor in FITS if vendor.VENDOR in memory]
    first = served[0] if served else FITS[0]
    for vendor in served[1:]:
        if memory[vendor.VENDOR] > _FAR_MORE * memory[first.VENDOR] > 0:
            first = vendor
    return sorted(FITS, key=lambda vendor: vendor is not first)


def _fit_place(fit: Fit, vendors: list[Fitter]) -> tuple[object, ...]:
    """Best first: a GPU at all, by vendor; certain facts; more GPUs, more memory; else in the order of the offers."""
    vendor = vendor_of(fit.offer.variant)
    place = vendors.index(vendor) if vendor else len(vendors)
    return place, fit.offer.doubt, -len(fit.serves), -_memory(fit)


def _memory(fit: Fit) -> int:
    return sum(gpu.memory_bytes or 0 for gpu in fit.serves)


def _judge(
    offer: Offer, machine: Machine, torch: TorchCatalog, features: tuple[str, ...], forced: bool
) -> Fit | Refusal:
    pythons = _installable(offer, machine)
    if refusal := _system_too_old(offer, machine, pythons) or _no_python(offer, features, pythons):
        return refusal
    vendor = vendor_of(offer.variant)
    answer = _on_cpu(offer, machine, pythons) if vendor is None else _on_gpu(offer, machine, torch, vendor, pythons)
    return _asked_for(answer, offer, pythons) if forced else answer


def _installable(offer: Offer, machine: Machine) -> tuple[str, ...]:
    """The Pythons whose wheels install on this system; an unknown system is let pass."""
    _, found = _system(machine)
    return tuple(p for p, floor in offer.systems if floor is None or found is None or version(found) >= version(floor))


def _system(machine: Machine) -> tuple[str, str | None]:
    told = re.fullmatch(r"(glibc|macOS) ([\d.]+)", (machine.libc or machine.distribution) or "")
    return (told[1], told[2]) if told else ("", None)


def _system_too_old(offer: Offer, machine: Machine, pythons: tuple[str, ...]) -> Refusal | None:
    if pythons or not offer.systems:
        return None
    floor = min((floor for _, floor in offer.systems if floor), key=version)
    return Refusal(
        candidate=offer.name,
        reason=message("needs {system} {floor} or newer", system=_system(machine)[0], floor=floor),
        hint=message("use a newer release of the operating system"),
    )


def _no_python(offer: Offer, features: tuple[str, ...], pythons: tuple[str, ...]) -> Refusal | None:
    if not features or any(feature in pythons for feature in features):
        return None
    newest = sorted(set(features), key=version)
    return Refusal(
        candidate=offer.name,
        reason=message(
            "needs Python {oldest} to {newest}, found {found}",
            oldest=pythons[0],
            newest=pythons[-1],
            found=", ".join(newest),
        ),
        hint=message("install one of these Pythons"),
    )


def _on_cpu(offer: Offer, machine: Machine, pythons: tuple[str, ...]) -> Fit:
    found = message("no GPU was found") if not usable(machine) else message("runs without a GPU")
    return Fit(offer=offer, why=found, pythons=pythons)


def _on_gpu(
    offer: Offer, machine: Machine, torch: TorchCatalog, vendor: Fitter, pythons: tuple[str, ...]
) -> Fit | Refusal:
    gpus = [a for a in usable(machine) if a.vendor == vendor.VENDOR]
    if not gpus:
        return _without_gpu(offer, vendor, pythons)
    answers = [(gpu, vendor.fit(gpu, offer, torch)) for gpu in gpus]
    served = tuple(gpu for gpu, refusal in answers if refusal is None)
    if not served:
        return next(refusal for _, refusal in answers if refusal is not None)
    why = _gpu_sentence(served, offer)
    if len(served) < len(gpus):
        left = next(gpu.name for gpu, refusal in answers if refusal is not None)
        why = message("{why}; it does not run on {gpu}", why=why, gpu=left)
    return Fit(offer=offer, why=why, pythons=pythons, serves=served)


def _without_gpu(offer: Offer, vendor: Fitter, pythons: tuple[str, ...]) -> Fit | Refusal:
    if offer.variant == UNLABELLED_ONLY:
        why = message("the one build for macOS; no GPU was found, it runs on the CPU")
        return Fit(offer=offer, why=why, pythons=pythons)
    return Refusal(
        candidate=offer.name,
        reason=message("no {vendor} GPU was found", vendor=vendor.NAME),
        hint=message("plan for a GPU that is not here: --assume gpu=nvidia:sm_89:580")
        if vendor.VENDOR == "nvidia"
        else None,
    )


def _gpu_sentence(served: tuple[Accelerator, ...], offer: Offer) -> Message:
    names = ", ".join(dict.fromkeys(gpu.name for gpu in served))
    if offer.driver is None:
        return message("{gpu}: this build uses it", gpu=names)
    return message(
        "{gpu}: has code for it, and driver {driver} is {floor} or newer",
        gpu=names,
        driver=served[0].driver or "",
        floor=offer.driver,
    )


def _asked_for(answer: Fit | Refusal, offer: Offer, pythons: tuple[str, ...]) -> Fit | Refusal:
    if isinstance(answer, Fit):
        return msgspec.structs.replace(answer, why=message("asked for"))
    if not offer.listed:
        return answer
    return Fit(
        offer=offer, why=message("asked for, although on this machine: {why}", why=answer.reason), pythons=pythons
    )
