"""The plan of what is installed now: from the lock in the project, on the generation that `.venv` names."""

import json

from setup_llm_dev.components.resources import read_resources
from setup_llm_dev.components.workspace import APPLIED
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.compose import Plan, compose
from setup_llm_dev.stages.generations import complete_generation
from setup_llm_dev.stages.here import machine_here
from setup_llm_dev.stages.ide import ide_side
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.parts import PARTS
from setup_llm_dev.stages.stored_lock import read_lock, told_pylock


def installed_plan(host: Host, recipe: Recipe, layout: Layout, options: Options) -> Plan:
    """Raises Refused (3) where nothing was set up, UsageError (2) for a damaged lock."""
    text = host.files.read_text(layout.lock_file)
    if text is None:
        raise Refused(
            message("nothing was set up in {folder} yet", folder=str(layout.workspace)),
            hint=message("run `{command}` first", command=options.again),
        )
    lock = read_lock(text, layout.lock_file)
    generation = complete_generation(host, layout, lock)
    if generation is None:
        raise Refused(
            message("the environment of {folder} is gone", folder=str(layout.workspace)),
            hint=message("run `{command}` to make it again", command=options.again),
        )
    parts = applied_parts(host, layout)
    machine = machine_here(host, layout, options, interpreters=False)
    side = ide_side(host, lock.ide, layout, machine, generation.version) if "ide" in parts else None
    return compose(
        recipe, lock, told_pylock(host, layout, lock) or "",
        machine=machine, layout=layout, generation=generation,
        resources=read_resources(recipe.smoke.task, data="datasets" in parts), side=side, parts=parts,
        again=options.again,
    )  # fmt: skip


def applied_parts(host: Host, layout: Layout) -> frozenset[str]:
    """The parts that were ever applied here; all of them where that is not written down or not readable."""
    noted = _noted_parts(host, layout)
    return frozenset(PARTS) if noted is None else noted


def parts_before(host: Host, layout: Layout, lock: Lock) -> frozenset[str]:
    """What earlier runs set up here and this lock still speaks of: a run that leaves a part out does not undo it."""
    gone = {"model", "smoke"} if lock.model is None else set()
    gone |= {"ide"} if lock.ide is None else set()
    return (_noted_parts(host, layout) or frozenset()) - gone


def _noted_parts(host: Host, layout: Layout) -> frozenset[str] | None:
    text = host.files.read_text(layout.own / APPLIED)
    try:
        return frozenset(str(part) for part in json.loads(text)["parts"]) & frozenset(PARTS) if text else None
    except (ValueError, TypeError, KeyError):
        return None
