"""prepare: everything before the first change: lock or pin, compose, and ask every step whether it is satisfied."""

import hashlib
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import msgspec

from setup_llm_dev.components.python import Generation, own_pylock
from setup_llm_dev.components.resources import Resources, read_resources
from setup_llm_dev.components.workspace import link_step
from setup_llm_dev.documents.choices import Choices
from setup_llm_dev.documents.codec import from_stored, to_json
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.documents.machine import Interpreter, Machine
from setup_llm_dev.documents.recipe import Recipe, digest
from setup_llm_dev.errors import Refused, UsageError
from setup_llm_dev.host.configuration import Surroundings, read_surroundings
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.compose import PARTS, Plan, compose
from setup_llm_dev.stages.detect import detect
from setup_llm_dev.stages.elsewhere import for_other_pythons, from_elsewhere, refuse_other_machine
from setup_llm_dev.stages.generations import complete_generation, fresh_generation
from setup_llm_dev.stages.required import refuse_gaps
from setup_llm_dev.stages.space import refuse_full_disk
from setup_llm_dev.steps.environment import COMPLETE
from setup_llm_dev.steps.step import Satisfied, Unsatisfied

if TYPE_CHECKING:
    from setup_llm_dev.documents.catalog import Catalog

Status = Satisfied | Unsatisfied


@dataclass(frozen=True)
class Options:
    """What the command line says beyond the recipe."""

    torch: str | None = None
    python: PurePath | None = None
    upgrade: bool = False
    parts: frozenset[str] = frozenset(PARTS)
    require: frozenset[str] = frozenset()
    machine: Machine | None = None  # instead of this one
    assume: str | None = None
    again: str = "setup-llm-dev apply"  # the command line that applies the same recipe to the same folders

    @property
    def digest(self) -> str:
        """Of what would change the lock; a lock made with other options is no answer to these."""
        words = [self.torch, str(self.python) if self.python else None, self.assume]
        if self.machine is not None:
            words.append(to_json(self.machine).decode())
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Prepared:
    """A plan with the answer of every step, and what is worth saying about how it came to be."""

    plan: Plan
    machine: Machine
    statuses: dict[str, Status]
    notes: tuple[Message, ...]
    pinned_now: bool

    @property
    def nothing_to_do(self) -> bool:
        return all(isinstance(status, Satisfied) for status in self.statuses.values())


def prepare(host: Host, recipe: Recipe, layout: Layout, options: Options, say: Callable[[Message], None]) -> Prepared:
    """Raises UsageError (2), Refused (3), Unreachable (4), SystemRefused (6) before anything was changed."""
    link_step(layout, Generation(layout.environments, layout.data, "")).refuse_foreign(host)
    if options.machine is not None:
        refuse_other_machine(host, options.machine, interpreters=options.python is None)
    surroundings = read_surroundings(host, layout.config)
    resources = read_resources(recipe.smoke.task, data="datasets" in options.parts)
    stored = None if options.upgrade else stored_lock(host, layout, recipe, options, say)
    if stored is not None and made_for_other_pythons(host, layout, stored[0], options, say):
        stored = None
    if stored is None:
        lock, pylock, machine, interpreter = _pin_now(host, recipe, layout, options, surroundings, say)
        generation = complete_generation(host, layout, lock) or fresh_generation(
            host, layout, lock, interpreter, lock.python.version
        )
    else:
        lock, pylock = stored
        machine = machine_here(host, layout, options, interpreters=False)
        generation = complete_generation(host, layout, lock) or _anew(host, layout, lock, options)
    draft = _Draft(host, recipe, lock, pylock, layout, machine, resources, options)
    plan, statuses, notes = _composed(draft, generation)
    refuse_gaps(plan, options.require)
    refuse_full_disk(host, plan, statuses)
    return Prepared(plan, machine, statuses, (*surroundings.used, *notes), stored is None)


