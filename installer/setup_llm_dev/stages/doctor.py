"""doctor: everything that can be wrong with this machine, looked at side by side, and what can be mended safely."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

import msgspec

from setup_llm_dev.documents.diagnosis import Diagnosis, Entry, ordered, worst
from setup_llm_dev.documents.driver_catalog import read_drivers
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.errors import SetupError, UsageError
from setup_llm_dev.host.deadline import Aside
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.diagnoses import registry
from setup_llm_dev.stages.diagnoses.registry import DIAGNOSES, Needs
from setup_llm_dev.stages.diagnoses.situation import Look, Mendable, Situation, Told
from setup_llm_dev.stages.here import catalogue, choices_for, machine_here
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.stored_lock import read_lock

SECONDS = 12.0
"""For all diagnoses together: more than each of them gives itself."""
_POLL_SECONDS = 0.1
HERE: frozenset[Needs] = frozenset({"machine", "recording", "here", "network"})


@dataclass(frozen=True)
class Examined:
    """A diagnosis, and those of its findings that can be mended, in its order."""

    diagnosis: Diagnosis
    mendable: tuple[Mendable, ...] = ()


def situation_of(
    host: Host, recipe: Recipe, layout: Layout, options: Options, *, environment: PurePath | None = None
) -> Situation:
    """What a run on this machine would begin with. environment: instead of the project's own.

    Raises UsageError (2) for an option that can't be meant.
    """
    machine = machine_here(host, layout, options, interpreters=True)
    catalog = catalogue()
    return Situation(
        host=host,
        machine=machine,
        recipe=recipe,
        layout=layout,
        catalog=catalog,
        drivers=read_drivers(manifests_folder() / "catalog"),
        choices=choices_for(recipe, machine, options, catalog),
        environment=environment or _environment(host, layout),
        lock=None if environment is not None else _lock(host, layout),
        parts=options.parts,
        again=options.again,
    )


def examined(situation: Situation, can: frozenset[Needs] = HERE) -> Examined:
    """Every diagnosis that `can` be made, all at once; one that takes too long is left out, and said.

    Raises Interrupted.
    """
    began = time.monotonic()
    chosen = tuple(row for row in DIAGNOSES if row.needs in can)
    asides = [Aside(partial(_looked, row.look, situation)) for row in chosen]
    told: list[Told] = []
    for row, aside in zip(chosen, asides, strict=True):
        told += _awaited(aside, began + SECONDS, situation, row)
    entries = tuple(one.entry if isinstance(one, Mendable) else one for one in told)
    findings = ordered(entries)
    diagnosis = Diagnosis(
        recipe=situation.recipe.name,
        level=worst(findings),
        findings=findings,
        hosts=tuple(situation.hosts),
        skipped=tuple(row.name for row in DIAGNOSES if row.needs not in can),
        seconds=round(time.monotonic() - began, 2),
    )
    return Examined(diagnosis, tuple(one for one in told if isinstance(one, Mendable)))


def mended(host: Host, mendable: Sequence[Mendable]) -> tuple[tuple[Message, ...], tuple[Entry, ...]]:
    """Do what each can do: what was done, and a finding for each that could not be done."""
    done: list[Message] = []
    failed: list[Entry] = []
    for one in mendable:
        host.cancel.raise_if_set()
        what = one.entry.fix or one.entry.text
        try:
            one.mend(host)
        except (SetupError, OSError) as error:
            failed.append(_not_mended(one.entry, what, error))
        else:
            done.append(what)
    return tuple(done), tuple(failed)


def after(first: Examined, again: Examined, done: tuple[Message, ...], failed: tuple[Entry, ...]) -> Diagnosis:
    """The second look, with what was done between the two."""
    findings = ordered((*failed, *again.diagnosis.findings))
    seconds = round(first.diagnosis.seconds + again.diagnosis.seconds, 2)
    return msgspec.structs.replace(
        again.diagnosis, findings=findings, level=worst(findings), fixed=done, seconds=seconds
    )


def _looked(look: Look, situation: Situation) -> list[Told]:
    return list(look(situation))


def _awaited(aside: Aside[list[Told]], until: float, situation: Situation, row: registry.Diagnosis) -> Sequence[Told]:
    """Its findings; one of ours where it was not over in time, or could not look."""
    try:
        found: list[Told] = aside.answer(time.monotonic() + _POLL_SECONDS, [])
        while not aside.over and time.monotonic() < until:
            situation.host.cancel.raise_if_set()
            found = aside.answer(time.monotonic() + _POLL_SECONDS, [])
    except (SetupError, OSError) as error:
        return (_could_not_look(row.what, error),)
    return found if aside.over else (_late(row.what),)


def _late(what: Message) -> Entry:
    return Entry(
        id="probe-late", group="system", level="warning",
        text=message("looking at {what} took too long and was given up", what=what),
        hint=message("a disk, a driver or a network that does not answer holds it up"),
    )  # fmt: skip


def _could_not_look(what: Message, error: SetupError | OSError) -> Entry:
    shown = error if isinstance(error, SetupError) else system_error(error, error.filename or "")
    return Entry(
        id="probe-failed", group="system", level="warning",
        text=message("{what} could not be looked at: {why}", what=what, why=shown.message), hint=shown.hint,
    )  # fmt: skip


def _not_mended(entry: Entry, what: Message, error: SetupError | OSError) -> Entry:
    shown = error if isinstance(error, SetupError) else system_error(error, error.filename or "")
    return Entry(
        id="not-mended", group=entry.group, level="error",
        text=message("could not: {what}", what=what), cause=shown.message, hint=shown.hint,
    )  # fmt: skip


def _environment(host: Host, layout: Layout) -> PurePath | None:
    return host.files.resolve(layout.venv) if host.files.is_dir(layout.venv) else None


def _lock(host: Host, layout: Layout) -> Lock | None:
    """None for a damaged one, which the project's own findings tell."""
    text = host.files.read_text(layout.lock_file)
    try:
        return read_lock(text, layout.lock_file) if text is not None else None
    except UsageError:
        return None
