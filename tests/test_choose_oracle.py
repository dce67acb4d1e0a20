"""Choose against the oracle: every driver × chip × Python × C library × system of a grid, and drawn ones between."""

from itertools import product

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from setup_llm_dev.documents.machine import Accelerator, Interpreter, Machine, Os, Vendor
from setup_llm_dev.documents.recipe import PythonWish, Recipe, TorchWish
from setup_llm_dev.stages.choose import choose
from tests.choice_oracle import Case, best, table
from tests.golden import catalog

CATALOG = catalog()
CHIPS = (30, 35, 37, 50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 103, 110, 120, 121, 140)
DRIVERS = (
    "390.157", "450.36", "452.39", "470.256", "525.60.12", "525.60.13", "528.33", "570.26", "575.51.03", "579.99",
    "580", "581.57", "590.44.01", "610.1",
)  # fmt: skip
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "3.16")
AMD = (
    "gfx803",
    "gfx900",
    "gfx906",
    "gfx90a",
    "gfx942",
    "gfx950",
    "gfx1030",
    "gfx1100",
    "gfx1103",
    "gfx1151",
    "gfx1201",
)
PLATFORMS: tuple[tuple[Os, str], ...] = (("linux", "x86_64"), ("linux", "arm64"), ("windows", "x86_64"))


def machine_of(case: Case) -> Machine:
    vendor: Vendor = "nvidia"
    chip = f"sm_{case.chip}"
    if isinstance(case.chip, str):
        vendor = "amd" if case.chip.startswith("gfx") else "apple" if case.os == "macos" else "intel"
        chip = case.chip
    gpu = Accelerator(vendor=vendor, name="the GPU", chip=chip, driver=case.driver)
    os: Os = "linux" if case.os == "linux" else "macos" if case.os == "macos" else "windows"
    return Machine(
        os=os,
        arch=case.arch,
        libc=f"glibc {case.system}" if os == "linux" and case.system else None,
        distribution=f"macOS {case.system}" if os == "macos" else None,
        accelerators=() if case.chip is None else (gpu,),
        interpreters=(Interpreter(path="/python", version=f"{case.python}.1"),),
    )


def chosen(case: Case) -> tuple[str, str] | None:
    recipe = Recipe(
        name="grid",
        python=PythonWish(version=">=3.8"),
        torch=TorchWish(version=f">={case.wanted[0]},<={case.wanted[1]}"),
    )
    builds = choose(machine_of(case), recipe, CATALOG).builds
    return (builds[0].release, builds[0].variant) if builds else None


def disagreements(cases: list[Case]) -> list[str]:
    return [f"{case}: {chosen(case)}, the oracle {best(case)}" for case in cases if chosen(case) != best(case)]


@pytest.mark.parametrize(("os", "arch"), PLATFORMS)
def test_every_nvidia_card_on_every_driver(os: str, arch: str) -> None:
    system = "2.39" if os == "linux" else None
    cases = [Case(os, arch, chip, driver, "3.12", system) for chip, driver in product(CHIPS, DRIVERS)]
    assert disagreements(cases) == []
    assert len({best(case) for case in cases}) >= 5, "a grid that always gives the same would prove nothing"


@pytest.mark.parametrize("glibc", ["2.12", "2.17", "2.27", "2.28", "2.39"])
def test_every_python_on_every_c_library(glibc: str) -> None:
    cases = [
        Case("linux", arch, chip, "580.1", python, glibc)
        for arch, chip, python in product(("x86_64", "arm64"), (None, 61, 89, 120, "gfx1100", "xe2"), PYTHONS)
    ]
    assert disagreements(cases) == []


def test_every_amd_chip_and_intel_on_every_platform() -> None:
    cases = [
        Case(os, arch, chip, None, python, "2.39" if os == "linux" else None)
        for (os, arch), chip, python in product(PLATFORMS, (*AMD, "xe2", None), ("3.10", "3.12"))
    ]
    assert disagreements(cases) == []


def test_every_macos() -> None:
    cases = [
        Case("macos", "arm64", chip, None, python, macos)
        for chip, python, macos in product(("m1", "m4", None), PYTHONS, ("10.15", "11.7", "13.6", "14.0", "26.1"))
    ]
    assert disagreements(cases) == []


def test_releases_that_a_recipe_limits() -> None:
    spans = (("2.4.0", "2.5.1"), ("2.6.0", "2.7.1"), ("2.10.0", "2.11.0"), ("2.15.0", "2.99"), ("2.16", "2.99"))
    cases = [
        Case("linux", "x86_64", chip, driver, "3.12", "2.39", span)
        for chip, driver, span in product((37, 61, 70, 89, 120, None), ("470.1", "535.1", "570.26", "580.1"), spans)
    ]
    assert disagreements(cases) == []


@settings(deadline=None)
@given(
    platform=st.sampled_from(PLATFORMS),
    chip=st.integers(30, 130),
    driver=st.tuples(st.integers(380, 620), st.integers(0, 99)),
    python=st.sampled_from(PYTHONS),
    minor=st.integers(10, 45),
)
@example(platform=("linux", "x86_64"), chip=140, driver=(570, 1), python="3.12", minor=39)  # PTX needs its own driver
def test_machines_between(
    platform: tuple[Os, str], chip: int, driver: tuple[int, int], python: str, minor: int
) -> None:
    system = f"2.{minor}" if platform[0] == "linux" else None
    case = Case(*platform, chip, f"{driver[0]}.{driver[1]}", python, system)
    assert chosen(case) == best(case)


def test_the_oracle_reads_the_same_file() -> None:
    assert table()["collected"] == CATALOG.torch.collected
    assert msgspec.structs.asdict(CATALOG.torch)["index_root"] == table()["index_root"]
