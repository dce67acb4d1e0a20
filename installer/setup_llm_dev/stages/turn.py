"""Turning to mirrors, for a run as a whole: what it will fetch decides whom it has to ask."""

from collections.abc import Callable
from dataclasses import replace

from setup_llm_dev.documents.choices import Choices
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import ArchiveIdeLock, HubModelLock, ModelLock, ModelScopeModelLock
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.mirror_catalog import read_mirrors
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.host.configuration import read_surroundings
from setup_llm_dev.host.web.carriers import Kind
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message
from setup_llm_dev.stages.compose import Plan
from setup_llm_dev.stages.mirrors import choose_mirrors, kinds_of_run
from setup_llm_dev.stages.options import Options
from setup_llm_dev.steps.step import Satisfied, Unsatisfied

Say = Callable[[Message], None]


def turned_to_pin(host: Host, layout: Layout, recipe: Recipe, choices: Choices, options: Options, say: Say) -> Host:
    """The world with a mirror for each official host that pinning needs and that does not answer."""
    return _turned(host, layout, kinds_of_run(recipe, choices, options.parts), say)


def turned(host: Host, layout: Layout, plan: Plan, statuses: dict[str, Satisfied | Unsatisfied], say: Say) -> Host:
    """The same for a stored lock, of which only the bytes may be missing; asks nobody where none are."""
    return _turned(host, layout, frozenset(_missing(plan, statuses)), say)


def _missing(plan: Plan, statuses: dict[str, Satisfied | Unsatisfied]) -> set[Kind]:
    kinds: set[Kind] = set()
    if isinstance(statuses.get("packages"), Unsatisfied):
        kinds |= {"pypi", "torch"} if plan.lock.torch.index else {"pypi"}
    if isinstance(statuses.get("model"), Unsatisfied):
        kinds.add(_of_model(plan.lock.model))
    if isinstance(statuses.get("ide"), Unsatisfied) and isinstance(plan.lock.ide, ArchiveIdeLock):
        kinds |= {"jetbrains_downloads"}
    return kinds


def _of_model(model: ModelLock | None) -> Kind:
    match model:
        case HubModelLock():
            return "hub"
        case ModelScopeModelLock():
            return "modelscope"
    return "pypi"


def _turned(host: Host, layout: Layout, kinds: frozenset[Kind], say: Say) -> Host:
    if not kinds:
        return host
    catalog = read_mirrors(manifests_folder() / "catalog")
    surroundings = read_surroundings(host, layout.config)
    return replace(host, turned=choose_mirrors(host, surroundings, catalog, say, kinds=kinds))
