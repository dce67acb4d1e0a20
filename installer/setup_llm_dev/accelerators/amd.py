"""AMD: cards by PCI id, chips by the compute driver's topology; ROCm is not chosen unless asked for."""

import re
from pathlib import PurePath

from setup_llm_dev.accelerators.pci import display_devices
from setup_llm_dev.documents.catalog import Offer, TorchCatalog
from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Vendor
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

VENDOR: Vendor = "amd"
NAME = "AMD"
FAMILY = "rocm"
_NODES = PurePath("/sys/class/kfd/kfd/topology/nodes")


def probe(host: Host) -> tuple[Accelerator, ...]:
    """One entry per AMD display device. Chips are paired in order; they need the compute driver."""
    chips = _chips(host)
    return tuple(
        Accelerator(vendor=VENDOR, name=f"AMD GPU 1002:{device}", chip=chips[i] if i < len(chips) else None)
        for i, device in enumerate(display_devices(host, "1002"))
    )


def fit(accelerator: Accelerator, offer: Offer, torch: TorchCatalog) -> Refusal | None:
    """Always a refusal: ROCm is for people who ask for it."""
    fitting = [n for n, r in torch.rocm.items() if r.evidence != "inferred" and accelerator.chip in (None, *r.chips)]
    return Refusal(
        candidate=offer.name,
        reason=message("builds are chosen for NVIDIA, Apple and CPU only, not for {gpu}", gpu=accelerator.name),
        hint=message("ask for one yourself: --torch {variant}", variant=fitting[-1]) if fitting else None,
    )


def _chips(host: Host) -> tuple[str, ...]:
    """`gfx1100` from gfx_target_version 110000: major, minor and stepping, the last two in hexadecimal."""
    found = []
    for node in host.files.list_dir(_NODES):
        text = host.files.read_text(_NODES / node / "properties") or ""
        told = re.search(r"^gfx_target_version (\d+)$", text, re.MULTILINE)
        if told and (number := int(told[1])):
            found.append(f"gfx{number // 10000}{number // 100 % 100:x}{number % 100:x}")
    return tuple(found)
