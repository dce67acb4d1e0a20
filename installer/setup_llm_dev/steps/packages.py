"""Fill a generation from the lock, prove every file, and make the choice of torch stick."""

import configparser
import io
import json
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

import msgspec

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.documents.pylock import LockedWheel
from setup_llm_dev.errors import Corrupt, SetupError, Unreachable
from setup_llm_dev.host.configuration import read_surroundings
from setup_llm_dev.host.installed import (
    Difference,
    InstalledFile,
    compare,
    distributions,
    measured,
    read_records,
)
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.host.temporary import temporary
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps import large_wheels
from setup_llm_dev.steps.environment import COMPLETE, read_marker
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied

FILES = "generation.files"
CONSTRAINTS = "constraints.txt"
_SHOWN = 5


@dataclass(frozen=True)
class InstallPackages:
    """`pylock` is a file of ours with `sha256`; `constraints` are lines such as `torch==2.13.0+cpu`.

    `python` lies in `folder`; `facts` go into generation.json for people and for later runs.
    """

    kind: ClassVar[str] = "packages"
    folder: PurePath
    python: PurePath
    pylock: PurePath
    sha256: str
    count: int
    constraints: tuple[str, ...]
    config: PurePath
    store: PurePath
    facts: tuple[tuple[str, str], ...] = ()
    optional: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("environment", "pylock")
    phase: ClassVar[Phase] = "stage"

    @property
    def id(self) -> str:
        return "packages"

    def describe(self) -> Message:
        return message("install {count} packages by the lock, and prove each file", count=self.count)

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        return self.prove(host, full=False)

    def prove(self, host: Host, *, full: bool) -> Satisfied | Unsatisfied:
        """Every file of every wheel is what RECORD says; `full` hashes all, else only what was touched."""
        marker = read_marker(host, self.folder)
        if marker is None:
            return Unsatisfied(message("the packages are not installed yet"))
        if marker.get("pylock_sha256") != self.sha256:
            return Unsatisfied(message("it was made from another lock"))
        differences = differing(host, self.folder, full=full)
        if differences is None:
            return Unsatisfied(message("the list of its files is missing"))
        if not differences:
            return Satisfied()
        named = ", ".join(f"{d.path} ({d.what})" for d in differences[:_SHOWN])
        if len(differences) > _SHOWN:
            more = len(differences) - _SHOWN
            return Unsatisfied(message("not as installed: {files} and {count} more", files=named, count=more))
        return Unsatisfied(message("not as installed: {files}", files=named))

    def apply(self, host: Host, progress: Progress) -> Receipt:
        with host.files.flushing(self.folder):
            self._fill(host, progress)
            host.files.remove(self.folder / ".lock")  # uv leaves it writable for everybody
            progress(None, None, "", message("checking every file"))
            files, differences = read_records(
                Path(self.folder), lambda n: progress(n, None, "files", None), cancel=host.cancel
            )
        if differences:
            named = ", ".join(f"{d.path} ({d.what})" for d in differences[:_SHOWN])
            raise Corrupt(message("installed files are not what their wheels say: {files}", files=named))
        self._make_stick(host)
        own = measured(Path(self.folder), ("pyvenv.cfg", CONSTRAINTS, self._pip_settings))
        host.files.write(self.folder / FILES, msgspec.json.encode((*own, *files)))
        host.files.flush_tree(self.folder)
        marker = dict(self.facts) | {"pylock_sha256": self.sha256, "files": len(files)}
        host.files.write(self.folder / COMPLETE, json.dumps(marker, indent=1).encode())
        return {"files": len(files), "bytes": sum(file.size for file in files)}

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        return ()  # the whole generation goes with the environment

    def record(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "sha256": self.sha256}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "InstallPackages":
        folder = Path(record["folder"])
        return cls(folder, folder, folder, record["sha256"], 0, (), folder, folder)

    def _fill(self, host: Host, progress: Progress) -> None:
        """uv installs; large wheels that its cache lacks come through our own engine first, which resumes."""
        surroundings = read_surroundings(host, self.config)
        uv = Uv(host, surroundings)
        pylock = host.files.read_bytes(self.pylock).decode()
        large = large_wheels.large_wheels(host, pylock, surroundings)
        if large and self._cached(uv):
            return
        try:
            self._install(host, uv, pylock, large, progress)
        except (Unreachable, Corrupt) as error:
            spares = large_wheels.with_spares(pylock, surroundings)
            if not surroundings.chosen or set(spares) <= set(large):
                raise
            # uv asks one address alone; our own engine asks every mirror that we know of.
            progress(None, None, "", message("{why}; others are asked", why=error.message))
            self._install(host, uv, pylock, tuple(dict.fromkeys((*large, *spares))), progress)

    def _install(self, host: Host, uv: Uv, pylock: str, ours: tuple[LockedWheel, ...], progress: Progress) -> None:
        """By uv, but `ours` through our own engine."""
        if ours:
            large_wheels.fetch(host, ours, self.store, uv.surroundings, progress)
        with temporary() as folder:
            local = large_wheels.from_store(host, pylock, ours, self.store, folder) if ours else self.pylock
            uv.sync(local, self.python, lambda line: progress(None, None, "", _talk(line)))

    def _cached(self, uv: Uv) -> bool:
        """Whether uv's own cache has everything: then there is nothing to fetch, by whomever."""
        try:
            uv.sync(self.pylock, self.python, offline=True)
        except SetupError:
            return False
        return True

    def _make_stick(self, host: Host) -> None:
        """A later `pip install` in this environment can't swap the torch build: pip reads the venv's own pip.conf."""
        host.files.write(self.folder / CONSTRAINTS, "".join(f"{line}\n" for line in self.constraints).encode())
        settings = configparser.RawConfigParser()
        # As a URL, since pip splits this value at spaces, and a home folder may have one.
        settings["install"] = {"constraint": Path(self.folder / CONSTRAINTS).as_uri()}
        text = io.StringIO()
        settings.write(text)
        host.files.write(self.folder / self._pip_settings, text.getvalue().encode())

    @property
    def _pip_settings(self) -> str:
        """Where pip looks for the settings of an environment."""
        return "pip.ini" if self.python.suffix == ".exe" else "pip.conf"


def differing(host: Host, folder: PurePath, *, full: bool = False) -> tuple[Difference, ...] | None:
    """What is not as installed in a generation; None where the list of files is gone or damaged."""
    try:
        data = host.files.read_bytes(folder / FILES)
        known = msgspec.json.decode(data, type=tuple[InstalledFile, ...])
    except (OSError, msgspec.DecodeError):
        return None
    return compare(Path(folder), known, full=full, cancel=host.cancel)


def added_by_hand(host: Host, folder: PurePath) -> tuple[str, ...]:
    """Distributions in a generation that are not of its lock."""
    try:
        known = msgspec.json.decode(host.files.read_bytes(folder / FILES), type=tuple[InstalledFile, ...])
    except (OSError, msgspec.DecodeError):
        return ()
    ours = {Path(file.path).parent.name for file in known if file.path.endswith("METADATA")}
    names = {name.removesuffix(".dist-info").rpartition("-")[0].replace("_", "-").lower() for name in ours}
    return tuple(sorted(f"{n}=={v}" for n, v in distributions(Path(folder)).items() if n not in names))


def _talk(line: str) -> Message:
    return message("{text}", text=line.strip())
