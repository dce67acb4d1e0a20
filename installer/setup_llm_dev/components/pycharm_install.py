"""PyCharm on the machine: the steps that install one, make it startable, and give it memory."""

from pathlib import PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import ArchiveIdeLock, IdeLock
from setup_llm_dev.documents.lock_values import ide_version_problem, settings_name_problem
from setup_llm_dev.documents.machine import Machine, Os
from setup_llm_dev.documents.vmoptions import heap_mib
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.ide import InstallIde
from setup_llm_dev.steps.installed_ide import UseInstalledIde
from setup_llm_dev.steps.launcher import LinkLauncher, WriteDesktopEntry
from setup_llm_dev.steps.memory import SetHeap
from setup_llm_dev.steps.step import Step

COMMAND = "pycharm"
DESKTOP_ENTRY = "setup-llm-dev-pycharm.desktop"
_VM_OPTIONS: dict[Os, str] = {
    "linux": "pycharm64.vmoptions",
    "macos": "pycharm.vmoptions",
    "windows": "pycharm64.exe.vmoptions",
}


def ide_home(ide: IdeLock, layout: Layout) -> PurePath:
    """The folder of an IDE, whether it is there already or will be."""
    if isinstance(ide, ArchiveIdeLock):
        _require(ide_version_problem(ide.version))
        return layout.ides / f"pycharm-{ide.version}"
    return type(layout.data)(ide.home)


def ide_settings(ide: IdeLock, root: PurePath) -> PurePath:
    """The folder of an IDE's settings, one name below `root`. Raises UsageError (2) for anything else in a lock."""
    _require(settings_name_problem(ide.settings_name))
    return root / ide.settings_name


def ide_steps(
    ide: IdeLock,
    layout: Layout,
    machine: Machine,
    *,
    optional: bool,
    settings_root: PurePath,
    programs: PurePath,
    applications: PurePath,
) -> tuple[Step, ...]:
    """Of one that is there already only the user's settings are filled up, and those only where they are silent.

    settings_root: holds one folder a version (`~/.config/JetBrains`). programs: where the user's own commands are
    (`~/.local/bin`). applications: where the user's own desktop entries are (`~/.local/share/applications`).
    """
    home = ide_home(ide, layout)
    memory = _memory_steps(ide, home, machine, ide_settings(ide, settings_root), optional)
    if not isinstance(ide, ArchiveIdeLock):
        return (UseInstalledIde(home, ide.version, optional), *memory)
    install = InstallIde(
        ide=ide,
        os=machine.os,
        arch=machine.arch,
        folder=home,
        store=layout.store,
        config=layout.config,
        optional=optional,
    )
    if machine.os != "linux":
        return (install, *memory)
    return (
        install,
        LinkLauncher(programs / COMMAND, home, machine.os, machine.arch, layout.ides, optional),
        WriteDesktopEntry(applications / DESKTOP_ENTRY, home, machine.os, machine.arch, optional),
        *memory,
    )


def _require(problem: Message | None) -> None:
    if problem is not None:
        raise UsageError(problem, hint=message("make a new lock with `setup-llm-dev apply --upgrade`"))


def _memory_steps(
    ide: IdeLock, home: PurePath, machine: Machine, settings: PurePath, optional: bool
) -> tuple[Step, ...]:
    heap = heap_mib(machine.memory_bytes)
    if heap is None:
        return ()
    return (SetHeap(settings, _VM_OPTIONS[machine.os], heap, home, ("ide",), optional),)
