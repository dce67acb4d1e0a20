"""Memory: whether a fine-tune of the recipe's model has room in the computer, in its container and on its GPU."""

import re
from collections.abc import Iterator
from pathlib import PurePath

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.diagnoses.situation import Situation, Told
from setup_llm_dev.stages.judge import usable

_GB = 1_000_000_000
_BYTES_A_PARAMETER = 16  # weights, gradients and Adam's two moments, four bytes each
_PROGRAM = 1.2 * _GB  # Python with torch and transformers, and one small batch
_ON_A_GPU = 0.7 * _GB  # what CUDA itself takes, and one small batch
_UNLIMITED = 1 << 60
_LIMITS = (PurePath("/sys/fs/cgroup/memory.max"), PurePath("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def look(situation: Situation) -> Iterator[Told]:
    parameters = _parameters(situation)
    if parameters is None:
        return
    limit, where = _limit(situation)
    if limit is None:
        return
    state = parameters * _BYTES_A_PARAMETER
    on_gpu = [gpu for gpu in usable(situation.machine) if gpu.problem is None]
    need = (parameters * 4 if on_gpu else state) + _PROGRAM
    yield _in_the_computer(need, limit, where, situation)
    for gpu in on_gpu:
        if gpu.memory_bytes is not None and gpu.memory_bytes < state + _ON_A_GPU:
            yield Entry(
                id="gpu-memory-short", group="gpu", level="warning",
                text=message("{gpu} has {have} GB, a fine-tune of the recipe's model takes about {need} GB",
                             gpu=gpu.name, have=f"{gpu.memory_bytes / _GB:.1f}",
                             need=f"{(state + _ON_A_GPU) / _GB:.1f}"),
                hint=message("take a smaller model, or train a part of it (LoRA)"),
                evidence=(f"{parameters:,} parameters, {_BYTES_A_PARAMETER} bytes each",), reference="memory",
            )  # fmt: skip


def _parameters(situation: Situation) -> int | None:
    model = situation.recipe.model
    source = situation.lock.model.source if situation.lock and situation.lock.model else None
    facts = situation.catalog.models.of(source or (model.source if model else ""))
    return facts.parameters if facts else None


def _in_the_computer(need: float, limit: int, where: str, situation: Situation) -> Entry:
    free = available(situation.host)
    short = need > limit
    scarce = not short and free is not None and need > free
    sizes = {"need": f"{need / _GB:.1f}", "have": f"{limit / _GB:.1f}", "free": f"{(free or limit) / _GB:.1f}"}
    if scarce:
        text = message("a fine-tune takes about {need} GB of memory, {free} GB are free now", **sizes)
    else:
        text = message("a fine-tune takes about {need} GB of memory, there are {have} GB", **sizes)
    hint = message("take a smaller model, or give this container or computer more memory")
    return Entry(
        id="memory-short" if short else "memory-scarce" if scarce else "memory-room", group="system",
        level="error" if short else "warning" if scarce else "ok", text=text,
        hint=message("close what you don't need") if scarce else hint if short else None,
        evidence=(f"{where}: {limit / _GB:.1f} GB",), reference="memory",
    )  # fmt: skip


def _limit(situation: Situation) -> tuple[int | None, str]:
    """The computer's memory, or the container's share of it, with the place that tells it."""
    whole = situation.machine.memory_bytes
    for path in _LIMITS:
        text = (situation.host.files.read_text(path) or "").strip()
        if text.isdecimal() and int(text) < min(_UNLIMITED, whole or _UNLIMITED):
            return int(text), str(path)
    return whole, "/proc/meminfo" if situation.machine.os == "linux" else situation.machine.os


def available(host: Host) -> int | None:
    """What is free now, by the kernel's own estimate."""
    told = re.search(r"^MemAvailable:\s*(\d+) kB$", host.files.read_text(PurePath("/proc/meminfo")) or "", re.MULTILINE)
    return int(told[1]) * 1024 if told else None
