"""NVIDIA's driver: the exact commands that this machine is to be given one with, Secure Boot and restart included."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.documents.driver_catalog import DriverCatalog
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.torch_catalog import TorchCatalog
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.diagnoses.driver_step import (
    DriverStep,
    NoStep,
    as_line,
    driver_step,
    needs_driver,
    nvidia_cards,
)

if TYPE_CHECKING:
    from setup_llm_dev.stages.diagnoses.situation import Situation, Told

_EFI = PurePath("/sys/firmware/efi/efivars")
_ATTRIBUTES = 4  # bytes before the value of an EFI variable


def look(situation: "Situation") -> "Iterator[Told]":
    machine, wanted = situation.machine, situation.recipe.torch.version
    yield from driver_findings(
        machine, situation.catalog.torch, situation.drivers, wanted, secure_boot=secure_boot(situation.host)
    )


def driver_findings(
    machine: Machine, torch: TorchCatalog, drivers: DriverCatalog, wanted: str, *, secure_boot: bool | None
) -> Iterator[Entry]:
    """How to get a driver, where one is needed; nothing else. Pure. secure_boot: None where nobody could tell."""
    if not nvidia_cards(machine) or not needs_driver(machine, torch, wanted):
        return
    match driver_step(machine, torch, drivers, wanted):
        case NoStep() as no:
            yield Entry(id="driver-elsewhere", group="gpu", level="info", text=no.why, hint=no.hint, reference="driver")
        case DriverStep() as step:
            yield _entry(step, secure_boot)


def secure_boot(host: Host) -> bool | None:
    """What the firmware says: the last byte of its variable; None without one (no UEFI, or not permitted)."""
    name = next((n for n in host.files.list_dir(_EFI) if n.startswith("SecureBoot-")), None)
    if name is None:
        return None
    try:
        told = host.files.read_bytes(_EFI / name, 16)
    except OSError:
        return None
    return told[_ATTRIBUTES : _ATTRIBUTES + 1] == b"\x01"


def _entry(step: DriverStep, secure: bool | None) -> Entry:
    enrol = step.enrol if secure is not False else ()
    return Entry(
        id="driver-step",
        group="gpu",
        level="error",
        text=message("{gpus} needs a driver, and {distribution} has one", distribution=step.distribution,
                     gpus=", ".join(step.gpus)),
        cause=_branch(step),
        hint=_hint(step, secure),
        commands=(*map(as_line, step.commands), *map(as_line, enrol), "sudo reboot"),
        evidence=(step.evidence, *_secure_evidence(secure)),
        reference="driver",
    )  # fmt: skip


def _branch(step: DriverStep) -> Message:
    if step.branch is None:
        return message("the newest driver drives it")
    return message("the {branch} branch is the last one that drives it", branch=step.branch)


def _hint(step: DriverStep, secure: bool | None) -> Message:
    """Who runs the commands, and what a person must do at the keyboard."""
    hint = message("type these, or let `setup-llm-dev apply --install-driver` run them as root after a yes; "
                   "restart, and run the same command again")  # fmt: skip
    if step.by_hand:
        hint = message("type these; restart, and run the same command again")
    if secure is False or step.signed:
        return _noted(hint, step)
    if secure:
        also = message("{hint}. Secure Boot is on: `mokutil` asks for a password, which the blue screen after the "
                       "restart asks for again (“Enroll MOK”)", hint=hint)  # fmt: skip
        return _noted(also, step)
    also = message("{hint}. `mokutil` only where `mokutil --sb-state` says that Secure Boot is on", hint=hint)
    return _noted(also, step)


def _noted(hint: Message, step: DriverStep) -> Message:
    return message("{hint} ({note})", hint=hint, note=step.note) if step.note else hint


def _secure_evidence(secure: bool | None) -> tuple[str, ...]:
    if secure is None:
        return ()
    return (f"/sys/firmware/efi/efivars/SecureBoot-*: {'on' if secure else 'off'}",)