def stored_lock(
    host: Host, layout: Layout, recipe: Recipe, options: Options, say: Callable[[Message], None]
) -> tuple[Lock, str] | None:
    """The workspace's lock and its pylock, if they answer this recipe, these options and this platform.

    Says so where only the platform is another. Raises UsageError (2) if damaged.
    """
    text = host.files.read_text(layout.lock_file)
    if text is None:
        return None
    lock = read_lock(text, layout.lock_file)
    if (lock.recipe_digest, lock.request_digest) != (digest(recipe), options.digest):
        return None
    if lock.model is None and recipe.model is not None and "model" in options.parts:
        return None  # made when the model was left out
    if (why := from_elsewhere(host, lock)) is not None:
        say(why)
        return None
    # A run that was killed between the two files, or a hand that changed one: ours is the same as it was then.
    for place in (layout.workspace / lock.packages.pylock, own_pylock(layout, lock)):
        pylock = host.files.read_text(place)
        if pylock is not None and hashlib.sha256(pylock.encode()).hexdigest() == lock.packages.sha256:
            return lock, pylock
    raise UsageError(
        message("{file} is not the file that the lock names", file=str(layout.workspace / lock.packages.pylock)),
        hint=message("put the right file back, or make a new lock with --upgrade"),
    )


def read_lock(text: str, path: PurePath) -> Lock:
    """Raises UsageError (2) naming file and place; a lock is never read «as far as it goes»."""
    try:
        return from_stored(tomllib.loads(text), Lock)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, KeyError) as error:
        raise UsageError(
            message("{file}: {why}", file=str(path), why=str(error)),
            hint=message("make a new lock with --upgrade"),
        ) from error


def machine_here(host: Host, layout: Layout, options: Options, *, interpreters: bool) -> Machine:
    """This machine, or the one that the options put in its place."""
    machine = options.machine or detect(
        host, data=layout.data, interpreters=interpreters and options.python is None, ides=interpreters
    )
    if interpreters and options.python is not None:
        named = _named_interpreter(host, options.python, machine.arch)
        machine = msgspec.structs.replace(machine, interpreters=(named,))
    if options.assume:
        from setup_llm_dev.stages.assume import assume

        machine = assume(machine, options.assume)
    return machine


def catalogue() -> "Catalog":
    """The one that ships with us."""
    from setup_llm_dev.documents.catalog import read_catalog
    from setup_llm_dev.documents.manifests import manifests_folder

    return read_catalog(manifests_folder() / "catalog")


def choices_for(recipe: Recipe, machine: Machine, options: Options, catalog: "Catalog | None" = None) -> Choices:
    """`choose`, by default on the catalogue that ships with us."""
    from setup_llm_dev.stages.choose import choose

    return choose(machine, recipe, catalog or catalogue(), variant=options.torch)


def no_build(choices: Choices) -> Refused:
    """Every reason, one a line."""
    first = choices.refusals[0] if choices.refusals else None
    reasons = "\n".join(f"  {r.candidate}: {r.reason}" for r in choices.refusals)
    return Refused(
        message("no build of PyTorch fits this machine:\n{reasons}", reasons=reasons),
        hint=first.hint if first else message("see `setup-llm-dev detect`"),
    )


# the steps of prepare -------------------------------------------------------------------------------------


def _pin_now(
    host: Host, recipe: Recipe, layout: Layout, options: Options, surroundings: Surroundings,
    say: Callable[[Message], None],
) -> tuple[Lock, str, Machine, PurePath]:  # fmt: skip
    from setup_llm_dev.stages.pin import pin
    from setup_llm_dev.stages.request import Request

    say(message("looking at this machine"))
    machine = machine_here(host, layout, options, interpreters=True)
    catalog = catalogue()
    choices = choices_for(recipe, machine, options, catalog)
    if not choices.builds:
        raise no_build(choices)
    request = Request(
        host=host, machine=machine, recipe=recipe, recipe_digest=digest(recipe), request_digest=options.digest,
        layout=layout, surroundings=surroundings, say=say, again=options.again, models=catalog.models,
        with_model="model" in options.parts,
    )  # fmt: skip
    pinned = pin(request, choices)
    return pinned.lock, pinned.pylock, machine, pinned.interpreter


