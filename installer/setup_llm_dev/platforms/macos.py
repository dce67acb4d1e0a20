"""macOS: facts from sysctl and sw_vers; folders under ~/Library."""

from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.machine import Finding, Machine, Os
from setup_llm_dev.host.deadline import asked
from setup_llm_dev.host.places import IdeFolder, Places
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.platforms.folders import APP, expanded, lay_out, overridden

OS: Os = "macos"
SYSTEM = "darwin"


def probe(host: Host) -> Machine:
    """What the system says of itself."""
    memory, count = _sysctl(host, "hw.memsize"), _sysctl(host, "hw.ncpu")
    version = _told(host, "/usr/bin/sw_vers", "-productVersion")
    return Machine(
        os=OS,
        arch=arch(host),
        distribution=f"macOS {version}" if version else "macOS",
        kernel=host.system.release,
        cpu=_sysctl(host, "machdep.cpu.brand_string"),
        cpu_count=int(count) if count and count.isdecimal() else 1,
        memory_bytes=int(memory) if memory and memory.isdecimal() else None,
        findings=_findings(host),
    )


def arch(host: Host) -> str:
    """The processor's own: a Python under Rosetta says x86_64, `hw.optional.arm64` knows."""
    return "arm64" if _sysctl(host, "hw.optional.arm64") == "1" else host.system.machine


def inside(host: Host) -> str | None:
    """Macs are inside of nothing that matters here."""
    return None


def layout(
    *,
    home: PurePath,
    environment: Mapping[str, str],
    recipe: str,
    data: PurePath | None = None,
    workspace: PurePath | None = None,
) -> Layout:
    """Where everything lies: Application Support, our overrides, `~/llm-dev/RECIPE`."""
    support = home / "Library" / "Application Support" / APP
    return lay_out(
        home=home,
        environment=environment,
        recipe=recipe,
        data=overridden(home, environment, data) or support,
        config=support,
        workspace=workspace,
    )


def places(home: PurePath, environment: Mapping[str, str], data: PurePath) -> Places:
    """Where Pythons and PyCharms may be; `data` is our own data folder."""
    pyenv = expanded(home, environment.get("PYENV_ROOT") or "~/.pyenv")
    uv = expanded(home, environment.get("UV_PYTHON_INSTALL_DIR") or "~/.local/share/uv/python")
    folders = ("/opt/homebrew/bin", "/usr/local/bin")
    # Not /usr/bin/python3: without Apple's developer tools it opens a window that asks to install them.
    return Places(
        interpreters=(*(PurePosixPath(f) for f in folders), home / ".local" / "bin"),
        nests=(uv, pyenv / "versions", PurePosixPath("/Library/Frameworks/Python.framework/Versions")),
        inside=PurePosixPath("bin"),
        ides=(
            IdeFolder(data / "ide", "ours"),
            IdeFolder(PurePosixPath("/Applications")),
            IdeFolder(home / "Applications"),
        ),
        settings=home / "Library" / "Application Support" / "JetBrains",
        programs=home / ".local" / "bin",
        applications=home / "Applications",
    )


def _findings(host: Host) -> tuple[Finding, ...]:
    if _told(host, "/usr/bin/id", "-u") != "0":
        return ()
    root = Finding(id="root", level="warning", text=message("running as root: what is made here belongs to root"))
    if "SUDO_UID" not in host.environment or str(host.home) == "/var/root":
        return (root,)
    sudo = Finding(
        id="sudo-home",
        level="error",
        text=message("sudo runs this as root in the home of another user: {home}", home=str(host.home)),
        hint=message("run the command without sudo"),
    )
    return (root, sudo)


def _sysctl(host: Host, name: str) -> str | None:
    return _told(host, "/usr/sbin/sysctl", "-n", name)


def _told(host: Host, *argv: str) -> str | None:
    answer = asked(host, *argv)
    return answer.stdout.strip() or None if answer and answer.ok else None
