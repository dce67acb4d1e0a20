"""The smoke fine-tune: its program, its job, and the digest under which a pass is remembered."""

import json
from pathlib import PurePath
from typing import Any

from setup_llm_dev.components.model import model_digest, model_folder, model_grounds
from setup_llm_dev.components.python import Generation
from setup_llm_dev.components.resources import Resources
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.messages import message
from setup_llm_dev.steps.environment import COMPLETE
from setup_llm_dev.steps.smoke import RunSmoke
from setup_llm_dev.steps.smoke_proof import proof_name
from setup_llm_dev.steps.step import Step
from setup_llm_dev.steps.write import WriteFiles


def smoke_job(recipe: Recipe, lock: Lock, layout: Layout) -> dict[str, Any]:
    """What the program is asked to do; also written into the workspace, so that it can be run by hand."""
    return {
        "schema": "smoke-job/1",
        "task": recipe.smoke.task,
        "model": str(model_folder(lock.model, layout)) if lock.model else "",
        "budget_seconds": recipe.smoke.budget_seconds,
        "learning_rate": learning_rate(recipe, lock),
        "device": "cpu" if lock.torch.variant == "cpu" else "auto",
        # Measured: two threads were up to sixty times slower than one on a busy machine of two cores.
        "threads": 1,
        "expect_variant": lock.torch.variant,
        "seed": 42,
    }


def learning_rate(recipe: Recipe, lock: Lock) -> float:
    """It belongs to the model: a stand-in trains with its own, not with the one of the model that was wished for."""
    own = lock.model.learning_rate if lock.model else None
    return own if own is not None else recipe.smoke.learning_rate


def smoke_steps(
    recipe: Recipe, lock: Lock, layout: Layout, machine: Machine, resources: Resources, generation: Generation
) -> tuple[Step, ...]:
    """Put the program where it can be run, and run it; no model, no smoke."""
    if lock.model is None:
        return ()
    folder = layout.data / "programs"
    name = f"smoke-{resources.smoke_digest[:12]}.pyz"
    job = smoke_job(recipe, lock, layout)
    return (
        WriteFiles(
            "smoke-program",
            folder,
            ((name, resources.smoke),),
            message("write the smoke program"),
            ours=True,
            phase="stage",
        ),
        RunSmoke(
            python=layout.python_in(generation.folder),
            program=folder / name,
            job=tuple(job.items()),
            proof=layout.proofs / _proof_name(recipe, lock, layout, machine, resources, generation.folder),
            scratch=layout.scratch,
            grounds=(generation.folder / COMPLETE, *model_grounds(lock.model, layout)),
            needs=("packages", "model", "variant", "smoke-program"),
        ),
    )


def _proof_name(
    recipe: Recipe, lock: Lock, layout: Layout, machine: Machine, resources: Resources, environment: PurePath
) -> str:
    """Environment and model count as themselves: others, made from the same lock, have been proved by nobody."""
    devices = [[a.vendor, a.name, a.chip, a.driver] for a in machine.accelerators]
    return proof_name(
        str(environment),
        *((model_digest(lock.model), str(model_folder(lock.model, layout))) if lock.model else ()),
        resources.smoke_digest,
        json.dumps([recipe.smoke.task, recipe.smoke.budget_seconds, learning_rate(recipe, lock)]),
        json.dumps([machine.cpu, devices]),
    )
