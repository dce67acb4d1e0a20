"""`doctor`: what is wrong with this machine, worst first, each finding with its repair; `--fix` does the safe ones."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output
    from setup_llm_dev.cli.session import Session
    from setup_llm_dev.documents.diagnosis import Diagnosis
    from setup_llm_dev.documents.layout import Layout
    from setup_llm_dev.host.world import Host
    from setup_llm_dev.stages.diagnoses.registry import Needs
    from setup_llm_dev.stages.doctor import Examined


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    from setup_llm_dev.cli.other_machine import add_machine
    from setup_llm_dev.cli.session import add_recipe

    add_recipe(parser, _)
    parser.add_argument("--fix", action="store_true", help=_(message("do the repairs that are safe; asks once")))
    parser.add_argument("--no-network", action="store_true", help=_(message("ask no host")))
    parser.add_argument(
        "--environment", metavar="DIR", help=_(message("look at this environment instead of the project's own"))
    )
    add_machine(parser.add_argument_group(_(message("which machine"))), _)


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """0, or 8 when a finding is an error."""
    from setup_llm_dev.cli.render_doctor import render_diagnosis
    from setup_llm_dev.cli.session import open_session

    session = open_session(arguments, output)
    host, can = _world(arguments, session)
    found = _look(arguments, session, host, can)
    diagnosis = found.diagnosis
    if arguments.fix:
        diagnosis = _mended(found, session, lambda: _look(arguments, session, host, can), yes=arguments.yes)
    output.document(diagnosis)
    if not output.json:
        render_diagnosis(diagnosis, output, again=session.options.again)
    return 8 if diagnosis.level == "error" else 0


def _world(arguments: argparse.Namespace, session: "Session") -> "tuple[Host, frozenset[Needs]]":
    """Whom to ask, and what can be asked of it: of a saved machine less than of a recording, of both less than here."""
    from pathlib import Path

    from setup_llm_dev.errors import UsageError
    from setup_llm_dev.stages.doctor import HERE
    from setup_llm_dev.stages.doctor_elsewhere import recording_at, unknown_host

    if session.options.machine is None:
        return session.host, HERE - {"network"} if arguments.no_network else HERE
    if arguments.fix:
        raise UsageError(message("--fix mends this machine; it can't be used with --machine"))
    if (recorded := recording_at(Path(arguments.machine).expanduser())) is not None:
        return recorded, frozenset({"machine", "recording"})
    return unknown_host(session.options.machine.os), frozenset({"machine"})


def _look(arguments: argparse.Namespace, session: "Session", host: "Host", can: "frozenset[Needs]") -> "Examined":
    from setup_llm_dev.cli.session import named_folder
    from setup_llm_dev.stages.doctor import examined, situation_of

    layout = session.layout if host is session.host else _layout_there(host, session)
    environment = named_folder(arguments.environment)
    return examined(situation_of(host, session.recipe, layout, session.options, environment=environment), can)


def _mended(first: "Examined", session: "Session", again: "Callable[[], Examined]", *, yes: bool) -> "Diagnosis":
    """What is safe is done after one question, and everything looked at once more."""
    from setup_llm_dev.cli.ask import agreed
    from setup_llm_dev.stages.doctor import after, mended

    output, host = session.output, session.host
    if not first.mendable:
        output.say(message("nothing that can be mended safely was found"))
        return first.diagnosis
    for one in first.mendable:
        output.say(message("would: {what}", what=one.entry.fix or one.entry.text))
    if not yes and not agreed(output, host.cancel):
        return first.diagnosis
    done, failed = mended(host, first.mendable)
    return after(first, again(), done, failed)


def _layout_there(host: "Host", session: "Session") -> "Layout":
    """Where everything would lie on the other machine."""
    from setup_llm_dev.platforms.registry import current_platform

    platform = current_platform(host.system)
    return platform.layout(home=host.home, environment=host.environment, recipe=session.recipe.name)
