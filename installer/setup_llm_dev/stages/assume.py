"""Assume: a Machine with other GPUs than it has, to plan for a computer that is not here."""

import difflib
import re
from typing import get_args

import msgspec
from packaging.version import InvalidVersion, Version

from setup_llm_dev.documents.machine import Accelerator, Machine, Vendor
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import Message, message

_VENDORS: tuple[Vendor, ...] = get_args(Vendor)


def assume(machine: Machine, text: str) -> Machine:
    """`machine` with the GPU of `gpu=none` or `gpu=VENDOR:CHIP:DRIVER` instead of its own.

    CHIP is `sm_89`, `8.9`, `gfx1100`, `m3`, or the name of an NVIDIA card.
    DRIVER may be left out for vendors other than NVIDIA. Raises UsageError for other texts.
    """
    key, equals, value = text.strip().partition("=")
    if key != "gpu" or not equals or not value:
        raise _wrong(message("--assume {text} is not understood", text=text))
    return msgspec.structs.replace(machine, accelerators=() if value == "none" else (_accelerator(value),))


def _accelerator(value: str) -> Accelerator:
    vendor, _, rest = value.partition(":")
    chip, _, driver = rest.partition(":")
    if not chip or (vendor == "nvidia" and not driver):
        raise _wrong(message("--assume gpu={value} names no vendor, chip and driver", value=value))
    known = _vendor(vendor)
    if driver:
        _check_driver(driver)
    sm = re.fullmatch(r"(?:sm_)?(\d+)\.?(\d)", chip) if known == "nvidia" else None
    is_name = known == "nvidia" and sm is None
    return Accelerator(
        vendor=known,
        name=chip if is_name else "assumed GPU",
        chip=f"sm_{sm[1]}{sm[2]}" if sm else None if is_name else chip,
        driver=driver or None,
    )


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
    return message("write --assume gpu=none, or --assume gpu=nvidia:sm_89:580")
