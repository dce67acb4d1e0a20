"""Display devices as the kernel's PCI tree shows them: the GPU that is there even where no driver is."""

import re
from dataclasses import dataclass
from pathlib import PurePath

from setup_llm_dev.host.world import Host

_TREE = PurePath("/sys/bus/pci/devices")
_DISPLAY = "0x03"  # PCI class 03: VGA, 3D and other display controllers
_ACCELERATOR = "0x12"  # processing accelerators: how data-centre cards of AMD and Intel call themselves
_NAMES = (PurePath("/usr/share/misc/pci.ids"), PurePath("/usr/share/hwdata/pci.ids"))


@dataclass(frozen=True)
class DisplayDevice:
    """One graphics or compute card. `vendor` and `device` are ids such as `10de` and `2684`.

    `bound` is the kernel driver that has it; `driver` the version of the driver in Windows' own numbers.
    """

    vendor: str
    device: str
    slot: str = ""
    name: str | None = None
    bound: str | None = None
    driver: str | None = None
    memory_bytes: int | None = None
    source: str = "pci"

    @property
    def id(self) -> str:
        return f"{self.vendor}:{self.device}"

    @property
    def integrated(self) -> bool:
        """Processor graphics of Intel have a slot of their own, on every processor that has them."""
        return self.slot.endswith(":00:02.0")


def display_devices(host: Host) -> tuple[DisplayDevice, ...]:
    """Every display device and accelerator card of the PCI tree, in the order of the slots; empty outside Linux."""
    found = []
    for slot in host.files.list_dir(_TREE):
        folder = _TREE / slot
        if _read(host, folder / "class").startswith((_DISPLAY, _ACCELERATOR)):
            found.append(_device(host, folder, slot))
    return tuple(found)


def _device(host: Host, folder: PurePath, slot: str) -> DisplayDevice:
    memory = _read(host, folder / "mem_info_vram_total")
    bound = host.files.link_target(folder / "driver")
    return DisplayDevice(
        vendor=_read(host, folder / "vendor").removeprefix("0x"),
        device=_read(host, folder / "device").removeprefix("0x"),
        slot=slot,
        bound=PurePath(bound).name if bound else None,
        memory_bytes=int(memory) if memory.isdecimal() else None,
    )


def marketing_name(host: Host, vendor: str, device: str) -> str | None:
    """What this computer's own list of PCI ids calls a device, where it has one."""
    for path in _NAMES:
        if (text := host.files.read_text(path)) and (told := name_in_list(text, vendor, device)):
            return told
    return None


def name_in_list(text: str, vendor: str, device: str) -> str | None:
    """The name in a `pci.ids`: a line of the vendor, below it a tab, the device's id, two spaces, its name.

    >>> name_in_list("10de  NVIDIA\\n\\t2684  AD102 [GeForce RTX 4090]\\n", "10de", "2684")
    'GeForce RTX 4090'
    """
    start = re.search(rf"^{vendor}  ", text, re.MULTILINE)
    told = re.compile(rf"\n(?:\t{device}  (.+)|[0-9a-fC])").search(text, start.end()) if start else None
    if told is None or told[1] is None:
        return None
    name = re.search(r"\[(.+)\]", told[1])
    return name[1] if name else str(told[1]).strip()


def _read(host: Host, path: PurePath) -> str:
    return (host.files.read_text(path) or "").strip().lower()
