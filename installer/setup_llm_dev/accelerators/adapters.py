"""The display devices of a computer, each operating system asked in its own way."""

import re
from typing import Any

from setup_llm_dev.accelerators.pci import DisplayDevice
from setup_llm_dev.accelerators.pci import display_devices as of_the_pci_tree
from setup_llm_dev.host.deadline import asked
from setup_llm_dev.host.world import Host

_PNP = re.compile(r"VEN_([0-9A-F]{4})&DEV_([0-9A-F]{4})", re.IGNORECASE)
_DISABLED = 22  # ConfigManagerErrorCode
_ID = re.compile(r"(?:0x)?([0-9a-fA-F]{4})\b")
_PROFILER = ("/usr/sbin/system_profiler", "SPDisplaysDataType", "-json")


def display_devices(host: Host) -> tuple[DisplayDevice, ...]:
    """In the system's order. A Mac with an Apple processor is not asked: it has no other GPU."""
    if host.system.platform == "win32":
        from setup_llm_dev.host.windows_facts import windows_facts

        return parse_windows(windows_facts(host))
    if host.system.platform == "darwin":
        return _of_a_mac(host)
    return of_the_pci_tree(host)


def parse_windows(told: dict[str, Any]) -> tuple[DisplayDevice, ...]:
    """Those on PCI that are not switched off, from `{"adapters": [{"name", "pnp", "driver", "memory", "error"}]}`.

    >>> parse_windows({"adapters": {"name": "RTX", "pnp": "PCI\\\\VEN_10DE&DEV_2504", "driver": "32.0.15.8129"}})[0].id
    '10de:2504'
    """
    adapters = told.get("adapters") or ()
    every = adapters if isinstance(adapters, list | tuple) else (adapters,)  # PowerShell makes one of no list
    return tuple(found for adapter in every if isinstance(adapter, dict) and (found := _of_windows(adapter)))


def _of_windows(adapter: dict[str, Any]) -> DisplayDevice | None:
    ids = _PNP.search(str(adapter.get("pnp") or ""))
    if ids is None or adapter.get("error") == _DISABLED:
        return None  # a remote desktop's or virtual display is on no PCI bus
    memory = adapter.get("memory")
    return DisplayDevice(
        vendor=ids[1].lower(),
        device=ids[2].lower(),
        name=str(adapter["name"]) if adapter.get("name") else None,
        driver=str(adapter["driver"]) if adapter.get("driver") else None,
        memory_bytes=memory if isinstance(memory, int) and memory > 0 else None,
        source="registry",
    )


def _of_a_mac(host: Host) -> tuple[DisplayDevice, ...]:
    brand = asked(host, "/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")
    if brand is None or not brand.ok or "Apple" in brand.stdout:
        return ()
    answer = asked(host, *_PROFILER)
    return parse_profiler(answer.stdout) if answer and answer.ok else ()


def parse_profiler(text: str) -> tuple[DisplayDevice, ...]:
    """The cards in `system_profiler SPDisplaysDataType -json`, by their `spdisplays_vendor-id` and `device-id`."""
    import json

    try:
        cards = json.loads(text)["SPDisplaysDataType"]
    except (ValueError, KeyError, TypeError):
        return ()
    every = cards if isinstance(cards, list) else ()
    return tuple(found for card in every if isinstance(card, dict) and (found := _of_profiler(card)))


def _of_profiler(card: dict[str, Any]) -> DisplayDevice | None:
    vendor = {"sppci_vendor_amd": "1002", "sppci_vendor_nvidia": "10de", "Intel": "8086"}.get(
        str(card.get("spdisplays_vendor"))
    )
    told = re.search(r"\(0x([0-9a-fA-F]{4})\)", str(card.get("spdisplays_vendor") or ""))  # AMD (0x1002)
    device = _ID.match(str(card.get("spdisplays_device-id") or ""))
    if device is None or not (vendor or told):
        return None
    return DisplayDevice(
        vendor=vendor or (told[1].lower() if told else ""),
        device=device[1].lower(),
        name=str(card.get("sppci_model") or "") or None,
        source="system_profiler",
    )
