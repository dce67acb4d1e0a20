"""`plan`: what `apply` would do, and why; `--pin` resolves too. Changes nothing."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    from setup_llm_dev.cli.session import add_options, add_recipe

    add_recipe(parser, _)
    add_options(parser, _)
    parser.add_argument(
        "--pin", action="store_true", help=_(message("resolve too: exact steps, bytes to download, disk needed"))
    )


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """0, or 3 when no build fits; the refusals are in the document then too."""
    from setup_llm_dev.cli.render_plan import render_plan
    from setup_llm_dev.cli.session import open_session
    from setup_llm_dev.stages.outline import outline, pinned_outline

    session = open_session(arguments, output, makes=True)
    make = pinned_outline if arguments.pin else outline
    document = make(session.host, session.recipe, session.layout, session.options, output.say)
    output.document(document)
    if not output.json:
        render_plan(document, output)
    return 0 if document.torch is not None else 3
