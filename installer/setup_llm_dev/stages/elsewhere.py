"""Documents of other computers: a saved Machine, a lock from another platform."""

from pathlib import Path

from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.documents.machine import Interpreter, Machine
from setup_llm_dev.errors import UsageError
from setup_llm_dev.host.interpreters import ask_interpreter
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.platforms.registry import current_platform


def refuse_other_machine(host: Host, machine: Machine, *, interpreters: bool) -> None:
    """Raises UsageError (2) where a saved Machine is another platform than this, or names Pythons that are not here.

    To pin is to ask these very Pythons; GPUs may differ, as with --assume. `interpreters`: whether they matter.
    """
    here = current_platform(host.system).probe(host)
    if (machine.os, machine.arch) != (here.os, here.arch):
        what = message(
            "the machine of --machine is {os} {arch}, this one is {here}",
            os=machine.os, arch=machine.arch, here=f"{here.os} {here.arch}",
        )  # fmt: skip
        raise UsageError(what, hint=_plan_only())
    missing = [i for i in machine.interpreters if interpreters and i.problem is None and not _is_here(host, i, here)]
    if missing:
        what = message(
            "the machine of --machine has Python {version} at {path}, this one has not",
            version=missing[0].version, path=missing[0].path,
        )  # fmt: skip
        raise UsageError(what, hint=_plan_only())


def from_elsewhere(host: Host, lock: Lock) -> Message | None:
    """Why a lock is no answer on this platform; None where it was made for it."""
    here = current_platform(host.system).probe(host)
    if (lock.os, lock.arch) == (here.os, here.arch):
        return None
    return message(
        "the lock in the project folder was made for {os} {arch}; a new one is made for {here}",
        os=lock.os, arch=lock.arch, here=f"{here.os} {here.arch}",
    )  # fmt: skip


def for_other_pythons(machine: Machine, lock: Lock) -> Message | None:
    """The same feature release is here, but built for another platform (such as universal2, or under emulation)."""
    usable = [i for i in machine.interpreters if i.problem is None]
    same = [i for i in usable if ".".join(i.version.split(".")[:2]) == lock.python.feature]
    if not same or any(i.platform == lock.python.platform for i in same):
        return None
    return message(
        "the lock in the project folder was made for a Python of {platform}; a new one is made for {here}",
        platform=lock.python.platform, here=same[0].platform,
    )  # fmt: skip


def _is_here(host: Host, saved: Interpreter, here: Machine) -> bool:
    if not host.files.is_file(Path(saved.path)):
        return False
    found = ask_interpreter(host, Path(saved.path), here.arch)
    return found.problem is None and (found.version, found.platform) == (saved.version, saved.platform)


def _plan_only() -> Message:
    return message("for another machine: `setup-llm-dev plan --machine FILE`, without --pin")
