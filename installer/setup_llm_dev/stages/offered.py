"""Offered: what the catalogue says is published for a machine, in the releases and the variant that are wanted."""

import re

import msgspec

from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.torch_catalog import DriverOs, Offer, TorchCatalog, is_wanted
from setup_llm_dev.documents.torch_rows import Cuda, version


def offers_for(machine: Machine, torch: TorchCatalog, wanted: str, asked: str | None) -> tuple[Offer, ...]:
    """Newest release first. `wanted`: a specifier of releases; `asked`: one variant, None for all."""
    if (machine.libc or "").startswith("musl"):
        return ()
    catalog = with_newer_cuda(asked, torch) if asked and asked not in torch.variants else torch
    every = catalog.offers(f"{machine.os}_{machine.arch}", driver_os(machine))
    return tuple(o for o in every if asked in (None, o.variant) and is_wanted(o.release, wanted))


def driver_os(machine: Machine) -> DriverOs:
    """Whose driver numbers count: in WSL the driver is the one of Windows."""
    return "windows" if machine.os == "windows" or machine.environment == "wsl" else "linux"


def is_newer_cuda(variant: str, torch: TorchCatalog) -> bool:
    """Whether it can be a build that the catalogue does not know yet: a toolkit of the newest CUDA major.

    The driver floor of a toolkit is that of its major, so that much is known of it.
    """
    told = re.fullmatch(r"cu(\d\d)(\d)", variant)
    if told is None or variant in torch.cuda:
        return False
    newest = _newest_major(torch)
    oldest = min(version(cuda.toolkit) for cuda in newest)
    toolkit = version(f"{told[1]}.{told[2]}")
    return toolkit.major == oldest.major and toolkit > oldest


def with_newer_cuda(variant: str, torch: TorchCatalog) -> TorchCatalog:
    """The catalogue as if `variant` were published wherever a CUDA of its major is; what code it has is unknown."""
    twin = max(_newest_major(torch), key=lambda cuda: version(cuda.toolkit))
    number = f"{variant[2:-1]}.{variant[-1]}"
    cuda = msgspec.structs.replace(twin, toolkit=number, own_driver=None, evidence="inferred")
    majors = {name: row.major for name, row in torch.cuda.items()}
    releases = []
    for release in torch.releases:
        platforms = {b.platform: b for b in release.builds if majors.get(b.variant) == twin.major}
        added = tuple(
            msgspec.structs.replace(b, variant=variant, sm=(), ptx=(), code=None, evidence="inferred")
            for b in platforms.values()
        )
        releases.append(msgspec.structs.replace(release, builds=(*release.builds, *added)))
    return msgspec.structs.replace(torch, cuda={**torch.cuda, variant: cuda}, releases=tuple(releases))


def _newest_major(torch: TorchCatalog) -> list[Cuda]:
    newest = max(cuda.major for cuda in torch.cuda.values())
    return [cuda for cuda in torch.cuda.values() if cuda.major == newest]
