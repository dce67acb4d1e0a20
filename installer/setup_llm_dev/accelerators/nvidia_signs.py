"""NVIDIA: what shows of cards and driver without asking the driver."""

from dataclasses import dataclass

from setup_llm_dev.accelerators.pci import DisplayDevice
from setup_llm_dev.accelerators.tegra import Tegra


@dataclass(frozen=True)
class Signs:
    """What shows without asking the driver: cards of the bus, the kernel's module, device files."""

    cards: tuple[DisplayDevice, ...] = ()
    models: tuple[str, ...] = ()  # the names that the kernel module knows its cards by
    module: str | None = None  # /sys/module/nvidia/version
    loaded: str | None = None  # /proc/driver/nvidia/version
    flavour: str | None = None
    control: bool = False  # /dev/nvidiactl
    uvm: bool = False
    can_make_nodes: bool = False  # nvidia-modprobe makes /dev/nvidia-uvm when the first program needs it
    wsl: bool = False  # /dev/dxg
    windows: bool = False
    registry: str | None = None
    permitted: bool = True
    inside: str | None = None
    tegra: Tegra | None = None

    @property
    def driver(self) -> str | None:
        return self.module or self.loaded or self.registry

    @property
    def driver_is_near(self) -> bool:
        """Whether it is worth a program to ask."""
        return bool(self.control or self.wsl or self.windows or self.driver or self.tegra)

    @property
    def evidence(self) -> tuple[str, ...]:
        """One line a sign, only of those that say something."""
        node = "there" if self.control else "not there"
        lines = (
            f"/sys/module/nvidia/version: {self.module}" if self.module else "",
            f"/proc/driver/nvidia/version: {self.loaded} ({self.flavour or 'unknown'} module)" if self.loaded else "",
            f"registry: driver {self.registry}" if self.registry else "",
            *(f"pci: {card.id}, driver {card.bound or 'none'}" for card in self.cards if card.source == "pci"),
            "" if self.wsl or self.windows else f"/dev/nvidiactl: {node if self.permitted else 'no permission'}",
        )
        return tuple(filter(None, lines))
