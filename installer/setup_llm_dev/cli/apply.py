"""`apply`, and the command without a name: from nothing to a proven fine-tune."""

import argparse
import base64
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.log import Log
    from setup_llm_dev.cli.output import Output
    from setup_llm_dev.cli.session import Session
    from setup_llm_dev.documents.events import Event
    from setup_llm_dev.documents.report import Report
    from setup_llm_dev.host.state import JournalWriter, RunMemory
    from setup_llm_dev.stages.made_folders import Making
    from setup_llm_dev.stages.prepare import Prepared


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    from setup_llm_dev.cli.session import add_options, add_recipe

    add_recipe(parser, _)
    add_options(parser, _)
    parser.add_argument("--no-wait", action="store_true", help=_(message("end with 7 if another run is at work")))
    parser.add_argument(
        "--install-driver",
        action="store_true",
        help=_(message("first install NVIDIA's driver where a card lacks one: as root, after a yes of its own")),
    )


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """0 when everything is done and proved (gaps allowed), else the code of the first failure."""
    from setup_llm_dev.cli.session import open_session
    from setup_llm_dev.host.state import one_run
    from setup_llm_dev.stages.made_folders import before_run, remembering

    began = time.monotonic()
    session = open_session(arguments, output, makes=True)
    if arguments.install_driver:
        from setup_llm_dev.cli.install_driver import install_driver

        install_driver(session, yes=arguments.yes)
    making = before_run(session.host, session.layout)
    with (
        one_run(
            session.layout.run_lock,
            wait=not arguments.no_wait,
            cancel=session.host.cancel,
            on_wait=lambda owner: output.say(message("waiting for another run ({owner})", owner=owner)),
            make=making.data_folder,
        ),
        remembering(making),
    ):
        return _run(session, making, began, ask=not arguments.yes)


def _run(session: "Session", making: "Making", began: float, *, ask: bool) -> int:
    from setup_llm_dev.cli.ask import agreed
    from setup_llm_dev.stages.prepare import prepare
    from setup_llm_dev.stages.sweep import sweep

    output = session.output
    sweep(session.host, session.layout)
    prepared = prepare(session.host, session.recipe, session.layout, session.options, output.say)
    session.host.cancel.raise_if_set()
    session = replace(session, host=prepared.host)
    if prepared.nothing_to_do:
        return _nothing_to_do(session, prepared, began)
    _announce(session, prepared)
    if ask and not agreed(output, session.host.cancel):
        output.say(message("nothing was changed"))
        return 0
    making.note()
    code = _execute(session, prepared, began)
    if code == 0 and ask:
        _offer_to_open(session, prepared)
    return code


def _offer_to_open(session: "Session", prepared: "Prepared") -> None:
    """With a display, somebody to ask, and a PyCharm that knows the project's interpreter."""
    from setup_llm_dev.cli.ask import wants
    from setup_llm_dev.host.ide.desktop import has_display, open_in_ide
    from setup_llm_dev.stages.ide import launcher_of

    launcher = launcher_of(session.host, prepared.plan, prepared.machine)
    question = message("Open the project in PyCharm now? [Y/n] ")
    if launcher is None or not has_display(session.host) or not wants(session.output, session.host.cancel, question):
        return
    layout = session.layout
    why = open_in_ide(session.host, launcher, layout.workspace, layout.python_in(layout.venv))
    if why is not None:
        session.output.say(why)


def _nothing_to_do(session: "Session", prepared: "Prepared", began: float) -> int:
    from setup_llm_dev.documents.events import Skipped
    from setup_llm_dev.stages.probe import reachable_again

    steps = prepared.plan.steps
    events: list[Event] = [Skipped(step=s.id, phase=s.phase, summary=s.describe()) for s in steps]
    notes = (*prepared.notes, *reachable_again(session.host, prepared.plan))
    report = _report(session, prepared, events, notes, began, None)
    _keep_late(session, report)
    _show(session, report)
    return 0


def _keep_late(session: "Session", report: "Report") -> None:
    """A run that was killed at the very end left everything but its report; what the user made of one stays."""
    from setup_llm_dev.documents.journal import encode_line
    from setup_llm_dev.host.state import last_run

    memory = last_run(session.layout.journals, session.layout.workspace)
    if memory is not None and _lacks_report(session, memory):
        _keep(session, report, lambda entry: session.host.files.append(memory.path, encode_line(entry)))


def _lacks_report(session: "Session", memory: "RunMemory") -> bool:
    """The report is missing, or still the one from before that run."""
    found = _report_there(session)
    if found is None or not memory.notes:
        return True
    before = memory.notes[-1].get("before")
    return before is not None and base64.b64decode(before) == found


def _report_there(session: "Session") -> bytes | None:
    """As bytes: what stands there may be the user's, in any encoding."""
    try:
        return session.host.files.read_bytes(session.layout.report)
    except FileNotFoundError:
        return None


