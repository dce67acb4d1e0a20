"""The GPUs: what detection found wrong, drivers that don't fit card or recipe, and GPUs that no build serves."""

import re
from collections.abc import Iterator
from pathlib import PurePath

import msgspec

from setup_llm_dev.accelerators import nvidia_fit
from setup_llm_dev.documents.diagnosis import Entry, Group
from setup_llm_dev.documents.machine import Accelerator, Finding
from setup_llm_dev.documents.torch_rows import version
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.diagnoses.driver_step import driving, lowest_driver
from setup_llm_dev.stages.diagnoses.situation import Mendable, Situation, Told
from setup_llm_dev.stages.judge import usable

_SYSTEM = ("container", "musl", "root", "sudo-home", "probe-late", "jetson", "gb10", "grace")
_GROUPS: dict[str, Group] = {
    **dict.fromkeys(_SYSTEM, "system"), "wsl": "windows", "ld-library-path": "environment", "pythonpath": "environment",
}  # fmt: skip
_COMMANDS = {
    "driver-library-mismatch": ("sudo reboot",),
    "nvidia-uvm-missing": ("sudo modprobe nvidia_uvm",),
    "kfd-no-permission": ("sudo usermod -aG render,video $USER",),
}
_LIBRARIES = (PurePath("/usr/lib/x86_64-linux-gnu"), PurePath("/usr/lib/aarch64-linux-gnu"), PurePath("/usr/lib64"),
              PurePath("/usr/lib"))  # fmt: skip
_DRIVER_FILE = re.compile(r"lib(?:cuda|nvidia-ml)\.so\.(\d+\.\d+(?:\.\d+)?)")


def look(situation: Situation) -> Iterator[Told]:
    unserved = [finding for finding in situation.choices.findings if finding.id == "gpu-not-served"]
    yield from _detected(situation, unserved)
    yield from _mismatch(situation)
    explained = set()
    for entry, gpu in _drivers(situation):
        explained.add(gpu.name)
        yield entry
    yield from _unserved(situation, explained)
    yield from _served(situation)


def installed_driver(host: Host) -> str | None:
    """The version of the driver's libraries on the disk, by their names."""
    for folder in _LIBRARIES:
        for name in host.files.list_dir(folder):
            if told := _DRIVER_FILE.fullmatch(name):
                return told[1]
    return None


def _detected(situation: Situation, unserved: list[Finding]) -> Iterator[Told]:
    """Detection's own findings, with the commands that go with them, and with what the choice says would help."""
    inside = situation.machine.environment in ("container", "colab", "kaggle", "wsl")
    for finding in situation.machine.findings:
        group = _GROUPS.get(finding.id, "gpu")
        commands = () if inside else _COMMANDS.get(finding.id, ())
        helping = tuple(str(other.hint) for other in unserved if str(finding.text) in str(other.text))
        entry = entry_of(msgspec.structs.replace(finding, evidence=(*finding.evidence, *helping)), group, commands)
        if finding.id == "nvidia-uvm-missing" and commands and _is_root(situation):
            fix = message("load the kernel module nvidia_uvm")
            yield Mendable(msgspec.structs.replace(entry, fix=fix), _load_uvm)
        else:
            yield entry


def entry_of(finding: Finding, group: Group, commands: tuple[str, ...] = ()) -> Entry:
    """A finding of others as one of ours."""
    facts = {name: getattr(finding, name) for name in finding.__struct_fields__}
    return Entry(**facts, group=group, commands=commands)


def _load_uvm(host: Host) -> None:
    program = host.programs.find("modprobe") or PurePath("/usr/sbin/modprobe")
    host.programs.run((program, "nvidia_uvm"), timeout=20)


def _is_root(situation: Situation) -> bool:
    return any(finding.id == "root" for finding in situation.machine.findings)


def _mismatch(situation: Situation) -> Iterator[Entry]:
    """Library and kernel module by what the disk shows, where no source spoke of it."""
    told = {finding.id for finding in situation.machine.findings}
    if situation.machine.environment in ("wsl", "container") or {"driver-library-mismatch", "sources-differ"} & told:
        return
    path = PurePath("/sys/module/nvidia/version")
    running = (situation.host.files.read_text(path) or "").strip()
    installed = installed_driver(situation.host)
    if running and installed and running != installed:
        yield Entry(
            id="driver-library-mismatch", group="gpu", level="error",
            text=message("the NVIDIA driver {installed} is installed, but {running} is still running",
                         installed=installed, running=running),
            cause=message("the driver was updated since the machine was started"),
            hint=message("restart the machine"),
            commands=("sudo reboot",),
            evidence=(f"{path}: {running}", f"libcuda or libnvidia-ml: {installed}"),
            reference="driver",
        )  # fmt: skip


