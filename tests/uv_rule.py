"""What uv's rule for torch would take, which knows the driver only, beside what we take: a table for people.

    python -m tests.uv_rule            every recorded machine, then every driver × chip

The rule is written down from its published table (driver to CUDA backends, AMD chip to ROCm, any Intel graphics to
XPU): the first backend of the list whose index has any torch wins, newest release first within it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from setup_llm_dev.documents.machine import Accelerator, Machine
from setup_llm_dev.documents.recipe import PythonWish, Recipe
from setup_llm_dev.documents.torch_rows import version
from setup_llm_dev.stages.choose import choose
from setup_llm_dev.stages.judge import usable
from setup_llm_dev.stages.offered import driver_os
from tests.choice_oracle import Case, best, installs, number, table, uses_gpu
from tests.golden import MACHINES, catalog, saved

RECIPE = Recipe(name="side-by-side", python=PythonWish(version=">=3.10"))
# backend: the oldest driver on Linux, on Windows; newest backend first.
CUDA = {
    "cu132": ("580", "580"), "cu130": ("580", "580"), "cu129": ("525.60.13", "528.33"),
    "cu128": ("525.60.13", "528.33"), "cu126": ("525.60.13", "528.33"), "cu125": ("525.60.13", "528.33"),
    "cu124": ("525.60.13", "528.33"), "cu123": ("525.60.13", "528.33"), "cu122": ("525.60.13", "528.33"),
    "cu121": ("525.60.13", "528.33"), "cu120": ("525.60.13", "528.33"), "cu118": ("450.80.2", "452.39"),
}  # fmt: skip
_OLD = ("rocm6.4", "rocm6.3", "rocm6.2.4", "rocm6.2", "rocm6.1", "rocm6.0")
_NEW = ("rocm7.2", "rocm7.1", "rocm7.0")
ROCM = {
    **dict.fromkeys(("gfx900", "gfx906", "gfx908", "gfx90a", "gfx942", "gfx1030", "gfx1100"), _NEW + _OLD),
    "gfx1101": (*_NEW, "rocm6.4", "rocm6.3", "rocm6.2.4", "rocm6.1"),
    **dict.fromkeys(("gfx1102", "gfx1200", "gfx1201"), (*_NEW, "rocm6.4", "rocm6.3", "rocm6.2.4")),
    "gfx950": _NEW,
    "gfx1150": ("rocm7.2",),
    "gfx1151": ("rocm7.2",),
}


class Row(NamedTuple):
    """One line: what uv's rule takes, what we take, (release, variant) each, and what is wrong with uv's."""

    name: str
    uv: tuple[str, str] | None
    ours: tuple[str, str] | None
    verdict: str

    @property
    def wrong(self) -> bool:
        return self.verdict not in ("", "older")


def by_uv(machine: Machine) -> tuple[str, str] | None:
    """(release, variant), None where no index of the list has a wheel."""
    for backend in _backends(machine):
        releases = [
            patch
            for release in table()["releases"]
            for build in release["builds"]
            if (build["platform"], build["variant"]) == (f"{machine.os}_{machine.arch}", _variant(backend, machine))
            and build["evidence"] != "wheel-table"
            and _installs(release, build, machine)
            for patch in release["patches"]
        ]
        if releases:
            return max(releases, key=number), _variant(backend, machine)
    return None


def _installs(release: dict[str, Any], build: dict[str, Any], machine: Machine) -> bool:
    """That much is the business of any installer: a wheel for an installed Python and this C library or macOS."""
    told = re.fullmatch(r"(musl|glibc|macOS) ([\d.]+)", (machine.libc or machine.distribution) or "")
    if told is not None and told[1] == "musl":
        return False
    system = told[2] if told else None
    features = [".".join(i.version.split(".")[:2]) for i in machine.interpreters if i.problem is None] or ["3.12"]
    return any(installs(release, build, Case(machine.os, machine.arch, None, None, f, system)) for f in features)


def _variant(backend: str, machine: Machine) -> str:
    return "mps" if (backend, machine.os) == ("cpu", "macos") else backend


def _backends(machine: Machine) -> tuple[str, ...]:
    """By the order of its detection: the driver of NVIDIA, then the chip of AMD, then any graphics of Intel."""
    drivers = [a.driver for a in machine.accelerators if a.vendor == "nvidia" and a.driver]
    if machine.os != "macos" and drivers:
        floor = 1 if machine.os == "windows" else 0  # in WSL too it compares with the numbers of Linux
        return (*(b for b, floors in CUDA.items() if number(floors[floor]) <= number(drivers[0])), "cpu")
    chips = [a.chip for a in machine.accelerators if a.vendor == "amd" and a.chip in ROCM]
    if machine.os == "linux" and chips:
        return (*ROCM[min(chips, key=list(ROCM).index)], "cpu")
    if machine.os != "macos" and any(a.vendor == "intel" for a in machine.accelerators):
        return ("xpu",)
    return ("cpu",)


def recorded_rows() -> Iterator[Row]:
    for path in sorted(MACHINES.glob("*/machine.json")):
        machine = saved(path.parent.name)
        builds = choose(machine, RECIPE, catalog()).builds
        ours = (builds[0].release, builds[0].variant) if builds else None
        uv = by_uv(machine)
        yield Row(path.parent.name, uv, ours, _verdict(uv, ours, machine))


def grid_rows() -> Iterator[Row]:
    """Every chip that somebody may have, on each driver that decides anything."""
    chips = (37, 52, 61, 70, 75, 86, 89, 90, 103, 120)
    drivers = ("470.256", "535.104", "570.26", "575.51.03", "580.95", "595.45")
    for os, chip, driver in product(("linux", "windows"), chips, drivers):
        case = Case(os, "x86_64", chip, driver, "3.12", "2.39" if os == "linux" else None, ("2.6.0", "2.99"))
        backend = next(b for b, floors in CUDA.items() if number(floors[os == "windows"]) <= number(driver))
        uv = _newest(backend, f"{os}_x86_64")
        ours = best(case)
        yield Row(f"{os} sm_{chip} {driver}", uv, ours, _against(uv, ours, _runs(uv, case)))


def _newest(variant: str, platform: str) -> tuple[str, str]:
    found = [
        patch
        for release in table()["releases"]
        for build in release["builds"]
        if (build["platform"], build["variant"]) == (platform, variant) and build["evidence"] != "wheel-table"
        for patch in release["patches"]
    ]
    return max(found, key=number), variant


def _runs(pair: tuple[str, str] | None, case: Case, driver_os: str | None = None) -> bool:
    """Whether a build has real code for the chip and the driver starts it: by the oracle, not by choose."""
    if pair is None:
        return False
    rows = (
        build
        for release in table()["releases"]
        if pair[0] in release["patches"]
        for build in release["builds"]
        if (build["platform"], build["variant"]) == (f"{case.os}_{case.arch}", pair[1])
    )
    return any(uses_gpu(build, case, driver_os) for build in rows)


def _verdict(uv: tuple[str, str] | None, ours: tuple[str, str] | None, machine: Machine) -> str:
    gpus = [gpu for gpu in usable(machine) if gpu.problem is None]
    family = {"nvidia": "cu", "amd": "rocm", "intel": "xpu", "apple": "mps"}
    meant = [gpu for gpu in gpus if uv is not None and uv[1].startswith(family[gpu.vendor])]
    cases = [Case(machine.os, machine.arch, _chip(gpu), gpu.driver, "3.12", None) for gpu in meant]
    runs = bool(meant) and all(_runs(uv, case, driver_os(machine)) for case in cases)
    return "" if uv == ours else _against(uv, ours, runs)


def _chip(gpu: Accelerator) -> int | str | None:
    """As the oracle writes it."""
    chip = gpu.chip or (catalog().torch.chip_of(gpu.name) if gpu.vendor == "nvidia" else None)
    if gpu.vendor == "intel" and chip is not None:
        return "xe"
    return int(chip[3:]) if chip and chip.startswith("sm_") else chip


def _against(uv: tuple[str, str] | None, ours: tuple[str, str] | None, runs: bool) -> str:
    """ "" where both are as good; `older` is a lesser build, all others don't work."""
    if uv is None or ours is None:
        return "" if uv is ours or ours is None else "nothing installs"
    on_gpu = uv[1] not in ("cpu", "mps")
    if on_gpu and not runs:
        return "no code or no device"
    if not on_gpu and ours[1] not in ("cpu", "mps"):
        return "CPU, though a GPU could be used"
    return "older" if version(uv[0]) < version(ours[0]) else ""


def text(title: str, rows: list[Row]) -> str:
    """One line a case, and the counts."""
    wrong = Counter(row.verdict for row in rows if row.verdict)
    lines = [f"{title}: {len(rows)}; uv's rule is wrong in {sum(row.wrong for row in rows)}, older in {wrong['older']}"]
    lines += [f"  {count:4} {verdict}" for verdict, count in wrong.most_common()]
    width = max(len(row.name) for row in rows)
    for row in rows:
        uv, ours = ("+".join(pair) if pair else "-" for pair in (row.uv, row.ours))
        lines.append(f"  {row.name:{width}}  {uv:16} {ours:16} {row.verdict}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    print(text("recorded machines", list(recorded_rows())))
    print(text("driver × chip", list(grid_rows())))
