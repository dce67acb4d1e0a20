"""The rules of choice said once more, by brute force over the plain rows of the catalogue; shares no code with it."""

import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from setup_llm_dev.documents.manifests import manifests_folder

Row = dict[str, Any]
DOUBTFUL = ("inferred", "wheel-table")


class Case(NamedTuple):
    """One machine of the grid: `chip` is 89 or "gfx1100" or "xe2" or None; `system` a glibc or macOS version."""

    os: str
    arch: str
    chip: int | str | None
    driver: str | None
    python: str
    system: str | None
    wanted: tuple[str, str] = ("2.4.0", "2.99")  # releases from, to


@cache
def table() -> Row:
    return tomllib.loads((manifests_folder() / "catalog" / "torch.toml").read_text("utf-8"))


def number(text: str) -> tuple[int, ...]:
    """(580, 95, 5) of `580.95.05`, without zeros at the end."""
    parts = [int(part) for part in text.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def best(case: Case) -> tuple[str, str] | None:
    """(release, variant), or None where nothing fits."""
    fitting = sorted(_fitting(case))
    return fitting[-1][-1] if fitting else None


def _fitting(case: Case) -> Iterator[tuple[Any, ...]]:
    platform = f"{case.os}_{case.arch}"
    for release in table()["releases"]:
        for build in release["builds"]:
            if build["platform"] != platform or not installs(release, build, case):
                continue
            for patch in release["patches"]:
                if number(case.wanted[0]) <= number(patch) <= number(case.wanted[1]):
                    gpu = uses_gpu(build, case)
                    if gpu is not None:
                        yield gpu, -_doubt(build), number(patch), build.get("advertised", True), _toolkit(build), (
                            patch, build["variant"],
                        )  # fmt: skip


def installs(release: Row, build: Row, case: Case) -> bool:
    lacking = [p for lack in release.get("lacks", ()) if lack["platform"] == build["platform"] for p in lack["pythons"]]
    floors = [
        f["system"] for f in release["floors"]
        if f["platform"] == build["platform"]
        and case.python in f.get("pythons", [case.python])
        and build["variant"] in f.get("variants", [build["variant"]])
    ]  # fmt: skip
    new_enough = case.system is None or all(number(case.system) >= number(floor) for floor in floors)
    return case.python in release["pythons"] and case.python not in lacking and new_enough


def uses_gpu(build: Row, case: Case, driver_os: str | None = None) -> bool | None:
    """Whether it does; None where the build does not fit at all. `driver_os`: whose driver numbers count."""
    variant = build["variant"]
    if variant in ("cpu", "mps"):
        return variant == "mps" and case.chip is not None
    if variant == "xpu":
        return True if isinstance(case.chip, str) and case.chip.startswith("xe") else None
    if variant.startswith("rocm"):
        return True if case.chip in table()["rocm"][variant]["chips"] else None
    return (
        True
        if isinstance(case.chip, int) and _cuda_runs(build, case.chip, case.driver or "0", driver_os or case.os)
        else None
    )


def _cuda_runs(build: Row, chip: int, driver: str, os: str) -> bool:
    cuda = table()["cuda"][build["variant"]]
    for branch in table()["driver_branches"]:
        if branch["sm"][0] <= chip <= branch["sm"][1]:
            major = number(driver)[0]
            if major < branch.get("first", 0) or major >= branch.get("last", 9990) + 10:
                return False
    if number(driver) < number(cuda["driver"][os]):
        return False
    late = number(cuda["toolkit"]) >= (13, 2)
    for rule in table()["cubin"]:
        if rule["code"] in build["sm"]:
            excepted = () if late and "except_before" in rule else rule.get("except", ())
            same = rule["code"] // 10 == chip // 10 and chip >= rule["code"] and chip not in excepted
            if chip in rule["only"] if "only" in rule else same:
                return True
    own = cuda.get("own_driver", {}).get(os, "0")
    return any(chip >= ptx for ptx in build.get("ptx", ())) and number(driver) >= number(own)


def _doubt(build: Row) -> int:
    chips = table()["rocm"].get(build["variant"], {}).get("evidence")
    return 2 if build["evidence"] in DOUBTFUL else int(build.get("code") in DOUBTFUL or chips in DOUBTFUL)


def _toolkit(build: Row) -> tuple[int, ...]:
    variant = build["variant"]
    if variant.startswith("cu"):
        return number(table()["cuda"][variant]["toolkit"])
    return number(variant.removeprefix("rocm")) if variant.startswith("rocm") else ()
