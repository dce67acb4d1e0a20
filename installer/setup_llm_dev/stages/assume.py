"""Assume: a Machine with other GPUs than it has, to plan for a computer that is not here."""

import difflib
import re
from typing import get_args

import msgspec
from packaging.version import InvalidVersion, Version

from setup_llm_dev.accelerators.intel_ids import find_product
from setup_llm_dev.documents.machine import Accelerator, Machine, Vendor
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import Message, message

_VENDORS: tuple[Vendor, ...] = get_args(Vendor)
_NO_GPU = "none"


def assume(machine: Machine, *texts: str) -> Machine:
    """`machine` with the GPUs of `gpu=none`, or of one or more `gpu=VENDOR:CHIP:DRIVER`, instead of its own.

    CHIP is `sm_89`, `8.9`, `gfx1100`, `arc-b580`, `m3`, or the name of an NVIDIA card. DRIVER may be left out for
    vendors other than NVIDIA. What was found wrong with the machine's own GPUs is left out with them. Raises
    UsageError for other texts.
    """
    values = [_value(text) for text in texts]
    if _NO_GPU in values and len(set(values)) > 1:
        raise _wrong(message("--assume gpu=none and another --assume gpu=… contradict each other"))
    return msgspec.structs.replace(
        machine,
        accelerators=tuple(_accelerator(value) for value in values if value != _NO_GPU),
        findings=tuple(finding for finding in machine.findings if finding.id not in _OF_ITS_GPUS),
    )


# The findings of detection that speak of GPUs which an assumption puts away.
_OF_ITS_GPUS = frozenset((
    "sources-differ", "driver-library-mismatch", "driver-not-loaded", "no-device-in-container", "gpu-no-answer",
    "gpu-unreadable", "gpu-lost", "gpu-no-permission", "nvml-missing", "gpu-tool-failed", "nvidia-uvm-missing",
    "mig", "mig-empty", "vgpu", "card-not-driven", "kfd-no-permission", "kfd-missing", "intel-not-xpu", "amd-igpu",
))  # fmt: skip


def _value(text: str) -> str:
    key, equals, value = text.strip().partition("=")
    if key != "gpu" or not equals or not value:
        raise _wrong(message("--assume {text} is not understood", text=text))
    return value


def _accelerator(value: str) -> Accelerator:
    vendor, _, rest = value.partition(":")
    chip, _, driver = rest.partition(":")
    if not chip or (vendor == "nvidia" and not driver):
        raise _wrong(message("--assume gpu={value} names no vendor, chip and driver", value=value))
    known = _vendor(vendor)
    if driver:
        _check_driver(driver)
    name, target = _named(known, chip.strip(), value)
    return Accelerator(vendor=known, name=name, chip=target, driver=driver or None, seen_by=("assumed",))


def _named(vendor: Vendor, chip: str, value: str) -> tuple[str, str | None]:
    """What the GPU is called, and its chip where the word says which."""
    if vendor == "nvidia":
        sm = re.fullmatch(r"(?:sm_)?(\d+)\.?(\d)", chip)
        return ("assumed GPU", f"sm_{sm[1]}{sm[2]}") if sm else (chip, None)
    if vendor == "intel":
        found = find_product(chip)
        if found is None:
            raise _wrong(message("--assume gpu={value}: no XPU build is made for “{chip}”", value=value, chip=chip))
        return found
    form = r"gfx[0-9a-f]{3,5}" if vendor == "amd" else r"m\d+"
    if not re.fullmatch(form, chip):
        raise _wrong(message("--assume gpu={value}: “{chip}” is no chip of this vendor", value=value, chip=chip))
    return "assumed GPU", chip


def _vendor(name: str) -> Vendor:
    for vendor in _VENDORS:
        if name == vendor:
            return vendor
    near = difflib.get_close_matches(name, _VENDORS, n=1)
    hint = message("did you mean {near}?", near=near[0]) if near else None
    raise UsageError(message("there is no GPU vendor named {name}", name=name), hint=hint or _form())


def _check_driver(driver: str) -> None:
    try:
        Version(driver)
    except InvalidVersion:
        raise _wrong(message("{driver} is not a driver version", driver=driver)) from None


def _wrong(text: Message) -> UsageError:
    return UsageError(text, hint=_form())


def _form() -> Message:
    return message("write gpu=none, or gpu=nvidia:sm_89:580, gpu=amd:gfx1100, gpu=intel:arc-b580, gpu=apple:m3")