def _drivers(situation: Situation) -> Iterator[tuple[Entry, Accelerator]]:
    """NVIDIA drivers that answer, and that still start nothing on their card."""
    torch, wanted = situation.catalog.torch, situation.recipe.torch.version
    here = situation.machine.environment not in ("wsl", "container", "colab", "kaggle")
    lying = installed_driver(situation.host) if here else None  # one that drives no card is not loaded at all
    for found in usable(situation.machine):
        gpu = msgspec.structs.replace(found, driver=found.driver or lying)
        if gpu.vendor != "nvidia" or gpu.driver is None:
            continue
        capability = nvidia_fit.capability_of(gpu, torch)
        if branch := _too_new(situation, gpu, capability or 0):
            yield _driver_too_new(gpu, *branch), gpu
        elif gpu.problem is None and not driving(gpu, situation.machine, torch, wanted):
            floor = lowest_driver(gpu, situation.machine, torch, wanted)
            if floor is not None and version(floor) > version(gpu.driver):
                yield _driver_too_old(gpu, floor, situation), gpu


def _too_new(situation: Situation, gpu: Accelerator, capability: int) -> tuple[str, int] | None:
    """The name of the card's generation, and the last branch for it."""
    for row in situation.catalog.torch.driver_branches:
        if row.sm[0] <= capability <= row.sm[1] and row.too_new(version(gpu.driver or "0").major):
            return row.name, row.last or 0
    return None


def _driver_too_new(gpu: Accelerator, generation: str, last: int) -> Entry:
    return Entry(
        id="driver-too-new", group="gpu", level="error",
        text=message("driver {driver} no longer drives {gpu}", driver=gpu.driver or "", gpu=gpu.name),
        cause=message("NVIDIA's branch {last} is the last one for cards of the generation {generation}", last=last,
                      generation=generation),
        hint=message("replace it by a driver of the {last} branch", last=last),
        evidence=(f"{gpu.name}: {gpu.chip}, driver {gpu.driver}", "manifests/catalog/torch.toml: driver_branches"),
        reference="driver",
    )  # fmt: skip


def _driver_too_old(gpu: Accelerator, floor: str, situation: Situation) -> Entry:
    recipe = situation.recipe
    return Entry(
        id="driver-too-old", group="gpu", level="error",
        text=message("driver {driver} of {gpu} is too old: {recipe} needs {floor} or newer", driver=gpu.driver or "",
                     gpu=gpu.name, recipe=recipe.name, floor=floor),
        cause=message("no build of torch {wanted} with code for it starts with that driver",
                      wanted=recipe.torch.version or "*"),
        hint=message("install a newer driver"),
        evidence=(f"{gpu.name}: {gpu.chip}, driver {gpu.driver}", "manifests/catalog/torch.toml: driver floors"),
        reference="driver",
    )  # fmt: skip


def _unserved(situation: Situation, explained: set[str]) -> Iterator[Entry]:
    """What the choice says of GPUs, unless detection or the driver explains it better."""
    detected = [str(finding.text) for finding in situation.machine.findings if finding.level == "error"]
    for finding in situation.choices.findings:
        text = str(finding.text)
        known = any(map(text.startswith, explained)) or any(other in text for other in detected)
        if finding.id == "gpu-not-served" and known:
            continue
        yield entry_of(finding, "gpu")


def _served(situation: Situation) -> Iterator[Entry]:
    build = next(iter(situation.choices.builds), None)
    gpus = usable(situation.machine)
    if build is None:
        yield _nothing_fits(situation)
    elif not gpus:
        yield Entry(
            id="no-gpu", group="gpu", level="info",
            text=message("no GPU was found: PyTorch runs on the processor, torch {build}", build=_build(situation)),
        )  # fmt: skip
    elif build.variant != "cpu":
        names = ", ".join(dict.fromkeys(gpu.name for gpu in gpus if gpu.problem is None))
        text = message("{gpus}: torch {build} uses it", gpus=names, build=_build(situation))
        yield Entry(id="gpu-served", group="gpu", level="ok", text=text, cause=build.why)


def _build(situation: Situation) -> str:
    """The one that is set up, else the one that a run would take."""
    return situation.lock.torch.version if situation.lock else situation.choices.builds[0].version


def _nothing_fits(situation: Situation) -> Entry:
    reasons = situation.choices.refusals
    why: Message | None = reasons[0].reason if reasons else None
    return Entry(
        id="no-build", group="system", level="error",
        text=message("no build of PyTorch fits this machine"),
        cause=why,
        hint=reasons[0].hint if reasons else None,
        evidence=tuple(f"{refusal.candidate}: {refusal.reason}" for refusal in reasons[:3]),
        commands=("setup-llm-dev plan -v",),
        reference="build",
    )  # fmt: skip
