"""Apple: whether a macOS build uses the GPU of the processor."""

from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Vendor
from setup_llm_dev.documents.torch_catalog import Offer, TorchCatalog
from setup_llm_dev.messages import message

VENDOR: Vendor = "apple"
NAME = "Apple"
FAMILY = "mps"


def fit(accelerator: Accelerator, offer: Offer, torch: TorchCatalog) -> Refusal | None:
    """Every Apple processor has the Metal that PyTorch needs."""
    if accelerator.problem is None:
        return None
    return Refusal(candidate=offer.name, reason=message("{problem}", problem=accelerator.problem))
