"""Partial files that outlive their process: bytes, and beside them a log of which pieces are there.

A claim in the log is believed only after the piece has been read again, so neither a power cut nor a bad disk can put
a wrong byte into a file; the hash of the whole file judges in any case. CRC-32 is enough for what the log decides,
which is what need not be fetched again.
"""

import contextlib
import io
import json
import os
import re
import secrets
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path, PurePath

from setup_llm_dev.host.transfer.owners import is_gone, is_gone_from, read_owner, this_process
from setup_llm_dev.host.transfer.pieces import PIECE, Claim, crc32

STALE_SECONDS = 60.0  # a process at work touches its log far more often
_END, _LOG, _NEW = _ENDS = (".part", ".pieces", ".new")
_CLAIM = re.compile(r"(\d{1,9}) ([0-9a-f]{8}) (\d{1,4})")
_at_work: set[Path] = set()  # partial files of this very process that are in use
_BINARY = getattr(os, "O_BINARY", 0)
_WITHOUT_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True, slots=True)
class Origin:
    """A source as the log knows it: its address without credentials, and the strong validator of its answer."""

    url: str
    validator: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What a log says: the size if it was known, the sources by number, and the pieces that they brought."""

    size: int | None = None
    origins: tuple[tuple[int, Origin], ...] = ()
    claims: tuple[Claim, ...] = ()


class Partial:
    """A file of ours that is not complete yet, `DIGEST.PLACE.PID.RANDOM.part`, and its log. Threads may share it."""

    def __init__(self, folder: PurePath, digest: str, orphan: "Orphan | None" = None, *, log: bool = True) -> None:
        """Make an empty one, or take over an orphan; raises OSError, FileNotFoundError where another was faster.

        Without a log nothing outlives the process: for files that are smaller than a piece.
        """
        self.owner = this_process()
        self.path = Path(folder, f"{digest}.{self.owner.place}.{self.owner.process}.{secrets.token_hex(4)}{_END}")
        self.log_path = self.path.with_suffix(_LOG)
        self.kept = orphan.kept if orphan else Kept()
        self._writing, self._handles = threading.Lock(), threading.Lock()
        self._file = self._log = -1
        _at_work.add(self.path)
        try:
            if log:  # before the bytes have our name: a kill in between must not part them from their log
                self._log = self._start_log(_rows(self.kept))
            if orphan is not None:
                orphan.move(self.path)
            flags = os.O_RDWR | (0 if orphan else os.O_CREAT | os.O_EXCL)
            self._file = os.open(self.path, flags | _BINARY | _WITHOUT_LINKS, 0o644)
        except OSError:
            self.discard()
            raise

    def write(self, view: memoryview, at: int) -> None:
        """All of `view` at this offset; raises OSError."""
        while len(view):
            if hasattr(os, "pwrite"):
                count = os.pwrite(self._file, view, at)
            else:  # Windows
                with self._writing:
                    os.lseek(self._file, at, os.SEEK_SET)
                    count = os.write(self._file, view)
            view, at = view[count:], at + count

    def claim(self, claim: Claim) -> None:
        """Say in the log that a piece is there. One short append, so that it is there whole or not at all."""
        self._append(_claim_row(claim))

    def note_size(self, size: int) -> None:
        """Say in the log how long the file is."""
        self._append(json.dumps({"size": size}) + "\n")

    def note_origin(self, number: int, origin: Origin) -> None:
        """Say in the log which source has a number."""
        self._append(_origin_row(number, origin))

    def restart(self, kept: Kept) -> None:
        """Replace the log by one that says this and no more; raises OSError."""
        self.kept = kept
        if self._log >= 0:
            new = self._start_log(_rows(kept))
            old, self._log = self._log, new
            os.close(old)

    def is_intact(self, claim: Claim, size: int, buffer: bytearray) -> bool:
        """Whether the bytes of a piece are those that were claimed; `buffer` holds one piece."""
        length = min(PIECE, size - claim.index * PIECE)
        if length <= 0:
            return False
        with self.reader() as stream:
            stream.seek(claim.index * PIECE)
            view = memoryview(buffer)[:length]
            return stream.readinto(view) == length and crc32(view) == claim.crc

    def reader(self) -> io.FileIO:
        """A stream of its own over the bytes, from the beginning."""
        return io.FileIO(self.path, "rb")

    def touch(self) -> None:
        """Show that we are at work."""
        with contextlib.suppress(OSError):
            os.utime(self.log_path)

    def flush(self) -> None:
        """Make bytes durable, then the claims about them; raises OSError."""
        with self._handles:  # duplicates, so that nobody who wants to close has to wait for the disk
            handles = [os.dup(handle) for handle in (self._file, self._log) if handle >= 0]
        try:
            for handle in handles:
                getattr(os, "fdatasync", os.fsync)(handle)
        finally:
            for handle in handles:
                os.close(handle)

    def publish(self, target: PurePath, size: int) -> None:
        """Flush and rename to `target`. Raises OSError; FileNotFoundError where somebody took our file away."""
        os.ftruncate(self._file, size)
        os.fsync(self._file)
        self.close()
        self.path.replace(target)
        self.log_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file, which stays for a later run."""
        with self._handles:
            for handle in (self._file, self._log):
                if handle >= 0:
                    with contextlib.suppress(OSError):
                        os.close(handle)
            self._file = self._log = -1
        _at_work.discard(self.path)

    def discard(self) -> None:
        """Let go of the file and remove it."""
        self.close()
        for path in (self.path, self.log_path):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _append(self, text: str) -> None:
        if self._log >= 0:
            os.write(self._log, text.encode())

    def _start_log(self, text: str) -> int:
        new = self.log_path.with_suffix(_NEW)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | _BINARY | _WITHOUT_LINKS
        handle = os.open(new, flags, 0o644)
        try:
            os.write(handle, f"{self.owner.to_json()}\n{text}".encode())
            os.fsync(handle)
            if os.name == "nt":  # a file in use has no other name there
                self.log_path.unlink(missing_ok=True)
            new.replace(self.log_path)
        except OSError:
            os.close(handle)
            new.unlink(missing_ok=True)
            raise
        return handle


