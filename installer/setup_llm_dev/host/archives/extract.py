"""Unpacking tar.gz and zip archives: into a private folder, refused rather than mended, published by one rename."""

import contextlib
import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO, Literal

from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host import durable
from setup_llm_dev.host.archives.ground import Moved
from setup_llm_dev.host.archives.gzip_stream import Gunzip
from setup_llm_dev.host.archives.members import Unpacking
from setup_llm_dev.host.archives.rules import USUAL_LIMITS, Limits, shown
from setup_llm_dev.host.archives.staging import drop_stale_staging, new_staging, publish
from setup_llm_dev.host.archives.tar import Inflow, read_tar
from setup_llm_dev.host.archives.zip_file import read_zip
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.messages import message

__all__ = ["Extracted", "Kind", "Limits", "Staging", "drop_stale_staging", "extract", "extracting"]

Kind = Literal["tar.gz", "zip"]
Progress = Callable[[int, int], None]
_READ = 1 << 18
_AHEAD = 6  # pieces of 1 MiB between the thread that decompresses and the one that writes


@dataclass(frozen=True)
class Extracted:
    """What was unpacked; `root_name` is the one folder at the top where one was asked for, else ""."""

    root_name: str
    files: int
    bytes: int


class Staging:
    """A private 0700 `folder` that one archive is unpacked into; `tree` is what `publish` will rename."""

    def __init__(
        self, kind: Kind, folder: Path, limits: Limits, single_root: bool, progress: Progress, cancel: Cancel
    ) -> None:
        self.folder = folder
        self._kind = kind
        self._limits = limits
        self._single_root = single_root
        self._progress = progress
        self._cancel = cancel
        self._facts: Extracted | None = None

    @property
    def _ground(self) -> Path:
        return self.folder / "tree"

    @property
    def tree(self) -> Path:
        """The unpacked tree (with `single_root` its one folder); there only after `feed_from` came to its end."""
        return self._ground / self.facts.root_name

    @property
    def facts(self) -> Extracted:
        """What the last whole `feed_from` unpacked."""
        if self._facts is None:
            raise RuntimeError("nothing was unpacked here")
        return self._facts

    def feed_from(self, stream: BinaryIO) -> Extracted:
        """Unpack `stream` to its end; called again, it starts anew in an empty folder.

        Of a tar.gz only `read(n)` is used, from this thread, and it may block; a zip is read with `seek` too.
        Raises Corrupt (5) with rule and name, SystemRefused (6), Interrupted, and what `stream` raises.
        """
        self._facts = None
        with _in_words(self.folder):
            if self._ground.exists():
                shutil.rmtree(self._ground)
            self._ground.mkdir()
            unpacking = Unpacking(self._ground, self._limits, single_root=self._single_root)
        try:
            if self._kind == "tar.gz":
                self._feed_tar(stream, unpacking)
            else:
                self._feed_zip(stream, unpacking)
        finally:
            unpacking.close()
        root = unpacking.root_name if self._single_root else ""
        self._facts = Extracted(root, unpacking.files, unpacking.bytes)
        return self._facts

    def publish(self, target: PurePath) -> None:
        """Flush the tree, rename it to `target`, which must not exist, and flush that name."""
        tree, place = self.tree, Path(target)
        with _in_words(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            durable.flush_tree(tree)
            publish(tree, place)

    def _feed_tar(self, stream: BinaryIO, unpacking: Unpacking) -> None:
        def unpack(more: Callable[[], bytes]) -> None:
            with _in_words(self.folder):
                read_tar(Inflow(more), unpacking, self._limits)
                unpacking.finish()

        with _Second(unpack) as second:
            gunzip = Gunzip(self._limits)
            while data := stream.read(_READ):
                for piece in gunzip.feed(data):
                    self._tick(unpacking)
                    if not second.hand(piece):
                        return
            gunzip.finish()
        self._tick(unpacking)

    def _feed_zip(self, stream: BinaryIO, unpacking: Unpacking) -> None:
        with _in_words(self.folder):
            read_zip(stream, unpacking, self._limits, lambda: self._tick(unpacking))
            unpacking.finish()
        self._tick(unpacking)

    def _tick(self, unpacking: Unpacking) -> None:
        self._cancel.raise_if_set()
        self._progress(unpacking.bytes, unpacking.files)


class _Second:
    """A second thread that unpacks what the first has decompressed; neither holds the interpreter's lock for long.

    `work` is given a function for the next piece, b"" at the end.
    """

    def __init__(self, work: Callable[[Callable[[], bytes]], None]) -> None:
        self._work = work
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._over = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="unpack", daemon=True)

    def hand(self, piece: bytes) -> bool:
        """Hand on a piece; False once the work has failed, and leaving the context raises why."""
        self._pieces.put(piece)
        return self._failure is None

    def __enter__(self) -> "_Second":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._pieces.put(b"" if error is None else None)
        self._thread.join()
        if error is None and self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._work(self._next)
        except BaseException as error:  # raised again in the first thread
            self._failure = error
        while not self._over:  # so that the first thread never waits for room
            with contextlib.suppress(_Stopped):
                self._next()

    def _next(self) -> bytes:
        if self._over:
            return b""
        piece = self._pieces.get()
        self._over = not piece
        if piece is None:
            raise _Stopped
        return piece


class _Stopped(Exception):
    """The first thread failed: what came so far is thrown away."""


@contextlib.contextmanager
def extracting(
    kind: Kind,
    parent: PurePath,
    *,
    limits: Limits = USUAL_LIMITS,
    single_root: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Staging]:
    """A staging folder in `parent`; whatever was not published is gone at the end.

    `parent` must be on the file system of the later target. With `single_root` everything must lie in one folder,
    which is what gets published. `progress` hears (bytes written, files written), from the thread that feeds.
    """
    with _in_words(parent):
        folder = new_staging(Path(parent))
    try:
        yield Staging(kind, folder, limits, single_root, progress or (lambda *_: None), cancel or Cancel())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def extract(
    stream: BinaryIO,
    kind: Kind,
    target: PurePath,
    *,
    limits: Limits = USUAL_LIMITS,
    single_root: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Extracted:
    """Unpack `stream` and publish it as `target`, which must not exist; errors as of `Staging.feed_from`."""
    with extracting(
        kind, target.parent, limits=limits, single_root=single_root, progress=progress, cancel=cancel
    ) as staging:
        facts = staging.feed_from(stream)
        staging.publish(target)
    return facts


@contextlib.contextmanager
def _in_words(path: PurePath) -> Iterator[None]:
    try:
        yield
    except Moved as error:
        raise SystemRefused(
            message(
                "another program changes {path} while an archive is unpacked there", path=f"{path}: {shown(str(error))}"
            ),
            hint=message("see who else writes there, then run the same command again"),
        ) from error
    except OSError as error:
        raise system_error(error, path) from error
