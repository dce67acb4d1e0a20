"""What a diagnosis may look at: the machine and what was chosen for it, and the world where it is this machine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePath

from setup_llm_dev.documents.catalog import Catalog
from setup_llm_dev.documents.choices import Choices
from setup_llm_dev.documents.diagnosis import Entry, ProbedHost
from setup_llm_dev.documents.driver_catalog import DriverCatalog
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.host.world import Host

Mend = Callable[[Host], None]


@dataclass(frozen=True)
class Situation:
    """`host` is the machine itself, or its recording. environment: the folder of the environment to look at, where
    there is one; lock: what that was made from. parts: what the user wants set up.

    hosts: what the probes of the network heard, for whoever comes after them.
    """

    host: Host
    machine: Machine
    recipe: Recipe
    layout: Layout
    catalog: Catalog
    drivers: DriverCatalog
    choices: Choices
    environment: PurePath | None = None
    lock: Lock | None = None
    parts: frozenset[str] = frozenset()
    again: str = "setup-llm-dev apply"
    hosts: list[ProbedHost] = field(default_factory=list)


@dataclass(frozen=True)
class Mendable:
    """A finding that `--fix` can mend, and how. Raises SetupError and OSError where it can't after all."""

    entry: Entry
    mend: Mend


Told = Entry | Mendable
Look = Callable[[Situation], Iterable[Told]]
