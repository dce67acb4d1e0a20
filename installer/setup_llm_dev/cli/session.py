"""What most commands begin with: the host with its signals, the recipe, the folders, the options."""

import argparse
import difflib
import os
import re
import shlex
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from setup_llm_dev.cli.home import settle_home
from setup_llm_dev.cli.other_machine import add_machine, saved_machine
from setup_llm_dev.cli.output import Output
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.documents.recipe_reading import read_recipe
from setup_llm_dev.errors import Refused, UsageError
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.configuration import as_environment, read_surroundings
from setup_llm_dev.host.own_variables import judged_variables
from setup_llm_dev.host.world import Host, real_host, with_environment
from setup_llm_dev.messages import Message, message
from setup_llm_dev.platforms.registry import current_platform
from setup_llm_dev.stages.data_folder import refuse_foreign
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.parts import PARTS
from setup_llm_dev.stages.placed_folders import refuse_misplaced
from setup_llm_dev.stages.trusted_folders import refuse_untrusted

DEFAULT_RECIPE = "text-classification"
_ARCH = {"amd64": "x86_64", "aarch64": "arm64", "AMD64": "x86_64", "ARM64": "arm64"}
_SAME_SIGNAL_SECONDS = 0.3
REQUIRABLE = ("ide", "gpu", "model")


@dataclass(frozen=True)
class Session:
    """One command's world. `options` are those of commands that plan or apply."""

    host: Host
    output: Output
    recipe: Recipe
    layout: Layout
    options: Options


def open_session(arguments: argparse.Namespace, output: Output, *, makes: bool = False) -> Session:
    """`makes`: for a command that sets something up, or says how.

    Raises UsageError (2) for wrong words, Refused (3) for a data folder that is not ours, or lies where it must not,
    and for a home, or folders in it, that others may write in.
    """
    # Nobody else may write what we make, and we can read it, whatever the mask says; children inherit it.
    os.umask((os.umask(0o077) | 0o022) & 0o077)
    if (said := settle_home(arguments)) is not None and not output.quiet:
        output.say(said)
    host = real_host(_with_signals(output.cancel))
    _refuse_foreign_home(host)
    for note in judged_variables(host.environment):
        output.say(note)
    machine = saved_machine(vars(arguments).get("machine"))
    recipe = recipe_named(host, arguments.recipe or DEFAULT_RECIPE, machine)
    layout = current_platform(host.system).layout(
        home=host.home,
        environment=host.environment,
        recipe=recipe.name,
        data=named_folder(arguments.home),
        workspace=named_folder(arguments.workspace),
    )
    if makes:
        refuse_misplaced(host, layout, stands_in=said is not None)
    refuse_foreign(host.files, layout, home=host.home if said is not None else None)
    refuse_untrusted(host, layout)
    host = with_environment(host, as_environment(read_surroundings(host, layout.config), host.environment))
    _warn_root(host, output)
    return Session(host, output, recipe, layout, _options(arguments, machine))


def recipe_named(host: Host, name: str, machine: Machine | None = None) -> Recipe:
    """A recipe merged for `machine`, by default for the one that runs this."""
    here = host.system.machine
    recipe = read_recipe(
        name,
        folder=manifests_folder() / "recipes",
        os=machine.os if machine else current_platform(host.system).OS,
        arch=machine.arch if machine else _ARCH.get(here, here),
    )
    if not recipe.applicable:
        raise UsageError(
            message("the recipe {name} names no model: it can only be extended", name=recipe.name),
            hint=message("see `setup-llm-dev recipes list`"),
        )
    return recipe


