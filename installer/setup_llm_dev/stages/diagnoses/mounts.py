"""Which file system a path lies on, out of the kernel's own table of mounts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from setup_llm_dev.host.world import Host

NETWORK = ("nfs", "nfs4", "cifs", "smb3", "9p", "drvfs", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "afs", "lustre")
_TABLE = PurePath("/proc/self/mountinfo")


@dataclass(frozen=True)
class Mount:
    """One line of the table. `options` are those of the mount, such as `ro` and `noexec`."""

    place: str
    kind: str
    options: frozenset[str]


def mounts(host: Host) -> tuple[Mount, ...]:
    """All of them; none outside Linux."""
    return tuple(parsed(host.files.read_text(_TABLE) or ""))


def parsed(text: str) -> Iterable[Mount]:
    """The lines of mountinfo: number, parent, device, root, place, options, …, `-`, kind, source, more options.

    >>> list(parsed("22 1 0:21 / /my\\\\040data rw,noexec - nfs4 server:/a rw"))[0].place
    '/my data'
    """
    for line in text.splitlines():
        first, _, last = line.partition(" - ")
        fields, end = first.split(), last.split()
        if len(fields) > 5 and end:
            yield Mount(_plain(fields[4]), end[0], frozenset(fields[5].split(",")))


def mount_of(path: PurePath, table: Iterable[Mount]) -> Mount | None:
    """The innermost one that holds a path; of several on one place the last, which hides the others."""
    inside = [mount for mount in table if PurePath(mount.place) in (path, *path.parents)]
    longest = max((len(mount.place) for mount in inside), default=0)
    return next((mount for mount in reversed(inside) if len(mount.place) == longest), None)


def _plain(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)
