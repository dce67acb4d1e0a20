"""Partial files that outlive their process: bytes, and beside them a log of which pieces are there.

A claim in the log is believed only after the piece has been read again, so neither a power cut nor a bad disk can put
a wrong byte into a file; the hash of the whole file judges in any case. CRC-32 is enough for what the log decides,
which is what need not be fetched again.
"""

import contextlib
import errno
import io
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from setup_llm_dev.host.transfer.kept import Kept, Origin, claim_row, origin_row, read_kept, rows, size_row
from setup_llm_dev.host.transfer.owners import is_gone, is_gone_from, read_owner, this_process
from setup_llm_dev.host.transfer.pieces import PIECE, Claim, crc32

STALE_SECONDS = 60.0  # a process at work touches its log far more often
_END, _LOG, _NEW = _ENDS = (".part", ".pieces", ".new")
_at_work: set[Path] = set()  # partial files of this very process that are in use
_BINARY = getattr(os, "O_BINARY", 0)
_WITHOUT_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


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
                self._log = self._start_log(rows(self.kept))
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
        self._append(claim_row(claim))

    def note_size(self, size: int) -> None:
        """Say in the log how long the file is."""
        self._append(size_row(size))

    def note_origin(self, number: int, origin: Origin) -> None:
        """Say in the log which source has a number."""
        self._append(origin_row(number, origin))

    def restart(self, kept: Kept) -> None:
        """Replace the log by one that says this and no more; raises OSError."""
        self.kept = kept
        if self._log >= 0:
            new = self._start_log(rows(kept))
            with self._handles:
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
            os.utime(self.log_path if self._log >= 0 else self.path)

    def flush(self) -> None:
        """Make bytes durable, then the claims about them; raises OSError."""
        with self._duplicates() as handles:
            for handle in handles:
                getattr(os, "fdatasync", os.fsync)(handle)

    def publish(self, target: PurePath, size: int) -> None:
        """Flush and rename to `target`. Raises OSError; FileNotFoundError where somebody took our file away."""
        with self._duplicates() as handles:
            if not handles:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF), str(self.path))
            os.ftruncate(handles[0], size)
            os.fsync(handles[0])
        self._let_go()  # on Windows a file that is open has no other name
        try:
            self.path.replace(target)
            self.log_path.unlink(missing_ok=True)
        finally:
            _at_work.discard(self.path)  # not before: another file of the same hash would take it for an orphan

    def close(self) -> None:
        """Let go of the file, which stays for a later run."""
        self._let_go()
        _at_work.discard(self.path)

    def discard(self) -> None:
        """Let go of the file and remove it."""
        self.close()
        for path in (self.path, self.log_path):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _duplicates(self) -> Iterator[list[int]]:
        """The file and its log for slow calls, during which anybody may close; none once closed."""
        with self._handles:
            handles = [os.dup(handle) for handle in (self._file, self._log) if handle >= 0]
        try:
            yield handles
        finally:
            for handle in handles:
                os.close(handle)

    def _let_go(self) -> None:
        with self._handles:
            for handle in (self._file, self._log):
                if handle >= 0:
                    with contextlib.suppress(OSError):
                        os.close(handle)
            self._file = self._log = -1

    def _append(self, text: str) -> None:
        with self._handles:
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


def _partials(folder: PurePath, digest: str) -> list[Path]:
    """Data files, and logs whose data file is gone."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    stems = {name.rpartition(".")[0] for name in names if name.startswith(f"{digest}.") and name.endswith(_ENDS)}
    return [Path(folder, stem + _END) for stem in sorted(stems)]


def _orphan(path: Path) -> Orphan | None:
    if path in _at_work:
        return None
    log = path.with_suffix(_LOG)
    try:
        head, _, text = log.read_text(encoding="ascii", errors="replace").partition("\n")
    except OSError:
        head = text = ""
    owner = read_owner(head)
    if owner == this_process():
        gone: bool | None = True
    else:
        gone = is_gone(owner) if owner else _is_gone_by_name(path)
    if gone is False or (gone is None and not _is_stale(log if owner else path)):
        return None
    return Orphan(path, read_kept(text), proved=bool(gone))


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
