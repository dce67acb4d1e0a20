"""HOME before anything is made: a folder of the user's, or none is needed."""

import argparse
import os
from pathlib import Path

from setup_llm_dev.errors import Refused, UsageError
from setup_llm_dev.messages import Message, message

_XDG = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")


def settle_home(arguments: argparse.Namespace) -> Message | None:
    """Make HOME and XDG_* of our own environment such that everything, our children too, agrees on them.

    Without a home of the user's, our data folder stands in for it if that and the workspace are named; the answer
    says so. Raises Refused (3) otherwise, and UsageError (2) for a relative --home.
    """
    _refuse_relative(arguments.home)
    for name in _XDG:
        if name in os.environ and not Path(os.environ[name]).is_absolute():
            del os.environ[name]  # the specification: a relative path is to be ignored
    problem = _problem()
    if problem is None:
        return None
    data = arguments.home or os.environ.get("SETUP_LLM_DEV_HOME", "").strip()
    if not data or data.startswith("~") or not arguments.workspace:
        raise Refused(problem, hint=message("set HOME, or name both folders: --home DIR --workspace DIR"))
    folder = Path(data).absolute()
    os.environ["HOME"] = str(folder)
    return message(
        "note: {problem}; caches and settings are looked for in {folder}", problem=problem, folder=str(folder)
    )


def _refuse_relative(data: str | None) -> None:
    """As SETUP_LLM_DEV_HOME is: from another folder it would be another one, with nothing in it."""
    if data and not Path(data).expanduser().is_absolute():
        raise UsageError(
            message("{name} must be an absolute path, not “{folder}”", name="--home", folder=data),
            hint=message("write the whole path: it must mean the same from every folder"),
        )


def _problem() -> Message | None:
    """What is wrong with the home folder that the system tells us."""
    try:
        home = Path.home()
    except RuntimeError:
        return message("there is no home folder: HOME is not set, and the system knows none for this user")
    if not home.is_absolute():
        return message("HOME must be an absolute path, not “{home}”", home=str(home))
    if home == Path(home.anchor):
        return message("HOME is empty, or the root of the file system")
    return None
