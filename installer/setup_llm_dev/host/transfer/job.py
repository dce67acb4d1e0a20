"""One file on its way: its pieces, its partial file, its sources, and how it ends."""

import io
import threading
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import BinaryIO

from setup_llm_dev.documents.transfer import Limits, Wanted
from setup_llm_dev.errors import Corrupt, Interrupted, SystemRefused, Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.transfer.adoption import adopt, present_size
from setup_llm_dev.host.transfer.checking import Check
from setup_llm_dev.host.transfer.kept import Kept, Origin
from setup_llm_dev.host.transfer.partials import Partial, drop_orphans, orphans
from setup_llm_dev.host.transfer.pieces import PIECE, Lease, Pieces
from setup_llm_dev.host.transfer.reading import Follower
from setup_llm_dev.host.transfer.routes import FICKLE, Route, Routes
from setup_llm_dev.host.transfer.words import no_room, with_kept

Follow = Callable[[BinaryIO], None]
_EARLIER = -1  # the number of no source: an earlier run had the size from somebody


class Job:
    """Threads work on it; `grown` is told of every change, its lock guards every attribute."""

    def __init__(
        self,
        wanted: Wanted,
        target: PurePath,
        folder: PurePath,
        lock: threading.RLock,
        files: Files,
        limits: Limits,
        clock: Callable[[], float],
        follow: Follow | None = None,
    ) -> None:
        self.wanted = wanted
        self.target = Path(target)
        self.folder = Path(folder)
        self.limits = limits
        self.grown = threading.Condition(lock)
        self.routes = Routes(wanted.sources, limits, clock)
        self.pieces = Pieces(wanted.size)
        self.state = "new"  # new, preparing, open, done
        self.error: BaseException | None = None
        self.verified = False
        self.generation = 0
        self.kept_bytes = 0
        self.fetched_bytes = 0
        self.last_source = ""
        self.heard = 0  # bytes that came over the network, for the speed
        self.sized_by: int | None = None  # whose word the size is, where nobody locked it
        self.on_end: Callable[[], None] = lambda: None
        self.follower = Follower(self, follow) if follow else None
        self.partial: Partial | None = None
        self.check = Check(self, files)
        self._files = files

    # what others ask -----------------------------------------------------------------------------------------

    @property
    def failed(self) -> bool:
        return self.error is not None

    @property
    def ended(self) -> bool:
        return self.failed or self.state == "done"

    @property
    def reading_from(self) -> Callable[[], io.FileIO] | None:
        """Opens the bytes for a reader; None while there are none."""
        if self.partial is None:
            return (lambda: io.FileIO(self.target, "rb")) if self.verified else None
        return self.partial.reader

    def may_be_wrong_bytes(self, error: BaseException) -> bool:
        """Whether a consumer's failure may come from bytes that are not what they should be."""
        return not self.failed and not isinstance(error, SystemRefused | Interrupted)

    def tell(self) -> None:
        """Wake whoever waits for this file."""
        with self.grown:
            self.grown.notify_all()
        self.on_end()

    def device(self) -> int:
        """The file system that its bytes will be on."""
        probe = self.folder
        while not probe.exists() and probe != probe.parent:
            probe = probe.parent
        return probe.stat().st_dev

    def room_needed(self) -> int:
        """Bytes that are still to be written, as far as one can say without reading: for the check of free space."""
        size = self.wanted.size or 0
        if self.target.is_file() and self.target.stat().st_size == size:
            return 0
        kept = (len(orphan.kept.claims) * PIECE for orphan in orphans(self.folder, self.wanted.digest)[:1])
        return max(0, size - sum(kept))

    # its beginning -------------------------------------------------------------------------------------------

    def prepare(self, cancel: Cancel) -> None:
        """Use what is there: the target itself, or what an earlier run left. Raises SystemRefused, Interrupted."""
        try:
            present = present_size(self._files, self.target, self.wanted, cancel)
            if present is not None:
                self.pieces.set_size(present)
                self._finish_without_work()
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._adopt_or_make(cancel)
        except OSError as error:
            raise system_error(error, self.folder) from error
        with self.grown:
            self.state = "open"
            self.grown.notify_all()

    def _finish_without_work(self) -> None:
        with self.grown:
            self.kept_bytes = self.pieces.size or 0
            self.pieces.fill()
            self.verified = True
            self.grown.notify_all()
        drop_orphans(self.folder, self.wanted.digest)
        self.await_follower()
        self.done()

    def _adopt_or_make(self, cancel: Cancel) -> None:
        adopted = adopt(self.folder, self.wanted, cancel)
        if adopted is None:
            small = self.wanted.size is not None and self.wanted.size <= PIECE
            self._use(Partial(self.folder, self.wanted.digest, log=not small))
        else:
            with self.grown:
                self.pieces.set_size(adopted.size)
                self.sized_by = _EARLIER if self.wanted.size is None else None
                for claim in adopted.claims:
                    self.pieces.finish(claim)
                self.kept_bytes = self.pieces.done_bytes
            self._use(adopted.partial)
        drop_orphans(self.folder, self.wanted.digest)

    def _use(self, partial: Partial) -> None:
        """Number the sources as the log knows them."""
        known = {origin.url: (number, origin) for number, origin in partial.kept.origins}
        free = max((number for number, _ in partial.kept.origins), default=-1) + 1
        for route in self.routes.all:
            shown = without_credentials(route.source.url)
            if shown in known:  # of two that look the same one alone: bytes are one source's
                route.number, origin = known.pop(shown)
                route.validator = origin.validator
            else:
                route.number, free = free, free + 1
        with self.grown:
            self.partial = partial

    # while bytes come ----------------------------------------------------------------------------------------

    def learned(self, route: Route, validator: str | None, total: int | None) -> None:
        """An answer told who its bytes are; raises OSError."""
        assert self.partial is not None  # noqa: S101 - made before anything is asked
        if self.pieces.size is None and total is not None:
            if total > (have := self._files.free_bytes(self.folder)):
                raise no_room(total, have, self.folder)
            self.take_size(total, route.number)
            self.partial.note_size(total)
        if validator != route.validator or route.ranges is None:
            route.validator = validator if route.changes < FICKLE else None
            self.partial.note_origin(route.number, Origin(without_credentials(route.source.url), validator))

    def take_size(self, size: int, number: int) -> None:
        """Nobody told the size before; this source does."""
        self.pieces.set_size(size)
        self.sized_by = number

    def forget(self, numbers: set[int] | None = None) -> None:
        """Pieces of these sources (None: all) are missing again, and readers begin anew; raises OSError."""
        assert self.partial is not None  # noqa: S101 - made before anything is asked
        for lease in self.pieces.leases():
            self.revoke(lease)
        if numbers is None:
            self.pieces = Pieces(self.wanted.size)
            self.sized_by = None
            self.kept_bytes = 0
        else:
            self.pieces.drop([claim.index for claim in self.pieces.claims.values() if claim.source in numbers])
        self.generation += 1
        origins = ((r.number, Origin(without_credentials(r.source.url), r.validator)) for r in self.routes.all)
        self.partial.restart(Kept(self.pieces.size, tuple(origins), tuple(self.pieces.claims.values())))
        self.grown.notify_all()

    def revoke(self, lease: Lease) -> None:
        """From now on nobody writes through it."""
        with lease.lock:
            lease.revoked = True
        self.pieces.give_back(lease, -1)

    # its end -------------------------------------------------------------------------------------------------

    def await_follower(self) -> bool:
        """Until it has taken everything; False where the transfer failed meanwhile."""
        with self.grown:
            while self.follower is not None and not self.follower.is_done and not self.failed:
                self.grown.wait()
            return not self.failed

    def done(self) -> None:
        """Whole, verified and under its name."""
        with self.grown:
            self.state = "done"
            if self.follower is not None and self.error is None:
                self.error = self.follower.error
        self.tell()

    def fail(self, error: BaseException) -> None:
        """End with this error."""
        with self.grown:
            if not self.ended:
                self.error = error
            self.grown.notify_all()
        self.on_end()

    def leave(self) -> None:
        """Let go of the partial file: kept if the next run can use it. Nobody writes any more."""
        with self.grown:
            for lease in self.pieces.leases():
                self.revoke(lease)
            partial = self.partial
        if partial is None or self.state == "done":
            return
        useless = isinstance(self.error, Corrupt) or not self.pieces.done_bytes
        partial.discard() if useless else partial.close()

    def explained(self) -> BaseException | None:
        """Its error, with how much of the file stays for the next run."""
        error, kept = self.error, self.pieces.done_bytes
        if not isinstance(error, Unreachable) or not kept:
            return error
        return with_kept(error, self.wanted.name, kept)
