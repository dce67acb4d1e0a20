"""Who looks for the GPUs of each vendor, loaded only where something speaks of that vendor."""

import importlib
from pathlib import PurePath
from typing import NamedTuple, Protocol, cast

from setup_llm_dev.accelerators.found import Found
from setup_llm_dev.accelerators.pci import DisplayDevice
from setup_llm_dev.documents.machine import Vendor
from setup_llm_dev.host.world import Host


class Prober(Protocol):
    """What finds the GPUs of a vendor, among the computer's display devices and beyond.

    `inside` is what the computer is in: wsl, container, colab, kaggle.
    """

    VENDOR: Vendor

    def probe(self, host: Host, devices: tuple[DisplayDevice, ...], inside: str | None) -> Found: ...


class _Sign(NamedTuple):
    """What speaks of a vendor: its PCI id, files of its drivers, a whole platform. A card may lie on no PCI bus."""

    module: str
    pci: str
    files: tuple[str, ...] = ()
    platform: str = ""


_SIGNS = (  # in order of preference
    _Sign("nvidia", "10de", ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/nvmap", "/dev/nvhost-gpu",
                             "/proc/driver/nvidia/version", "/sys/module/nvidia/version", "/etc/nv_tegra_release")),
    _Sign("apple", "106b", platform="darwin"),
    _Sign("amd", "1002", ("/sys/class/kfd/kfd/topology/nodes",)),
    _Sign("intel", "8086"),
)  # fmt: skip


def probers(host: Host, devices: tuple[DisplayDevice, ...]) -> tuple[Prober, ...]:
    """Those worth asking on this computer. On Windows without an answer about its devices NVIDIA's may still be one."""
    blind = host.system.platform == "win32" and not devices
    return tuple(
        cast(Prober, importlib.import_module(f"setup_llm_dev.accelerators.{sign.module}"))
        for sign in _SIGNS
        if any(device.vendor == sign.pci for device in devices)
        or any(host.files.exists(PurePath(name)) for name in sign.files)
        or sign.platform == host.system.platform
        or (blind and sign.module == "nvidia")
    )