@dataclass(frozen=True, slots=True)
class Orphan:
    """A partial file whose process is gone. `proved`: if not, that process may yet wake up and write into it."""

    path: Path
    kept: Kept
    proved: bool

    def move(self, new: Path) -> None:
        """One rename, which one process wins; what is not proved to be nobody's is copied, never shared.

        Raises OSError, FileNotFoundError where another was faster.
        """
        if self.proved:
            self.path.rename(new)
        else:
            shutil.copyfile(self.path, new)
            self.path.unlink()
        self.path.with_suffix(_LOG).unlink(missing_ok=True)


def orphans(folder: PurePath, digest: str) -> list[Orphan]:
    """Partial files of these bytes that nobody works on, those with most pieces first."""
    found = (_orphan(path) for path in _partials(folder, digest))
    return sorted((one for one in found if one is not None), key=lambda one: -len(one.kept.claims))


def drop_orphans(folder: PurePath, digest: str) -> None:
    """Remove what dead processes left of these bytes."""
    for orphan in orphans(folder, digest):
        for end in _ENDS:
            path = orphan.path.with_suffix(end)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def read_kept(text: str) -> Kept:
    """The log's rows after the first; a torn or foreign row says nothing.

    >>> read_kept('{"size": 9}\\n0 00c0ffee 0\\n1 00c0f').claims
    (Claim(index=0, crc=12648430, source=0),)
    """
    size: int | None = None
    origins: dict[int, Origin] = {}
    claims: dict[int, Claim] = {}
    for row in text.split("\n")[:-1]:
        if match := _CLAIM.fullmatch(row):
            claim = Claim(int(match[1]), int(match[2], 16), int(match[3]))
            claims[claim.index] = claim
            continue
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            told = json.loads(row)
            if "size" in told:
                size = int(told["size"])
            else:
                validator = told["validator"]
                origins[int(told["source"])] = Origin(str(told["url"]), None if validator is None else str(validator))
    return Kept(size, tuple(origins.items()), tuple(claims.values()))


def _partials(folder: PurePath, digest: str) -> list[Path]:
    """Data files, and logs whose data file is gone."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    stems = {name.rpartition(".")[0] for name in names if name.startswith(f"{digest}.") and name.endswith(_ENDS)}
    return [Path(folder, stem + _END) for stem in sorted(stems)]


def _orphan(path: Path) -> Orphan | None:
    log = path.with_suffix(_LOG)
    try:
        head, _, rows = log.read_text(encoding="ascii", errors="replace").partition("\n")
    except OSError:
        head = rows = ""
    owner = read_owner(head)
    if owner == this_process():
        gone: bool | None = path not in _at_work
    else:
        gone = is_gone(owner) if owner else _is_gone_by_name(path)
    if gone is False or (gone is None and not _is_stale(log if owner else path)):
        return None
    return Orphan(path, read_kept(rows), proved=bool(gone))


def _is_gone_by_name(path: Path) -> bool | None:
    """For a small file, which has no log, and for a log that a kill kept from getting its name."""
    _, place, process, *_ = (*path.name.split("."), "", "")
    return is_gone_from(place, int(process)) if process.isdecimal() else None


def _is_stale(path: Path) -> bool:
    """Untouched for long, by the clock of the file system itself, which may be another machine's."""
    try:
        probe = path.with_suffix(f".{secrets.token_hex(4)}.now")
        probe.touch(exist_ok=False)
        now = probe.stat().st_mtime
        probe.unlink()
        return now - path.lstat().st_mtime > STALE_SECONDS
    except OSError:
        return False


def _rows(kept: Kept) -> str:
    size = json.dumps({"size": kept.size}) + "\n" if kept.size is not None else ""
    origins = "".join(_origin_row(number, origin) for number, origin in kept.origins)
    return size + origins + "".join(map(_claim_row, kept.claims))


def _origin_row(number: int, origin: Origin) -> str:
    return json.dumps({"source": number, "url": origin.url, "validator": origin.validator}) + "\n"


def _claim_row(claim: Claim) -> str:
    return f"{claim.index} {claim.crc:08x} {claim.source}\n"
