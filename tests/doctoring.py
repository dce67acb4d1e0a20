"""Machines for doctor: recorded ones, ones made of facts, and this computer in a scratch home."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.documents.driver_catalog import read_drivers
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock, PackagesLock, PythonLock, TorchLock
from setup_llm_dev.documents.machine import Accelerator, Machine
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.documents.recipe_reading import read_recipe
from setup_llm_dev.host.recorded import recorded_host
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.platforms.registry import current_platform
from setup_llm_dev.stages.choose import choose
from setup_llm_dev.stages.diagnoses.registry import Needs
from setup_llm_dev.stages.diagnoses.situation import Mendable, Situation, Told
from setup_llm_dev.stages.doctor import Examined, examined
from tests.golden import MACHINES, catalog, detected
from tests.ground import layout_in, scratch_host, this_interpreter

DRIVERS = read_drivers(manifests_folder() / "catalog")
AFAR: frozenset[Needs] = frozenset({"machine", "recording"})
RTX = Accelerator(vendor="nvidia", name="NVIDIA GeForce RTX 4090", chip="sm_89", driver="580.95.05")


def recipe_for(machine: Machine) -> Recipe:
    return read_recipe("text-classification", folder=manifests_folder() / "recipes", os=machine.os, arch=machine.arch)


def recorded(name: str) -> Situation:
    """A recorded machine, asked what a recording can tell."""
    host = recorded_host(MACHINES / name)
    layout = current_platform(host.system).layout(home=host.home, environment=host.environment, recipe="any")
    return situation(detected(name), host, layout)


def situation(machine: Machine, host: Host, layout: Layout, recipe: Recipe | None = None) -> Situation:
    wanted = recipe or recipe_for(machine)
    return Situation(
        host=host, machine=machine, recipe=wanted, layout=layout, catalog=catalog(), drivers=DRIVERS,
        choices=choose(machine, wanted, catalog()), parts=frozenset({"python", "packages", "model", "smoke", "ide"}),
    )  # fmt: skip


def here(home: Path, *gpus: Accelerator, distribution: str = "Ubuntu 24.04.3 LTS", **environment: str) -> Situation:
    """This computer with GPUs that it does not have."""
    machine = Machine(
        os="linux", arch="x86_64", distribution=distribution, libc="glibc 2.39", memory_bytes=32 << 30,
        accelerators=gpus, interpreters=(this_interpreter(),),
    )  # fmt: skip
    return situation(machine, scratch_host(home, environment), layout_in(home))


def diagnosed(name: str) -> Examined:
    return examined(recorded(name), AFAR)


def entries(look: Callable[[Situation], object], about: Situation) -> dict[str, Entry]:
    """By id; what can be mended is a finding like the others."""
    told: list[Told] = list(look(about))  # type: ignore[call-overload]  # every look gives an iterable of these
    plain = [one.entry if isinstance(one, Mendable) else one for one in told]
    return {entry.id: entry for entry in plain}


def locked(about: Situation, version: str, variant: str, why: str = "no GPU was found") -> Situation:
    """As if an environment had been made from a lock of that torch."""
    torch = TorchLock(version=version, variant=variant, index="", why=message("{why}", why=why), wanted=version)
    if why == "asked for":
        torch = TorchLock(version=version, variant=variant, index="", why=message("asked for"), wanted=version)
    lock = Lock(
        created="2026-11-22T00:00:00+00:00", created_by="test", recipe="text-classification", recipe_digest="0" * 64,
        request_digest="0" * 16, os="linux", arch="x86_64", python=PythonLock(version="3.12.1", platform="linux"),
        torch=torch, packages=PackagesLock(pylock="pylock.toml", sha256="0" * 64, count=1),
    )  # fmt: skip
    return replace(about, lock=lock)
