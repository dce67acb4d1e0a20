"""The GPU vendors in order of preference: one name each."""

from typing import Protocol

from setup_llm_dev.accelerators import amd, apple, intel, nvidia
from setup_llm_dev.documents.catalog import Offer, TorchCatalog
from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Vendor
from setup_llm_dev.host.world import Host


class VendorModule(Protocol):
    """What a vendor module answers. `FAMILY` is how the names of its variants begin."""

    VENDOR: Vendor
    NAME: str
    FAMILY: str

    def probe(self, host: Host) -> tuple[Accelerator, ...]: ...

    def fit(self, accelerator: Accelerator, offer: Offer, torch: TorchCatalog) -> Refusal | None: ...


VENDORS: tuple[VendorModule, ...] = (nvidia, apple, amd, intel)


def vendor_of(variant: str) -> VendorModule | None:
    """The vendor whose GPUs a variant is for, None for `cpu`."""
    return next((v for v in VENDORS if variant.startswith(v.FAMILY)), None)
