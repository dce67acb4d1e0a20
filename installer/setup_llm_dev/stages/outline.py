"""outline: the plan as a document, without network, or pinned with every step asked."""

from collections.abc import Callable
from typing import Any

from setup_llm_dev.documents.choices import Build, Choices
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import ArchiveIdeLock
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.plan import Phase, PlanDocument, PlannedStep, PlannedTorch
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.compose import PHASES
from setup_llm_dev.stages.diffs import diffs
from setup_llm_dev.stages.here import choices_for, machine_here
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.prepare import Prepared, prepare
from setup_llm_dev.stages.space import disk_needs
from setup_llm_dev.stages.stored_lock import made_for_other_pythons, stored_lock
from setup_llm_dev.steps.step import Satisfied, Unsatisfied

Say = Callable[[Message], None]


def outline(host: Host, recipe: Recipe, layout: Layout, options: Options, say: Say) -> PlanDocument:
    """No network. With a lock in the project it is as exact as a pinned one; without, the steps in outline."""
    if not options.upgrade and options.machine is None and _is_locked(host, recipe, layout, options, say):
        return pinned_outline(host, recipe, layout, options, say)
    machine = machine_here(host, layout, options, interpreters=True)
    choices = choices_for(recipe, machine, options)
    best = choices.builds[0] if choices.builds else None
    return PlanDocument(
        recipe=recipe.name,
        machine=machine,
        pinned=False,
        torch=_planned_torch(best) if best else None,
        python=_python(choices, machine),
        refusals=choices.refusals,
        steps=tuple(_sketch(recipe, options)) if best else (),
        workspace=str(layout.workspace),
        data=str(layout.data),
    )


def _is_locked(host: Host, recipe: Recipe, layout: Layout, options: Options, say: Say) -> bool:
    """Whether `prepare` would reuse the lock: else it would resolve, which needs the network."""
    stored = stored_lock(host, layout, recipe, options, say)
    return stored is not None and not made_for_other_pythons(host, layout, stored[0], options, say)


def pinned_outline(host: Host, recipe: Recipe, layout: Layout, options: Options, say: Say) -> PlanDocument:
    """Everything that `apply` would decide, and what is satisfied already."""
    prepared = prepare(host, recipe, layout, options, say)
    lock = prepared.plan.lock
    needs = [size for _, size in disk_needs(host, prepared.plan, prepared.statuses)]
    return PlanDocument(
        recipe=recipe.name,
        machine=prepared.machine,
        pinned=True,
        torch=PlannedTorch(
            version=lock.torch.version, variant=lock.torch.variant, index=lock.torch.index, why=lock.torch.why
        ),
        python=lock.python.version,
        refusals=_refusals(recipe, prepared, options),
        gaps=prepared.plan.gaps,
        steps=tuple(_planned(prepared)),
        download_bytes=_download(prepared),
        disk_bytes=None if None in needs else sum(size for size in needs if size),
        workspace=str(layout.workspace),
        data=str(layout.data),
        diffs=diffs(host, prepared.plan.steps),
    )


def _planned_torch(build: Build) -> PlannedTorch:
    return PlannedTorch(version=build.version, variant=build.variant, index=build.index, why=build.why)


def _refusals(recipe: Recipe, prepared: Prepared, options: Options) -> Any:
    """Only a run that chose just now knows them; a lock is past choosing."""
    if not prepared.pinned_now:
        return ()
    return choices_for(recipe, prepared.machine, options).refusals


def _planned(prepared: Prepared) -> list[PlannedStep]:
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


def _download(prepared: Prepared) -> int | None:
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


def _sketch(recipe: Recipe, options: Options) -> list[PlannedStep]:
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
            ("ide", "ide", "stage", message("install PyCharm, unless one that fits is here")),
            ("ide-interpreter", "interpreter", "switch", message("tell PyCharm about the interpreter")),
            ("ide-project", "ide-project", "switch", message("prepare the project for PyCharm")),
        ]
    rows.append(("git", "git", "switch", message("put the project under version control (git)")))
    rows.append(("link", "link", "switch", message("switch the project to the new environment")))
    order = {phase: place for place, phase in enumerate(PHASES)}
    return [
        PlannedStep(id=name, kind=kind, phase=phase, optional=False, summary=summary)
        for name, kind, phase, summary in sorted(rows, key=lambda row: order[row[2]])
    ]
