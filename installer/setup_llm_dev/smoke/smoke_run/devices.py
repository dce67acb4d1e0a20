"""The device of the run: which one it must be, what it can do, how much memory the run took there."""

import importlib
import sys
from dataclasses import dataclass
from typing import Any

from smoke_run.causes import CauseError

BF16_CAPABILITY = (8, 0)  # Ampere; older cards only emulate bf16, slowly


@dataclass(frozen=True)
class Device:
    """Where the run takes place: torch's name of it, the product's name, the precision to train in."""

    kind: str
    name: str
    precision: str  # "bf16" or "fp32"


def choose_device(torch: Any, wanted: str, expect_variant: str | None) -> Device:
    """Resolve `auto` by the chosen build, else by what is there; raises CauseError `device-unavailable`.

    A CUDA build with no GPU in sight is an error: training on the CPU instead would hide it.
    """
    kind = wanted if wanted != "auto" else _meant_by(expect_variant) or _first_available(torch)
    if not _available(torch, kind):
        raise CauseError("device-unavailable", f"torch {torch.__version__} can use no {kind} device here")
    return Device(kind, _name(torch, kind), _precision(torch, kind))


def _meant_by(variant: str | None) -> str | None:
    for prefix, kind in (("cpu", "cpu"), ("cu", "cuda"), ("rocm", "cuda"), ("xpu", "xpu"), ("mps", "mps")):
        if variant and variant.startswith(prefix):
            return kind
    return None


def _first_available(torch: Any) -> str:
    return next(kind for kind in ("cuda", "xpu", "mps", "cpu") if _available(torch, kind))


def _available(torch: Any, kind: str) -> bool:
    if kind == "cpu":
        return True
    module = torch.backends.mps if kind == "mps" else getattr(torch, kind, None)
    return module is not None and bool(module.is_available())


def _name(torch: Any, kind: str) -> str:
    return str(getattr(torch, kind).get_device_name(0)) if kind in ("cuda", "xpu") else kind


def _precision(torch: Any, kind: str) -> str:
    # on ROCm the capability numbers mean other things, so fp32 is the safe answer there
    native = kind == "cuda" and not torch.version.hip and torch.cuda.get_device_capability(0) >= BF16_CAPABILITY
    return "bf16" if native else "fp32"


def allocated_bytes(torch: Any, device: Device) -> int | None:
    """Bytes that torch holds on the device now; None on a CPU."""
    match device.kind:
        case "cuda" | "xpu":
            return int(getattr(torch, device.kind).memory_allocated())
        case "mps":
            return int(torch.mps.current_allocated_memory())
        case _:
            return None


def peak_memory_bytes(torch: Any, device: Device) -> int:
    """The most memory of the run: of the device where it counts that, else of this process."""
    if device.kind in ("cuda", "xpu"):
        return int(getattr(torch, device.kind).max_memory_allocated())
    if sys.platform == "win32":
        psutil: Any = importlib.import_module("psutil")  # comes with accelerate
        return int(psutil.Process().memory_info().peak_wset)
    resource: Any = importlib.import_module("resource")
    unit = 1 if sys.platform == "darwin" else 1024  # kilobytes on Linux, bytes on macOS
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit


def synchronize(torch: Any, device: Device) -> None:
    """Wait until the device has done all that it was given, so that a clock read next tells the truth."""
    if device.kind != "cpu":
        getattr(torch, device.kind).synchronize()
