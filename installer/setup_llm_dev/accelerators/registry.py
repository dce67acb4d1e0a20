"""The GPU vendors in order of preference: who says which builds run on their GPUs (`probers` look for them)."""

from functools import cache
from typing import Protocol

from setup_llm_dev.accelerators import amd_fit, apple_fit, intel_fit, nvidia_fit
from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Vendor
from setup_llm_dev.documents.torch_catalog import Offer, TorchCatalog


class Fitter(Protocol):
    """What says of a build whether it runs on a GPU. `FAMILY` is how the names of its variants begin."""

    VENDOR: Vendor
    NAME: str
    FAMILY: str

    def fit(self, accelerator: Accelerator, offer: Offer, torch: TorchCatalog) -> Refusal | None: ...


FITS: tuple[Fitter, ...] = (nvidia_fit, apple_fit, amd_fit, intel_fit)


@cache
def vendor_of(variant: str) -> Fitter | None:
    """The vendor whose GPUs a variant is for, None for `cpu`."""
    return next((v for v in FITS if variant.startswith(v.FAMILY)), None)
