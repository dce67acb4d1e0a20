"""`detect`: the Machine, as a table or as `machine/1`."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from setup_llm_dev.messages import Message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    """Nothing beyond what every command understands."""


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """Always 0: a machine without a GPU is a fact, not a failure."""
    from setup_llm_dev.cli.home import settle_home
    from setup_llm_dev.cli.render_machine import render_machine
    from setup_llm_dev.cli.session import DEFAULT_RECIPE, named_folder
    from setup_llm_dev.host.world import real_host
    from setup_llm_dev.platforms.registry import current_platform
    from setup_llm_dev.stages.detect import detect

    if (said := settle_home(arguments)) is not None:
        output.say(said)
    host = real_host()
    layout = current_platform(host.system).layout(
        home=host.home, environment=host.environment, recipe=DEFAULT_RECIPE, data=named_folder(arguments.home)
    )
    machine = detect(host, data=layout.data)
    output.document(machine)
    if not output.json:
        render_machine(machine, output)
    return 0
