"""`verify`: only the checks, the smoke fine-tune among them, on what is installed or on any environment."""

import argparse
import difflib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from setup_llm_dev.documents.causes import FAULTS
from setup_llm_dev.errors import Interrupted, UsageError
from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output
    from setup_llm_dev.cli.session import Session
    from setup_llm_dev.documents.report import Report


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    from setup_llm_dev.cli.session import add_recipe

    add_recipe(parser, _)
    group = parser.add_argument_group(_(message("what to check")))
    group.add_argument("--python", metavar="PATH", help=_(message("the Python of any environment")))
    group.add_argument("--model", metavar="DIR", help=_(message("a folder with a model, for --python")))
    text = message(
        "break the fine-tune on purpose, to see that it is caught; one of: {faults}", faults=", ".join(FAULTS)
    )
    group.add_argument("--fault", metavar="NAME", type=fault_name, choices=FAULTS, help=_(text))


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """0 when every check passed, 8 when one did not, 3 where there is nothing to check or to break."""
    try:
        return _run(arguments, output)
    except Interrupted as error:  # there is nothing that a next one could go on with
        error.hint = message("stopped; nothing was changed, and `verify` begins from the start again")
        raise


def _run(arguments: argparse.Namespace, output: "Output") -> int:
    from setup_llm_dev.cli.progress import drawer
    from setup_llm_dev.cli.session import open_session
    from setup_llm_dev.host.state import one_run
    from setup_llm_dev.stages.made_folders import before_run, remembering
    from setup_llm_dev.stages.verify import Verification

    began = time.monotonic()
    session = open_session(arguments, output, makes=True)
    verification = Verification.of(
        session.host, session.recipe, session.layout, session.options, fault=arguments.fault,
        python=arguments.python, model=arguments.model,
    )  # fmt: skip
    making = before_run(session.host, session.layout)
    # With the lock held: `apply` sweeps the scratch folders that the checks run in.
    with one_run(
        session.layout.run_lock,
        wait=True,
        cancel=session.host.cancel,
        on_wait=lambda owner: output.say(message("waiting for another run ({owner})", owner=owner)),
        make=making.data_folder,
    ), remembering(making), drawer(output) as drawing:  # fmt: skip
        for event in verification.events():
            drawing.show(event)
    session.host.cancel.raise_if_set()
    report = verification.report(time.monotonic() - began)
    _show(session, report)
    return 0 if report.verdict != "fail" else 8


def fault_name(word: str) -> str:
    """A deliberate fault that there is; raises UsageError (2) with the nearest names."""
    if word in FAULTS:
        return word
    near = difflib.get_close_matches(word, FAULTS, 3, cutoff=0.4)
    hint = message("did you mean {option}?", option=", ".join(near))
    every = message("the faults are: {faults}", faults=", ".join(FAULTS))
    raise UsageError(message("there is no fault “{word}”", word=word), hint=hint if near else every)


def _show(session: "Session", report: "Report") -> None:
    from setup_llm_dev.cli.render_report import render_report

    if session.output.json:
        session.output.event(report)
    else:
        render_report(report, session.output)
