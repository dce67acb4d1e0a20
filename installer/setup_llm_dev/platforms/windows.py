"""Windows: facts from the environment and from one PowerShell; folders under AppData."""

import ctypes
import sys
from collections.abc import Mapping
from pathlib import PurePath, PureWindowsPath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.machine import Machine, Os
from setup_llm_dev.host.places import IdeFolder, Places
from setup_llm_dev.host.windows_facts import windows_facts
from setup_llm_dev.host.world import Host
from setup_llm_dev.platforms.folders import APP, expanded, lay_out, overridden

OS: Os = "windows"
SYSTEM = "win32"
_ARCHES = {"AMD64": "x86_64", "ARM64": "arm64"}


def probe(host: Host) -> Machine:
    """What the system says of itself, by its environment where PowerShell does not answer."""
    count = host.environment.get("NUMBER_OF_PROCESSORS", "")
    told = windows_facts(host).get("os") or {}
    memory = told.get("memory")
    return Machine(
        os=OS,
        arch=arch(host),
        distribution=str(told.get("caption") or f"Windows {host.system.release}").removeprefix("Microsoft "),
        kernel=str(told.get("version") or host.system.release),
        cpu=host.environment.get("PROCESSOR_IDENTIFIER"),
        cpu_count=int(count) if count.isdecimal() else 1,
        memory_bytes=memory if isinstance(memory, int) and memory > 0 else _memory_bytes(),
    )


def arch(host: Host) -> str:
    """The processor's own; a Python for x86_64 on an ARM machine is told it by a variable."""
    machine = host.environment.get("PROCESSOR_ARCHITEW6432") or host.system.machine
    return _ARCHES.get(machine, machine)


def inside(host: Host) -> str | None:
    """Windows' own containers have no GPUs for PyTorch, so they are not looked for."""
    return None


def layout(
    *,
    home: PurePath,
    environment: Mapping[str, str],
    recipe: str,
    data: PurePath | None = None,
    workspace: PurePath | None = None,
) -> Layout:
    """Where everything lies: local AppData (never roaming), our overrides, `~/llm-dev/RECIPE`."""
    local = _named(environment, "LOCALAPPDATA", home / "AppData" / "Local") / APP
    return lay_out(
        home=home,
        environment=environment,
        recipe=recipe,
        data=overridden(home, environment, data) or local,
        config=local,
        workspace=workspace,
        windows=True,
    )


def places(home: PurePath, environment: Mapping[str, str], data: PurePath) -> Places:
    """Where Pythons and PyCharms may be; `data` is our own data folder."""
    local = _named(environment, "LOCALAPPDATA", home / "AppData" / "Local")
    roaming = _named(environment, "APPDATA", home / "AppData" / "Roaming")
    programs = _named(environment, "PROGRAMFILES", PureWindowsPath("C:\\Program Files"))
    uv = environment.get("UV_PYTHON_INSTALL_DIR")
    pyenv = environment.get("PYENV_ROOT") or "~/.pyenv/pyenv-win"
    return Places(
        interpreters=(),
        nests=(
            local / "Programs" / "Python",
            programs,
            expanded(home, uv) if uv else roaming / "uv" / "python",
            expanded(home, pyenv) / "versions",
        ),
        inside=PureWindowsPath(),
        ides=(
            IdeFolder(data / "ide", "ours"),
            IdeFolder(local / "JetBrains" / "Toolbox" / "apps", "toolbox"),
            IdeFolder(local / "Programs"),
            IdeFolder(programs / "JetBrains"),
        ),
        settings=roaming / "JetBrains",
        programs=local / "Microsoft" / "WindowsApps",
        applications=roaming / "Microsoft" / "Windows" / "Start Menu" / "Programs",
    )


def _named(environment: Mapping[str, str], name: str, default: PurePath) -> PurePath:
    value = environment.get(name, "").strip()
    return type(default)(value) if value else default


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API: two DWORDs, then seven 64-bit counts."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("others", ctypes.c_uint64 * 6),
    )


def _memory_bytes() -> int | None:
    if sys.platform == "win32":
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        told = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.total) if told else None
    return None
