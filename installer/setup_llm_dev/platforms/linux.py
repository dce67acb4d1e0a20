"""Linux: facts from /proc, /sys and os-release; folders by the XDG rules."""

import re
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.machine import Board, Finding, Machine, Os
from setup_llm_dev.host.deadline import asked
from setup_llm_dev.host.places import IdeFolder, Places
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.platforms.folders import APP, expanded, lay_out, overridden

OS: Os = "linux"
SYSTEM = "linux"  # sys.platform
_ARCHES = {"amd64": "x86_64", "aarch64": "arm64"}
_TEGRA = PurePath("/etc/nv_tegra_release")
_CONTAINER = re.compile(r"docker|kubepods|containerd|libpod|/lxc")


def probe(host: Host) -> Machine:
    """What the system says of itself; accelerators, interpreters and IDEs are found by others."""
    libc = _libc(host)
    cpu, count = _cpu(host)
    return Machine(
        os=OS,
        arch=arch(host),
        distribution=_distribution(host),
        libc=libc,
        kernel=host.system.release,
        cpu=cpu,
        cpu_count=count,
        memory_bytes=_memory(host),
        environment=inside(host),
        board=_board(host),
        findings=_findings(host, libc),
    )


def layout(
    *,
    home: PurePath,
    environment: Mapping[str, str],
    recipe: str,
    data: PurePath | None = None,
    workspace: PurePath | None = None,
) -> Layout:
    """Where everything lies: XDG folders, our overrides, `~/llm-dev/RECIPE`."""
    return lay_out(
        home=home,
        environment=environment,
        recipe=recipe,
        data=overridden(home, environment, data) or _xdg(home, environment, "DATA", ".local/share") / APP,
        config=_xdg(home, environment, "CONFIG", ".config") / APP,
        workspace=workspace,
    )


def places(home: PurePath, environment: Mapping[str, str], data: PurePath) -> Places:
    """Where Pythons and PyCharms may be; `data` is our own data folder."""
    share = _xdg(home, environment, "DATA", ".local/share")
    pyenv = expanded(home, environment.get("PYENV_ROOT") or "~/.pyenv")
    uv = environment.get("UV_PYTHON_INSTALL_DIR")
    return Places(
        interpreters=(PurePosixPath("/usr/local/bin"), PurePosixPath("/usr/bin"), home / ".local" / "bin"),
        nests=(expanded(home, uv) if uv else share / "uv" / "python", pyenv / "versions"),
        inside=PurePosixPath("bin"),
        ides=(
            IdeFolder(data / "ide", "ours"),
            IdeFolder(share / "JetBrains" / "Toolbox" / "apps", "toolbox"),
            IdeFolder(PurePosixPath("/opt")),
            IdeFolder(PurePosixPath("/snap"), "snap"),
            IdeFolder(home),
            IdeFolder(home / "Applications"),
        ),
        settings=_xdg(home, environment, "CONFIG", ".config") / "JetBrains",
        programs=home / ".local" / "bin",
        applications=share / "applications",
    )


def _xdg(home: PurePath, environment: Mapping[str, str], name: str, default: str) -> PurePath:
    """The XDG specification: a relative path in these variables is to be ignored."""
    named = environment.get(f"XDG_{name}_HOME", "").strip()
    return type(home)(named) if named.startswith("/") else home / default


def _distribution(host: Host) -> str | None:
    text = host.files.read_text(PurePath("/etc/os-release")) or ""
    told = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', text, re.MULTILINE)
    return told[1] if told else None


def _libc(host: Host) -> str | None:
    """`glibc 2.36`, `musl 1.2.5`, or None where nothing tells. Where both are, programs of the system use glibc."""
    return _glibc(host) or _musl(host)


def _glibc(host: Host) -> str | None:
    for program, *arguments in (("getconf", "GNU_LIBC_VERSION"), ("ldd", "--version")):
        path = host.programs.find(program)
        answer = asked(host, path, *arguments) if path else None
        if answer and (told := parse_glibc(answer.stdout)):
            return told
        if answer and "musl" in answer.stdout + answer.stderr:
            return None
    return None


def parse_glibc(text: str) -> str | None:
    """The version in the words of getconf, or of glibc's ldd.

    >>> parse_glibc("ldd (Ubuntu GLIBC 2.35-0ubuntu3.8) 2.35\\nCopyright …")
    'glibc 2.35'
    """
    told = re.match(r"glibc (\d+\.\d+[\d.]*)|ldd \(.*\) (\d+\.\d+)\s", text)
    return f"glibc {told[1] or told[2]}" if told else None


