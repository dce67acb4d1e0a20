"""NVIDIA: GPUs by NVML, else by nvidia-smi, else what the kernel shows; fit by driver and compiled code."""

import json
import re
from pathlib import PurePath

from packaging.version import InvalidVersion, Version

from setup_llm_dev.accelerators.pci import display_devices
from setup_llm_dev.documents.catalog import Offer, TorchCatalog
from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Vendor
from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.run import Completed
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

VENDOR: Vendor = "nvidia"
NAME = "NVIDIA"
FAMILY = "cu"

# NVML is asked by a child: a broken driver hangs or crashes the process that loads its library.
NVML = """
import json, pynvml as n
def text(value): return value.decode() if isinstance(value, bytes) else value
n.nvmlInit()
found = []
for i in range(n.nvmlDeviceGetCount()):
    h = n.nvmlDeviceGetHandleByIndex(i)
    found.append({"name": text(n.nvmlDeviceGetName(h)), "capability": n.nvmlDeviceGetCudaComputeCapability(h),
                  "memory": n.nvmlDeviceGetMemoryInfo(h).total})
print(json.dumps({"driver": text(n.nvmlSystemGetDriverVersion()), "gpus": found}))
"""
_QUERY = ("--query-gpu=name,compute_cap,driver_version,memory.total", "--format=csv,noheader,nounits")
_OLD_QUERY = ("--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits")
_SECONDS = 10.0
_MIB = 1024 * 1024
_WSL_SMI = PurePath("/usr/lib/wsl/lib/nvidia-smi")  # in WSL it is on the PATH of login shells only
_MARKS = ("/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version", "/sys/module/nvidia/version")


def probe(host: Host) -> tuple[Accelerator, ...]:
    """The GPUs that a program here can use; else, with `problem`, the one that is there but can't be used."""
    if host.system.platform == "darwin":
        return ()
    devices = display_devices(host, "10de")
    marked = host.system.platform == "win32" or any(host.files.exists(PurePath(m)) for m in _MARKS)
    if not marked and not devices:
        return ()
    if marked and (found := _by_nvml(host) or _by_smi(host)):
        return found
    return _unusable(host, devices)


def fit(accelerator: Accelerator, offer: Offer, torch: TorchCatalog) -> Refusal | None:
    """Why a CUDA build does not run on this GPU, or None: it has code for it and the driver starts it."""
    if accelerator.problem is not None:
        return Refusal(candidate=offer.name, reason=accelerator.problem)
    capability = _capability(accelerator, torch)
    return (
        _unknown(accelerator, offer, capability)
        or _not_driven(accelerator, offer, torch, capability or 0)
        or _driver_too_old(accelerator, offer)
        or _no_code(accelerator, offer, torch, capability or 0)
    )


