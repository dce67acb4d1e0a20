"""`detect`: the Machine, as a table or as `machine/1`; `--record` keeps what it was told."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output
    from setup_llm_dev.documents.machine import Machine


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    from setup_llm_dev.cli.other_machine import add_machine

    group = parser.add_argument_group(_(message("which machine")))
    add_machine(group, _)
    group.add_argument(
        "--record",
        metavar="DIR",
        help=_(message("write all that detection was told into DIR, without names and secrets: to send, to replay")),
    )


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """Always 0: a machine without a GPU is a fact, not a failure."""
    from setup_llm_dev.cli.home import settle_home

    if (said := settle_home(arguments)) is not None:
        output.say(said)
    machine = _machine(arguments, output)
    if arguments.assume:
        from setup_llm_dev.stages.assume import assume

        machine = assume(machine, *arguments.assume)
    output.document(machine)
    if not output.json:
        from setup_llm_dev.cli.render_machine import render_machine

        render_machine(machine, output)
    if arguments.record:
        output.say(message("recorded in {folder}; read recording.toml before you send it", folder=arguments.record))
    return 0


def _machine(arguments: argparse.Namespace, output: "Output") -> "Machine":
    """Raises UsageError (2) for a file that is no Machine, and for --record of a machine that is not here."""
    from setup_llm_dev.cli.other_machine import saved_machine
    from setup_llm_dev.errors import UsageError
    from setup_llm_dev.host.world import real_host
    from setup_llm_dev.platforms.registry import current_platform

    if (saved := saved_machine(arguments.machine)) is not None:
        if arguments.record:
            raise UsageError(message("--record records this machine; it can't be used with --machine"))
        return saved
    host = real_host(output.cancel)
    named = Path(arguments.home).expanduser().absolute() if arguments.home else None
    layout = current_platform(host.system).layout(
        home=host.home, environment=host.environment, recipe="any", data=named
    )
    if arguments.record:
        from setup_llm_dev.stages.record import record

        return record(host, data=layout.data, folder=Path(arguments.record).expanduser().absolute())
    from setup_llm_dev.stages.detect import detect

    return detect(host, data=layout.data)