def _execute(session: "Session", prepared: "Prepared", began: float) -> int:
    from setup_llm_dev.cli.log import Log
    from setup_llm_dev.cli.progress import drawer
    from setup_llm_dev.host.state import JournalWriter, run_name
    from setup_llm_dev.stages.execute import execute
    from setup_llm_dev.steps.step import Satisfied

    host, steps = session.host, prepared.plan.steps
    name = run_name(host.now())
    log = Log(session.layout.logs, name, host.environment)
    log.start()
    for sentence in session.output.said:  # what came before the first step: which hosts and mirrors were asked
        log.line(sentence)
    records = {step.id: (step.kind, step.record()) for step in steps}
    journal = JournalWriter(
        session.layout.journals, name, prepared.plan.recipe.name, str(session.layout.workspace), records,
        satisfied=[name for name, status in prepared.statuses.items() if isinstance(status, Satisfied)],
    )  # fmt: skip
    events: list[Event] = []
    with drawer(session.output) as drawing:
        for event in execute(steps, host, recipe=prepared.plan.recipe.name, run=name, keep=journal.keep):
            _note(log, event)
            events.append(event)
            drawing.show(event)
    return _finish(session, prepared, events, began, journal, log)


def _finish(
    session: "Session", prepared: "Prepared", events: "list[Event]", began: float, journal: "JournalWriter",
    log: "Log",
) -> int:  # fmt: skip
    from setup_llm_dev.documents.events import Failed
    from setup_llm_dev.errors import Interrupted

    failed = next((event for event in events if isinstance(event, Failed) and not event.forgiven), None)
    if failed is not None and isinstance(failed.error, Interrupted):
        raise failed.error
    report = _report(session, prepared, events, prepared.notes, began, str(log.path))
    if failed is None:
        _keep(session, report, journal.note)
    _show(session, report)
    return 0 if failed is None else failed.exit_code


def _keep(session: "Session", report: "Report", note: "Callable[[dict[str, Any]], None]") -> None:
    """Into the workspace; the journal knows the bytes beforehand, so that `undo` knows the file for ours."""
    import msgspec

    from setup_llm_dev.documents.codec import to_json

    data = msgspec.json.format(to_json(report), indent=1) + b"\n"
    before = _report_there(session)
    note(
        {
            "report": str(session.layout.report),
            "report_sha256": sha256(data).hexdigest(),
            "before": base64.b64encode(before).decode() if before is not None else None,
        }
    )
    session.host.files.write(session.layout.report, data)


def _report(
    session: "Session", prepared: "Prepared", events: "list[Event]", notes: tuple[Message, ...], began: float,
    log: str | None,
) -> "Report":  # fmt: skip
    from setup_llm_dev.documents.events import Failed
    from setup_llm_dev.stages.ide import closing_notes
    from setup_llm_dev.stages.summarize import summarize
    from setup_llm_dev.steps.smoke import RunSmoke
    from setup_llm_dev.steps.smoke_proof import read_proof
    from setup_llm_dev.steps.step import Satisfied

    failed = next((e for e in events if isinstance(e, Failed) and not e.forgiven), None)
    proof = getattr(failed.error, "result", None) if failed else None
    smoke = prepared.plan.step("smoke")
    if proof is None and isinstance(smoke, RunSmoke) and isinstance(smoke.check(session.host), Satisfied):
        proof = read_proof(session.host, smoke.proof)
    return summarize(
        prepared.plan,
        events,
        proof=proof,
        notes=(*notes, *closing_notes(session.host, prepared.plan)),
        seconds=time.monotonic() - began,
        created=session.host.now().isoformat(timespec="seconds"),
        log=log,
    )


def _show(session: "Session", report: "Report") -> None:
    from setup_llm_dev.cli.render_report import render_report

    if session.output.json:
        session.output.event(report)
    else:
        render_report(report, session.output)


def _announce(session: "Session", prepared: "Prepared") -> None:
    """The plan in a few lines of talk; `plan --pin` shows it whole."""
    from setup_llm_dev.cli.report_names import PARTS

    say, lock = session.output.say, prepared.plan.lock
    say(message("torch {version}: {why}", version=lock.torch.version, why=lock.torch.why))
    if lock.torch.version != lock.torch.wanted:
        reasons = lock.torch.skipped or (message("no configured source offers it"),)
        say(message("not the first choice, {wanted}:", wanted=lock.torch.wanted))
        for reason in reasons:
            say(message("  {reason}", reason=reason))
    for note in prepared.notes:
        say(message("note: {note}", note=note))
    for gap in prepared.plan.gaps:
        say(message("gap: {what}: {why}", what=PARTS.get(gap.what, gap.what), why=gap.why))
    say(message("project folder: {path}", path=str(session.layout.workspace)))


def _note(log: "Log", event: "Event") -> None:
    from setup_llm_dev.documents.events import Failed, Progressed

    if isinstance(event, Progressed) and event.text is None:
        return
    log.line(f"{event.at:9.3f} {type(event).__name__.lower()} {_words(event)}")
    if isinstance(event, Failed) and event.error is not None and event.error.__cause__ is not None:
        import traceback

        log.line("".join(traceback.format_exception(event.error)))
    result = getattr(getattr(event, "error", None), "result", None)
    if result:
        log.line(str(result.get("stderr", "")))


def _words(event: "Event") -> str:
    names = ("step", "summary", "why", "text", "receipt")
    parts = [str(getattr(event, name)) for name in names if hasattr(event, name)]
    return " · ".join(part for part in parts if part and part != "None")
