"""NVIDIA: asks NVML and nvidia-smi side by side, reads what the kernel shows, and lets the words be compared."""

import time
from dataclasses import replace
from pathlib import PurePath

from setup_llm_dev.accelerators.found import Found
from setup_llm_dev.accelerators.nvidia_child import NVML
from setup_llm_dev.accelerators.nvidia_compare import judged
from setup_llm_dev.accelerators.nvidia_signs import Signs
from setup_llm_dev.accelerators.nvidia_sources import (
    CAN_DO_MIG,
    Answer,
    parse_flavour,
    parse_information,
    parse_kernel,
    parse_nvml,
    parse_query,
    windows_driver,
    with_instances,
)
from setup_llm_dev.accelerators.pci import DisplayDevice, marketing_name
from setup_llm_dev.accelerators.tegra import tegra
from setup_llm_dev.documents.machine import Vendor
from setup_llm_dev.host.deadline import PROGRAM_SECONDS, Aside, asked
from setup_llm_dev.host.run import Completed
from setup_llm_dev.host.world import Host

VENDOR: Vendor = "nvidia"
PCI = "10de"
_FORMAT = "--format=csv,noheader,nounits"
_QUERY = ("--query-gpu=name,compute_cap,driver_version,memory.total", _FORMAT)
_OLD_QUERY = ("--query-gpu=name,driver_version,memory.total", _FORMAT)
_NOT_A_FIELD = 2  # nvidia-smi's code for a field that its driver does not know
_WSL_SMI = PurePath("/usr/lib/wsl/lib/nvidia-smi")  # in WSL it is on the PATH of login shells only
_GPUS = PurePath("/proc/driver/nvidia/gpus")


def probe(host: Host, devices: tuple[DisplayDevice, ...], inside: str | None) -> Found:
    """The GPUs that a program here can use; else, with `problem`, those that are there but can't be used.

    No program is started where nothing speaks of a driver.
    """
    if host.system.platform == "darwin":
        return Found()
    cards = tuple(device for device in devices if device.vendor == PCI)
    signs = _signs(host, cards, inside, unknown_devices=not devices)
    if not cards and not signs.driver_is_near:
        return Found()
    nvml, smi = _answers(host) if signs.driver_is_near else (None, None)
    return judged(nvml, smi, signs)


def _answers(host: Host) -> tuple[Answer | None, Answer | None]:
    """Of NVML and of nvidia-smi, each None where there is nobody to ask."""
    beside = Aside(lambda: _by_nvml(host))
    smi = _by_smi(host)
    nvml = beside.answer(time.monotonic() + PROGRAM_SECONDS, None)
    if smi and smi.cards and nvml is None and any(CAN_DO_MIG.search(card.name or "") for card in smi.cards):
        listing = asked(host, str(_smi(host)), "-L")
        smi = with_instances(smi, listing.stdout) if listing and listing.ok else smi
    return nvml, smi


def _by_nvml(host: Host) -> Answer | None:
    """None where the child can't ask, which says nothing of the driver."""
    answer = asked(host, host.system.executable, "-I", "-c", NVML, "nvml")
    if answer is None or (answer.code is not None and answer.code > 0):
        return None
    if answer.ok:
        return parse_nvml(answer.stdout)
    return Answer("nvml", code=answer.code, words=_said(answer), timed_out=answer.timed_out)


def _by_smi(host: Host) -> Answer | None:
    """Never by the banner, whose wording changed. Drivers that don't know `compute_cap` fail the query."""
    program = _smi(host)
    if program is None:
        return None
    answer = asked(host, str(program), *_QUERY)
    if answer is not None and answer.code == _NOT_A_FIELD:
        answer = asked(host, str(program), *_OLD_QUERY)
        return _read(answer, with_capability=False)
    return _read(answer, with_capability=True)


def _read(answer: Completed | None, *, with_capability: bool) -> Answer | None:
    if answer is None:
        return None
    if not answer.ok:
        return Answer("nvidia-smi", code=answer.code, words=_said(answer), timed_out=answer.timed_out)
    told = parse_query(answer.stdout, with_capability=with_capability)
    return told if told.cards else replace(told, words=f"{told.words}: {_said(answer)}".rstrip(": "))


def _smi(host: Host) -> PurePath | None:
    return _WSL_SMI if host.files.is_file(_WSL_SMI) else host.programs.find("nvidia-smi")


def _said(answer: Completed) -> str:
    """For people: the first line that it wrote, or how it ended."""
    if answer.timed_out:
        return "no answer in time"
    lines = [line.strip() for line in f"{answer.stdout[:2000]}\n{answer.stderr[:2000]}".splitlines() if line.strip()]
    first = "".join(c for c in (lines or [""])[0] if c.isprintable())[:160]
    return f"code {answer.code}: {first}" if answer.code else first


def _signs(host: Host, cards: tuple[DisplayDevice, ...], inside: str | None, *, unknown_devices: bool) -> Signs:
    proc = host.files.read_text(PurePath("/proc/driver/nvidia/version")) or ""
    windows = host.system.platform == "win32"
    return Signs(
        cards=tuple(replace(card, name=card.name or marketing_name(host, PCI, card.device)) for card in cards),
        models=tuple(
            name
            for slot in host.files.list_dir(_GPUS)
            if (name := parse_information(host.files.read_text(_GPUS / slot / "information") or ""))
        ),
        module=parse_kernel(host.files.read_text(PurePath("/sys/module/nvidia/version")) or ""),
        loaded=parse_kernel(proc),
        flavour=parse_flavour(proc),
        control=_node(host, "/dev/nvidiactl"),
        uvm=_node(host, "/dev/nvidia-uvm"),
        can_make_nodes=host.files.exists(PurePath("/usr/bin/nvidia-modprobe")),
        wsl=_node(host, "/dev/dxg"),
        windows=windows and (bool(cards) or unknown_devices),
        registry=next((windows_driver(card.driver) for card in cards if card.driver), None) if windows else None,
        permitted=_may_open(host, PurePath("/dev/nvidiactl")),
        inside=inside,
        tegra=tegra(host),
    )


def _node(host: Host, path: str) -> bool:
    return host.files.exists(PurePath(path))


def _may_open(host: Host, path: PurePath) -> bool:
    """True too where there is nothing to open."""
    try:
        host.files.read_bytes(path, 0)
    except PermissionError:
        return False
    except OSError:
        return True
    return True
