"""What `plan` borrows from doctor: which way to work with Windows this is, and how the cards get a driver."""

from collections.abc import Iterator

from setup_llm_dev.documents.catalog import Catalog
from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.documents.driver_catalog import read_drivers
from setup_llm_dev.documents.machine import Finding, Machine
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.diagnoses.driver import driver_findings, secure_boot
from setup_llm_dev.stages.diagnoses.driver_step import needs_driver, nvidia_cards
from setup_llm_dev.stages.diagnoses.topology import topology


def plan_findings(machine: Machine, recipe: Recipe, catalog: Catalog, host: Host | None) -> tuple[Finding, ...]:
    """For the document `plan/1`, commands within the hint. host: where the machine is this one, for Secure Boot."""
    return tuple(as_finding(entry) for entry in _entries(machine, recipe, catalog, host))


def as_finding(entry: Entry) -> Finding:
    """The same without what only `diagnosis/1` has; commands become one line that can be typed as it is."""
    hint = entry.hint
    if entry.commands:
        line = " && ".join(entry.commands)
        hint = message("{commands} ({hint})", commands=line, hint=hint) if hint else message("{line}", line=line)
    return Finding(
        id=entry.id, level=entry.level, text=entry.text, cause=entry.cause, hint=hint, evidence=entry.evidence,
        reference=entry.reference,
    )  # fmt: skip


def _entries(machine: Machine, recipe: Recipe, catalog: Catalog, host: Host | None) -> Iterator[Entry]:
    wanted = recipe.torch.version
    if nvidia_cards(machine) and needs_driver(machine, catalog.torch, wanted):
        drivers = read_drivers(manifests_folder() / "catalog")
        secure = secure_boot(host) if host is not None else None
        yield from driver_findings(machine, catalog.torch, drivers, wanted, secure_boot=secure)
    yield from topology(machine)
