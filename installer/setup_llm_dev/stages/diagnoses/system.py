"""The system: a C library or processor that no build is for, and a clock that can't be right."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.torch_catalog import Offer
from setup_llm_dev.documents.torch_rows import version
from setup_llm_dev.messages import message
from setup_llm_dev.stages.diagnoses.situation import Situation, Told
from setup_llm_dev.stages.offered import driver_os

_PLATFORMS = ("linux_x86_64", "linux_arm64", "macos_arm64", "windows_x86_64")


def look(situation: Situation) -> Iterator[Told]:
    machine = situation.machine
    if (machine.libc or "").startswith("musl"):
        return  # detection tells it
    every = situation.catalog.torch.offers(f"{machine.os}_{machine.arch}", driver_os(machine))
    if not every:
        yield _no_platform(machine)
    else:
        yield from _libc(situation, every)


def early_clock(situation: Situation) -> Iterator[Told]:
    """A clock before the day on which our own data were collected; told without asking anybody."""
    collected = datetime.combine(situation.catalog.torch.collected, time(), UTC)
    now = situation.host.now()
    if now < collected:
        yield Entry(
            id="clock-off", group="system", level="error",
            text=message("this machine's clock says {now}, before this program's own data were made",
                         now=now.date().isoformat()),
            cause=message("certificates look not yet valid then, and nothing can be downloaded"),
            hint=message("set the clock"), commands=("sudo timedatectl set-ntp true",),
            evidence=(f"manifests/catalog/torch.toml: collected {collected.date()}",), reference="network",
        )  # fmt: skip


def _no_platform(machine: Machine) -> Entry:
    return Entry(
        id="platform-unsupported", group="system", level="error",
        text=message("PyTorch is not published for {os} on {arch}", os=machine.os, arch=machine.arch),
        hint=message("it is for Linux and Windows on x86_64, Linux on arm64, and macOS on Apple's own processors"),
        evidence=(f"manifests/catalog/torch.toml: {', '.join(_PLATFORMS)}",), reference="build",
    )  # fmt: skip


def _libc(situation: Situation, every: tuple[Offer, ...]) -> Iterator[Entry]:
    """Releases that this glibc, or this macOS, is too old for."""
    told = re.fullmatch(r"(glibc|macOS) ([\d.]+)", (situation.machine.libc or situation.machine.distribution) or "")
    if told is None:
        return
    name, found = told[1], told[2]
    newest = max(every, key=lambda offer: version(offer.release))
    floor = _floor(newest)
    if floor is None or version(found) >= version(floor):
        return
    build = next(iter(situation.choices.builds), None)
    facts = {"system": name, "found": found, "release": newest.release, "floor": floor}
    yield Entry(
        id="libc-too-old", group="system", level="warning" if build else "error",
        text=message("{system} {found} is too old for torch {release}, which needs {floor}", **facts),
        cause=message("the newest one for this system is {build}", build=build.version) if build else None,
        hint=message("use a newer release of the operating system"), evidence=(f"{name} {found}",), reference="build",
    )  # fmt: skip


def _floor(offer: Offer) -> str | None:
    floors = [floor for _, floor in offer.systems if floor]
    return min(floors, key=version) if len(floors) == len(offer.systems) and floors else None
