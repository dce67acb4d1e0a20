"""The disk: reading, and writing so that a final name is absent, old or complete, never between."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath

from setup_llm_dev.host import durable
from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.reading import Reading

_CHUNK = 1 << 20
_FICLONE = 0x40049409  # linux/fs.h


class Files(Reading):
    """The file system of this machine. Paths are absolute; `PurePath`s of plans are taken as they are.

    What may take long ends with Interrupted once `cancel` is set. What only writing needs is imported there: those
    who only look are many, and wait for it.
    """

    # writing -----------------------------------------------------------------------------------------------

    def make_dir(self, path: PurePath, mode: int = 0o755) -> None:
        with _in_words(path):
            Path(path).mkdir(parents=True, exist_ok=True, mode=mode)

    def write(self, path: PurePath, data: bytes, mode: int = 0o644) -> None:
        """Temporary file beside the target, flushed, renamed over it, folder flushed."""
        target = Path(path)
        with _in_words(target):
            import tempfile

            target.parent.mkdir(parents=True, exist_ok=True)
            _drop_stale(target, ".tmp")
            prefix = f".{target.name}.{os.getpid()}."
            handle, name = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=target.parent)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                Path(name).chmod(mode)
                Path(name).replace(target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            self.flush_dir(target.parent)

    def append(self, path: PurePath, data: bytes) -> None:
        """Append and flush: for the journal."""
        with _in_words(path), Path(path).open("ab") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())

    def link(self, path: PurePath, target: PurePath) -> None:
        """Make `path` a link to the folder `target`, replacing an older link in one rename.

        A junction on Windows, where links need a privilege. Never replaces anything but a link.
        """
        place = Path(path)
        with _in_words(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            if os.name == "nt":
                _junction(place, Path(target))
                return
            if os.path.lexists(place) and not place.is_symlink():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))
            _drop_stale(place, ".new")
            new = place.with_name(f".{place.name}.{os.getpid()}.new")
            new.unlink(missing_ok=True)
            new.symlink_to(target, target_is_directory=True)
            new.replace(place)
            self.flush_dir(place.parent)

    def link_file(self, path: PurePath, target: PurePath, *, relative: bool = False) -> bool:
        """Make `path` a symbolic link to the file `target`, replacing what was there; a copy where links can't be made.

        True for a link, False for a copy.
        """
        place = Path(path)
        with _in_words(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            _drop_stale(place, ".new")
            new = place.with_name(f".{place.name}.{os.getpid()}.new")
            new.unlink(missing_ok=True)
            linked = True
            try:
                new.symlink_to(os.path.relpath(target, place.parent) if relative else target)
            except OSError:  # Windows without the privilege, a file system without links
                import shutil

                shutil.copyfile(target, new)
                linked = False
            new.replace(place)
            self.flush_dir(place.parent)
        return linked

    def remove(self, path: PurePath) -> None:
        """Remove a file or a link; nothing happens where there is none."""
        with _in_words(path):
            Path(path).unlink(missing_ok=True)

    def remove_tree(self, path: PurePath) -> None:
        """Remove a folder of ours with all that is in it, or the file that stands there; links are not followed."""
        from setup_llm_dev.host.leftovers import remove_opened

        target = Path(path)
        with _in_words(target):
            if target.parent.is_dir():
                _drop_stale(target, ".removed")
            if not os.path.lexists(target):
                return
            if target.is_symlink() or not target.is_dir():
                target.unlink()
                return
            # First out of the way in one rename, so that a kill leaves no half-emptied folder of that name.
            aside = target.with_name(f".{target.name}.{os.getpid()}.removed")
            target.replace(aside)
            remove_opened(aside)

    def remove_empty_dir(self, path: PurePath) -> bool:
        """Remove a folder if nothing is in it; True if it is gone."""
        try:
            Path(path).rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def rename(self, path: PurePath, target: PurePath) -> None:
        with _in_words(target):
            Path(path).replace(Path(target))
            self.flush_dir(Path(target).parent)

    def flush_dir(self, path: PurePath) -> None:
        """Make names in a folder durable."""
        durable.flush_dir(path)

    def flush_tree(self, path: PurePath) -> None:
        """Make everything that children wrote below `path` durable."""
        durable.flush_tree(path)

    @contextlib.contextmanager
    def flushing(self, path: PurePath) -> Iterator[None]:
        """Flush again and again while others write below `path`, so that little is left to wait for at the end."""
        with durable.flushing(path):
            yield

    def can_clone(self, source: PurePath, target: PurePath) -> bool:
        """Whether a file of one folder can be cloned (copy on write) into the other; tried, not guessed."""
        if sys.platform == "darwin":
            return True  # APFS; where it can't, the system's own call copies
        if sys.platform != "linux":
            return False
        import fcntl
        import tempfile

        try:
            for folder in (source, target):
                Path(folder).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=source) as one, tempfile.TemporaryFile(dir=target) as other:
                one.write(b"clone")
                one.flush()
                fcntl.ioctl(other.fileno(), _FICLONE, one.fileno())
        except OSError:
            return False
        return True

    @contextlib.contextmanager
    def scratch(self, parent: PurePath) -> Iterator[Path]:
        """A private 0700 folder below `parent`, removed at the end."""
        import tempfile

        self.make_dir(parent, 0o700)
        with tempfile.TemporaryDirectory(dir=parent, prefix="tmp.", ignore_cleanup_errors=True) as name:
            yield Path(name)


def _drop_stale(target: Path, end: str) -> None:
    """What a kill left for this very target: temporary files and half-removed folders."""
    from setup_llm_dev.host.leftovers import left_behind, remove_opened

    for place in left_behind(target.parent, f".{target.name}."):
        if not place.name.endswith(end):
            continue
        if place.is_dir() and not place.is_symlink():
            remove_opened(place)
        else:
            place.unlink(missing_ok=True)


@contextlib.contextmanager
def _in_words(path: PurePath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise system_error(error, path) from error


def _junction(place: Path, target: Path) -> None:
    """A directory junction; the only place that asks Windows itself, since Python can't make one."""
    import _winapi

    if place.is_dir() and place.resolve() != place.absolute():
        place.rmdir()
    _winapi.CreateJunction(str(target), str(place))  # type: ignore[attr-defined]  # Windows alone has it
