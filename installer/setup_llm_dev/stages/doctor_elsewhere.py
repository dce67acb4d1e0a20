"""The world of a machine that is not here: its recording, or one of which nothing but the Machine is known."""

from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import NoReturn, cast

from setup_llm_dev.documents.machine import Os
from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.recorded import RecordedFiles, RecordedPrograms, recorded_host
from setup_llm_dev.host.world import Host, System
from setup_llm_dev.messages import message

_NAMES: dict[Os, str] = {"linux": "linux", "macos": "darwin", "windows": "win32"}


def recording_at(path: Path) -> Host | None:
    """The recorded computer, if there is a recording in the folder, or it is the file itself."""
    folder = path.parent if path.name == "recording.toml" else path
    return recorded_host(folder) if (folder / "recording.toml").is_file() else None


def unknown_host(os: Os) -> Host:
    """A computer of which nothing is known but its operating system: no file, no program, no network."""
    flavour: type[PurePath] = PureWindowsPath if os == "windows" else PurePosixPath
    home = PureWindowsPath("C:\\Users\\user") if os == "windows" else Path("/home/user")
    return Host(
        programs=RecordedPrograms((), {}),
        files=RecordedFiles({}, {}, 0, flavour=flavour),
        environment={},
        home=cast(Path, home),
        cancel=Cancel(),
        fetcher=_no_network,
        system=System(platform=_NAMES[os], machine="", release="", executable=""),
    )


def _no_network() -> NoReturn:
    raise SystemRefused(message("a recorded computer has no network"))
