"""compose: from the documents to the steps of a run. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from setup_llm_dev.components.model import model_step
from setup_llm_dev.components.pycharm import free_sdk_name
from setup_llm_dev.components.python import Generation, python_steps
from setup_llm_dev.components.resources import Resources
from setup_llm_dev.components.smoke import smoke_steps
from setup_llm_dev.components.workspace import link_step, project_step, workspace_steps
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Gap, Lock
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.messages import message
from setup_llm_dev.steps.step import Step

PARTS = ("python", "packages", "model", "datasets", "ide", "smoke")
_PHASES = ("stage", "check", "switch")


@dataclass(frozen=True)
class Plan:
    """Steps in the order of their phases, and what will be missing all the same."""

    recipe: Recipe
    lock: Lock
    layout: Layout
    generation: Generation
    steps: tuple[Step, ...]
    gaps: tuple[Gap, ...]

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.id == name), None)


def compose(
    recipe: Recipe,
    lock: Lock,
    pylock: str,
    *,
    machine: Machine,
    layout: Layout,
    generation: Generation,
    resources: Resources,
    parts: frozenset[str] = frozenset(PARTS),
) -> Plan:
    """Everything is decided here: a step never asks which system or GPU it is on."""
    steps = tuple(_steps(recipe, lock, pylock, machine, layout, generation, resources, parts))
    ordered = tuple(sorted(steps, key=lambda step: _PHASES.index(step.phase)))
    gaps = tuple(gap for gap in lock.gaps if gap.what in parts)
    if "ide" in parts:
        gaps += (_ide_gap(),)
    return Plan(recipe, lock, layout, generation, ordered, gaps)


def _steps(
    recipe: Recipe,
    lock: Lock,
    pylock: str,
    machine: Machine,
    layout: Layout,
    generation: Generation,
    resources: Resources,
    parts: frozenset[str],
) -> Iterable[Step]:
    yield from python_steps(lock, pylock, layout, generation)
    if "model" in parts and lock.model is not None:
        yield model_step(lock.model, layout, generation.interpreter)
        if "smoke" in parts:
            yield from smoke_steps(recipe, lock, layout, machine, resources, layout.python_in(generation.folder))
    yield from workspace_steps(recipe, lock, pylock, layout, resources, parts)
    if "ide" in parts:
        taken = frozenset(known.name for ide in machine.ides for known in ide.interpreters)
        name = free_sdk_name(python_version=generation.version, workspace=layout.workspace, taken=taken)
        yield project_step(layout, name)
    yield link_step(layout, generation)


def _ide_gap() -> Gap:
    """Until PyCharm itself is installed by us; how to open the project stands among the next steps."""
    return Gap(
        what="ide",
        why=message("this version prepares the project for PyCharm, but does not install PyCharm itself"),
        url="https://www.jetbrains.com/pycharm/download/",
    )
