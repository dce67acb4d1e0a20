"""NVIDIA: whether a CUDA build runs on a GPU, by its driver and the code that is compiled in."""

import re
from functools import cache

from packaging.version import InvalidVersion, Version

from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Vendor
from setup_llm_dev.documents.torch_catalog import Offer, TorchCatalog
from setup_llm_dev.documents.torch_rows import version
from setup_llm_dev.messages import message

VENDOR: Vendor = "nvidia"
NAME = "NVIDIA"
FAMILY = "cu"


def fit(accelerator: Accelerator, offer: Offer, torch: TorchCatalog) -> Refusal | None:
    """Why a CUDA build does not run on this GPU, or None: it has code for it and the driver starts it."""
    if accelerator.problem is not None:
        return Refusal(candidate=offer.name, reason=accelerator.problem)
    capability = capability_of(accelerator, torch)
    return (
        _unknown(accelerator, offer, capability)
        or _not_driven(accelerator, offer, torch, capability or 0)
        or _driver_too_old(accelerator, offer)
        or _no_code(accelerator, offer, torch, capability or 0)
    )


def capability_of(accelerator: Accelerator, torch: TorchCatalog) -> int | None:
    """Compute capability times ten, 89: as the driver says it, else by the name of the card."""
    told = re.fullmatch(r"sm_(\d+)[a-z]?", accelerator.chip or torch.chip_of(accelerator.name) or "")
    return int(told[1]) if told else None


def _unknown(accelerator: Accelerator, offer: Offer, capability: int | None) -> Refusal | None:
    if capability is not None and _version(accelerator.driver) is not None:
        return None
    missing = message("its driver version") if capability is not None else message("its compute capability")
    return Refusal(
        candidate=offer.name,
        reason=message("{gpu}: {missing} could not be found out", gpu=accelerator.name, missing=missing),
        hint=message("name them: --assume gpu=nvidia:sm_89:580"),
    )


def _not_driven(accelerator: Accelerator, offer: Offer, torch: TorchCatalog, capability: int) -> Refusal | None:
    driver = _version(accelerator.driver)
    for branch in torch.driver_branches:
        if driver is None or not branch.sm[0] <= capability <= branch.sm[1]:
            continue
        facts = {"gpu": accelerator.name, "chips": branch.name, "driver": accelerator.driver or ""}
        if branch.too_new(driver.major):
            return Refusal(
                candidate=offer.name,
                reason=message("{gpu} ({chips}) is not driven by driver {driver}", **facts),
                hint=message("install a driver of the {branch} branch", branch=branch.last or 0),
            )
        if branch.too_old(driver.major):
            return Refusal(
                candidate=offer.name,
                reason=message("{gpu} ({chips}) is not known to driver {driver}", **facts),
                hint=message("install driver {branch} or newer", branch=branch.first or 0),
            )
    return None


def _driver_too_old(accelerator: Accelerator, offer: Offer) -> Refusal | None:
    driver, floor = _version(accelerator.driver), _version(offer.driver)
    if driver is None or floor is None or driver >= floor:
        return None
    return Refusal(
        candidate=offer.name,
        reason=message(
            "needs driver {floor} or newer, found {driver}",
            floor=offer.driver or "",
            driver=accelerator.driver or "",
        ),
        hint=message("install an NVIDIA driver {floor} or newer", floor=offer.driver or ""),
    )


def _no_code(accelerator: Accelerator, offer: Offer, torch: TorchCatalog, capability: int) -> Refusal | None:
    published, toolkit = offer.published, offer.toolkit
    if not offer.listed or toolkit is None:
        return None  # nobody knows; the driver's floor is all that can be asked of it
    rules = (rule for rule in torch.cubin if rule.code in published.sm)
    if any(rule.runs_on(capability, toolkit) for rule in rules):
        return None
    facts: dict[str, str | int] = {"gpu": accelerator.name, "capability": capability}
    if not any(ptx <= capability for ptx in published.ptx):
        return Refusal(candidate=offer.name, reason=message("has no code for {gpu} (sm_{capability})", **facts))
    return _cannot_compile(accelerator, offer)


def _cannot_compile(accelerator: Accelerator, offer: Offer) -> Refusal | None:
    """PTX is compiled by the driver, which must know the language of the toolkit that wrote it."""
    driver, own = _version(accelerator.driver), _version(offer.own_driver)
    if driver is None or own is None or driver >= own:
        return None
    return Refusal(
        candidate=offer.name,
        reason=message(
            "has only PTX for {gpu}, which needs driver {floor} or newer, found {driver}",
            gpu=accelerator.name, floor=offer.own_driver or "", driver=accelerator.driver or "",
        ),
        hint=message("install an NVIDIA driver {floor} or newer", floor=offer.own_driver or ""),
    )  # fmt: skip


@cache
def _version(text: str | None) -> Version | None:
    try:
        return version(text) if text else None
    except InvalidVersion:
        return None
