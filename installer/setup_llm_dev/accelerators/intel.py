"""Intel: graphics by PCI id; only those on the list of PyTorch's XPU builds count as GPUs to compute with."""

from setup_llm_dev.accelerators.found import Found
from setup_llm_dev.accelerators.intel_ids import NAMES, xpu_family
from setup_llm_dev.accelerators.pci import DisplayDevice, marketing_name
from setup_llm_dev.documents.machine import Accelerator, Finding, Vendor
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

VENDOR: Vendor = "intel"
PCI = "8086"
_DRIVERS = ("i915", "xe")
_NOT_FOR_XPU = message("PyTorch's XPU builds are not made for these graphics")


def probe(host: Host, devices: tuple[DisplayDevice, ...], inside: str | None) -> Found:
    """One entry per Intel graphics: `kind` is `igpu` for what no XPU build is made for. Starts no program."""
    cards = tuple(device for device in devices if device.vendor == PCI)
    gpus = tuple(_accelerator(host, card) for card in cards)
    return Found(gpus, tuple(_finding(gpu, card) for gpu, card in zip(gpus, cards, strict=True) if gpu.problem))


def _accelerator(host: Host, card: DisplayDevice) -> Accelerator:
    family = xpu_family(card.device)
    named = card.name or NAMES.get(card.device) or marketing_name(host, PCI, card.device)
    return Accelerator(
        vendor=VENDOR,
        name=_in_full(named) if named else family.name if family else f"Intel graphics {card.id}",
        chip=family.chip if family else None,
        driver=card.driver,
        memory_bytes=card.memory_bytes,
        problem=_problem(host, card) if family else _NOT_FOR_XPU,
        pci=card.id,
        kind="gpu" if family else "igpu",
        seen_by=(card.source,),
    )


def _in_full(name: str) -> str:
    return name if name.lower().startswith("intel") else f"Intel {name}"


def _problem(host: Host, card: DisplayDevice) -> Message | None:
    if card.source != "pci" or card.bound in _DRIVERS:
        return None
    if card.bound is None:
        return message("the card is there, but no driver (xe or i915) is loaded for it")
    return message("the card is there, but {driver} has it instead of xe or i915", driver=card.bound)


def _finding(gpu: Accelerator, card: DisplayDevice) -> Finding:
    evidence = (f"{card.source}: {card.id}, driver {card.bound or card.driver or 'none'}",)
    if gpu.kind == "igpu":
        return Finding(
            id="intel-not-xpu",
            text=message("{gpu}: PyTorch's XPU builds are not made for these graphics", gpu=gpu.name),
            evidence=evidence,
            reference="xpu",
        )
    return Finding(
        id="driver-not-loaded",
        level="error",
        text=gpu.problem or message("no driver is loaded"),
        hint=message("install a kernel with the driver xe (Arc B, Core Ultra 2) or i915, and Intel's compute runtime"),
        evidence=evidence,
        reference="xpu",
    )
