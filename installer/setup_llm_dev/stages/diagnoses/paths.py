"""Where things lie: names and places that programs trip over, on Windows and in WSL above all."""

import re
from collections.abc import Iterator
from pathlib import PurePath

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.deadline import asked
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.diagnoses.situation import Situation, Told

_SYNCED = re.compile(r"(OneDrive|Dropbox|Google Drive|GoogleDrive|iCloud ?Drive|Nextcloud|Mobile Documents)", re.I)
_DRIVE_IN_WSL = re.compile(r"/mnt/[a-z](/|$)")
_LONGEST_INSIDE = 140  # characters of the longest name below an environment of Windows, by torch's own headers
_WINDOWS_LIMIT = 259
_SHEBANG_LIMIT = 255  # of Linux, `#!` and the path of the interpreter
_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\FileSystem"


def look(situation: Situation) -> Iterator[Told]:
    host, layout = situation.host, situation.layout
    cache = PurePath(str(Uv(host, Surroundings()).cache_dir()))
    places = (layout.data, layout.workspace, layout.hub_cache)
    yield from non_ascii(host.home, windows=layout.windows)
    yield from synced(places[:2])
    if layout.windows:
        yield from drives(places)
        yield from long_paths(layout.environments / situation.recipe.name / "0123456789ab-1", _long_paths_on(host))
    elif situation.machine.environment == "wsl":
        yield from on_windows_drives((*places, cache))
    yield from shebangs(layout.environments / situation.recipe.name / "0123456789ab-1" / "bin" / "python")


def non_ascii(home: PurePath, *, windows: bool) -> Iterator[Entry]:
    """A user name with letters outside ASCII; pure, as all that follow."""
    if not str(home).isascii():
        yield Entry(
            id="home-not-ascii", group="windows" if windows else "system", level="warning" if windows else "info",
            text=message("the home folder has letters outside ASCII: {home}", home=str(home)),
            cause=message("setup-llm-dev copes with it; some compilers and older packages don't"),
            hint=message("if one fails, put data and project elsewhere: --home DIR --workspace DIR"),
            evidence=(f"home: {home}",), reference="windows",
        )  # fmt: skip


def synced(places: tuple[PurePath, ...]) -> Iterator[Entry]:
    for place in places:
        part = next((part for part in place.parts if _SYNCED.match(part)), None)
        if part is not None:
            yield Entry(
                id="synced-folder", group="windows", level="warning",
                text=message("{place} lies in a folder that {service} keeps in step with the cloud", place=str(place),
                             service=part),
                cause=message("it uploads ten thousands of files, and locks some while an environment is made"),
                hint=message("name folders outside of it: --home DIR --workspace DIR"),
                evidence=(f"{place}",), reference="windows",
            )  # fmt: skip


def drives(places: tuple[PurePath, ...]) -> Iterator[Entry]:
    """Data, project and models on several drives of Windows."""
    names = tuple(dict.fromkeys(place.drive.upper() for place in places if place.drive))
    if len(names) > 1:
        yield Entry(
            id="several-drives", group="windows", level="info",
            text=message("data, project and models lie on several drives: {drives}", drives=", ".join(names)),
            cause=message("files can't be cloned from one drive to another: they are copied"),
            hint=message("all on one drive installs faster: --home DIR --workspace DIR, HF_HOME, UV_CACHE_DIR"),
            evidence=tuple(map(str, places)), reference="windows",
        )  # fmt: skip


def long_paths(environment: PurePath, enabled: bool | None) -> Iterator[Entry]:
    """Windows without long paths, where an environment's longest names would not fit. enabled: None where unknown."""
    longest = len(str(environment)) + _LONGEST_INSIDE
    if enabled or longest <= _WINDOWS_LIMIT:
        return
    yield Entry(
        id="long-paths", group="windows", level="warning",
        text=message("paths would have up to {count} characters, and Windows takes {limit}", count=longest,
                     limit=_WINDOWS_LIMIT),
        hint=message("switch long paths on (as an administrator), or use a short folder: --home C:\\llm"),
        commands=(f"reg add {_KEY} /v LongPathsEnabled /t REG_DWORD /d 1 /f",),
        evidence=(f"{environment}: {len(str(environment))} characters", f"LongPathsEnabled: {enabled}"),
        reference="windows",
    )  # fmt: skip


def on_windows_drives(places: tuple[PurePath, ...]) -> Iterator[Entry]:
    found = [place for place in dict.fromkeys(places) if _DRIVE_IN_WSL.match(str(place))]
    if found:
        yield Entry(
            id="wsl-windows-drive", group="windows", level="warning",
            text=message("inside WSL, {places} lies on a drive of Windows", places=", ".join(map(str, found))),
            cause=message("every file there goes through a network protocol: many times slower, and without Linux' "
                          "rights"),
            hint=message("put them into the home folder of WSL; Windows sees it as \\\\wsl.localhost"),
            evidence=tuple(map(str, found)), reference="windows",
        )  # fmt: skip


def shebangs(python: PurePath) -> Iterator[Entry]:
    if not python.drive and len(f"#!{python}") > _SHEBANG_LIMIT:
        yield Entry(
            id="path-too-long", group="system", level="warning",
            text=message("the path of the environment is too long for scripts that name their interpreter: {count} "
                         "characters", count=len(str(python))),
            hint=message("use a shorter folder: --home DIR"), evidence=(str(python),), reference="disk",
        )  # fmt: skip


def _long_paths_on(host: Host) -> bool | None:
    answer = asked(host, r"C:\Windows\System32\reg.exe", "query", _KEY, "/v", "LongPathsEnabled", timeout=5)
    if answer is None or not answer.ok:
        return None
    return "0x1" in answer.stdout
