"""The Pythons: whether one fits the recipe, and what the fitting ones lack."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath
from typing import Any

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.documents.machine import Interpreter, Machine
from setup_llm_dev.documents.torch_catalog import specifiers
from setup_llm_dev.host.deadline import asked
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.diagnoses.situation import Situation, Told

_SECONDS = 5.0
_MOST = 4  # Pythons that are asked: the first ones that a run would try
_ASKED = """
import importlib.util as u, json, os, sys, sysconfig
def has(name):
    try: __import__(name)
    except ImportError: return False
    return True
print(json.dumps({n: has(n) for n in ("ssl", "ensurepip", "lzma", "sqlite3", "ctypes")} | {
    "managed": os.path.isfile(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED"))}))
"""
_PACKAGES = (  # how a distribution's name begins, and the command for a Python of its own
    (("Debian", "Ubuntu", "Linux Mint", "Pop!_OS"), "sudo apt-get install -y python3 python3-venv"),
    (("Fedora", "Red Hat", "Rocky", "AlmaLinux", "Oracle", "CentOS", "Amazon Linux"), "sudo dnf install -y python3.12"),
    (("openSUSE", "SUSE"), "sudo zypper install python312"),
    (("Arch", "EndeavourOS", "Manjaro", "CachyOS"), "sudo pacman -S python"),
)
_NEEDED = ("ssl", "ctypes", "lzma", "sqlite3")


def look(situation: Situation) -> Iterator[Told]:
    fitting = fitting_interpreters(situation)
    if not fitting:
        yield _none_fits(situation)
        return
    first = fitting[0]
    yield Entry(
        id="python-fits", group="python", level="ok",
        text=message("Python {version} fits the recipe: {path}", version=first.version, path=first.path),
    )  # fmt: skip
    with ThreadPoolExecutor(_MOST) as pool:
        answers = list(pool.map(lambda python: _ask(situation.host, python), fitting[:_MOST]))
    for number, (python, answer) in enumerate(zip(fitting, answers, strict=False)):
        yield from judged(python, answer, situation.machine, chosen=number == 0)


def fitting_interpreters(situation: Situation) -> tuple[Interpreter, ...]:
    """Those that a run would try, in its order."""
    by_path = {python.path: python for python in situation.machine.interpreters}
    return tuple(by_path[path] for path in situation.choices.interpreters if path in by_path)


def judged(python: Interpreter, answer: dict[str, Any], machine: Machine, *, chosen: bool) -> Iterator[Entry]:
    """What a Python lacks; pure. chosen: it is the one that a run would take."""
    lacking = [name for name in _NEEDED if answer.get(name) is False]
    if lacking:
        yield Entry(
            id="python-lacks-modules", group="python", level="error" if chosen and "ssl" in lacking else "warning",
            text=message("Python {version} lacks {modules}: {path}", version=python.version,
                         modules=", ".join(lacking), path=python.path),
            cause=message("it was built without the development files of these libraries"),
            hint=message("install a complete one and name it with --python PATH"), commands=_commands(machine),
            evidence=(f"{python.path} -I -c 'import {lacking[0]}': ImportError",), reference="python",
        )  # fmt: skip
    if answer.get("ensurepip") is False:
        yield Entry(
            id="python-without-ensurepip", group="python", level="info",
            text=message("Python {version} has no ensurepip; it is not needed here, pip comes as a wheel",
                         version=python.version),
            hint=message("`python -m venv` of your own needs python3-venv (Debian, Ubuntu)"),
            evidence=(f"{python.path} -I -c 'import ensurepip': ImportError",), reference="python",
        )  # fmt: skip
    if answer.get("managed") and chosen:
        yield Entry(
            id="python-managed", group="python", level="info",
            text=message("Python {version} belongs to the system (PEP 668): pip refuses to install into it",
                         version=python.version),
            hint=message("that is right so; the environment that is made here is not touched by it"),
            evidence=(f"{python.path}: EXTERNALLY-MANAGED beside its standard library",), reference="python",
        )  # fmt: skip


def _none_fits(situation: Situation) -> Entry:
    wanted = situation.recipe.python.version
    machine = situation.machine
    found = tuple(f"{p.path}: {p.version}{_why_not(p, wanted)}" for p in machine.interpreters)
    return Entry(
        id="no-python", group="python", level="error",
        text=message("no Python fits: the recipe needs {wanted}", wanted=wanted),
        hint=message("install one; or name one with --python PATH"), commands=_commands(machine),
        evidence=found or ("no Python was found",), reference="python",
    )  # fmt: skip


def _why_not(python: Interpreter, wanted: str) -> str:
    if python.problem is not None:
        return f" ({python.problem})"
    if python.version not in specifiers(wanted):
        return " (outside of what the recipe needs)"
    return "" if python.has_venv else " (no venv module)"


def _commands(machine: Machine) -> tuple[str, ...]:
    name = machine.distribution or ""
    return tuple(command for names, command in _PACKAGES if name.startswith(names))


def _ask(host: Host, python: Interpreter) -> dict[str, Any]:
    """What it has; nothing of one that does not answer, which detection tells already."""
    answer = asked(host, PurePath(python.path), "-I", "-c", _ASKED, "modules", timeout=_SECONDS, patience=0.2)
    try:
        told = json.loads(answer.stdout) if answer and answer.ok else {}
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
