"""Kill a command at a change of the disk, run it again, and judge: the work of one kill point."""

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.e2e.machine import Machine, processes_of
from tests.e2e.toy import Toy
from tests.kill.lived_in import TABLE
from tests.oracle import Manifest, changes, comparable, done_holds, manifest

PROGRAM = Path(__file__).with_name("killed_at.py")
OURS = (".local/share/setup-llm-dev/journals/", ".local/share/setup-llm-dev/logs/", ".local/share/uv/")

SCRATCH = ".local/share/setup-llm-dev/scratch"
"""The folder itself comes and goes; what is in it must be gone."""


@dataclass
class Sweep:
    """All points of one command on machines at one place.

    `inhabit` puts into an empty home what is the user's; `prepare` brings it from there to where the command starts.
    """

    toy: Toy
    place: Path
    words: tuple[str, ...]
    prepare: Callable[[Machine], None]
    inhabit: Callable[[Path], None]
    failures: list[str] = field(default_factory=list)
    killed: int = 0
    _foreign: Manifest = field(default_factory=dict)
    _tables: set[bytes | None] = field(default_factory=set)

    def undisturbed(self) -> tuple[int, dict[str, str]]:
        """How many changes a run makes, and the tree that it leaves."""
        machine = self._fresh()
        self.note_table(machine)
        assert not self._killed(machine, 0), "a run without a kill was killed"
        self.note_table(machine)
        assert self._harm(machine) == []
        return int((self.place / "count").read_text()), tree(machine.home)

    def note_table(self, machine: Machine) -> None:
        """The table of interpreters as it is now is one that a kill may leave."""
        self._tables.add(_table(machine))

    def at(self, point: int, wanted: dict[str, str]) -> None:
        """Kill before change number `point`, heal, compare; what is wrong is kept in `failures`."""
        machine = self._fresh()
        if not self._killed(machine, point):
            return  # the order of lanes differs from run to run: this one made fewer changes
        self.killed += 1
        wrong = self._half_visible(machine) + self._harm(machine)
        wrong += self._heal(machine) + self._harm(machine)
        wrong += differences(wanted, tree(machine.home))
        wrong += [f"still running: {words}" for words in processes_of(self.place)]
        # Names of Python's own, by which it tries the folder out, are not ours to sweep.
        ours = [name for name in os.listdir(self.place / "tmp") if name.startswith(("setup-llm-dev", "tmp", "."))]
        wrong += [f"left in the temporary folder: {name}" for name in ours]
        self.failures += [f"point {point}: {line}" for line in wrong]

    def _half_visible(self, machine: Machine) -> list[str]:
        """A link that is there points to a whole environment, at any moment."""
        if not machine.venv.is_symlink():
            return []
        return [] if (machine.generation / "generation.json").is_file() else ["visible, but not whole"]

    def _harm(self, machine: Machine) -> list[str]:
        """What is the user's has its bytes, modes and times; a table of interpreters is one between two edits."""
        found = {path: entry for path, entry in manifest(machine.home).items() if path in self._foreign}
        wrong = [f"of the user's, {line}" for line in changes(self._foreign, found) if not line.endswith(f" {TABLE}")]
        return wrong if _table(machine) in self._tables else [*wrong, "the table of interpreters is torn"]

    def _heal(self, machine: Machine) -> list[str]:
        done = machine.run(*self.words)
        if done.code != 0:
            return [f"the same command ended with {done.code}: {done.err[-300:]}"]
        if "apply" not in self.words:
            return []
        try:
            return done_holds(machine.workspace)
        except OSError as error:
            return [f"done, but {error}"]

    def _fresh(self) -> Machine:
        shutil.rmtree(self.place, ignore_errors=True)
        (self.place / "tmp").mkdir(parents=True)
        machine = self.toy.machine(self.place / "home", TMPDIR=str(self.place / "tmp"))
        machine.home.mkdir()
        self.toy.uv_cache.mkdir(exist_ok=True)  # all machines share it: none of them is the one that makes it
        self.inhabit(machine.home)
        self._foreign = manifest(machine.home)
        self.prepare(machine)
        return machine

    def _killed(self, machine: Machine, point: int) -> bool:
        start = (sys.executable, "-I", PROGRAM, self.place / "count", str(point))
        done = replace(machine, command=start).run(*self.words)
        if done.code not in (0, -signal.SIGKILL):
            self.failures.append(f"point {point}: ended with {done.code}: {done.err[-300:]}")
        return done.code == -signal.SIGKILL


def tree(home: Path) -> dict[str, str]:
    """A machine's tree without what two runs may have different: times, inodes, our notes of each run."""
    found = comparable(home, _without_times)
    return {
        _undated(name): line for name, line in found.items() if not name.startswith(OURS) and name != SCRATCH
    }  # fmt: skip


def _undated(name: str) -> str:
    """A backup's name says when it was made."""
    return re.sub(r"(/backups/.+)\.\d{8}T\d+Z\.", r"\1.", name)


def _table(machine: Machine) -> bytes | None:
    place = machine.home / TABLE
    return place.read_bytes() if place.is_file() else None


def differences(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    """Paths that only one tree has, or that differ."""
    lines = [f"missing: {name}" for name in sorted(wanted.keys() - found.keys())]
    lines += [f"too much: {name}" for name in sorted(found.keys() - wanted.keys())]
    common = sorted(wanted.keys() & found.keys())
    return lines + [f"differs: {name}" for name in common if wanted[name] != found[name]]


def _without_times(name: str, data: bytes) -> bytes:
    if name.endswith("setup-llm-dev.lock.toml"):
        return re.sub(rb"(?m)^created = .*$", b"", data)
    if name.endswith("/report.json"):
        report = json.loads(data)
        return json.dumps([report["verdict"], report["gaps"], report["torch"], report["places"]]).encode()
    if name.endswith("generation.files"):
        return json.dumps(sorted(entry[:3] for entry in json.loads(data))).encode()
    if re.search(r"/ide/pycharm-[^/]+\.json$", name):
        facts = json.loads(data)
        facts["tree"]["files"] = sorted(entry[:3] for entry in facts["tree"]["files"])
        return json.dumps(facts).encode()
    if name.endswith("/.manifest.json"):
        return json.dumps({path: {**file, "stat": None} for path, file in json.loads(data).items()}).encode()
    return data
