"""The Machine: what `detect` found out about a computer, `machine/1` in JSON."""

from typing import Literal

import msgspec

from setup_llm_dev.messages import Message

Os = Literal["linux", "macos", "windows"]
Vendor = Literal["nvidia", "amd", "intel", "apple"]
Kind = Literal["gpu", "igpu", "mig", "vgpu"]
Level = Literal["ok", "info", "warning", "error"]
Board = Literal["jetson", "gb10", "grace"]


class Accelerator(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU. `chip` is `sm_90`, `gfx1100`, `xe2`, `m3`…; `problem` says why it can't be used as it is.

    `kind` is `igpu` for the graphics of a processor that no build of PyTorch runs on, `mig` for a card that is cut
    into instances, `vgpu` for a share of a host's card.
    """

    vendor: Vendor
    name: str
    chip: str | None = None
    driver: str | None = None
    memory_bytes: int | None = None
    problem: Message | None = None
    pci: str | None = None  # vendor and device id in lower case: 10de:2684
    kind: Kind = "gpu"
    instances: tuple[str, ...] = ()  # MIG profiles: 1g.10gb
    seen_by: tuple[str, ...] = ()  # the sources that told of it: nvml, nvidia-smi, pci, kfd, registry…


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """An installed CPython: `path` is absolute, `version` has three parts; `problem` says why not usable."""

    path: str
    version: str
    platform: str = ""  # sysconfig's, such as linux-x86_64
    has_venv: bool = True
    running: bool = False  # the one that runs this tool, asked first
    problem: Message | None = None


class IdeInterpreter(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of an IDE's table of interpreters: `home` is the program, macros of the IDE expanded, None if remote."""

    name: str
    home: str | None = None


class Ide(msgspec.Struct, frozen=True, kw_only=True):
    """An installed PyCharm; `settings` is its configuration folder whether or not that exists yet.

    `home` is the folder that holds `bin/`; `launcher` is relative to it; `kind` says who looks after the installation.
    """

    name: str
    version: str
    home: str
    build: str | None = None  # 262.9437.214, without the product's code
    launcher: str | None = None  # bin/pycharm
    kind: Literal["ours", "toolbox", "snap", "folder"] = "folder"
    settings: str | None = None
    interpreters: tuple[IdeInterpreter, ...] = ()  # what its jdk.table.xml holds already


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something about this machine that a person should know: what, why, what was read where, what to do.

    `reference` names the place in the documents of ours that explains it.
    """

    id: str
    level: Level = "info"
    text: Message
    cause: Message | None = None
    hint: Message | None = None
    evidence: tuple[str, ...] = ()  # what was read where: "/dev/nvidiactl: not there"
    reference: str | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A computer: sizes in bytes, `libc` such as `glibc 2.36` or `musl 1.2`, None outside Linux."""

    schema: Literal["machine/1"] = "machine/1"
    os: Os
    arch: str  # x86_64, arm64, or what the kernel says
    distribution: str | None = None
    libc: str | None = None
    kernel: str | None = None
    cpu: str | None = None
    cpu_count: int = 1
    memory_bytes: int | None = None
    disk_free_bytes: int | None = None  # of the file system that holds our data folder
    environment: str | None = None  # wsl, container, colab, kaggle or None
    board: Board | None = None  # a computer with builds or rules of its own
    accelerators: tuple[Accelerator, ...] = ()
    interpreters: tuple[Interpreter, ...] = ()
    ides: tuple[Ide, ...] = ()
    findings: tuple[Finding, ...] = ()
