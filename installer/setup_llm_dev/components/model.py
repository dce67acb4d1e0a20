"""The model: from the hub, or out of a package."""

from pathlib import PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import HubModelLock, ModelLock
from setup_llm_dev.steps.model import FetchHubModel, FetchPackageModel
from setup_llm_dev.steps.step import Step


def model_digest(model: ModelLock) -> str:
    """What decides a model's content: the commit, or the hash of the wheel."""
    return model.commit if isinstance(model, HubModelLock) else model.sha256


def model_folder(model: ModelLock, layout: Layout) -> PurePath:
    """Where the files of a model lie: the user's hub cache, or a folder of ours."""
    if isinstance(model, HubModelLock):
        return _hub_step(model, layout).folder
    return layout.models / model.sha256[:12]


def model_step(model: ModelLock, layout: Layout, interpreter: PurePath) -> Step:
    """One step gets the whole model."""
    if isinstance(model, HubModelLock):
        return _hub_step(model, layout)
    return FetchPackageModel(model, model_folder(model, layout), interpreter, layout.scratch, layout.config)


def _hub_step(model: HubModelLock, layout: Layout) -> FetchHubModel:
    proof = layout.models / f"hub-{model.repository.replace('/', '--')}-{model.commit[:12]}.json"
    return FetchHubModel(model, layout.hub_cache, proof, layout.config)
