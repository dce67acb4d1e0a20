"""Intel: which graphics PyTorch's XPU builds are made for, by PCI device id.

The list of products is PyTorch's own (Arc A and B, Core Ultra with Arc graphics from Meteor Lake-H to Panther Lake,
Data Center GPU Max); which ids belong to which of them is what the Linux kernel's drivers say. The names of chips are
those that the builds are compiled for. What is not here is not promised: plain UHD and Iris graphics, the first
discrete Iris Xe (DG1), Core Ultra without Arc graphics (Meteor Lake-U, Arrow Lake-U and -S), Flex.
"""

from typing import NamedTuple


class XpuFamily(NamedTuple):
    """A family of GPUs with XPU code: `chip`, what its products are called, and their device ids."""

    chip: str
    name: str
    ids: frozenset[str]


XPU = (
    XpuFamily("dg2", "Intel Arc A-series", frozenset((
        "5690", "5691", "5692", "5693", "5694", "5695", "5696", "5697", "56a0", "56a1", "56a2", "56a3",
        "56a4", "56a5", "56a6", "56b0", "56b1", "56b2", "56b3", "56ba", "56bb", "56bc", "56bd", "56be",
        "56bf"))),
    XpuFamily("bmg", "Intel Arc B-series", frozenset((
        "e202", "e209", "e20b", "e20c", "e20d", "e210", "e211", "e212", "e216", "e220", "e221", "e222",
        "e223"))),
    XpuFamily("pvc", "Intel Data Center GPU Max", frozenset((
        "0b69", "0b6e", "0bd4", "0bd5", "0bd6", "0bd7", "0bd8", "0bd9", "0bda", "0bdb", "0be0", "0be1",
        "0be5"))),
    XpuFamily("mtl-h", "Intel Arc Graphics (Meteor Lake-H)", frozenset((
        "7d55", "7dd5"))),
    XpuFamily("arl-h", "Intel Arc Graphics (Arrow Lake-H)", frozenset((
        "7d51", "7dd1"))),
    XpuFamily("lnl-m", "Intel Arc Graphics (Lunar Lake)", frozenset((
        "6420", "64a0", "64b0"))),
    XpuFamily("ptl-h", "Intel Arc Graphics (Panther Lake)", frozenset((
        "b080", "b081", "b082", "b083", "b084", "b085", "b086", "b087", "b08f", "b090", "b0a0", "b0b0"))),
)  # fmt: skip

NAMES = {  # of the cards that people buy; the others carry their family's name
    "5690": "Intel Arc A770M", "5691": "Intel Arc A730M", "5692": "Intel Arc A550M", "5693": "Intel Arc A370M",
    "5694": "Intel Arc A350M", "56a0": "Intel Arc A770", "56a1": "Intel Arc A750", "56a2": "Intel Arc A580",
    "56a5": "Intel Arc A380", "56a6": "Intel Arc A310", "56b0": "Intel Arc Pro A30M", "56b1": "Intel Arc Pro A40/A50",
    "e20b": "Intel Arc B580", "e20c": "Intel Arc B570", "e211": "Intel Arc Pro B60", "e212": "Intel Arc Pro B50",
    "0bd5": "Intel Data Center GPU Max 1550", "0bda": "Intel Data Center GPU Max 1100",
}  # fmt: skip


def xpu_family(device: str) -> XpuFamily | None:
    """The family of a device id, None for graphics that no XPU build is made for."""
    return next((family for family in XPU if device in family.ids), None)


def find_product(word: str) -> tuple[str, str] | None:
    """Name and chip of what a person calls `arc-b580`, `Arc B580`, `bmg` or `8086:e20b`.

    >>> find_product("arc-b580")
    ('Intel Arc B580', 'bmg')
    """
    wanted = _plain(word)
    for family in XPU:
        if wanted in (_plain(family.chip), _plain(family.name)):
            return family.name, family.chip
    for device, name in NAMES.items():
        family_of = xpu_family(device)
        if family_of and wanted in (_plain(name), device):
            return name, family_of.chip
    by_id = xpu_family(wanted.removeprefix("8086 ").strip())
    return (by_id.name, by_id.chip) if by_id else None


def _plain(name: str) -> str:
    return name.lower().replace("-", " ").replace(":", " ").removeprefix("intel ").strip()
