"""AMD: what each source says, as pure functions from its text to values."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Node:
    """A GPU of the compute driver's topology: `slot` as in the PCI tree (`0000:03:00.0`), `gfx1100`."""

    chip: str
    pci: str | None = None
    slot: str | None = None


def parse_node(text: str) -> Node | None:
    """The `properties` of a kfd node; None for a processor, which has no graphics target.

    >>> parse_node("gfx_target_version 90010\\nvendor_id 4098\\ndevice_id 29708\\nlocation_id 768\\ndomain 0\\n")
    Node(chip='gfx90a', pci='1002:740c', slot='0000:03:00.0')
    """
    told = {key: int(value) for key, value in re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE)}
    if not (target := told.get("gfx_target_version")):
        return None
    vendor, device, place = told.get("vendor_id"), told.get("device_id"), told.get("location_id")
    return Node(
        chip=chip_of_target(target),
        pci=f"{vendor:04x}:{device:04x}" if vendor and device else None,
        slot=slot_of(told.get("domain", 0), place) if place is not None else None,
    )


def chip_of_target(target: int) -> str:
    """`gfx1100` from 110000: major, minor and stepping, the last two in hexadecimal.

    >>> chip_of_target(90402)
    'gfx942'
    """
    return f"gfx{target // 10000}{target // 100 % 100:x}{target % 100:x}"


def slot_of(domain: int, location: int) -> str:
    """The PCI address in a kfd `location_id`: bus, device and function in one number.

    >>> slot_of(0, 0x0300)
    '0000:03:00.0'
    """
    return f"{domain:04x}:{location >> 8 & 0xFF:02x}:{location >> 3 & 0x1F:02x}.{location & 7}"


def parse_bank(text: str) -> int:
    """Bytes of a kfd memory bank that lies on the card (heap types 1 and 2), 0 for others."""
    told = dict(re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE))
    return int(told.get("size_in_bytes", 0)) if told.get("heap_type") in ("1", "2") else 0


def parse_enumerator(text: str) -> tuple[str, ...]:
    """The chips that rocm_agent_enumerator names; gfx000 is the processor.

    >>> parse_enumerator("gfx000\\ngfx1100\\n")
    ('gfx1100',)
    """
    names = (line.strip() for line in text.splitlines())
    return tuple(name for name in names if re.fullmatch(r"gfx[0-9a-f]{3,5}", name) and name != "gfx000")


@dataclass(frozen=True)
class Described:
    """A GPU as amd-smi tells of it."""

    name: str | None = None
    chip: str | None = None
    pci: str | None = None
    memory_bytes: int | None = None


def parse_smi(text: str) -> tuple[Described, ...]:
    """The JSON of `amd-smi static --asic --vram --json`: a list, in later versions one inside `gpu_data`."""
    try:
        told = json.loads(text)
    except ValueError:
        return ()
    gpus = told.get("gpu_data", ()) if isinstance(told, dict) else told
    return tuple(_described(gpu) for gpu in gpus if isinstance(gpu, dict)) if isinstance(gpus, list) else ()


def _described(gpu: dict[str, Any]) -> Described:
    asic, vram = _table(gpu.get("asic")), _table(gpu.get("vram"))
    chip = str(asic.get("target_graphics_version", "")).lower()
    vendor, device = _hex(asic.get("vendor_id")), _hex(asic.get("device_id"))
    return Described(
        name=_word(asic.get("market_name")),
        chip=chip if re.fullmatch(r"gfx[0-9a-f]{3,5}", chip) else None,
        pci=f"{vendor}:{device}" if vendor and device else None,
        memory_bytes=_size(vram.get("size")),
    )


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: object) -> str | None:
    text = value.strip() if isinstance(value, str) else ""
    return text if text and text.upper() != "N/A" and not text.lower().startswith("0x") else None


def _hex(value: object) -> str | None:
    told = re.fullmatch(r"(?:0x)?([0-9a-fA-F]{1,4})", value.strip()) if isinstance(value, str) else None
    return told[1].lower().zfill(4) if told else None


def _size(value: object) -> int | None:
    told = _table(value)
    number = told.get("value")
    scale = {"MB": _MIB, "GB": 1024 * _MIB}.get(str(told.get("unit")))
    return int(number) * scale if isinstance(number, int | float) and scale else None


def in_words(chips: Iterable[str | None]) -> str:
    """For a line of evidence."""
    return ", ".join(chip or "unknown" for chip in chips) or "no GPU"
