"""The driver step: which commands give this machine a driver for its NVIDIA cards; pure, out of the catalogue."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from setup_llm_dev.accelerators import nvidia_fit
from setup_llm_dev.documents.driver_catalog import Command, DriverCatalog, Way, blanks, filled
from setup_llm_dev.documents.machine import Accelerator, Machine
from setup_llm_dev.documents.torch_catalog import TorchCatalog
from setup_llm_dev.documents.torch_rows import version
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.offered import offers_for

NO_DRIVER = ("driver-not-loaded", "nvml-missing", "card-not-driven")
"""Findings of detection that say that the driver, or a part of it, is not there."""


@dataclass(frozen=True)
class DriverStep:
    """Commands in order, each with the rights of root. enrol: for Secure Boot, told and never run.

    branch: the newest branch that still drives every card, None where the newest of all does. signed: the
    distribution's own modules, which Secure Boot trusts.
    """

    distribution: str
    gpus: tuple[str, ...]
    commands: tuple[Command, ...]
    enrol: tuple[Command, ...]
    branch: int | None
    by_hand: bool
    note: str | None
    evidence: str

    @property
    def signed(self) -> bool:
        return not self.enrol


@dataclass(frozen=True)
class NoStep:
    """Why there are no commands for this machine, and where the driver comes from instead."""

    why: Message
    hint: Message


def driver_step(machine: Machine, torch: TorchCatalog, drivers: DriverCatalog, wanted: str) -> DriverStep | NoStep:
    """The commands for the NVIDIA cards of `machine`; `wanted` is the recipe's specifier of torch releases.

    Whether a driver is missing at all is another question: `needs_driver`.
    """
    if elsewhere := _elsewhere(machine):
        return elsewhere
    cards = nvidia_cards(machine)
    capabilities = tuple(nvidia_fit.capability_of(card, torch) for card in cards)
    known = tuple(capability for capability in capabilities if capability is not None)
    if not cards or len(known) < len(cards):
        return _unknown(cards)
    kinds = {drivers.modules_for(capability) for capability in known}
    if {"open", "closed"} <= kinds:
        return _no_common_module(cards)
    return _from_catalog(machine, cards, known, torch, drivers, wanted)


def needs_driver(machine: Machine, torch: TorchCatalog, wanted: str) -> bool:
    """Whether a card has no driver, one that does not drive it, or one that is too old for every build."""
    if any(finding.id in NO_DRIVER for finding in machine.findings):
        return True
    return any(card.problem is None and (unfit(card, machine, torch, wanted)) for card in nvidia_cards(machine))


def unfit(card: Accelerator, machine: Machine, torch: TorchCatalog, wanted: str) -> bool:
    """Whether its driver starts no build that another driver would start."""
    if driving(card, machine, torch, wanted):
        return False
    return lowest_driver(card, machine, torch, wanted) is not None


def driving(card: Accelerator, machine: Machine, torch: TorchCatalog, wanted: str) -> bool:
    """Whether a build of the recipe runs on a card with the driver that it has."""
    offers = offers_for(machine, torch, wanted, None)
    return any(nvidia_fit.fit(card, offer, torch) is None for offer in offers if offer.driver is not None)


def lowest_driver(card: Accelerator, machine: Machine, torch: TorchCatalog, wanted: str) -> str | None:
    """The oldest driver with which a build of the recipe runs on a card, None where none does."""
    offers = [offer for offer in offers_for(machine, torch, wanted, None) if offer.driver is not None]
    floors = {offer.driver or "" for offer in offers} | set(_first_branches(torch))
    for driver in sorted(floors, key=version):
        other = msgspec.structs.replace(card, driver=driver, problem=None)
        if any(nvidia_fit.fit(other, offer, torch) is None for offer in offers):
            return driver
    return None


def last_branch(capabilities: tuple[int, ...], torch: TorchCatalog) -> int | None:
    """The newest branch that drives them all, None where the newest of all does."""
    rows = (row for row in torch.driver_branches for c in capabilities if row.sm[0] <= c <= row.sm[1] and row.last)
    return min((row.last or 0 for row in rows), default=None)


def nvidia_cards(machine: Machine) -> tuple[Accelerator, ...]:
    return tuple(gpu for gpu in machine.accelerators if gpu.vendor == "nvidia")


def as_line(command: Command, *, sudo: bool = True) -> str:
    """As a person types it."""
    import shlex

    words = shlex.join(command.run)
    if command.input:
        return f"echo {shlex.quote(command.input.rstrip())} | {'sudo ' if sudo else ''}{words}"
    return f"sudo {words}" if sudo else words


def _first_branches(torch: TorchCatalog) -> Iterator[str]:
    return (str(row.first) for row in torch.driver_branches if row.first)


def _elsewhere(machine: Machine) -> NoStep | None:
    """Where a driver must not be installed from."""
    match machine.environment:
        case "wsl":
            return NoStep(
                message("inside WSL the driver is the one of Windows"),
                message("install NVIDIA's newest driver in Windows, then `wsl --shutdown`; never a Linux driver here"),
            )
        case "container" | "colab" | "kaggle":
            return NoStep(
                message("inside a container the driver is the one of its host"),
                message("install the driver on the host, and start the container with its GPUs"),
            )
    if machine.board == "jetson":
        return NoStep(
            message("on a Jetson the driver is a part of JetPack"), message("update JetPack with NVIDIA's SDK Manager")
        )
    if machine.os == "windows":
        return NoStep(
            message("on Windows the driver comes with NVIDIA's own installer"),
            message("get it from nvidia.com/drivers (or the NVIDIA app), install it, restart"),
        )
    return None


def _unknown(cards: tuple[Accelerator, ...]) -> NoStep:
    names = ", ".join(card.name for card in cards) or "NVIDIA"
    return NoStep(
        message("which card it is could not be found out: {names}", names=names),
        message("look it up with `lspci -nn`, and name it: --assume gpu=nvidia:sm_89:580"),
    )


def _no_common_module(cards: tuple[Accelerator, ...]) -> NoStep:
    names = ", ".join(dict.fromkeys(card.name for card in cards))
    return NoStep(
        message("no one driver drives all of these cards: {names}", names=names),
        message("the older one needs NVIDIA's closed kernel modules, the newer one the open ones: take one out"),
    )


def _from_catalog(
    machine: Machine, cards: tuple[Accelerator, ...], capabilities: tuple[int, ...], torch: TorchCatalog,
    drivers: DriverCatalog, wanted: str,
) -> DriverStep | NoStep:  # fmt: skip
    distribution = drivers.distribution(machine.distribution, machine.arch)
    if distribution is None:
        return _unknown_distribution(machine)
    floors = [lowest_driver(card, machine, torch, wanted) for card in cards]
    way = next((way for way in distribution.ways if way.drives(capabilities) and _new_enough(way, floors)), None)
    if way is None:
        names = ", ".join(dict.fromkeys(card.name for card in cards))
        return NoStep(
            message("{distribution} has no driver for {names}", distribution=distribution.name, names=names),
            message("see nvidia.com/drivers, or go on without this GPU: --torch cpu"),
        )
    values = blanks(machine.distribution or "", machine.arch)
    return DriverStep(
        distribution=distribution.name,
        gpus=tuple(dict.fromkeys(card.name for card in cards)),
        commands=tuple(filled(command, values) for command in way.commands),
        enrol=tuple(filled(command, values) for command in way.enrol),
        branch=last_branch(capabilities, torch),
        by_hand=way.by_hand,
        note=way.note,
        evidence=f"manifests/catalog/drivers.toml, {distribution.name}: {way.evidence}, {way.date} ({way.seen})",
    )


def _new_enough(way: Way, floors: list[str | None]) -> bool:
    return way.gives is None or all(floor is None or way.gives >= version(floor).major for floor in floors)


def _unknown_distribution(machine: Machine) -> NoStep:
    name = machine.distribution or machine.os
    return NoStep(
        message("the catalogue has no commands for {system} on {arch}", system=name, arch=machine.arch),
        message("see your distribution's page on the NVIDIA driver, or nvidia.com/drivers"),
    )