def made_for_other_pythons(
    host: Host, layout: Layout, lock: Lock, options: Options, say: Callable[[Message], None]
) -> bool:
    """Asked only where the lock has no environment yet: one that is here proves that a Python fitted."""
    if complete_generation(host, layout, lock) is not None:
        return False
    why = for_other_pythons(machine_here(host, layout, options, interpreters=True), lock)
    if why is not None:
        say(why)
    return why is not None


def _anew(host: Host, layout: Layout, lock: Lock, options: Options) -> Generation:
    """A lock without its environment: an interpreter of the same feature release and platform makes it again."""
    machine = machine_here(host, layout, options, interpreters=True)
    fitting = [i for i in machine.interpreters if i.problem is None and _fits(i, lock)]
    if not fitting:
        raise Refused(
            message("the lock wants Python {version}, which is not installed here", version=lock.python.feature),
            hint=message("install it, name one with --python PATH, or make a new lock with --upgrade"),
        )
    best = next((i for i in fitting if i.version == lock.python.version), fitting[0])
    return fresh_generation(host, layout, lock, Path(best.path), best.version)


def _fits(interpreter: Interpreter, lock: Lock) -> bool:
    feature = ".".join(interpreter.version.split(".")[:2])
    return (feature, interpreter.platform) == (lock.python.feature, lock.python.platform)


@dataclass(frozen=True)
class _Draft:
    host: Host
    recipe: Recipe
    lock: Lock
    pylock: str
    layout: Layout
    machine: Machine
    resources: Resources
    options: Options

    def plan(self, generation: Generation) -> Plan:
        return compose(
            self.recipe, self.lock, self.pylock, machine=self.machine, layout=self.layout, generation=generation,
            resources=self.resources, parts=self.options.parts,
        )  # fmt: skip


def _composed(draft: _Draft, generation: Generation) -> tuple[Plan, dict[str, Status], tuple[Message, ...]]:
    """The plan on that generation; if its files have drifted, on a fresh one, since a live one is never mended."""
    plan = draft.plan(generation)
    statuses = {step.id: step.check(draft.host) for step in plan.steps}
    drift = next((s for s in (statuses["environment"], statuses["packages"]) if isinstance(s, Unsatisfied)), None)
    if drift is None or not draft.host.files.exists(generation.folder / COMPLETE):
        return plan, statuses, ()
    notes = [message("the environment has drifted and is made anew: {why}", why=drift.why)]
    if added := _added(draft.host, generation):
        notes.append(message("packages that you added by hand are not in the new environment: {names}", names=added))
    fresh = _remade(draft, generation)
    plan = draft.plan(fresh)
    return plan, {step.id: step.check(draft.host) for step in plan.steps}, tuple(notes)


def _remade(draft: _Draft, old: Generation) -> Generation:
    """With the Python of the old one, if that is still there."""
    if draft.host.files.is_file(old.interpreter):
        return fresh_generation(draft.host, draft.layout, draft.lock, old.interpreter, old.version)
    return _anew(draft.host, draft.layout, draft.lock, draft.options)


def _added(host: Host, generation: Generation) -> str:
    from setup_llm_dev.steps.packages import added_by_hand

    return ", ".join(added_by_hand(host, generation.folder))


def _named_interpreter(host: Host, path: PurePath, arch: str) -> Interpreter:
    from setup_llm_dev.host.interpreters import ask_interpreter

    interpreter = ask_interpreter(host, path, arch)
    if interpreter.problem is not None:
        raise Refused(message("{python} can't be used: {why}", python=str(path), why=interpreter.problem))
    return interpreter
