"""The commands, in the order of `--help`: name, module, and what each does in one sentence."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    import argparse

    from setup_llm_dev.cli.output import Output


class CommandModule(Protocol):
    """What a module in this folder offers when it is a command."""

    def configure(self, parser: "argparse.ArgumentParser", _: Callable[[Message], str]) -> None: ...

    def run(self, arguments: "argparse.Namespace", output: "Output") -> int: ...


class Command(NamedTuple):
    """`module` is imported only when the command is named."""

    name: str
    module: str
    help: Message


COMMANDS = (
    Command(
        "apply",
        "apply",
        message("set up this machine by a recipe: environment, model, project, and a fine-tune that proves it"),
    ),
    Command("plan", "plan", message("show what apply would do, and why; changes nothing")),
    Command("detect", "detect", message("show what this machine is: system, GPUs, Pythons, PyCharms")),
    Command("verify", "verify", message("run only the checks, the smoke fine-tune among them, on what is installed")),
    Command("status", "status", message("show what has drifted since the last apply, file by file")),
    Command("doctor", "doctor", message("say what is wrong with this machine, each finding with its repair")),
    Command("undo", "undo", message("reverse the last run")),
    Command("uninstall", "uninstall", message("remove everything that setup-llm-dev made, and nothing else")),
    Command("recipes", "recipes", message("list, show and check recipes; print their JSON Schema")),
    Command("completion", "completion", message("print the completion script for a shell")),
)
