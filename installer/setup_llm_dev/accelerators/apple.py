"""Apple: the GPU of an Apple processor, which every macOS arm64 build of PyTorch uses through Metal."""

import re

from setup_llm_dev.accelerators.found import Found
from setup_llm_dev.accelerators.pci import DisplayDevice
from setup_llm_dev.documents.machine import Accelerator, Finding, Vendor
from setup_llm_dev.host.deadline import asked
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

VENDOR: Vendor = "apple"
_BRAND = re.compile(r"Apple (M\d+)\b")


def probe(host: Host, devices: tuple[DisplayDevice, ...], inside: str | None) -> Found:
    """The processor's own GPU; its memory is the computer's. A virtual machine's GPU is told as one."""
    if host.system.platform != "darwin":
        return Found()
    brand = _sysctl(host, "machdep.cpu.brand_string")
    told = _BRAND.match(brand)
    if told is None:
        return Found()
    memory = _sysctl(host, "hw.memsize")
    gpu = Accelerator(
        vendor=VENDOR,
        name=brand,
        chip=told[1].lower(),
        memory_bytes=int(memory) if memory.isdecimal() else None,
        kind="vgpu" if "virtual" in brand.lower() else "gpu",
        seen_by=("sysctl",),
    )
    return Found((gpu,), (_virtual(brand),) if gpu.kind == "vgpu" else ())


def _virtual(brand: str) -> Finding:
    return Finding(
        id="vgpu",
        level="warning",
        text=message("this is a virtual Mac: its Metal device often fails with PyTorch"),
        hint=message("use the processor there: --torch cpu"),
        evidence=(f"sysctl: {brand}",),
        reference="mps",
    )


def _sysctl(host: Host, name: str) -> str:
    answer = asked(host, "/usr/sbin/sysctl", "-n", name)
    return answer.stdout.strip() if answer and answer.ok else ""
