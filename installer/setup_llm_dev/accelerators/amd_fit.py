"""AMD: whether a ROCm build has code for the chip of a GPU."""

from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Vendor
from setup_llm_dev.documents.torch_catalog import Offer, TorchCatalog
from setup_llm_dev.messages import message

VENDOR: Vendor = "amd"
NAME = "AMD"
FAMILY = "rocm"


def fit(accelerator: Accelerator, offer: Offer, torch: TorchCatalog) -> Refusal | None:
    """Why a ROCm build does not run on this GPU, or None. A chip must be listed: it has no relatives as in CUDA."""
    if accelerator.problem is not None:
        return Refusal(candidate=offer.name, reason=accelerator.problem)
    if accelerator.chip is None:
        return Refusal(
            candidate=offer.name,
            reason=message("{gpu}: its chip could not be found out", gpu=accelerator.name),
            hint=message("name it: --assume gpu=amd:gfx1100"),
        )
    rocm = torch.rocm.get(offer.variant)
    if rocm is not None and accelerator.chip in rocm.chips:
        return None
    facts = {"gpu": accelerator.name, "chip": accelerator.chip}
    return Refusal(candidate=offer.name, reason=message("has no code for {gpu} ({chip})", **facts))
