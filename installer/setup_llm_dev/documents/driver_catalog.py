"""The catalogue of driver steps: which commands install NVIDIA's driver on which distribution, and for which cards."""

import re
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from setup_llm_dev.documents.catalog import read_table
from setup_llm_dev.documents.catalog_row import Row

Evidence = Literal["documented", "package-list", "thread", "inferred"]
Modules = Literal["closed", "either", "open"]
_VERSION = re.compile(r"\d+(?:\.\d+)?")
_CODENAME = re.compile(r"\((\w+)[^)]*\)")


class Command(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program with its arguments, which takes the rights of root; `input` is what it reads."""

    run: tuple[str, ...]
    input: str = ""


class Way(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one kind of card gets its driver.

    sm: the compute capabilities, times ten, that it is for, both ends included. gives: the branch that comes, None
    for the newest. enrol: what makes Secure Boot trust the module, none needed where the distribution signed it; it
    asks for a password at the keyboard, so it is only told. by_hand: nothing of it is run by us. seen: the source.
    """

    sm: tuple[int, int]
    commands: tuple[Command, ...]
    evidence: Evidence
    date: date
    seen: str
    gives: int | None = None
    enrol: tuple[Command, ...] = ()
    by_hand: bool = False
    note: str | None = None

    def drives(self, capabilities: tuple[int, ...]) -> bool:
        return all(self.sm[0] <= capability <= self.sm[1] for capability in capabilities)


class Distribution(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """names: how its name in os-release begins. versions: a specifier of its number; "" for every one."""

    name: str
    names: tuple[str, ...]
    ways: tuple[Way, ...]
    versions: str = ""
    archs: tuple[str, ...] = ("x86_64",)

    def is_it(self, pretty_name: str, arch: str) -> bool:
        """Whether this is the row for a system that calls itself so: `Ubuntu 24.04.3 LTS`."""
        if arch not in self.archs or not pretty_name.startswith(self.names):
            return False
        number = version_in(pretty_name)
        return not self.versions or (number is not None and Version(number) in SpecifierSet(self.versions))


class ModuleKind(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which kernel modules cards from `sm[0]` to `sm[1]` need: NVIDIA's open ones, the closed ones, or either."""

    sm: tuple[int, int]
    modules: Modules
    evidence: Evidence
    date: date
    seen: str


class DriverCatalog(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`manifests/catalog/drivers.toml`."""

    schema: Literal[1]
    collected: date
    modules: tuple[ModuleKind, ...]
    distributions: tuple[Distribution, ...]

    def distribution(self, pretty_name: str | None, arch: str) -> Distribution | None:
        return next((row for row in self.distributions if pretty_name and row.is_it(pretty_name, arch)), None)

    def modules_for(self, capability: int) -> Modules:
        return next((row.modules for row in self.modules if row.sm[0] <= capability <= row.sm[1]), "either")


def read_drivers(folder: Path) -> DriverCatalog:
    """From the folder that holds drivers.toml; raises UsageError naming file and key."""
    return read_table(folder / "drivers.toml", DriverCatalog)


def version_in(pretty_name: str) -> str | None:
    """`24.04` of `Ubuntu 24.04.3 LTS`, None where the name has no number.

    >>> version_in("Debian GNU/Linux 13 (trixie)")
    '13'
    """
    told = _VERSION.search(pretty_name)
    return told[0] if told else None


def blanks(pretty_name: str, arch: str) -> dict[str, str]:
    """What stands in the commands' braces: version, major, codename, and the processor as each maker spells it."""
    number, code = version_in(pretty_name) or "", _CODENAME.search(pretty_name)
    return {
        "version": number,
        "major": number.partition(".")[0],
        "codename": code[1].lower() if code else "",
        "debian_arch": "arm64" if arch == "arm64" else "amd64",
        "nvidia_arch": "sbsa" if arch == "arm64" else "x86_64",
    }


def filled(command: Command, values: dict[str, str]) -> Command:
    """The command for one system; braces of ours are replaced, nothing else is."""
    return msgspec.structs.replace(
        command, run=tuple(_fill(word, values) for word in command.run), input=_fill(command.input, values)
    )


def _fill(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda blank: values[blank[1]], text)
