"""Who made a partial file, and whether that process is proved to be gone."""

import functools
import hashlib
import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: machine and boot as short hashes, the namespace of its number, its number, and when it started."""

    machine: str
    boot: str
    namespace: str
    process: int
    started: str

    @property
    def place(self) -> str:
        """Machine, boot and namespace in one short hash: within it a number means one process at a time."""
        return _short(self.machine, self.boot, self.namespace)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), sort_keys=True)


def read_owner(text: str) -> Owner | None:
    """What `Owner.to_json` wrote, None for anything else."""
    try:
        row = json.loads(text)
        return Owner(
            str(row["machine"]), str(row["boot"]), str(row["namespace"]), int(row["process"]), str(row["started"])
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def this_process() -> Owner:
    """The owner of what we make."""
    process = os.getpid()
    return Owner(_machine(), _boot(), _namespace(), process, _started(process))


def is_gone(owner: Owner) -> bool | None:
    """Whether its process is proved to have ended; None where nobody can tell (another machine, another container).

    On Windows the answer is yes: there a file in use can't be renamed, and the attempt is the proof.
    """
    here = this_process()
    if owner == here:
        return False
    if sys.platform == "win32":
        return True
    if owner.machine != here.machine:
        return None
    if owner.boot != here.boot:
        return True
    if owner.namespace != here.namespace:
        return None
    try:
        os.kill(owner.process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return None if owner.started == "" else _started(owner.process) != owner.started
    return bool(owner.started) and _started(owner.process) != owner.started


def is_gone_from(place: str, process: int) -> bool | None:
    """As `is_gone`, where only the place and the number are known: whoever has that number now passes for its owner."""
    if sys.platform == "win32" or place != this_process().place:
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return None


@functools.cache
def _machine() -> str:
    return _short(_read("/etc/machine-id"), platform.node())


@functools.cache
def _boot() -> str:
    return _short(_read("/proc/sys/kernel/random/boot_id"))


@functools.cache
def _namespace() -> str:
    try:
        return _short(os.readlink("/proc/self/ns/pid"))  # a number, such as pid:[4026531836]
    except OSError:
        return _short("")


def _started(process: int) -> str:
    """In ticks since the boot; empty where the system does not tell."""
    text = _read(f"/proc/{process}/stat").rpartition(")")[2].split()
    return text[19] if len(text) > 19 else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _short(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
