"""AMD: which graphics are those of a processor, by chip and, where nobody tells the chip, by PCI device id.

Which ids belong to which chips is what the Linux kernel's driver says. No list of a published build that is known for
certain names these chips: a Ryzen is not a computer with a GPU to compute with. The processors whose graphics are on
such a list (Strix Point, Strix Halo) count as GPUs.
"""

PROVED = frozenset(("gfx1150", "gfx1151"))
_BY_DEVICE = {
    "15dd": "gfx902", "15d8": "gfx902", "1636": "gfx90c", "1638": "gfx90c", "164c": "gfx90c", "15e7": "gfx90c",
    "163f": "gfx1033", "1435": "gfx1033", "164d": "gfx1035", "1681": "gfx1035", "164e": "gfx1036", "13c0": "gfx1036",
    "1506": "gfx1037", "15bf": "gfx1103", "15c8": "gfx1103", "1900": "gfx1103", "1901": "gfx1103",
    "1114": "gfx1152", "150e": "gfx1150", "1586": "gfx1151",
}  # fmt: skip
OF_PROCESSORS = frozenset((*_BY_DEVICE.values(), "gfx909", "gfx1153"))


def is_processor_graphics(chip: str | None, device: str) -> bool:
    """Whether it is part of a processor that no build is proved for; `device` is an id such as `164e`, or "".

    >>> [is_processor_graphics(None, device) for device in ("13c0", "1586", "744c")]
    [True, False, False]
    """
    return (chip or _BY_DEVICE.get(device)) in OF_PROCESSORS - PROVED
