"""A machine made of real processes that misbehave: programs first on PATH, device files that say a driver is there."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePath

from setup_llm_dev.host.files import Files
from setup_llm_dev.host.run import Programs
from setup_llm_dev.host.world import Host, System, real_host

# Ignores TERM, and so does the child that inherits its pipes; a second one leaves the process group with them.
HANGS = """#!/bin/sh
trap '' TERM INT HUP
echo $$ >> "{pids}"
(trap '' TERM; while :; do sleep 1; done) &
setsid sh -c 'trap "" TERM; echo $$ >> "{pids}"; exec sleep 40' &
while :; do sleep 1; done
"""


class Marked(Files):
    """The real disk, on which some files are there too (no test machine has a GPU's device files), and some are not."""

    def __init__(self, names: Iterable[str], texts: dict[str, str], hidden: Iterable[str]) -> None:
        super().__init__()
        self._names = frozenset(names) | texts.keys()
        self._texts = texts
        self._hidden = frozenset(hidden)

    def exists(self, path: PurePath) -> bool:
        return str(path) not in self._hidden and (str(path) in self._names or super().exists(path))

    def is_file(self, path: PurePath) -> bool:
        return str(path) in self._names or super().is_file(path)

    def read_bytes(self, path: PurePath, limit: int = 64 << 20) -> bytes:
        if str(path) in self._names:
            return self._texts.get(str(path), "").encode()[:limit]
        return super().read_bytes(path, limit)


_TEXTS = {"/sys/module/nvidia/version": "580.95.05\n", "/proc/1/cgroup": "0::/init.scope\n"}
_OF_CONTAINERS = ("/.dockerenv", "/run/.containerenv")  # the tests may run in one; the machine that they make is none


def scratch_machine(folder: Path, *, programs: dict[str, str], python: str | None = None) -> Host:
    """This machine with `programs` (name to script) first on PATH, a loaded driver, and an empty home in `folder`."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(parents=True)
    for name, script in programs.items():
        place = bin_folder / name
        place.write_text(script.replace("{pids}", str(folder / "pids")), "utf-8")
        place.chmod(0o755)
    real = real_host()
    environment = {"PATH": f"{bin_folder}:/usr/bin:/bin", "HOME": str(folder)}
    marks = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm")
    host = replace(
        real,
        programs=Programs(environment, real.cancel),
        files=Marked(marks, _TEXTS, _OF_CONTAINERS),
        environment=environment,
        home=folder,
    )
    return replace(host, system=System(executable=python)) if python else host


def hanging_machine(folder: Path) -> Host:
    """Everything that detection asks about system and GPUs hangs, the Python that would ask NVML among them."""
    python = "python-that-hangs"
    programs = dict.fromkeys(("nvidia-smi", "getconf", "ldd", python), HANGS)
    return scratch_machine(folder, programs=programs, python=str(folder / "bin" / python))


def end_leftovers(folder: Path) -> None:
    """The processes that left their group, and groups that a failed test left, by the numbers that they wrote down."""
    for line in (folder / "pids").read_text().split() if (folder / "pids").exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(line), 9)  # each of them leads a group
