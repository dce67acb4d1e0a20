"""Runs the installed command and ends it with SIGKILL right before its k-th change of the disk.

`python -I killed_at.py COUNT K WORD…`: the number of changes goes into the file COUNT; K is 0 for a run to its end.
A change is what Python's audit hooks tell of: opening for writing, making, renaming, linking, removing, changing
modes, and starting a program (whose own writes are one change here). The product has no part in this.
"""

import os
import signal
import sys
import threading

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.truncate",
           "os.utime"}  # fmt: skip


def watch(count_file: str, kill_at: int) -> None:
    """From here on every change is counted."""
    place = os.path.dirname(count_file)  # noqa: PTH120 - the hook sees every call of pathlib too
    descriptor = os.open(count_file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    lock = threading.Lock()
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if not _changes_the_disk(event, arguments, place):
            return
        with lock:
            seen += 1
            os.pwrite(descriptor, b"%8d" % seen, 0)
            if seen == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _changes_the_disk(event: str, arguments: tuple[object, ...], place: str) -> bool:
    if event == "subprocess.Popen":
        return True
    path, *rest = arguments or ("",)
    if not isinstance(path, str | os.PathLike) or not _inside(str(os.fspath(path)), place):
        return False
    if event != "open":
        return event in CHANGES
    mode, flags = rest
    return bool(set("wax+") & set(mode)) if isinstance(mode, str) else bool(int(str(flags)) & WRITING)


def _inside(path: str, place: str) -> bool:
    """A relative name is one in a folder that is open: a tree that is being removed."""
    return path.startswith(place) or not path.startswith("/")


def main() -> None:
    """The command with the words that are left."""
    count_file, kill_at, *words = sys.argv[1:]
    sys.argv = ["setup-llm-dev", *words]
    from setup_llm_dev.cli.main import main as command

    watch(count_file, int(kill_at))
    command()


if __name__ == "__main__":
    main()
