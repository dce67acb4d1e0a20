"""Windows and WSL: which of the three ways to work this machine is, what is set up there, and what only told."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

if TYPE_CHECKING:
    from setup_llm_dev.stages.diagnoses.situation import Situation, Told

_LIBRARIES = (PurePath("/usr/lib/x86_64-linux-gnu"), PurePath("/usr/lib64"))
_PACKAGES = PurePath("/var/lib/dpkg/info")
_OF_A_DRIVER = ("libnvidia-compute-", "nvidia-driver-", "nvidia-dkms-", "nvidia-kernel-")


def look(situation: "Situation") -> "Iterator[Told]":
    yield from topology(situation.machine)
    if situation.machine.environment == "wsl":
        yield from linux_driver_in_wsl(situation.host)


def topology(machine: Machine) -> Iterator[Entry]:
    """One finding on Windows and in WSL, nothing elsewhere. Pure."""
    if machine.os == "windows":
        yield Entry(
            id="topology-windows", group="windows", level="info",
            text=message("native Windows: environment, PyCharm and driver are all Windows' own"),
            cause=message("the other ways are PyCharm in Windows with an environment in WSL, and all inside WSL"),
            hint=message("set up here: environment, model, project; every edition of PyCharm can use it. For the "
                         "other two, run setup-llm-dev inside WSL"),
            reference="windows",
        )  # fmt: skip
    elif machine.environment == "wsl":
        yield _in_wsl(machine)


def _in_wsl(machine: Machine) -> Entry:
    inside = [ide for ide in machine.ides if not ide.home.startswith("/mnt/")]
    if inside:
        return Entry(
            id="topology-wsl-inside", group="windows", level="info",
            text=message("everything inside WSL: the environment and a PyCharm for Linux ({name} {version})",
                         name=inside[0].name, version=inside[0].version),
            hint=message("set up here: environment, model, project, interpreter; every edition of PyCharm can use it. "
                         "Windows 11 shows its window; the GPU driver stays Windows' own"),
            reference="windows",
        )  # fmt: skip
    return Entry(
        id="topology-wsl-split", group="windows", level="info",
        text=message("an environment in WSL, which either a PyCharm inside WSL or one in Windows can use"),
        cause=message("one inside WSL takes it in every edition; one in Windows too, but up to 2024 only PyCharm "
                      "Professional"),
        hint=message("set up here: environment, model, project, and PyCharm inside WSL. Only told: in PyCharm for "
                     "Windows, Settings > Python > Interpreter > Add > On WSL, then .venv/bin/python of the project"),
        reference="windows",
    )  # fmt: skip


def linux_driver_in_wsl(host: Host) -> Iterator[Entry]:
    """Files of a Linux driver, which hide Windows' own in /usr/lib/wsl/lib."""
    packages = sorted({
        name.partition(":")[0].removesuffix(".list")
        for name in host.files.list_dir(_PACKAGES)
        if name.startswith(_OF_A_DRIVER) and name.endswith(".list")
    })  # fmt: skip
    files = [
        str(folder / name)
        for folder in _LIBRARIES
        for name in host.files.list_dir(folder)
        if name.startswith(("libcuda.so.", "libnvidia-ml.so."))
    ]
    if not packages and not files:
        return
    yield Entry(
        id="wsl-linux-driver", group="gpu", level="error",
        text=message("a Linux driver of NVIDIA is installed inside WSL: it hides the one of Windows"),
        hint=message("remove it; the driver of Windows shows in /usr/lib/wsl/lib by itself"),
        commands=(f"sudo apt-get purge -y {' '.join(packages)}", "sudo ldconfig") if packages else (),
        evidence=(*(f"{_PACKAGES}: {name}" for name in packages[:3]), *files[:3]), reference="driver",
    )  # fmt: skip
