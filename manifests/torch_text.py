"""How `catalog/torch.toml` is written: one row a line, every part in its order, comments included."""

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import msgspec
from packaging.version import Version

from setup_llm_dev.documents.torch_catalog import Release, TorchCatalog
from setup_llm_dev.documents.torch_rows import Published

HEAD = """\
# Which PyTorch builds exist, and what each needs. Data only; the tests under tests/ check it as data.
# `make catalog` brings it up to date and writes it anew: a remark belongs into the `note` of its row.
#
# evidence: wheel       read out of a published wheel
#           pypi        read from the package index: its list of files, or the METADATA of a wheel
#           index       listed on torch's own index
#           branch      computed from the release branch's build matrix
#           ci          stated by PyTorch's build scripts or by NVIDIA's and AMD's release notes
#           issue       stated in an upstream thread, not seen in a wheel
#           wheel-table listed in the table inside torch 2.15.0, not seen as a wheel of its own
#           inferred    concluded from neighbouring releases
# Facts that are `wheel-table` or `inferred` are ranked after all others.
# date: when that was read. Platforms are OS_ARCH as in machine/1. `collected` is when the makers were last asked.
"""
CUDA = """\
# --- CUDA: `driver` is what a build needs to start (minor-version compatibility). `own_driver` came with the toolkit;
# only compiling PTX needs it. ---"""
BRANCHES = (
    "# --- Driver branches by compute capability (both ends included): a card outside them is not driven at all ---"
)
CUBIN = """\
# --- Which devices compiled code runs on: same major, equal or higher minor, minus `except` ---
# `except_before`: the exceptions end with that CUDA toolkit, whose arm64 server builds run on Jetson too.
# `only`: exactly these devices."""
ROCM = "# --- ROCm (Linux x86_64 only): the chips each build has code for ---"
CAPABILITY = (
    "# --- Compute capability by name, where a driver does not tell it: the longest name in the card's wins ---"
)
ELSEWHERE = "# --- Builds of other publishers, for GPUs that torch's own index does not serve: named, not installed ---"
RELEASES = """\
# --- Releases, newest first ---
# builds: `evidence` says that it is published, `code` how the capabilities in `sm` are known; `ptx` are those that a
# driver can compile for newer cards. floors: the oldest glibc (Linux) or macOS that the wheels install on.
# companions: what goes with one release of torch. lacks: Pythons without wheels on one platform.
# pypi_default: which variant the wheel without a label on the default package index is."""
PLATFORMS = ("linux_x86_64", "linux_arm64", "windows_x86_64", "macos_arm64")
KINDS = ("cu", "rocm", "xpu", "mps", "cpu")


def torch_text(catalog: TorchCatalog) -> str:
    """The whole file; reading it gives `catalog` again, if that is in order (see `in_order`)."""
    return "\n".join(_lines(in_order(catalog)))


def in_order(catalog: TorchCatalog) -> TorchCatalog:
    """The same rows in the order of the file: newest first; GPU builds before those without one."""
    releases = sorted(catalog.releases, key=lambda r: Version(r.series), reverse=True)
    return msgspec.structs.replace(
        catalog,
        cuda=dict(sorted(catalog.cuda.items(), key=lambda row: Version(row[1].toolkit))),
        cubin=tuple(sorted(catalog.cubin, key=lambda row: row.code)),
        rocm=dict(sorted(catalog.rocm.items(), key=lambda row: _number(row[0]))),
        driver_branches=tuple(sorted(catalog.driver_branches, key=lambda row: row.sm)),
        capability=tuple(sorted(catalog.capability, key=lambda row: int(row.chip[3:]), reverse=True)),
        elsewhere=tuple(sorted(catalog.elsewhere, key=lambda row: (row.vendor, row.platform))),
        releases=tuple(map(_release_in_order, releases)),
    )


def build_place(build: Published) -> tuple[int, int, tuple[int, ...]]:
    """Where a build stands among those of its release."""
    kind = next(i for i, kind in enumerate(KINDS) if build.variant.startswith(kind))
    newest_first = tuple(-part for part in _number(build.variant).release)
    return PLATFORMS.index(build.platform), kind, newest_first


def _release_in_order(release: Release) -> Release:
    return msgspec.structs.replace(
        release,
        patches=tuple(sorted(release.patches, key=Version, reverse=True)),
        pythons=tuple(sorted(release.pythons, key=Version)),
        builds=tuple(sorted(release.builds, key=build_place)),
        floors=tuple(sorted(release.floors, key=lambda f: (PLATFORMS.index(f.platform), f.pythons, f.variants))),
        lacks=tuple(sorted(release.lacks, key=lambda f: PLATFORMS.index(f.platform))),
        companions=tuple(
            sorted(release.companions, key=lambda c: (tuple(-n for n in Version(c.torch).release), c.name))
        ),
        pypi_default={p: release.pypi_default[p] for p in PLATFORMS if p in release.pypi_default},
    )


def _number(variant: str) -> Version:
    """12.6 of `cu126`, 7.14 of `rocm7.14`, 0 of `xpu`."""
    if variant.startswith("cu"):
        return Version(f"{variant[2:-1]}.{variant[-1]}")
    return Version(variant.removeprefix("rocm")) if variant.startswith("rocm") else Version("0")


def _lines(catalog: TorchCatalog) -> Iterator[str]:
    yield HEAD
    yield f"schema = {catalog.schema}"
    yield f"collected = {catalog.collected.isoformat()}"
    yield f"index_root = {_value(catalog.index_root)}"
    yield from ("", BRANCHES, *_array("driver_branches", catalog.driver_branches))
    yield from ("", CUBIN, *_array("cubin", catalog.cubin))
    yield from ("", CAPABILITY, *_array("capability", catalog.capability))
    yield from ("", ELSEWHERE, *_array("elsewhere", catalog.elsewhere))
    yield from ("", CUDA, "[cuda]", *_named(catalog.cuda))
    yield from ("", ROCM, "[rocm]", *_named(catalog.rocm))
    yield from ("", RELEASES)
    for release in catalog.releases:
        yield from _release(release)
    yield ""


def _release(release: Release) -> Iterator[str]:
    rows = msgspec.to_builtins(release, builtin_types=(date,))
    yield from ("", "[[releases]]")
    for key in ("series", "patches", "pythons", "pypi_default", "evidence", "date", "note"):
        if key in rows:
            yield f"{key} = {_value(rows[key])}"
    for key in ("floors", "lacks", "companions", "builds"):
        if rows.get(key):
            yield from _array(key, getattr(release, key))


def _array(key: str, rows: Iterable[msgspec.Struct]) -> Iterator[str]:
    yield f"{key} = ["
    yield from (f"    {_value(_plain(row))}," for row in rows)
    yield "]"


def _named(rows: dict[str, Any]) -> Iterator[str]:
    yield from (f"{_key(name)} = {_value(_plain(row))}" for name, row in rows.items())


def _plain(row: msgspec.Struct) -> dict[str, Any]:
    """Evidence, date and note last: the facts of a row stand in the same place, whatever is known of them."""
    told: dict[str, Any] = msgspec.to_builtins(row, builtin_types=(date,))
    last = {key: told.pop(key) for key in ("evidence", "date", "note") if key in told}
    return told | last


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False)
        case date():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            inside = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items())
            return f"{{ {inside} }}"
        case _:
            return str(value)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else json.dumps(name)
