"""Intel: whether an XPU build runs on a GPU: on those that detection knows by their chip (Arc, Core Ultra, Max)."""

from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Vendor
from setup_llm_dev.documents.torch_catalog import Offer, TorchCatalog
from setup_llm_dev.messages import message

VENDOR: Vendor = "intel"
NAME = "Intel"
FAMILY = "xpu"


def fit(accelerator: Accelerator, offer: Offer, torch: TorchCatalog) -> Refusal | None:
    """Why an XPU build does not run on this GPU, or None."""
    if accelerator.problem is not None:
        return Refusal(candidate=offer.name, reason=accelerator.problem)
    if accelerator.chip is None:
        return Refusal(
            candidate=offer.name,
            reason=message("{gpu} is not known as one that XPU builds run on", gpu=accelerator.name),
            hint=message("try it all the same: --torch {variant}", variant=FAMILY),
        )
    return None
