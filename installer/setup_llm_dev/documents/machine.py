"""The Machine: what `detect` found out about a computer, `machine/1` in JSON."""

from typing import Literal

import msgspec

from setup_llm_dev.messages import Message

Os = Literal["linux", "macos", "windows"]
Vendor = Literal["nvidia", "amd", "intel", "apple"]


class Accelerator(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU. `chip` is `sm_90`, `gfx1100`, `m3`…; `problem` says why it can't be used as it is."""

    vendor: Vendor
    name: str
    chip: str | None = None
    driver: str | None = None
    memory_bytes: int | None = None
    problem: Message | None = None


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
    """Something about this machine that a person should know, with what to do."""

    id: str
    text: Message
    hint: Message | None = None


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
    environment: str | None = None  # wsl, container, colab … or None
    accelerators: tuple[Accelerator, ...] = ()
    interpreters: tuple[Interpreter, ...] = ()
    ides: tuple[Ide, ...] = ()
    findings: tuple[Finding, ...] = ()
