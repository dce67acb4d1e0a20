"""Jetson: NVIDIA's boards whose GPU is part of the processor, on no PCI bus, with a driver of their own numbers."""

import re
from dataclasses import dataclass
from pathlib import PurePath

from setup_llm_dev.host.world import Host

_MODEL = PurePath("/proc/device-tree/model")
_RELEASE = PurePath("/etc/nv_tegra_release")
_COMPATIBLE = PurePath("/proc/device-tree/compatible")
_FAMILIES = {"tegra264": "sm_110", "tegra234": "sm_87", "tegra194": "sm_72", "tegra186": "sm_62", "tegra210": "sm_53"}
_CHIPS = (("Thor", "sm_110"), ("T5000", "sm_110"), ("T4000", "sm_110"), ("Orin", "sm_87"), ("Xavier", "sm_72"),
          ("TX2", "sm_62"), ("TX1", "sm_53"), ("Nano", "sm_53"))  # fmt: skip


@dataclass(frozen=True)
class Tegra:
    """A Jetson: the board's name, its GPU's chip, and the release of its system (`36.4.3`, “L4T”)."""

    model: str
    chip: str | None = None
    release: str | None = None


def tegra(host: Host) -> Tegra | None:
    """None on every other computer."""
    model = (host.files.read_text(_MODEL) or "").strip("\0 \n")
    release = host.files.read_text(_RELEASE)
    if not host.system.release.endswith("-tegra") and release is None and "Jetson" not in model:
        return None
    family = re.search(r"nvidia,(tegra\d+)", host.files.read_text(_COMPATIBLE) or "")
    chip = _FAMILIES.get(family[1]) if family else None
    return Tegra(model or "NVIDIA Jetson", chip or chip_of(model), parse_release(release or ""))


def chip_of(model: str) -> str | None:
    """By the name of the board: every Orin is one GPU family, an Orin Nano too.

    >>> chip_of("NVIDIA Jetson Orin Nano Developer Kit")
    'sm_87'
    """
    if model == "Jetson-AGX":
        return "sm_72"  # so the first AGX calls itself, the Xavier
    return next((chip for word, chip in _CHIPS if word.lower() in model.lower()), None)


def parse_release(text: str) -> str | None:
    """The number of /etc/nv_tegra_release.

    >>> parse_release("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64")
    '36.4.3'
    """
    told = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    return f"{told[1]}.{told[2]}" if told else None
