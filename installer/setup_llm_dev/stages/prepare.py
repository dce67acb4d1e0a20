"""prepare: everything before the first change: lock or pin, compose, and ask every step whether it is satisfied."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from setup_llm_dev.components.python import Generation, python_steps
from setup_llm_dev.components.resources import Resources, read_resources
from setup_llm_dev.components.workspace import refuse_foreign
from setup_llm_dev.documents.catalog import Catalog
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.documents.machine import Interpreter, Machine
from setup_llm_dev.documents.recipe import Recipe, digest
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.configuration import Surroundings, read_surroundings
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.answers import answers
from setup_llm_dev.stages.compose import Plan, compose
from setup_llm_dev.stages.elsewhere import refuse_other_machine
from setup_llm_dev.stages.generations import complete_generation, complete_generations, fresh_generation
from setup_llm_dev.stages.here import catalogue, choices_for, machine_here, no_build
from setup_llm_dev.stages.ide import ide_side, refuse_taken, settled
from setup_llm_dev.stages.installed_plan import parts_before
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.request import Request
from setup_llm_dev.stages.required import refuse_gaps
from setup_llm_dev.stages.space import refuse_full_disk
from setup_llm_dev.stages.stored_lock import made_for_other_pythons, stored_lock
from setup_llm_dev.stages.turn import turned, turned_to_pin
from setup_llm_dev.steps.environment import COMPLETE
from setup_llm_dev.steps.git import git_note
from setup_llm_dev.steps.interpreter import ConfigureInterpreter
from setup_llm_dev.steps.step import Satisfied, Unsatisfied

Status = Satisfied | Unsatisfied


@dataclass(frozen=True)
class Prepared:
    """A plan with the answer of every step, and what is worth saying about how it came to be.

    host: the one to carry it out on, which knows the mirrors that were turned to.
    """

    host: Host
    plan: Plan
    machine: Machine
    statuses: dict[str, Status]
    notes: tuple[Message, ...]
    pinned_now: bool

    @property
    def nothing_to_do(self) -> bool:
        return all(isinstance(status, Satisfied) for status in self.statuses.values())


def prepare(
    host: Host, recipe: Recipe, layout: Layout, options: Options, say: Callable[[Message], None],
    *, offline: bool = False,
) -> Prepared:  # fmt: skip
    """Raises UsageError (2), Refused (3), Unreachable (4), SystemRefused (6) before anything was changed.

    offline: nobody is asked for anything; only for where a stored lock is an answer.
    """
    resources = read_resources(recipe.smoke.task, data="datasets" in options.parts)
    refuse_foreign(host, recipe.name, layout, resources, options.parts)
    if options.machine is not None:
        refuse_other_machine(host, options.machine, interpreters=options.python is None)
    stored = None if options.upgrade else stored_lock(host, layout, recipe, options, say)
    if stored is not None and made_for_other_pythons(host, layout, stored[0], options, say):
        stored = None
    base = _Base(host, recipe, layout, options, say, offline)
    if stored is None:
        draft, generation = _pinned_now(base, resources)
    else:
        draft, generation = _from_lock(base, resources, *stored)
    plan, statuses, notes = _composed(draft, generation)
    host = draft.base.host
    if stored is not None and not offline:
        host = turned(host, layout, plan, statuses, say)
    refuse_gaps(plan, options.require)
    refuse_full_disk(host, plan, statuses)
    _refuse_open_ide(host, plan, statuses)
    refuse_taken(host, plan, statuses)
    said = (*read_surroundings(host, layout.config).used, *notes, *_of_git(host, layout))
    return Prepared(host, plan, draft.machine, statuses, said, stored is None)


# the steps of prepare -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Base:
    """What every step of prepare has to do with."""

    host: Host
    recipe: Recipe
    layout: Layout
    options: Options
    say: Callable[[Message], None]
    offline: bool

    def request(self, machine: Machine, surroundings: Surroundings, catalog: Catalog) -> Request:
        options = self.options
        return Request(
            host=self.host, machine=machine, recipe=self.recipe, recipe_digest=digest(self.recipe),
            request_digest=options.digest, layout=self.layout, surroundings=surroundings, say=self.say,
            again=options.again, models=catalog.models, torch_root=catalog.torch.index_root,
            with_model="model" in options.parts, with_ide="ide" in options.parts,
            newest_ide=options.upgrade and all(ide.kind == "ours" for ide in machine.ides),
            ide_archive=options.pycharm_archive, ide_sha256=options.pycharm_sha256,
        )  # fmt: skip


def _pinned_now(base: _Base, resources: Resources) -> tuple["_Draft", Generation]:
    from setup_llm_dev.stages.pin import pin

    base.say(message("looking at this machine"))
    machine = machine_here(base.host, base.layout, base.options, interpreters=True)
    catalog = catalogue()
    choices = choices_for(base.recipe, machine, base.options, catalog)
    if not choices.builds:
        raise no_build(choices)
    for finding in choices.findings:
        base.say(finding.text)
        if finding.hint is not None:
            base.say(finding.hint)
    base = replace(base, host=turned_to_pin(base.host, base.layout, base.recipe, choices, base.options, base.say))
    surroundings = read_surroundings(base.host, base.layout.config)
    pinned = pin(base.request(machine, surroundings, catalog), choices)
    lock = pinned.lock
    generation = complete_generation(base.host, base.layout, lock) or fresh_generation(
        base.host, base.layout, lock, pinned.interpreter, lock.python.version
    )
    return _Draft(base, lock, pinned.pylock, machine, resources), generation


def _from_lock(base: _Base, resources: Resources, lock: Lock, pylock: str) -> tuple["_Draft", Generation]:
    """The lock as it is, but for an IDE that was not to be had when it was made, or that is gone since."""
    machine = machine_here(base.host, base.layout, base.options, interpreters=False)
    surroundings = read_surroundings(base.host, base.layout.config)
    lock = settled(base.request(machine, surroundings, catalogue()), lock, base.options, offline=base.offline)
    generation = complete_generation(base.host, base.layout, lock) or _anew(base.host, base.layout, lock, base.options)
    return _Draft(base, lock, pylock, machine, resources), generation


def _of_git(host: Host, layout: Layout) -> tuple[Message, ...]:
    note = git_note(host, layout.workspace)
    return () if note is None else (note,)


def _refuse_open_ide(host: Host, plan: Plan, statuses: dict[str, Status]) -> None:
    """Before anything long begins: Busy (7) while PyCharm runs, Refused (3) for a table that we leave alone."""
    step = plan.step("ide-interpreter")
    if isinstance(step, ConfigureInterpreter) and isinstance(statuses[step.id], Unsatisfied):
        step.refuse_early(host)


def _anew(host: Host, layout: Layout, lock: Lock, options: Options) -> Generation:
    """A lock without its environment: an interpreter of the same feature release and platform makes it again."""
    machine = machine_here(host, layout, options, interpreters=True)
    fitting = [i for i in machine.interpreters if i.problem is None and _fits(i, lock)]
    if not fitting:
        raise Refused(
            message("the lock wants Python {version}, which is not installed here", version=lock.python.feature),
            hint=message(
                "install it, name one with --python PATH, or make a new lock with `setup-llm-dev apply --upgrade`"
            ),
        )
    best = next((i for i in fitting if i.version == lock.python.version), fitting[0])
    return fresh_generation(host, layout, lock, Path(best.path), best.version)


def _fits(interpreter: Interpreter, lock: Lock) -> bool:
    feature = ".".join(interpreter.version.split(".")[:2])
    return (feature, interpreter.platform) == (lock.python.feature, lock.python.platform)


@dataclass(frozen=True)
class _Draft:
    base: _Base
    lock: Lock
    pylock: str
    machine: Machine
    resources: Resources

    def plan(self, generation: Generation) -> Plan:
        base = self.base
        with_ide = "ide" in base.options.parts
        side = ide_side(base.host, self.lock.ide, base.layout, self.machine, generation.version) if with_ide else None
        return compose(
            base.recipe, self.lock, self.pylock, machine=self.machine, layout=base.layout, generation=generation,
            resources=self.resources, side=side, parts=base.options.parts, again=base.options.again,
            before=parts_before(base.host, base.layout, self.lock),
        )  # fmt: skip


def _composed(draft: _Draft, generation: Generation) -> tuple[Plan, dict[str, Status], tuple[Message, ...]]:
    """The plan on that generation; if its files have drifted, on another one, since a live one is never mended."""
    host = draft.base.host
    plan = draft.plan(generation)
    statuses = answers(host, plan.steps)
    drift = _drift(statuses)
    if drift is None or not host.files.exists(generation.folder / COMPLETE):
        return plan, statuses, ()
    whole = _whole(draft, generation)
    if whole is not None:
        notes = [message("the environment has changed since it was made, so another takes its place: {why}", why=drift)]
    else:
        notes = [message("the environment has changed since it was made, so it is made anew: {why}", why=drift)]
    if added := _added(host, generation):
        notes.append(message("packages that you added by hand are not in the new environment: {names}", names=added))
    plan = draft.plan(whole or _remade(draft, generation))
    return plan, answers(host, plan.steps), tuple(notes)


def _drift(statuses: dict[str, Status]) -> Message | None:
    """Why an environment is not what it was made as, if so."""
    asked = (statuses["environment"], statuses["packages"])
    return next((status.why for status in asked if isinstance(status, Unsatisfied)), None)


def _whole(draft: _Draft, drifted: Generation) -> Generation | None:
    """Another environment of the same lock, as a run leaves it that is killed before it switches."""
    host, layout = draft.base.host, draft.base.layout
    for other in complete_generations(host, layout, draft.lock):
        steps = python_steps(draft.lock, draft.pylock, layout, other)
        if other.folder != drifted.folder and _drift({step.id: step.check(host) for step in steps}) is None:
            return other
    return None


def _remade(draft: _Draft, old: Generation) -> Generation:
    """With the Python of the old one, if that is still there."""
    base = draft.base
    if base.host.files.is_file(old.interpreter):
        return fresh_generation(base.host, base.layout, draft.lock, old.interpreter, old.version)
    return _anew(base.host, base.layout, draft.lock, base.options)


def _added(host: Host, generation: Generation) -> str:
    from setup_llm_dev.steps.packages import added_by_hand

    return ", ".join(added_by_hand(host, generation.folder))