def _by_nvml(host: Host) -> tuple[Accelerator, ...]:
    answer = _run(host, host.system.executable, "-I", "-c", NVML, "nvml")
    try:
        told = json.loads(answer.stdout) if answer and answer.ok else {}
        return tuple(
            Accelerator(
                vendor=VENDOR,
                name=gpu["name"],
                chip="sm_{}{}".format(*gpu["capability"]),
                driver=told["driver"],
                memory_bytes=gpu["memory"],
            )
            for gpu in told.get("gpus", ())
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return ()


def _by_smi(host: Host) -> tuple[Accelerator, ...]:
    """Never by the banner, whose wording changed. Drivers that don't know `compute_cap` fail the query."""
    program = host.programs.find("nvidia-smi") or (_WSL_SMI if host.files.is_file(_WSL_SMI) else None)
    if program is None:
        return ()
    answer = _run(host, str(program), *_QUERY)
    if answer and answer.ok:
        return tuple(a for line in answer.stdout.splitlines() if (a := _smi_line(line, with_capability=True)))
    answer = _run(host, str(program), *_OLD_QUERY)
    lines = answer.stdout.splitlines() if answer and answer.ok else []
    return tuple(a for line in lines if (a := _smi_line(line, with_capability=False)))


def _smi_line(line: str, *, with_capability: bool) -> Accelerator | None:
    fields = [f.strip() for f in line.split(",")]
    if len(fields) != 3 + with_capability:
        return None
    name, *capability, driver, memory = fields
    told = re.fullmatch(r"(\d+)\.(\d)", capability[0]) if capability else None
    return Accelerator(
        vendor=VENDOR,
        name=name,
        chip=f"sm_{told[1]}{told[2]}" if told else None,
        driver=driver,
        memory_bytes=int(memory) * _MIB if memory.isdecimal() else None,
    )


def _unusable(host: Host, devices: tuple[str, ...]) -> tuple[Accelerator, ...]:
    """One entry for what neither NVML nor nvidia-smi can see."""
    driver = _kernel_driver(host)
    if host.files.exists(PurePath("/dev/nvidiactl")):
        problem = message("the driver is loaded, but it does not answer (updated without a restart?)")
    elif driver is not None:
        problem = message("the driver is loaded, but no GPU device is passed into this container")
    elif devices:
        problem = message("the card is there, but no NVIDIA driver is loaded")
    else:
        return ()
    name = f"NVIDIA GPU 10de:{devices[0]}" if devices else "NVIDIA GPU"
    return (Accelerator(vendor=VENDOR, name=name, driver=driver, problem=problem),)


def _kernel_driver(host: Host) -> str | None:
    """The version of the loaded kernel module; the second file words it differently for open modules."""
    for path in ("/sys/module/nvidia/version", "/proc/driver/nvidia/version"):
        told = re.search(r"\b\d{3,}\.\d+(?:\.\d+)?\b", host.files.read_text(PurePath(path)) or "")
        if told:
            return told[0]
    return None


def _run(host: Host, *argv: str) -> Completed | None:
    try:
        return host.programs.run(argv, timeout=_SECONDS)
    except SystemRefused:
        return None


def _capability(accelerator: Accelerator, torch: TorchCatalog) -> int | None:
    """Compute capability times ten: 89."""
    told = re.fullmatch(r"sm_(\d+)[a-z]?", accelerator.chip or torch.chip_of(accelerator.name) or "")
    return int(told[1]) if told else None


def _unknown(accelerator: Accelerator, offer: Offer, capability: int | None) -> Refusal | None:
    if capability is not None and _version(accelerator.driver) is not None:
        return None
    missing = message("its driver version") if capability is not None else message("its compute capability")
    return Refusal(
        candidate=offer.name,
        reason=message("{gpu}: {missing} could not be found out", gpu=accelerator.name, missing=missing),
        hint=message("name them: --assume gpu=nvidia:sm_89:580"),
    )


def _not_driven(accelerator: Accelerator, offer: Offer, torch: TorchCatalog, capability: int) -> Refusal | None:
    driver = _version(accelerator.driver)
    for branch in torch.driver_branches:
        if driver is None or not branch.sm[0] <= capability <= branch.sm[1]:
            continue
        facts = {"gpu": accelerator.name, "chips": branch.name, "driver": accelerator.driver or ""}
        if branch.last is not None and driver.major > branch.last:
            return Refusal(
                candidate=offer.name,
                reason=message("{gpu} ({chips}) is not driven by driver {driver}", **facts),
                hint=message("install a driver of the {branch} branch", branch=branch.last),
            )
        if branch.first is not None and driver.major < branch.first:
            return Refusal(
                candidate=offer.name,
                reason=message("{gpu} ({chips}) is not known to driver {driver}", **facts),
                hint=message("install driver {branch} or newer", branch=branch.first),
            )
    return None


def _driver_too_old(accelerator: Accelerator, offer: Offer) -> Refusal | None:
    driver, floor = _version(accelerator.driver), _version(offer.driver)
    if driver is None or floor is None or driver >= floor:
        return None
    return Refusal(
        candidate=offer.name,
        reason=message(
            "needs driver {floor} or newer, found {driver}",
            floor=offer.driver or "",
            driver=accelerator.driver or "",
        ),
        hint=message("install an NVIDIA driver {floor} or newer", floor=offer.driver or ""),
    )


def _no_code(accelerator: Accelerator, offer: Offer, torch: TorchCatalog, capability: int) -> Refusal | None:
    code, toolkit = offer.code, offer.toolkit
    if code is None or toolkit is None:
        return Refusal(candidate=offer.name, reason=message("the catalogue does not say which GPUs it has code for"))
    rules = (rule for rule in torch.cubin if rule.code in code.sm)
    if any(rule.runs_on(capability, toolkit) for rule in rules) or any(p <= capability for p in code.ptx):
        return None
    return Refusal(candidate=offer.name, reason=_without_code(accelerator, capability))


def _without_code(accelerator: Accelerator, capability: int) -> Message:
    return message("has no code for {gpu} (sm_{capability})", gpu=accelerator.name, capability=capability)


def _version(text: str | None) -> Version | None:
    try:
        return Version(text) if text else None
    except InvalidVersion:
        return None
