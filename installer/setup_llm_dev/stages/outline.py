"""outline: the plan as a document, without network, or pinned with every step asked."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from setup_llm_dev.documents.catalog import Catalog
from setup_llm_dev.documents.choices import Build, Choices
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import ArchiveIdeLock
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.plan import CatalogueAge, Phase, PlanDocument, PlannedStep, PlannedTorch
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.doctor_plan import plan_findings
from setup_llm_dev.stages.here import catalogue, choices_for, machine_here
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.parts import PHASES
from setup_llm_dev.steps.step import Satisfied, Unsatisfied

if TYPE_CHECKING:
    from setup_llm_dev.stages.prepare import Prepared

Say = Callable[[Message], None]
_IDE = message("install PyCharm, unless one that fits is here")


def outline(host: Host, recipe: Recipe, layout: Layout, options: Options, say: Say) -> PlanDocument:
    """No network. With a lock in the project it is as exact as a pinned one; without, the steps in outline."""
    if not options.upgrade and options.machine is None and _is_locked(host, recipe, layout, options, say):
        return pinned_outline(host, recipe, layout, options, say, offline=True)
    machine = machine_here(host, layout, options, interpreters=True)
    catalog = catalogue()
    choices = choices_for(recipe, machine, options, catalog)
    best = choices.builds[0] if choices.builds else None
    return PlanDocument(
        recipe=recipe.name,
        machine=machine,
        pinned=False,
        torch=_planned_torch(best, _sources(host, layout, best, options)) if best else None,
        python=_python(choices, machine),
        refusals=choices.refusals,
        findings=(*choices.findings, *plan_findings(machine, recipe, catalog, _here(host, options))),
        catalogue=_age(host, catalog),
        steps=_sketch(recipe, options) if best else (),
        workspace=str(layout.workspace),
        data=str(layout.data),
    )


def _is_locked(host: Host, recipe: Recipe, layout: Layout, options: Options, say: Say) -> bool:
    """Whether `prepare` would reuse the lock: else it would resolve, which needs the network."""
    from setup_llm_dev.stages.stored_lock import made_for_other_pythons, stored_lock

    stored = stored_lock(host, layout, recipe, options, say)
    return stored is not None and not made_for_other_pythons(host, layout, stored[0], options, say)


def pinned_outline(
    host: Host, recipe: Recipe, layout: Layout, options: Options, say: Say, *, offline: bool = False
) -> PlanDocument:
    """Everything that `apply` would decide, and what is satisfied already; `offline` by a stored lock alone."""
    from setup_llm_dev.stages.diffs import diffs
    from setup_llm_dev.stages.prepare import prepare
    from setup_llm_dev.stages.space import disk_needs

    prepared = prepare(host, recipe, layout, options, say, offline=offline)
    lock = prepared.plan.lock
    catalog = catalogue()
    choices = choices_for(recipe, prepared.machine, options, catalog)
    needs = [size for _, size in disk_needs(host, prepared.plan, prepared.statuses)]
    return PlanDocument(
        recipe=recipe.name,
        machine=prepared.machine,
        pinned=True,
        torch=PlannedTorch(
            version=lock.torch.version, variant=lock.torch.variant, index=lock.torch.index, why=lock.torch.why
        ),
        python=lock.python.version,
        # A lock is past choosing: only a run that chose just now tells what it refused.
        refusals=choices.refusals if prepared.pinned_now else (),
        findings=(*choices.findings, *plan_findings(prepared.machine, recipe, catalog, _here(host, options))),
        catalogue=_age(host, catalog) if prepared.pinned_now else None,
        gaps=prepared.plan.gaps,
        steps=_in_order([*_planned(prepared), *(_ide_to_be_asked_for(prepared, options) if offline else ())]),
        download_bytes=_download(prepared),
        disk_bytes=None if None in needs else sum(size for size in needs if size),
        workspace=str(layout.workspace),
        data=str(layout.data),
        diffs=diffs(host, prepared.plan.steps),
    )


def _here(host: Host, options: Options) -> Host | None:
    """None where the plan is for another machine."""
    return host if options.machine is None and not options.assume else None


def _planned_torch(build: Build, sources: tuple[str, ...]) -> PlannedTorch:
    return PlannedTorch(
        version=build.version, variant=build.variant, index=build.index, why=build.why,
        companions=build.companions, sources=sources,
    )  # fmt: skip


def _sources(host: Host, layout: Layout, build: Build, options: Options) -> tuple[str, ...]:
    """Where this machine would ask for the build, if that is not the maker's index alone."""
    if options.machine is not None or not build.index:
        return ()
    from setup_llm_dev.host.addresses import without_credentials
    from setup_llm_dev.host.configuration import read_surroundings
    from setup_llm_dev.stages.project import torch_sources

    surroundings = read_surroundings(host, layout.config)
    places = tuple(without_credentials(source.url) for source in torch_sources(build, surroundings))
    return () if places == (build.index,) else places


