"""Apple: the GPU of an Apple processor, which every macOS arm64 build of PyTorch uses through Metal."""

import re

from setup_llm_dev.documents.catalog import Offer, TorchCatalog
from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Vendor
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

VENDOR: Vendor = "apple"
NAME = "Apple"
FAMILY = "mps"


def probe(host: Host) -> tuple[Accelerator, ...]:
    """The processor's own GPU; its memory is the computer's."""
    if host.system.platform != "darwin":
        return ()
    brand = _sysctl(host, "machdep.cpu.brand_string")
    told = re.match(r"Apple (M\d+)", brand)
    if told is None:
        return ()
    memory = _sysctl(host, "hw.memsize")
    return (
        Accelerator(
            vendor=VENDOR,
            name=brand,
            chip=told[1].lower(),
            memory_bytes=int(memory) if memory.isdecimal() else None,
        ),
    )


def fit(accelerator: Accelerator, offer: Offer, torch: TorchCatalog) -> Refusal | None:
    """Every Apple processor has the Metal that PyTorch needs."""
    if accelerator.problem is None:
        return None
    return Refusal(candidate=offer.name, reason=message("{problem}", problem=accelerator.problem))


def _sysctl(host: Host, name: str) -> str:
    answer = host.programs.run(("/usr/sbin/sysctl", "-n", name), timeout=5)
    return answer.stdout.strip() if answer.ok else ""
