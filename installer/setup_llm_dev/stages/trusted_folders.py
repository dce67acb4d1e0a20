"""Folders whose contents we believe: nobody else may write in them, or put another one in their place.

What lies in the data folder is run without another look: environments, programs, models. On Windows the mode of a
folder says nothing about who may write there, so nothing is asked of it.
"""

import os
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

_EVERYBODY = 1 << 32  # user ids of a machine that is no container
_ROOT = 0
_UNMAPPED = 65534  # who a file of root's belongs to in a container that does not know the real root
_ROOTS = (_ROOT, _UNMAPPED)
_WITHOUT_MODES = frozenset({"drvfs", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "vboxsf", "cifs", "smb3"})


def refuse_untrusted(host: Host, layout: Layout) -> None:
    """Raises Refused (3), with the repair, where somebody else could have written what we would use. Only reads.

    Fine are parents that are root's or sticky as /tmp is, and folders that only the user's own private group may write.
    """
    if os.name == "nt":
        return
    look = _Look.of(host)
    for folder in (layout.data, *_inside(layout)):
        look.at_ours(Path(folder), message("or use another folder: --home DIR"))
    look.at_ours(Path(layout.own), message("or use another project folder: --workspace DIR"))
    for folder in host.files.resolve(layout.data).parents:
        look.at_parent(folder)


def _inside(layout: Layout) -> Iterator[PurePath]:
    yield from (layout.environments, layout.models, layout.store, layout.ides, layout.journals, layout.backups,
                layout.proofs, layout.logs, layout.scratch)  # fmt: skip
    yield from (layout.data / name for name in ("locks", "programs"))


@dataclass(frozen=True)
class _Look:
    """`user`: who we are; `above`: whose parents are good enough, which is also the owner of the home we work in."""

    host: Host
    user: int
    above: frozenset[int]

    @classmethod
    def of(cls, host: Host) -> "_Look":
        user = os.geteuid()
        home = _status(host.home)
        above = {user, _ROOT, *([home.st_uid] if home else []), *([_UNMAPPED] if _in_container(host) else [])}
        return cls(host, user, frozenset(above))

    def at_ours(self, folder: Path, otherwise: Message) -> None:
        status = _status(folder)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return
        if status.st_uid not in (self.user, _ROOT):
            raise self._foreign(folder, status, otherwise)
        if self._open(status, group=True) and _keeps_modes(self.host, folder):
            raise self._writable(folder, "go-w", otherwise)

    def at_parent(self, folder: Path) -> None:
        status = _status(folder)
        if status is None or status.st_mode & stat.S_ISVTX:
            return
        otherwise = message("or use another folder: --home DIR")
        if status.st_uid not in self.above:
            raise self._foreign(folder, status, otherwise)
        if self._open(status, group=status.st_uid not in _ROOTS) and _keeps_modes(self.host, folder):
            raise self._writable(folder, "go-w" if status.st_uid == self.user else "+t", otherwise)

    def _open(self, status: os.stat_result, *, group: bool) -> bool:
        """Whether others may write there; `group`: whether a group of others counts, as it does not in root's."""
        if status.st_mode & stat.S_IWOTH:
            return True
        return group and bool(status.st_mode & stat.S_IWGRP) and not _private(status.st_gid, self.user)

    def _foreign(self, folder: Path, status: os.stat_result, otherwise: Message) -> Refused:
        return Refused(
            message("{folder} belongs to another user ({owner}), who could change what we run",
                    folder=str(folder), owner=_name(status.st_uid)),
            hint=message("`sudo chown {user} {folder}` if it should be yours, {otherwise}", user=_name(self.user),
                         folder=shlex.quote(str(folder)), otherwise=otherwise),
        )  # fmt: skip

    def _writable(self, folder: Path, mode: str, otherwise: Message) -> Refused:
        return Refused(
            message("other users may write in {folder}, so they could change what we run", folder=str(folder)),
            hint=message("`chmod {mode} {folder}`, {otherwise}", mode=mode, folder=shlex.quote(str(folder)),
                         otherwise=otherwise),
        )  # fmt: skip


def _status(folder: PurePath) -> os.stat_result | None:
    try:
        return Path(folder).stat()
    except OSError:
        return None


def _private(group: int, user: int) -> bool:
    """Whether nobody but the user is in a group: the one of the user's own name, or root's."""
    import grp
    import pwd

    try:
        name, entry = pwd.getpwuid(user).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return (group == 0 or entry.gr_name == name) and set(entry.gr_mem) <= {name, "root"}


def _name(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _in_container(host: Host) -> bool:
    """Whether not every user id of the machine is known here."""
    rows = (host.files.read_text(PurePath("/proc/self/uid_map")) or "").split()
    return bool(rows) and sum(int(length) for length in rows[2::3]) < _EVERYBODY - 1


def _keeps_modes(host: Host, folder: Path) -> bool:
    """Whether a `chmod` there changes anything: drives of Windows and USB sticks show one mode for all folders."""
    place, best = host.files.resolve(folder), ("/", "", "")
    for line in (host.files.read_text(PurePath("/proc/self/mounts")) or "").splitlines():
        _, point, kind, options, *_ = (*line.split(" "), "", "", "", "")
        point = point.replace("\\040", " ")
        if place.is_relative_to(point or "/nowhere") and len(point) >= len(best[0]):
            best = (point, kind, options)
    of_windows = "aname=drvfs" in best[2] and "metadata" not in best[2]
    return best[1] not in _WITHOUT_MODES and not of_windows