def _musl(host: Host) -> str | None:
    for name in host.files.list_dir(PurePath("/lib")):
        if name.startswith("ld-musl-"):
            answer = asked(host, f"/lib/{name}")
            told = re.search(r"Version ([\d.]+)", answer.stderr) if answer else None
            return f"musl {told[1]}" if told else "musl"
    return None


def _cpu(host: Host) -> tuple[str | None, int]:
    text = host.files.read_text(PurePath("/proc/cpuinfo")) or ""
    model = re.search(r"^(?:model name|Model)\s*: (.+)$", text, re.MULTILINE)
    return (model[1].strip() if model else None), max(1, len(re.findall(r"^processor\s*:", text, re.MULTILINE)))


def _memory(host: Host) -> int | None:
    text = host.files.read_text(PurePath("/proc/meminfo")) or ""
    told = re.search(r"^MemTotal:\s*(\d+) kB$", text, re.MULTILINE)
    return int(told[1]) * 1024 if told else None


def arch(host: Host) -> str:
    """The processor's, as the kernel names it, in our words."""
    return _ARCHES.get(host.system.machine, host.system.machine)


def inside(host: Host) -> str | None:
    """Colab and Kaggle first, then WSL: a container inside WSL still has WSL's driver. Only reads files."""
    if "COLAB_RELEASE_TAG" in host.environment:
        return "colab"
    if "KAGGLE_KERNEL_RUN_TYPE" in host.environment:
        return "kaggle"
    if "microsoft" in host.system.release.lower():
        return "wsl"
    return "container" if _in_container(host) else None


def _board(host: Host) -> Board | None:
    """By what the firmware says; Grace servers are told by their GPUs."""
    model = host.files.read_text(PurePath("/proc/device-tree/model")) or ""
    if host.system.release.endswith("-tegra") or "Jetson" in model or host.files.is_file(_TEGRA):
        return "jetson"
    product = host.files.read_text(PurePath("/sys/class/dmi/id/product_name")) or ""
    return "gb10" if re.search(r"DGX.Spark|GB10", product) else None


def _in_container(host: Host) -> bool:
    marks = ("/.dockerenv", "/run/.containerenv")
    if any(host.files.exists(PurePath(m)) for m in marks) or host.environment.get("container"):
        return True
    groups = host.files.read_text(PurePath("/proc/1/cgroup")) or ""
    return "KUBERNETES_SERVICE_HOST" in host.environment or bool(_CONTAINER.search(groups))


def _findings(host: Host, libc: str | None) -> tuple[Finding, ...]:
    found = []
    if inside(host) == "wsl":
        found.append(
            Finding(
                id="wsl",
                text=message("this is Windows Subsystem for Linux: the GPU driver is the one of Windows"),
                hint=message("install GPU drivers in Windows only, never inside"),
            )
        )
    if _in_container(host):
        found.append(
            Finding(
                id="container",
                text=message("this is a container: what is outside its volumes is lost with it"),
            )
        )
    if libc and libc.startswith("musl"):
        found.append(
            Finding(
                id="musl",
                level="error",
                text=message("the C library is musl; PyTorch is published for glibc only"),
                hint=message("use a distribution with glibc, such as Debian, Ubuntu or Fedora"),
            )
        )
    if _user_id(host) == 0:
        as_root = message("running as root: what is made here belongs to root")
        found.append(Finding(id="root", level="warning", text=as_root))
        if "SUDO_UID" in host.environment and host.home != _root_home(host):
            found.append(
                Finding(
                    id="sudo-home",
                    level="error",
                    text=message("sudo runs this as root in the home of another user: {home}", home=str(host.home)),
                    hint=message("run the command without sudo"),
                )
            )
    return tuple(found)


def _user_id(host: Host) -> int | None:
    told = re.search(r"^Uid:\s*\d+\s+(\d+)", host.files.read_text(PurePath("/proc/self/status")) or "", re.MULTILINE)
    return int(told[1]) if told else None


def _root_home(host: Host) -> PurePath:
    told = re.search(
        r"^root:[^:]*:0:[^:]*:[^:]*:([^:]+):",
        host.files.read_text(PurePath("/etc/passwd")) or "",
        re.MULTILINE,
    )
    return type(host.home)(told[1] if told else "/root")
