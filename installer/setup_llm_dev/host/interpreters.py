"""The Pythons of a computer: where they may lie, and what each says of itself when it is asked."""

import json
import re
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import PurePath

from setup_llm_dev.documents.machine import Interpreter
from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.deadline import Aside
from setup_llm_dev.host.places import Places
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

# Without one import beyond what every start does: a dozen of Pythons may be asked, and each import costs a millisecond.
ASKED = """
import os, sys
def word(s): return '"' + s.replace("\\\\", "\\\\\\\\").replace('"', '\\\\"') + '"'
def yes(b): return "true" if b else "false"
name = sys.implementation.name
home = os.path.dirname(os.__file__)
if sys.platform.startswith("linux"): system = "linux-" + os.uname().machine
else:
    import sysconfig
    system = sysconfig.get_platform()
told = "{" + ", ".join([
    '"version": ' + word(sys.version.split()[0]),
    '"implementation": ' + word({"cpython": "CPython", "pypy": "PyPy"}.get(name, name)),
    '"platform": ' + word(system),
    '"venv": ' + yes(os.path.isfile(os.path.join(home, "venv", "__init__.py"))),
    '"bits": ' + ("64" if sys.maxsize > 2**32 else "32"),
    '"free_threaded": ' + yes("free-threading" in sys.version),
    '"base": ' + word(getattr(sys, "_base_executable", None) or ""),
    '"conda": ' + yes(os.path.isdir(os.path.join(sys.base_prefix, "conda-meta")))]) + "}"
sys.stdout.buffer.write(told.encode("utf-8", "surrogateescape"))
"""
OLDEST = (3, 10)
_NAMES = ("python3", *(f"python3.{minor}" for minor in range(20, 9, -1)))
_NAME = re.compile(r"python3(\.\d+)?|python\.exe")
_TOO_OLD = re.compile(r"python(2|3\.[0-8]\b)")  # no build that we know runs on them: not worth starting
_FINAL = re.compile(r"\d+\.\d+\.\d+\+?")  # the plus is a distribution's own: built from later sources
_SECONDS = 10.0


def find_interpreters(host: Host, places: Places, arch: str) -> tuple[Interpreter, ...]:
    """Every CPython that is installed: the running one first, then as found; unusable ones carry `problem`.

    Scripts (shims of version managers) and environments are not interpreters of their own; conda's are left
    out, unless one runs this tool.
    """
    names = _by_real_path(host, places)
    asides = [Aside(partial(_ask, host, real)) for real in names]
    until = time.monotonic() + 2 * _SECONDS
    answers = [aside.answer(until, {"failure": "no answer"}) for aside in asides]
    ours = str(host.files.resolve(PurePath(host.system.executable)))
    found: dict[str, Interpreter] = {}
    for real, answer in zip(names, answers, strict=True):
        running = real == ours
        if answer.get("conda") and not running:
            continue
        named = answer.get("base")
        base = str(host.files.resolve(PurePath(str(named)))) if named else real
        shown = _shown(names[base]) if base in names else base
        found.setdefault(base, _interpreter(shown, answer, arch, running))
    return tuple(found.values())


def ask_interpreter(host: Host, path: PurePath, arch: str) -> Interpreter:
    """The Python that someone named; one inside an environment stands for the Python it was made from."""
    answer = _ask(host, str(path))
    base = str(answer.get("base") or path)
    if not host.files.exists(path.parent.parent / "pyvenv.cfg"):
        base = str(path)
    ours = host.files.resolve(PurePath(host.system.executable))
    return _interpreter(base, answer, arch, running=host.files.resolve(PurePath(base)) == ours)


def _by_real_path(host: Host, places: Places) -> dict[str, list[PurePath]]:
    """Real path of each candidate → the names that lead to it, in order; the running interpreter first."""
    found: dict[str, list[PurePath]] = {}
    for path in _candidates(host, places):
        if not host.files.is_file(path) or _is_script(host, path):
            continue
        real = host.files.resolve(path)
        if _TOO_OLD.match(real.name):
            continue
        names = found.setdefault(str(real), [])
        if not host.files.exists(path.parent.parent / "pyvenv.cfg"):
            names.append(path)
    return {real: names or [PurePath(real)] for real, names in found.items()}


def _candidates(host: Host, places: Places) -> Iterator[PurePath]:
    yield PurePath(host.system.executable)
    for name in _NAMES if host.system.platform != "win32" else ("python",):
        path = host.programs.find(name)
        if path and "WindowsApps" not in path.parts:  # a stub that opens the shop
            yield path
    nested = (nest / name / places.inside for nest in places.nests for name in host.files.list_dir(nest))
    for folder in (*places.interpreters, *nested):
        yield from (folder / name for name in host.files.list_dir(folder) if _NAME.fullmatch(name))


def _is_script(host: Host, path: PurePath) -> bool:
    try:
        return host.files.read_bytes(path, 2) == b"#!"
    except OSError:
        return True


def _ask(host: Host, path: str) -> dict[str, object]:
    """What the interpreter at `path` prints, or `{"failure": …}`. It sees none of the user's environment.

    Nor what is installed for it: the .pth files of its packages may run code, and can cost more than Python itself.
    """
    try:
        answer = host.programs.run((path, "-I", "-S", "-c", ASKED, "interpreter"), timeout=_SECONDS)
    except SystemRefused as error:
        return {"failure": str(error)}
    if answer.timed_out:
        return {"failure": "no answer"}
    try:
        told = json.loads(answer.stdout)
    except ValueError:
        told = None
    if not answer.ok or not isinstance(told, dict):
        return {"failure": (answer.stderr.strip().splitlines() or [f"exit code {answer.code}"])[-1][:200]}
    return told


def _interpreter(path: str, answer: dict[str, object], arch: str, running: bool) -> Interpreter:
    return Interpreter(
        path=path,
        version=str(answer.get("version", "")),
        platform=str(answer.get("platform", "")),
        has_venv=bool(answer.get("venv", False)),
        running=running,
        problem=_problem(answer, arch),
    )


def _problem(answer: dict[str, object], arch: str) -> Message | None:
    if "failure" in answer:
        return message("it does not run: {why}", why=str(answer["failure"]))
    if answer.get("implementation") != "CPython":
        return message("it is {implementation}, not CPython", implementation=str(answer.get("implementation")))
    if _numbers(str(answer["version"])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return message("it is too old: PyTorch's present releases begin with Python {oldest}", oldest=oldest)
    if answer.get("bits") != 64:
        return message("it is a 32-bit Python; PyTorch has 64-bit builds only")
    if answer.get("free_threaded"):
        return message("it is a free-threaded build, which many packages do not support yet")
    if not _FINAL.fullmatch(str(answer["version"])):
        return message("it is a pre-release of Python")
    if arch == "arm64" and str(answer.get("platform", "")).endswith(("x86_64", "amd64")):
        return message("it is a Python for x86_64 on an arm64 processor")
    if not answer.get("venv"):
        return message("it has no venv module (Debian and Ubuntu: install python3-venv)")
    return None


def _numbers(version: str) -> tuple[int, ...]:
    """Of the feature release: (3, 12) of `3.12.4`."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _shown(names: Iterable[PurePath]) -> str:
    """The name that stays the same Python after an upgrade: one with the version in it, if there is one."""
    every = tuple(names)
    return str(next((n for n in every if re.search(r"python3\.\d+", n.name)), every[0]))
