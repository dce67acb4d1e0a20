"""Display devices as the kernel's PCI tree shows them: the GPU that is there even where no driver is."""

from pathlib import PurePath

from setup_llm_dev.host.world import Host

_TREE = PurePath("/sys/bus/pci/devices")
_DISPLAY = "0x03"  # PCI class 03: VGA, 3D and other display controllers


def display_devices(host: Host, vendor: str) -> tuple[str, ...]:
    """PCI device ids (`2684`) of the display devices of a vendor (`10de`); empty outside Linux."""
    found = []
    for slot in host.files.list_dir(_TREE):
        folder = _TREE / slot
        if _read(host, folder / "vendor") == f"0x{vendor}" and _read(host, folder / "class").startswith(_DISPLAY):
            found.append(_read(host, folder / "device").removeprefix("0x"))
    return tuple(found)


def _read(host: Host, path: PurePath) -> str:
    return (host.files.read_text(path) or "").strip().lower()
