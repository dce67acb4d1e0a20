"""Intel: graphics by PCI id; this version does not choose XPU builds by itself."""

from setup_llm_dev.accelerators.pci import display_devices
from setup_llm_dev.documents.catalog import Offer, TorchCatalog
from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Vendor
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

VENDOR: Vendor = "intel"
NAME = "Intel"
FAMILY = "xpu"


def probe(host: Host) -> tuple[Accelerator, ...]:
    """One entry per Intel display device; most are processor graphics without a PyTorch build."""
    devices = display_devices(host, "8086")
    return tuple(Accelerator(vendor=VENDOR, name=f"Intel graphics 8086:{device}") for device in devices)


def fit(accelerator: Accelerator, offer: Offer, torch: TorchCatalog) -> Refusal | None:
    """Always a refusal: XPU is for people who ask for it."""
    return Refusal(
        candidate=offer.name,
        reason=message("builds are chosen for NVIDIA, Apple and CPU only, not for {gpu}", gpu=accelerator.name),
        hint=message("ask for one yourself: --torch {variant}", variant=FAMILY),
    )
