"""The entry point: parse, run one command, and turn every error into a sentence and an exit code."""

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from setup_llm_dev.cli.commands import COMMANDS
from setup_llm_dev.cli.language import install
from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.parser import module, parse
from setup_llm_dev.errors import Interrupted, SetupError, UsageError
from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    import argparse


def main() -> NoReturn:
    """Run `sys.argv`; ends the process with the contract's exit code."""
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # The reader of our output is gone, which is no failure of the work.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if code >= 128:
        os._exit(code)  # lanes that still wait for the network must not hold us up
    sys.exit(code)


def run(argv: list[str]) -> int:
    """The exit code of one command line."""
    output = _output(argv)
    if not output.json:
        install()
    try:
        arguments = parse(argv, output.translate)
        output.verbose = getattr(arguments, "verbose", False)
        return _command(arguments, output)
    except Interrupted as error:
        return _ended(error, output)
    except SetupError as error:
        return _failed(error, output)
    except KeyboardInterrupt:
        return _ended(Interrupted(message("stopped"), signal_number=2), output)
    except BrokenPipeError:
        return 0
    except OSError as error:
        from setup_llm_dev.host.files import system_error

        return _failed(system_error(error, error.filename or ""), output)
    except Exception as error:
        return _bug(error, output)


def _output(argv: list[str]) -> Output:
    """Made before parsing, so that wrong arguments are answered in JSON too."""
    before = argv[: argv.index("--")] if "--" in argv else argv
    return Output(
        json="--json" in before,
        quiet="-q" in before or "--quiet" in before,
        color="--no-color" not in before and not os.environ.get("NO_COLOR"),
    )


def _command(arguments: "argparse.Namespace", output: Output) -> int:
    command = next(c for c in COMMANDS if c.name == arguments.command)
    return module(command).run(arguments, output)


def _failed(error: SetupError, output: Output) -> int:
    output.document({"schema": "error/1", "error": _as_table(error)})
    if not output.json:
        output.complain(output.translate(message("error: {text}", text=error.message)))
        if error.hint is not None:
            output.complain(output.translate(message("hint: {text}", text=error.hint)))
        log = getattr(error, "log", None)
        if log:
            output.complain(output.translate(message("log: {path}", path=str(log))))
    return error.exit_code


def _ended(error: Interrupted, output: Output) -> int:
    output.document({"schema": "error/1", "error": _as_table(error) | {"exit_code": error.code}})
    if not output.json:
        output.complain("")
        output.complain(output.translate(_how_to_go_on()))
    return error.code


def _how_to_go_on() -> Message:
    return message("stopped; the same command goes on where this one ended")


def _bug(error: Exception, output: Output) -> int:
    from setup_llm_dev.cli.log import keep_traceback

    place = keep_traceback(error)
    text = message(
        "this is a bug of setup-llm-dev: {kind}: {text} (traceback: {path})",
        kind=type(error).__name__,
        text=str(error),
        path=str(place),
    )
    return _failed(SetupError(text), output)


def _as_table(error: SetupError) -> dict[str, object]:
    return {
        "exit_code": error.exit_code,
        "kind": type(error).__name__ if not isinstance(error, UsageError) else "UsageError",
        "message": str(error.message),
        "hint": str(error.hint) if error.hint else None,
        "url": getattr(error, "url", None) or None,
        "log": str(getattr(error, "log", "") or "") or None,
    }