def _age(host: Host, catalog: Catalog) -> CatalogueAge:
    collected = catalog.torch.collected
    return CatalogueAge(collected=collected, days=max((host.now().date() - collected).days, 0))


def _planned(prepared: "Prepared") -> list[PlannedStep]:
    planned = []
    for step in prepared.plan.steps:
        status = prepared.statuses[step.id]
        planned.append(
            PlannedStep(
                id=step.id, kind=step.kind, phase=step.phase, optional=step.optional, summary=step.describe(),
                satisfied=isinstance(status, Satisfied),
                why_not=status.why if isinstance(status, Unsatisfied) else None,
            )
        )  # fmt: skip
    return planned


def _ide_to_be_asked_for(prepared: "Prepared", options: Options) -> tuple[PlannedStep, ...]:
    """Where the lock was made without an IDE, which one it will be is a question to its maker."""
    lock = prepared.plan.lock
    if "ide" not in options.parts or lock.ide is not None or any(gap.what == "ide" for gap in prepared.plan.gaps):
        return ()
    why = message("which one it would be is asked of its maker: see `plan --pin`")
    step = PlannedStep(id="ide", kind="ide", phase="stage", optional=False, summary=_IDE, why_not=why)
    return (step,)


def _download(prepared: "Prepared") -> int | None:
    """What is not there yet; uv's cache may hold some of it already, which only uv knows."""
    lock, total = prepared.plan.lock, 0
    if isinstance(prepared.statuses.get("packages"), Unsatisfied):
        if lock.packages.download_bytes is None:
            return None
        total += lock.packages.download_bytes
    if isinstance(prepared.statuses.get("model"), Unsatisfied) and lock.model is not None:
        if lock.model.size is None:
            return None
        total += lock.model.size
    if isinstance(prepared.statuses.get("ide"), Unsatisfied) and isinstance(lock.ide, ArchiveIdeLock):
        if lock.ide.size is None:
            return None
        total += lock.ide.size
    return total


def _python(choices: Choices, machine: Machine) -> str | None:
    by_path = {interpreter.path: interpreter.version for interpreter in machine.interpreters}
    return by_path.get(choices.interpreters[0]) if choices.interpreters else None


def _sketch(recipe: Recipe, options: Options) -> tuple[PlannedStep, ...]:
    rows: list[tuple[str, str, Phase, Message]] = [
        ("environment", "environment", "stage", message("make an environment")),
        ("packages", "packages", "stage", message("install the packages by a lock, and prove each file")),
    ]
    if "model" in options.parts and recipe.model is not None:
        rows.append(("model", "model", "stage", message("get the model {name}", name=recipe.model.source)))
    rows.append(("variant", "variant", "check", message("check that torch is the chosen build")))
    if "smoke" in options.parts and "model" in options.parts and recipe.model is not None:
        summary = message("fine-tune for real and check what came out ({task})", task=recipe.smoke.task)
        rows.append(("smoke", "smoke", "check", summary))
    rows.append(("workspace", "write", "switch", message("make the project folder")))
    if "ide" in options.parts:
        rows += [
            ("ide", "ide", "stage", _IDE),
            ("ide-interpreter", "interpreter", "switch", message("tell PyCharm about the interpreter")),
            ("ide-project", "ide-project", "switch", message("prepare the project for PyCharm")),
        ]
    rows.append(("git", "git", "switch", message("put the project under version control (git)")))
    rows.append(("link", "link", "switch", message("switch the project to the new environment")))
    return _in_order(
        PlannedStep(id=name, kind=kind, phase=phase, optional=False, summary=summary)
        for name, kind, phase, summary in rows
    )


def _in_order(steps: Iterable[PlannedStep]) -> tuple[PlannedStep, ...]:
    return tuple(sorted(steps, key=lambda step: PHASES.index(step.phase)))
