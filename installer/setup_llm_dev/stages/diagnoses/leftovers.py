"""Our own traces: an undo that could not be completed, a run that ended early, and what such runs left lying about."""

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.documents.journal import decode_lines
from setup_llm_dev.host.state import RunMemory, one_run, standing_runs
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.diagnoses.situation import Mendable, Situation, Told
from setup_llm_dev.stages.generations import in_use
from setup_llm_dev.stages.sweep import sweep
from setup_llm_dev.steps.environment import read_marker

_PLACES = ("place", "folder", "path", "file", "target", "table")
_HALF_DONE = (".removed", ".tmp", ".new")
_SHOWN = 5


def look(situation: Situation) -> Iterator[Told]:
    layout, host = situation.layout, situation.host
    if not host.files.is_dir(layout.data):
        return
    runs = standing_runs(layout.journals)
    for run in runs:
        yield from _unfinished_undo(run)
    mine = [run for run in runs if run.workspace == str(layout.workspace)]
    yield from _ended_early(mine[0], situation) if mine else ()
    yield from _damaged_journals(layout.journals)
    yield from _swept_by_the_next_run(situation)


def _unfinished_undo(run: RunMemory) -> Iterator[Entry]:
    """Some steps are taken back, others could not be: the others, with where they are."""
    left = [(name, kind, record) for name, kind, record, _ in run.steps if name not in run.undone]
    if not run.undone or not left:
        return
    yield Entry(
        id="undo-unfinished", group="ours", level="error",
        text=message("an undo of {recipe} in {workspace} was not completed; steps left: {count}", recipe=run.recipe,
                     workspace=run.workspace, count=len(left)),
        cause=message("something stood in its way, or it was interrupted"),
        hint=message("mend what the steps below name (rights, a program that holds the file), then undo again"),
        commands=(f"setup-llm-dev undo {run.recipe} --workspace {run.workspace}",),
        evidence=tuple(f"{name} ({kind}): {_place(record)}" for name, kind, record in reversed(left)),
        reference="undo",
    )  # fmt: skip


def _place(record: dict[str, Any]) -> str:
    return next((str(record[key]) for key in _PLACES if record.get(key)), "")


def _ended_early(run: RunMemory, situation: Situation) -> Iterator[Entry]:
    """The newest run on this project that failed or was interrupted."""
    entries = decode_lines(run.path.read_bytes())
    if run.undone or not entries:
        return
    failed = next((entry for entry in reversed(entries) if "failed" in entry), None)
    begun = [entry["started"] for entry in entries if "started" in entry]
    ended = {entry.get("applied") or entry.get("failed") for entry in entries}
    open_steps = [name for name in begun if name not in ended]
    logs = situation.host.files.list_dir(situation.layout.logs)
    log = (str(situation.layout.logs / logs[-1]),) if logs else ()
    if failed is not None and failed.get("exit_code") != 4:
        yield Entry(
            id="run-failed", group="ours", level="warning",
            text=message("the last run failed in the step {step}: {why}", step=str(failed["failed"]),
                         why=str(failed.get("text", ""))),
            hint=message("what was done is kept; the same command goes on"), commands=(situation.again,),
            evidence=(str(run.path), *log), reference="undo",
        )  # fmt: skip
    elif open_steps:
        yield Entry(
            id="run-interrupted", group="ours", level="info",
            text=message("the last run was interrupted in the step {step}", step=open_steps[-1]),
            hint=message("the same command goes on where it ended"), commands=(situation.again,),
            evidence=(str(run.path),), reference="undo",
        )  # fmt: skip


def _damaged_journals(folder: PurePath) -> Iterator[Entry]:
    """Lines that can't be trusted, before the last one: a torn tail is what a power cut leaves, and harmless."""
    for path in sorted(Path(folder).glob("*.jsonl")):
        data = path.read_bytes()
        lines, good = data.count(b"\n"), len(decode_lines(data))
        if good < lines - 1:
            yield Entry(
                id="journal-damaged", group="ours", level="warning",
                text=message("the memory of a run is damaged: {file}", file=path.name),
                cause=message("steps after line {line} are not known any more, and `undo` leaves them", line=good),
                hint=message("`setup-llm-dev uninstall` removes what we made by its shape, too"),
                evidence=(f"{path}: {good} of {lines} lines are sound",), reference="undo",
            )  # fmt: skip


def _swept_by_the_next_run(situation: Situation) -> Iterator[Told]:
    left = sweepable(situation)
    if not left or _at_work(situation):
        return
    entry = Entry(
        id="leftovers", group="ours", level="info",
        text=message("interrupted runs left something in our own folder; places: {count}", count=len(left)),
        hint=message("the next run removes it by itself"),
        evidence=tuple(map(str, left[:_SHOWN])),
        fix=message("remove what interrupted runs left in our own folder"), reference="undo",
    )  # fmt: skip
    yield Mendable(entry, lambda host: _sweep(host, situation))


def sweepable(situation: Situation) -> tuple[PurePath, ...]:
    """Half-removed trees, temporary files, scratch folders, and generations that were never completed."""
    layout, files = situation.layout, situation.host.files
    found: list[PurePath] = [layout.scratch] if files.list_dir(layout.scratch) else []
    recipes = [layout.environments / name for name in files.list_dir(layout.environments)]
    for folder in (layout.data, layout.environments, layout.models, layout.proofs, layout.ides, *recipes):
        names = (n for n in files.list_dir(folder) if n.startswith(".") and n.endswith(_HALF_DONE))
        found += [folder / name for name in names]
    used = in_use(situation.host, layout)
    for recipe in recipes:
        for name in files.list_dir(recipe):
            place = recipe / name
            unfinished = not name.startswith(".") and read_marker(situation.host, place) is None
            if unfinished and files.resolve(place) not in used:
                found.append(place)
    return tuple(found)


def _at_work(situation: Situation) -> bool:
    """Whether a run is under way, whose things these are; a killed one leaves its note behind, but no process."""
    text = situation.host.files.read_text(situation.layout.run_lock.with_suffix(".owner")) or ""
    number = text.removeprefix("process ").strip()
    return number.isdecimal() and situation.host.files.is_dir(PurePath("/proc") / number)


def _sweep(host: Host, situation: Situation) -> None:
    with one_run(situation.layout.run_lock, wait=False, cancel=host.cancel, on_wait=lambda _owner: None):
        sweep(host, situation.layout)
