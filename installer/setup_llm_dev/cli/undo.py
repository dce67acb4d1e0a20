"""`undo`: reverse the last run; what is not ours, or was changed since, stays and is named."""

import argparse
import shlex
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output
    from setup_llm_dev.documents.events import Event


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    from setup_llm_dev.cli.session import add_recipe

    add_recipe(parser, _)
    parser.add_argument("--no-wait", action="store_true", help=_(message("end with 7 if another run is at work")))


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """0 when the run is taken back (or there is none), 7 while PyCharm runs, 9 when something could not be."""
    from setup_llm_dev.cli.session import open_session
    from setup_llm_dev.host.state import last_run, one_run, standing_runs
    from setup_llm_dev.stages.data_folder import claim
    from setup_llm_dev.stages.made_folders import sparing_found
    from setup_llm_dev.stages.sweep import tidy
    from setup_llm_dev.stages.undo import undo
    from setup_llm_dev.stages.uninstall import leave

    session = open_session(arguments, output)
    journals = session.layout.journals
    if not session.host.files.is_dir(journals):
        return _show([], output, True)
    with one_run(
        session.layout.run_lock,
        wait=not arguments.no_wait,
        cancel=session.host.cancel,
        on_wait=lambda owner: output.say(message("waiting for another run ({owner})", owner=owner)),
        make=partial(claim, session.host.files, session.layout, home=session.host.home),
    ):
        memory = last_run(journals, session.layout.workspace)
        others = [run for run in standing_runs(journals) if memory is None or run.path != memory.path]
        host = sparing_found(session.host, session.layout, [session.layout.workspace])
        events = [_told(event, output) for event in undo(host, memory, others)] if memory is not None else []
        tidy(session.host, session.layout)
        if not session.host.files.exists(journals):  # an uninstall that we waited for has removed everything
            leave(session.host, session.layout)
    elsewhere = tuple(dict.fromkeys(run.workspace for run in others)) if memory is None else ()
    return _show(events, output, memory is None, elsewhere)


def _told(event: "Event", output: "Output") -> "Event":
    """At once: what an undo did before it was stopped is worth knowing."""
    from setup_llm_dev.documents.events import Undone

    if isinstance(event, Undone):
        output.sentence(event.summary)
        for sentence in event.left:
            output.sentence(message("  left: {what}", what=sentence))
    return event


def _show(events: "list[Event]", output: "Output", nothing: bool, elsewhere: tuple[str, ...] = ()) -> int:
    """`elsewhere`: the other projects with a run that could be taken back, where this one has none."""
    from setup_llm_dev.documents.events import Failed, Undone
    from setup_llm_dev.errors import RollbackIncomplete

    undone = [event for event in events if isinstance(event, Undone)]
    failed = [event for event in events if isinstance(event, Failed)]
    if nothing:
        output.sentence(message("there is no run to undo"))
    for workspace in elsewhere:
        command = shlex.join(["setup-llm-dev", "undo", "--workspace", workspace])
        output.sentence(message("there is one in another project: `{command}`", command=command))
    if failed:
        names = "; ".join(f"{event.step}: {event.text}" for event in failed)
        raise RollbackIncomplete(
            message("not everything could be undone: {names}", names=names),
            hint=message("mend that, then run `setup-llm-dev undo` again"),
        )
    output.document(
        {
            "schema": "undo/1",
            "undone": [event.step for event in undone],
            "left": [str(sentence) for event in undone for sentence in event.left],
        }
    )
    return 0
