"""Whether an IDE runs that would write its settings over ours, or whose own files we are about to replace."""

import csv
import re
from collections.abc import Iterator
from pathlib import PurePath, PurePosixPath
from typing import NamedTuple

from setup_llm_dev.documents.product_info import FILE, read_product_info
from setup_llm_dev.errors import SetupError
from setup_llm_dev.host.ide.java_home import java_user_home
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

_PROC = PurePosixPath("/proc")
_DELETED = " (deleted)"  # what the kernel says of a program whose file was replaced while it runs
_DEEP = 4  # jbr/Contents/Home/bin/java, from the folder of an IDE
_BUNDLE = re.compile(r"^(/.*?\.app)/Contents/(?:MacOS|jbr)/")
_WINDOWS_PROGRAMS = ("pycharm64.exe", "pycharm.exe")


class _Process(NamedTuple):
    """`program` is the file that runs, links followed; `arguments` its own first; `anywhere`: wherever it is."""

    id: str
    program: PurePath | None
    arguments: tuple[str, ...]
    anywhere: bool = False
    settings: tuple[PurePath, ...] = ()  # where those of its environment lie, one of them; empty: not known


def running_ide(host: Host, settings: PurePath, home: PurePath) -> Message | None:
    """Who runs out of the folder `home`, or with the settings folder `settings`; None where nobody does.

    A running IDE keeps its settings in memory and writes them when it ends. It is found by its program and its options,
    since other installations may share one settings folder; a process that we may not look at belongs to somebody else.
    Windows tells no paths, so there any PyCharm counts.
    """
    whole = host.files.resolve(home)
    own = host.files.resolve(settings)
    for process in _processes(host):
        if _below(process, whole) or _uses(host, process, own):
            return _said(process)
    return None


def running_from(host: Host, home: PurePath) -> Message | None:
    """Who runs out of the folder `home`; None where nobody does."""
    whole = host.files.resolve(home)
    return next((_said(process) for process in _processes(host) if _below(process, whole)), None)


def _said(process: _Process) -> Message:
    program = str(process.program) if process.program else process.arguments[0]
    return message("PyCharm is running: {program}, process {id}", program=program, id=process.id)


def _below(process: _Process, home: PurePath) -> bool:
    return process.anywhere or (process.program is not None and process.program.is_relative_to(home))


def _uses(host: Host, process: _Process, settings: PurePath) -> bool:
    """Options that name a folder of settings decide; without them, an IDE uses the one of its product-info.json."""
    told = dict(_options(process.arguments))
    if "idea.config.path" in told:
        return _same(host, told["idea.config.path"], settings)
    if process.settings and settings.parent not in process.settings:
        return False  # of another user's home, or of another place for settings
    if "idea.paths.selector" in told:
        return told["idea.paths.selector"] == settings.name
    return process.program is not None and _settings_name(host, process.program) == settings.name


def _options(arguments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for argument in arguments:
        name, equals, value = argument.removeprefix("-D").partition("=")
        if equals and argument.startswith("-Didea."):
            yield name, value


def _same(host: Host, told: str, settings: PurePath) -> bool:
    path = type(settings)(told.replace("${user.home}", str(host.home)))
    return path.is_absolute() and host.files.resolve(path) == settings


def _settings_name(host: Host, program: PurePath) -> str | None:
    """The settings folder of the PyCharm that a program belongs to; None for every other program."""
    for folder in tuple(program.parents)[:_DEEP]:
        for inside in ("", "Resources"):  # of a bundle's Contents, where its programs are
            text = host.files.read_text(folder / inside / FILE)
            if text is not None:
                info = read_product_info(text)
                return info.settings_name if info else None
    return None


def _processes(host: Host) -> Iterator[_Process]:
    if host.system.platform == "linux":
        yield from _of_proc(host)
        return
    try:
        yield from _of_tasklist(host) if host.system.platform == "win32" else _of_ps(host)
    except SetupError:
        return  # a system that can't list its processes; IDEs there are asked to be closed in words


def _of_proc(host: Host) -> Iterator[_Process]:
    for name in host.files.list_dir(_PROC):
        program = host.files.link_target(_PROC / name / "exe") if name.isdigit() else None
        if program is None:
            continue  # a thread of the kernel, or somebody else's
        line = host.files.read_text(_PROC / name / "cmdline") or ""
        path = PurePosixPath(program.removesuffix(_DELETED))
        words = tuple(line.rstrip("\0").split("\0"))
        yield _Process(name, path, words, settings=_settings_folders(host, _PROC / name / "environ"))


def _settings_folders(host: Host, environment: PurePath) -> tuple[PurePath, ...]:
    """By the process's own environment; without XDG_CONFIG_HOME Java may go by HOME or by the list of users."""
    text = host.files.read_text(environment)
    if not text:
        return ()
    told = dict(line.partition("=")[::2] for line in text.split("\0"))
    named = told.get("XDG_CONFIG_HOME", "")
    if named.startswith("/"):
        return (host.files.resolve(PurePosixPath(named) / "JetBrains"),)
    homes = (told.get("HOME", ""), str(java_user_home(host)))
    return tuple(host.files.resolve(PurePosixPath(home) / ".config" / "JetBrains") for home in homes if home)


def _of_ps(host: Host) -> Iterator[_Process]:
    """macOS: one line a process, whose arguments are not told apart; paths of bundles are, by their end."""
    told = host.programs.run(("/bin/ps", "-axww", "-o", "pid=,command="), timeout=5)
    for line in told.stdout.splitlines():
        number, _, command = line.strip().partition(" ")
        bundle = _BUNDLE.match(command)
        program = PurePosixPath(bundle[0], "program") if bundle else None
        yield _Process(number, program, tuple(re.split(r" (?=-D)", command.strip())))


def _of_tasklist(host: Host) -> Iterator[_Process]:
    root = host.environment.get("SYSTEMROOT", "C:\\Windows")
    told = host.programs.run((f"{root}\\System32\\tasklist.exe", "/FO", "CSV", "/NH"), timeout=10)
    for row in csv.reader(told.stdout.splitlines()):
        if len(row) > 1 and row[0].lower() in _WINDOWS_PROGRAMS:
            yield _Process(row[1], None, (row[0],), anywhere=True)
