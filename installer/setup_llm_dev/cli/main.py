"""The entry point: parse, run one command, and turn every error into a sentence and an exit code."""

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from setup_llm_dev.cli.commands import COMMANDS
from setup_llm_dev.cli.language import install
from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.parser import module, parse
from setup_llm_dev.errors import (
    Busy,
    CheckFailed,
    Corrupt,
    Interrupted,
    Refused,
    RollbackIncomplete,
    SetupError,
    SystemRefused,
    Unreachable,
    UsageError,
)
from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    import argparse
    from pathlib import Path, PurePath


_AGAIN = message("mend that, then run the same command again: finished steps are kept")
_HINTS: dict[type[SetupError], Message] = {
    UsageError: message("see `{command} --help`", command="setup-llm-dev"),
    Refused: message("see `setup-llm-dev detect`"),
    Unreachable: message("check the network, then run the same command again: what was fetched is kept"),
    Corrupt: message("nothing of it was used; run the same command again to fetch it anew"),
    SystemRefused: _AGAIN,
    Busy: _AGAIN,
    CheckFailed: _AGAIN,
    RollbackIncomplete: _AGAIN,
}
"""For errors without a hint of their own."""


def main() -> NoReturn:
    """Run `sys.argv`; ends the process with the contract's exit code."""
    _open_closed_streams()
    output = _output(sys.argv[1:])
    code = run(sys.argv[1:], output)
    output.flush()
    if output.lost is not None:
        code = _failed(output.lost, output) if code == 0 else code
    if code >= 128:
        os._exit(code)  # lanes that still wait for the network must not hold us up
    sys.exit(code)


def run(argv: list[str], output: Output | None = None) -> int:
    """The exit code of one command line."""
    output = output or _output(argv)
    if not output.json:
        install()
    home: str | None = None
    try:
        arguments = parse(argv, output.translate)
        output.verbose, home = getattr(arguments, "verbose", False), getattr(arguments, "home", None)
        return _command(arguments, output)
    except Interrupted as error:
        return _ended(error, output)
    except SetupError as error:
        return _failed(error, output, _log_of(error, output, home))
    except KeyboardInterrupt:
        return _ended(Interrupted(message("stopped"), signal_number=2), output)
    except SystemExit as end:  # argparse, after --help and --version
        return int(end.code or 0)
    except BrokenPipeError:
        return 0
    except OSError as error:
        from setup_llm_dev.host.disk_errors import system_error

        return _failed(system_error(error, error.filename or ""), output, _log_of(error, output, home))
    except Exception as error:
        return _failed(_bug(error), output, _log_of(error, output, home))


def _open_closed_streams() -> None:
    """A stream that was closed before we began is None; the null device takes its place and its descriptor.

    In this order, since the lowest free descriptor is the one that is taken: no file of ours must become stdout.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - it stays open


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
    code = module(command).run(arguments, output)
    return 128 + output.cancel.signal_number if code and output.cancel.is_set() else code


def _failed(error: SetupError, output: Output, log: "Path | None" = None) -> int:
    if output.cancel.is_set():  # the user's word comes first: it may have failed because of it
        return _ended(Interrupted(message("stopped"), signal_number=output.cancel.signal_number), output)
    output.document({"schema": "error/1", "error": _as_table(error, log)})
    if not output.json or output.lost is not None:
        output.complain(output.translate(message("error: {text}", text=error.message)))
        if (hint := _hint(error)) is not None:
            output.complain(output.translate(message("hint: {text}", text=hint)))
        if log is not None:
            output.complain(output.translate(message("log: {path}", path=str(log))))
    return error.exit_code


def _hint(error: SetupError) -> Message | None:
    """Its own, else what is to be done about its kind."""
    if error.hint is not None:
        return error.hint
    return next((hint for kind, hint in _HINTS.items() if isinstance(error, kind)), None)


def _ended(error: Interrupted, output: Output) -> int:
    output.document({"schema": "error/1", "error": _as_table(error, None) | {"exit_code": error.code}})
    if not output.json:
        output.complain("")
        output.complain(output.translate(error.hint or _how_to_go_on()))
    return error.code


def _how_to_go_on() -> Message:
    return message("stopped; the same command goes on where this one ended")


def _bug(error: Exception) -> SetupError:
    kind, text = type(error).__name__, str(error)
    return SetupError(
        message("this is a bug of setup-llm-dev: {kind}: {text}", kind=kind, text=text),
        hint=message("please report it, with the log that is named here"),
    )


def _log_of(error: Exception, output: Output, home: str | None) -> "Path | None":
    """A log for what failed before or beside the execution, which keeps its own.

    None for words, refusals and waiting for others: their sentence says all, and they would push real logs out.
    """
    if isinstance(error, (UsageError, Refused, Busy)):
        return None
    from setup_llm_dev.cli.log import failure_log

    return failure_log(error, output.said, os.environ, _logs(home))


def _logs(home: str | None) -> "PurePath | None":
    """The folder for logs, where there is a data folder of ours already: a failure makes none."""
    from pathlib import Path

    try:
        from setup_llm_dev.cli.session import DEFAULT_RECIPE, named_folder
        from setup_llm_dev.host.files import Files
        from setup_llm_dev.host.world import System
        from setup_llm_dev.platforms.registry import current_platform
        from setup_llm_dev.stages.data_folder import is_ours

        layout = current_platform(System()).layout(
            home=Path.home(), environment=os.environ, recipe=DEFAULT_RECIPE, data=named_folder(home)
        )
        return layout.logs if is_ours(Files(), layout) else None
    except Exception:  # whatever is broken here must not hide what broke first
        return None


def _as_table(error: SetupError, log: "Path | None") -> dict[str, object]:
    return {
        "exit_code": error.exit_code,
        "kind": type(error).__name__ if not isinstance(error, UsageError) else "UsageError",
        "message": str(error.message),
        "hint": str(hint) if (hint := _hint(error)) else None,
        "url": getattr(error, "url", None) or None,
        "log": str(log) if log is not None else None,
    }
