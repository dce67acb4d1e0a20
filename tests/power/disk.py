"""A disk whose power can be cut: an ext4 image on a loop device; what was not flushed by then is gone afterwards."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

SIZE = 1 << 29
_TOOLS = ("mkfs.ext4", "xfs_io", "mount", "umount")


def skip_without_power_switch() -> None:
    """Mounting needs root and a loop device; the switch is the file system's own, thrown by xfs_io."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("cutting the power of a loop device needs Linux and root")
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"cutting the power needs {', '.join(missing)} (Debian: xfsprogs, e2fsprogs)")


class Disk:
    """Mounted at `place` from `with` to its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self.place = folder / "disk"

    @property
    def _image(self) -> Path:
        return self._folder / f"disk-{self._number}.img"

    def __enter__(self) -> Self:
        self.place.mkdir(parents=True)
        self.format()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _run("umount", "--lazy", self.place, check=False)
        self._image.unlink()

    def format(self) -> None:
        """An empty file system."""
        _run("umount", self.place, check=False)
        self._image.unlink(missing_ok=True)
        with self._image.open("wb") as stream:
            stream.truncate(SIZE)
        _run("mkfs.ext4", "-q", self._image)
        self._mount()

    def cut(self) -> None:
        """From now on nothing reaches the image, not even what the kernel still holds."""
        _run("xfs_io", "-x", "-c", "shutdown", self.place)

    def restore(self) -> None:
        """Mounted again, as after the next start; whoever had files open on it must be gone.

        From a copy: a mount namespace that somebody made meanwhile keeps the dead file system alive, and the kernel
        would hand that one out again for the same image.
        """
        _run("umount", self.place)
        image = self._image
        self._number += 1
        _run("cp", "--sparse=always", image, self._image)
        image.unlink()
        self._mount()

    def _mount(self) -> None:
        done = _run("mount", "-o", "loop", self._image, self.place, check=False)
        if done.returncode != 0:
            pytest.skip(f"no loop device can be mounted here: {done.stderr.strip()}")


def _run(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stderr
    return done
