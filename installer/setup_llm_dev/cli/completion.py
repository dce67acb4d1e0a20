"""`completion SHELL`: the completion script, made by shtab from the parser itself."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output

SHELLS = ("bash", "zsh", "fish", "powershell")


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    parser.add_argument("shell", choices=SHELLS, help=_(message("the shell that is to read the script")))


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """Always 0: the shell was checked by the parser."""
    import shtab

    from setup_llm_dev.cli.parser import full_parser

    script = shtab.complete(full_parser(output.translate), shell=arguments.shell)
    output.document({"schema": "completion/1", "shell": arguments.shell, "script": script})
    output.text(script.rstrip())
    return 0
