"""Detect: look at this computer, change nothing, start as few programs as possible, never wait for long."""

import re
import time
from collections.abc import Callable
from pathlib import PurePath
from typing import Generic, TypeVar

import msgspec

from setup_llm_dev.accelerators.adapters import display_devices
from setup_llm_dev.accelerators.found import Found
from setup_llm_dev.accelerators.probers import probers
from setup_llm_dev.documents.machine import Accelerator, Board, Finding, Machine
from setup_llm_dev.host.deadline import Aside, hurried
from setup_llm_dev.host.ide.installations import find_ides
from setup_llm_dev.host.interpreters import find_interpreters
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.platforms.registry import Platform, current_platform

_PROGRAMS_SECONDS = 5.2  # in which every program has answered or is ended
_SECONDS = 5.5  # in which every part is over or left out: six, less what it takes to start and to print
_CUDA_LIBRARY = re.compile(r"lib(cudart|cublas|cudnn|nvJitLink|nccl)\b.*\.so")
_GRACE = re.compile(r"\bG[HB][23]00\b")
_OWN_MEMORY = ("jetson", "gb10")  # boards whose GPU has the computer's memory, which no source repeats
_BOARDS: dict[Board, Message] = {
    "jetson": message("this is a Jetson: its GPU needs builds that have code for it, and NVIDIA's system brings CUDA"),
    "gb10": message("this is a GB10 (DGX Spark and its kin): processor and GPU share the memory"),
    "grace": message("this is a Grace server: an ARM processor with a data-centre GPU"),
}

T = TypeVar("T")


def detect(host: Host, *, data: PurePath, interpreters: bool = True, ides: bool = True) -> Machine:
    """The Machine that `host` is; `data` is our data folder, whose free space counts.

    The parts are looked at side by side; one that takes too long is left out, and a finding tells it. Without
    `interpreters` no Python is started, which is most of the time it takes. Raises Refused on a system that we
    don't know.
    """
    platform = current_platform(host.system)
    places = platform.places(host.home, host.environment, data)
    quick, until = hurried(host, _PROGRAMS_SECONDS), time.monotonic() + _SECONDS
    bare = Machine(os=platform.OS, arch=platform.arch(quick))
    asking = _looking(find_interpreters, quick, places, bare.arch)
    pythons = _Part(message("the Pythons"), asking, bare.interpreters, begin=interpreters)
    gpus = _Part(message("the GPUs"), lambda: _gpus(quick, platform, until), Found())
    system = _Part(message("the system"), lambda: platform.probe(quick), bare)
    programs = _Part(message("the PyCharms"), lambda: find_ides(quick, places), bare.ides, begin=ides)
    free = _Part[int | None](message("the disk"), lambda: host.files.free_bytes(data), None)
    facts, found = system.answer(until), gpus.answer(until)
    board = facts.board or _board_of(found.accelerators)
    parts = (system, gpus, pythons, programs, free)
    return msgspec.structs.replace(
        facts,
        board=board,
        disk_free_bytes=free.answer(until),
        accelerators=_with_memory(found.accelerators, board, facts.memory_bytes),
        interpreters=pythons.answer(until),
        ides=programs.answer(until),
        findings=(
            *facts.findings,
            *_board_finding(board),
            *found.findings,
            *_findings(host),
            *(part.finding() for part in parts if part.late),
        ),
    )


class _Part(Generic[T]):
    """A part of the machine that is looked at beside the others; `otherwise` stands for one that is not over."""

    def __init__(self, what: Message, look: Callable[[], T], otherwise: T, *, begin: bool = True) -> None:
        self._what = what
        self._otherwise = otherwise
        self._aside = Aside(look) if begin else None
        self.late = False

    def answer(self, until: float) -> T:
        if self._aside is None:
            return self._otherwise
        told = self._aside.answer(until, self._otherwise)
        self.late = not self._aside.over
        return told

    def finding(self) -> Finding:
        return Finding(
            id="probe-late",
            level="warning",
            text=message("looking at {what} took too long and was given up", what=self._what),
            hint=message("a disk or a driver that does not answer holds it up; `dmesg` may name it"),
        )


def _gpus(host: Host, platform: Platform, until: float) -> Found:
    """Of all vendors, asked side by side. A vendor that is not over in time makes the whole part late."""
    devices, inside = display_devices(host), platform.inside(host)
    asides = [Aside(_looking(vendor.probe, host, devices, inside)) for vendor in probers(host, devices)]
    found = [aside.answer(until + 1, Found()) for aside in asides]
    return Found(
        tuple(gpu for one in found for gpu in one.accelerators),
        tuple(finding for one in found for finding in one.findings),
    )


def _looking(look: Callable[..., T], *arguments: object) -> Callable[[], T]:
    return lambda: look(*arguments)


def _board_of(gpus: tuple[Accelerator, ...]) -> Board | None:
    names = [gpu.name for gpu in gpus if gpu.vendor == "nvidia"]
    if any("GB10" in name for name in names):
        return "gb10"
    return "grace" if any(map(_GRACE.search, names)) else None


def _with_memory(gpus: tuple[Accelerator, ...], board: Board | None, memory: int | None) -> tuple[Accelerator, ...]:
    if board not in _OWN_MEMORY:
        return gpus
    return tuple(msgspec.structs.replace(gpu, memory_bytes=memory) if gpu.memory_bytes is None else gpu for gpu in gpus)


def _board_finding(board: Board | None) -> tuple[Finding, ...]:
    return (Finding(id=board, text=_BOARDS[board], reference=board),) if board else ()


def _findings(host: Host) -> tuple[Finding, ...]:
    """Of the user's environment. Our own children don't inherit it, the user's later programs do."""
    found = []
    if folder := _folder_with_cuda(host):
        found.append(
            Finding(
                id="ld-library-path",
                level="warning",
                text=message("LD_LIBRARY_PATH holds another CUDA in {folder}; it is ignored here", folder=folder),
                hint=message("take it out of LD_LIBRARY_PATH before you use PyTorch: import torch can fail with it"),
            )
        )
    if host.environment.get("PYTHONPATH"):
        found.append(
            Finding(
                id="pythonpath",
                text=message("PYTHONPATH is set; it is ignored here"),
                hint=message("unset it where modules of other Pythons must not be seen"),
            )
        )
    return tuple(found)


def _folder_with_cuda(host: Host) -> str | None:
    for entry in host.environment.get("LD_LIBRARY_PATH", "").split(":"):
        if entry.startswith("/") and any(map(_CUDA_LIBRARY.match, host.files.list_dir(PurePath(entry)))):
            return entry
    return None
