"""compose: from the documents to the steps of a run. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from setup_llm_dev.components.ide import IdeSide, all_ide_steps, git_step
from setup_llm_dev.components.model import model_step
from setup_llm_dev.components.python import Generation, python_steps
from setup_llm_dev.components.resources import Resources
from setup_llm_dev.components.smoke import smoke_steps
from setup_llm_dev.components.workspace import link_step, workspace_steps
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Gap, Lock
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.stages.parts import PARTS, PHASES
from setup_llm_dev.steps.step import Step


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
    side: IdeSide | None = None,
    parts: frozenset[str] = frozenset(PARTS),
    again: str = "setup-llm-dev apply",
    before: frozenset[str] = frozenset(),
) -> Plan:
    """Everything is decided here: a step never asks which system or GPU it is on.

    side: the IDE's, None where it is left out; before: parts that earlier runs applied and that still stand.
    """
    steps = tuple(_steps(recipe, lock, pylock, machine, layout, generation, resources, side, parts, parts | before))
    ordered = tuple(sorted(steps, key=lambda step: PHASES.index(step.phase)))
    gaps = tuple(gap for gap in lock.gaps if gap.what in parts or (gap.what == "plugins" and "ide" in parts))
    if side is not None and side.waits is not None:
        gaps += (Gap(what="ide", why=side.waits, command=again),)  # PyCharm's own offer goes first
    return Plan(recipe, lock, layout, generation, ordered, gaps)


def _steps(
    recipe: Recipe,
    lock: Lock,
    pylock: str,
    machine: Machine,
    layout: Layout,
    generation: Generation,
    resources: Resources,
    side: IdeSide | None,
    parts: frozenset[str],
    standing: frozenset[str],
) -> Iterable[Step]:
    yield from python_steps(lock, pylock, layout, generation)
    if "model" in parts and lock.model is not None:
        yield model_step(lock.model, layout, generation.interpreter)
        if "smoke" in parts:
            yield from smoke_steps(recipe, lock, layout, machine, resources, generation)
    yield from workspace_steps(recipe, lock, pylock, layout, resources, standing)
    if side is not None:
        yield from all_ide_steps(lock.ide, layout, machine, generation, side, optional=not recipe.ide.required)
    yield git_step(layout, mapped=side is not None)
    yield link_step(layout, generation)