def add_recipe(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    parser.add_argument(
        "recipe",
        nargs="?",
        metavar="RECIPE",
        help=_(message("name or path of a recipe (default: text-classification)")),
    )


def add_options(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    """The options of the commands that plan or apply."""
    group = parser.add_argument_group(_(message("what to set up, and for which machine")))
    add_machine(group, _)
    group.add_argument("--torch", metavar="VARIANT", help=_(message("a build of PyTorch: cpu, cu130, mps …")))
    group.add_argument("--python", metavar="PATH", help=_(message("the Python to make the environment with")))
    # One word each: with several, the RECIPE that follows would be one of them.
    only = message("only these of: {parts}", parts=" ".join(PARTS))
    group.add_argument("--only", action="extend", type=_named_parts, metavar="PART,…", help=_(only))
    group.add_argument("--skip", action="extend", type=_named_parts, metavar="PART,…", help=_(message("all but these")))
    group.add_argument("--require", metavar="WHAT,…", help=_(message("ide, gpu, model: a gap there is a failure")))
    group.add_argument(
        "--pycharm-archive", metavar="FILE", help=_(message("a PyCharm archive that is here already, to be installed"))
    )
    group.add_argument("--pycharm-sha256", metavar="HEX", help=_(message("the sha256 that the archive must have")))
    group.add_argument(
        "--upgrade", action="store_true", help=_(message("make a new lock instead of reusing the one in the project"))
    )


def _named_parts(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words or [text]:
        if word not in PARTS:
            near = difflib.get_close_matches(word, PARTS, 1)
            known = message("it knows: {words}", words=", ".join(PARTS))
            raise UsageError(
                message("there is no part “{word}” of a set-up", word=word),
                hint=message("did you mean {near}?", near=near[0]) if near else known,
            )
    return words


def _options(arguments: argparse.Namespace, machine: Machine | None) -> Options:
    known = vars(arguments)
    return Options(
        torch=known.get("torch"),
        python=named_folder(known.get("python")),
        upgrade=known.get("upgrade", False),
        parts=_chosen_parts(known),
        require=_required(known.get("require")),
        machine=machine,
        assume=tuple(known.get("assume") or ()),
        again=_again(arguments),
        pycharm_archive=named_folder(known.get("pycharm_archive")),
        pycharm_sha256=_digest(known.get("pycharm_sha256"), with_archive=bool(known.get("pycharm_archive"))),
    )


def _again(arguments: argparse.Namespace) -> str:
    """For hints and reports: the same recipe on the same folders, with the options that would change the lock."""
    known = vars(arguments)
    words = ["setup-llm-dev", "apply", arguments.recipe or DEFAULT_RECIPE]
    for option in ("home", "workspace", "machine", "torch", "python", "require"):
        if value := known.get(option):
            words += [f"--{option}", value]
    words += [word for text in known.get("assume") or () for word in ("--assume", text)]
    for option in ("only", "skip"):
        if parts := known.get(option):
            words += [f"--{option}", ",".join(parts)]
    return shlex.join(words)


def _chosen_parts(known: dict[str, Any]) -> frozenset[str]:
    """An environment without its packages proves nothing, so the two come together. Raises UsageError (2)."""
    only, skip = known.get("only"), known.get("skip")
    if both := sorted(set(only or ()) & set(skip or ())):
        raise UsageError(
            message("--only and --skip contradict each other: both name {parts}", parts=", ".join(both)),
            hint=message("name a part in one of them, not in both"),
        )
    chosen = frozenset(only or PARTS) - frozenset(skip or ())
    if "smoke" in chosen and only:
        chosen |= {"model"}
    return chosen | {"python", "packages"}


def _required(text: str | None) -> frozenset[str]:
    words = frozenset(word for word in (text or "").split(",") if word)
    unknown = sorted(words - set(REQUIRABLE))
    if unknown:
        raise UsageError(
            message("--require does not know {word}", word=", ".join(unknown)),
            hint=message("it knows: {words}", words=", ".join(REQUIRABLE)),
        )
    return words


def _digest(text: str | None, *, with_archive: bool) -> str | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text.strip()):
        raise UsageError(
            message("--pycharm-sha256 wants 64 hex digits, not “{text}”", text=text),
            hint=message("its maker publishes it beside the archive, in a file whose name ends in .sha256"),
        )
    if not with_archive:
        raise UsageError(
            message("--pycharm-sha256 belongs to an archive, but no archive is named"),
            hint=message("name it with --pycharm-archive FILE"),
        )
    return text.strip().lower()


def named_folder(text: str | None) -> Path | None:
    """An absolute folder out of a word of the command line."""
    return Path(text).expanduser().absolute() if text else None


def _with_signals(cancel: Cancel) -> Cancel:
    """The first signal asks everybody to stop; a second one ends us at once.

    A terminal or `timeout` may send one signal twice, to us and to our group: that is still the first.
    """
    first = 0.0

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        if cancel.is_set() and time.monotonic() - first > _SAME_SIGNAL_SECONDS:
            os._exit(128 + number)
        first = first or time.monotonic()
        cancel.set(number)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    return cancel


def _refuse_foreign_home(host: Host) -> None:
    """Under sudo with another user's HOME we would leave files of root's in it."""
    user = host.environment.get("SUDO_USER")
    if not user or not hasattr(os, "geteuid") or os.geteuid() != 0 or not host.home.exists():
        return
    if host.home.stat().st_uid != 0:
        raise Refused(
            message("this would put files of root's into the home of {user}", user=user),
            hint=message("run it without sudo: it needs no rights of root"),
        )


def _warn_root(host: Host, output: Output) -> None:
    if hasattr(os, "geteuid") and os.geteuid() == 0 and not output.quiet:
        output.say(message("note: you are root; setup-llm-dev needs no rights of root"))
