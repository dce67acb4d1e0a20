"""The user's desktop: whether there is one, and a program that is handed over to it."""

import sys
from pathlib import Path, PurePath

from setup_llm_dev.errors import SetupError
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

# What an IDE needs of a session: display, look, input methods (without them nobody types Chinese), keys, its own.
_KEPT = frozenset({
    "HOME", "SHELL", "PATH", "LANGUAGE", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION", "SESSION_MANAGER", "XMODIFIERS", "SSH_AUTH_SOCK", "USERPROFILE", "APPDATA", "LOCALAPPDATA",
    "PROGRAMDATA", "PROGRAMFILES", "HOMEDRIVE", "HOMEPATH",
})  # fmt: skip
_KEPT_STARTS = ("LC_", "XDG_", "GTK_", "GDK_", "QT_", "KDE_", "GNOME_", "IBUS_", "FCITX_", "PYCHARM_")
_REMOTE = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_START_SECONDS = 15.0

# In a process between us and the program, which ends at once: whoever is left has no parent that would wait for it,
# and a session of its own, so that neither our end nor a closed terminal reaches it.
_HAND_OVER = (
    "import os, subprocess, sys\n"
    "apart = {'start_new_session': True} if os.name != 'nt' else {'creationflags': 0x00000208}\n"
    "try:\n"
    "    subprocess.Popen(sys.argv[2:], cwd=sys.argv[1], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,\n"
    "                     stderr=subprocess.DEVNULL, **apart)\n"
    "except OSError as error:\n"
    "    print(error.strerror or error, file=sys.stderr, flush=True)\n"
    "    os._exit(1)\n"
    "os._exit(0)\n"
)


def has_display(host: Host) -> bool:
    """Whether a window that we open would be seen by the person in front of us."""
    if host.system.platform == "linux":
        return any(host.environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return not any(host.environment.get(name) for name in _REMOTE)


def open_in_ide(host: Host, launcher: PurePath, workspace: PurePath, python: PurePath | None = None) -> Message | None:
    """Start an IDE with a project and leave it alone: it outlives us. Why it could not be started, if it couldn't.

    python: the interpreter that PyCharm takes for a project that names none it knows.
    """
    added = {"PYCHARM_PYTHON_PATH": str(python)} if python is not None else {}
    argv = (sys.executable, "-I", "-S", "-c", _HAND_OVER, _folder(host), launcher, workspace)
    try:
        done = host.programs.run(argv, environment=_session(host) | added, timeout=_START_SECONDS)
    except SetupError as error:
        return error.message
    if done.ok:
        return None
    why = done.stderr.strip().splitlines()[-1:] or ["?"]
    return message("{program} could not be started: {why}", program=str(launcher), why=why[0])


def _session(host: Host) -> dict[str, str]:
    """Of the user's environment what an IDE needs; no token is among it."""
    return {
        name: value for name, value in host.environment.items() if name in _KEPT or name.startswith(_KEPT_STARTS)
    }  # fmt: skip


def _folder(host: Host) -> PurePath:
    """Where it runs: not where we were called, which may be a stick that somebody wants to unmount."""
    return host.home if host.files.is_dir(host.home) else Path(host.home.anchor)
