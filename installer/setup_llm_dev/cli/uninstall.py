"""`uninstall`: remove everything that we made and nothing else; says what goes and what stays, and asks once."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from setup_llm_dev.errors import Refused, RollbackIncomplete, UsageError
from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output
    from setup_llm_dev.cli.session import Session
    from setup_llm_dev.documents.events import Event, Failed
    from setup_llm_dev.stages.inventory import Inventory


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    parser.set_defaults(recipe=None)
    parser.add_argument("--no-wait", action="store_true", help=_(message("end with 7 if another run is at work")))


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """0 when all is gone or nothing was there, 3 where nobody said yes, 7 while PyCharm runs, 9 when something stays
    that should not."""
    from setup_llm_dev.cli.session import open_session
    from setup_llm_dev.host.state import one_run
    from setup_llm_dev.stages.data_folder import claim
    from setup_llm_dev.stages.uninstall import leave

    _refuse_one_project(arguments)
    session = open_session(arguments, output)
    if not session.host.files.is_dir(session.layout.data):
        _nothing(session)
        return 0
    with one_run(
        session.layout.run_lock,
        wait=not arguments.no_wait,
        cancel=session.host.cancel,
        on_wait=lambda owner: output.say(message("waiting for another run ({owner})", owner=owner)),
        make=partial(claim, session.host.files, session.layout, home=session.host.home),
    ):
        gone = _run(session, arguments.home, ask=not arguments.yes)
    if gone and os.name == "nt":  # where the name of an open file can't be removed
        leave(session.host, session.layout)
    return 0


def _refuse_one_project(arguments: argparse.Namespace) -> None:
    if arguments.workspace:
        raise UsageError(
            message("uninstall removes what was made in every project, so it takes no --workspace"),
            hint=message("`setup-llm-dev undo --workspace DIR` takes back the last run in one of them"),
        )


def _run(session: "Session", home: str | None, *, ask: bool) -> bool:
    """Whether all is gone."""
    from setup_llm_dev.stages.inventory import inventory
    from setup_llm_dev.stages.uninstall import leave, refuse_running, uninstall

    output, host = session.output, session.host
    found = inventory(host, session.layout)
    if found.empty:
        leave(host, session.layout)
        _nothing(session, found)
        return True
    refuse_running(host, session.layout, found)
    _announce(found, _tell(output) if ask else output.say)
    if ask and not _agreed(session, home):
        output.say(message("nothing was changed"))
        return False
    events: list[Event] = []
    for event in uninstall(host, session.layout, found):
        events.append(event)
        _show(output, event)
    _finish(session, found, events)
    return True


def _tell(output: "Output") -> Callable[[Message], None]:
    """Who is asked must have read what for, with `-q` too."""
    return lambda sentence: output.complain(output.translate(sentence))


def _agreed(session: "Session", home: str | None) -> bool:
    """Unlike `apply`, this wants a yes where nobody can be asked: the same command does not bring things back."""
    from setup_llm_dev.cli.ask import agreed_to_remove, can_answer

    output = session.output
    if not can_answer(output):
        words = ["setup-llm-dev", "uninstall", *(("--home", home) if home else ()), "-y"]
        raise Refused(
            message("uninstall removes things, and there is nobody to ask; nothing was changed"),
            hint=message("if that is what you want: `{command}`", command=shlex.join(words)),
        )
    return agreed_to_remove(output, session.host.cancel)


def _announce(found: "Inventory", tell: Callable[[Message], None]) -> None:
    from setup_llm_dev.cli.quantities import size_text

    tell(message("Will be removed:"))
    for workspace in dict.fromkeys(run.workspace for run in found.runs):
        tell(message("  {path}: what setup-llm-dev made there, but not what you changed since", path=workspace))
    for place in found.places:
        if place.paths:
            tell(message("  {path}: {size}", path=str(place.folder), size=size_text(place.bytes)))
    _tell_kept(replace(found, kept=(*found.kept, *found.moved)), message("Will stay:"), tell)


def _tell_kept(found: "Inventory", heading: Message, tell: Callable[[Message], None]) -> None:
    if found.kept:
        tell(heading)
    for kept in found.kept:
        tell(message("  {path}: {why}", path=str(kept.path), why=kept.why))


def _show(output: "Output", event: "Event") -> None:
    from setup_llm_dev.documents.events import Undone

    output.event(event)
    if isinstance(event, Undone):
        output.sentence(event.summary)
        for sentence in event.left:
            output.sentence(message("  left: {what}", what=sentence))


def _finish(session: "Session", found: "Inventory", events: "list[Event]") -> None:
    """What stays is said again, as it is now: it is what somebody has to look after from here on."""
    from setup_llm_dev.documents.events import Failed, Undone
    from setup_llm_dev.stages.inventory import kept_things

    failed = [event for event in events if isinstance(event, Failed)]
    found = replace(found, kept=(*kept_things(session.host, session.layout), *found.moved))
    _tell_kept(found, message("Still here:"), session.output.sentence)
    if failed:
        raise _incomplete(failed)
    left = dict.fromkeys(str(sentence) for e in events if isinstance(e, Undone) for sentence in e.left)
    session.output.sentence(message("Everything that setup-llm-dev made is gone, except what is named above."))
    _last_words(session, found, list(left), removed=True)


def _incomplete(failed: "list[Failed]") -> RollbackIncomplete:
    names = "; ".join(f"{event.step}: {event.text}" for event in failed)
    return RollbackIncomplete(
        message("not everything could be removed: {names}", names=names),
        hint=message("mend that, then run `setup-llm-dev uninstall` again"),
    )


def _nothing(session: "Session", found: "Inventory | None" = None) -> None:
    session.output.sentence(message("Nothing that setup-llm-dev made is on this machine."))
    if found is not None:
        _tell_kept(found, message("Still here:"), session.output.say)
    _last_words(session, found, [], removed=False)


def _last_words(session: "Session", found: "Inventory | None", left: list[str], *, removed: bool) -> None:
    """How to remove the program, which can't do that itself; and the document."""
    command = _program_goes_by()
    if not session.host.environment.get("SETUP_LLM_DEV_BOOTSTRAP"):  # that script removes the program next
        session.output.sentence(message("To remove the program itself: {command}", command=command))
    places = [place for place in found.places if place.paths] if found is not None and removed else []
    session.output.event(
        {
            "schema": "uninstall/1",
            "workspaces": list(dict.fromkeys(run.workspace for run in found.runs)) if found else [],
            "removed": [{"name": place.name, "bytes": place.bytes} for place in places],
            "left": left,
            "kept": [{"path": str(kept.path), "why": str(kept.why)} for kept in found.kept] if found else [],
            "program": command,
        }
    )


def _program_goes_by() -> str:
    """The command that removes the environment which this runs in, by how that was made."""
    prefix = Path(sys.prefix)
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool uninstall setup-llm-dev"
    if (prefix / "pipx_metadata.json").is_file():
        return "pipx uninstall setup-llm-dev"
    if prefix.name == ".venv" and (prefix.parent / "installer" / "setup_llm_dev").is_dir():
        return shlex.join(["rm", "-r", str(prefix)])
    return shlex.join([sys.executable, "-m", "pip", "uninstall", "setup-llm-dev"])
