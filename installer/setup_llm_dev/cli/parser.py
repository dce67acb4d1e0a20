"""The argument parser, filled only for the command that was named, so that starting stays cheap."""

import argparse
import importlib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, cast

from setup_llm_dev.__about__ import __version__
from setup_llm_dev.cli.commands import COMMANDS, Command, CommandModule
from setup_llm_dev.cli.help_text import HelpText
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import Message, message

Translate = Callable[[Message], str]
_DEFAULT = "apply"
_OF_THE_PROGRAM = ("-h", "--help", "--version")
_WITH_A_VALUE = ("--home", "--workspace", "--machine", "--assume", "--record", "--python", "--torch", "--only",
                 "--skip", "--model", "--pycharm-archive", "--pycharm-sha256")  # fmt: skip


class Parser(argparse.ArgumentParser):
    """argparse with our errors: raised, not printed, and with the nearest valid word."""

    def __init__(self, *words: Any, **settings: Any) -> None:
        super().__init__(*words, **{"formatter_class": HelpText} | settings)

    def error(self, text: str) -> NoReturn:
        raise UsageError(message("{text}", text=text), hint=message("see `{command} --help`", command=self.prog))


def parse(argv: Sequence[str], translate: Translate) -> argparse.Namespace:
    """The arguments of the named command; without a command, those of `apply`."""
    words = _command_first(argv)
    command = next((c for c in COMMANDS if c.name == words[0]), None)
    if command is None and not words[0].startswith("-"):
        raise _unknown(words[0])
    parser = build(translate, only=command)
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        raise _unknown_option(parser, command, unknown, translate)
    return arguments


def _command_first(argv: Sequence[str]) -> list[str]:
    """Options may stand before the command, or without one: then it is the one-shot."""
    words = list(argv)
    if not words or (words[0].startswith("-") and words[0] not in _OF_THE_PROGRAM):
        names = {command.name for command in COMMANDS}
        places = (i for i, word in enumerate(words) if word in names and words[i - 1] not in _WITH_A_VALUE)
        place = next(places, None)
        words.insert(0, _DEFAULT if place is None else words.pop(place))
    return words


def full_parser(translate: Translate = str) -> Parser:
    """The parser with every command filled in: for shell completion and the tests."""
    return build(translate, only=None, fill=True)


def build(translate: Translate, *, only: Command | None, fill: bool = False) -> Parser:
    """`only`: the command whose arguments are needed."""
    parser = Parser(
        prog="setup-llm-dev",
        description=translate(message("From a bare machine to a proven fine-tune in one command.")),
        epilog=translate(message("Without a command: `apply` of the recipe text-classification.")),
    )
    _version(parser, translate)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        text = translate(command.help)
        child = commands.add_parser(command.name, help=text, description=text)
        if fill or command is only:
            _common(child, translate)
            module(command).configure(child, translate)
    return parser


def module(command: Command) -> CommandModule:
    return cast(CommandModule, importlib.import_module(f"setup_llm_dev.cli.{command.module}"))


def _common(parser: argparse.ArgumentParser, _: Translate) -> None:
    group = parser.add_argument_group(_(message("options of every command")))
    _version(group, _)
    group.add_argument("--json", action="store_true", help=_(message("print JSON on stdout, on failure too")))
    group.add_argument("-q", "--quiet", action="store_true", help=_(message("say only what went wrong")))
    group.add_argument("-v", "--verbose", action="store_true", help=_(message("say more")))
    group.add_argument("--no-color", action="store_true", help=_(message("no colours (also: NO_COLOR)")))
    group.add_argument("--home", metavar="DIR", help=_(message("our data folder (also: SETUP_LLM_DEV_HOME)")))
    group.add_argument("--workspace", metavar="DIR", help=_(message("the project folder to make or adopt")))
    group.add_argument("-y", "--yes", action="store_true", help=_(message("don't ask before starting")))


def _version(group: argparse._ActionsContainer, _: Translate) -> None:
    text = _(message("show the version and exit"))
    group.add_argument("--version", action="version", version=f"setup-llm-dev {__version__}", help=text)


def _unknown_option(
    parser: Parser, command: Command | None, unknown: Sequence[str], translate: Translate
) -> UsageError:
    """With the nearest option of that command."""
    import difflib

    options = Parser(prog=parser.prog, add_help=False)
    if command is not None:
        _common(options, translate)
        module(command).configure(options, translate)
    known = [name for action in options._actions for name in action.option_strings]
    near = difflib.get_close_matches(unknown[0].partition("=")[0], known, 1)
    if near:
        hint = message("did you mean {option}?", option=near[0])
    else:
        hint = message("see `{command} --help`", command=f"{parser.prog} {command.name if command else ''}".strip())
    return UsageError(message("unknown: {words}", words=" ".join(unknown)), hint=hint)


def _unknown(word: str) -> UsageError:
    import difflib

    names = [command.name for command in COMMANDS]
    near = difflib.get_close_matches(word, names, 1)
    if near:
        hint = message("did you mean `setup-llm-dev {command}`?", command=near[0])
    else:
        hint = message("the commands are: {commands}", commands=", ".join(names))
    return UsageError(message("there is no command “{word}”", word=word), hint=hint)
