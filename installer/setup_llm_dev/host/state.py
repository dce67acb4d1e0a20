"""Our own memory on the disk: the lock of a run, and the journals."""

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from setup_llm_dev.documents.events import Applied, Began, Event, Failed, Skipped, Started, Undone
from setup_llm_dev.documents.journal import decode_lines, encode_line
from setup_llm_dev.errors import Busy
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.files import Files
from setup_llm_dev.messages import message

if TYPE_CHECKING:
    from filelock import BaseFileLock

_POLL_SECONDS = 0.2


@contextlib.contextmanager
def one_run(
    lock_file: PurePath,
    *,
    wait: bool,
    cancel: Cancel,
    on_wait: Callable[[str], None],
    make: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold the data folder; a second run waits and says for whom, or raises Busy (7) at once with `wait=False`.

    `make` makes the data folder, and is called again where an uninstall that we waited for has removed it.
    """
    from filelock import FileLock, Timeout

    path = Path(lock_file)
    make = make or partial(Files().make_dir, path.parent)
    make()
    lock = FileLock(path, mode=0o600)
    said = False
    while True:
        if not path.parent.is_dir():
            make()
        try:
            lock.acquire(timeout=0 if not said else _POLL_SECONDS)
        except Timeout:
            owner = _owner(path)
            if not wait:
                raise Busy(
                    message("another run of setup-llm-dev is at work ({owner})", owner=owner),
                    hint=message("wait until it has ended, or leave out --no-wait"),
                ) from None
            if not said:
                on_wait(owner)
            said = True
            cancel.raise_if_set()
        except FileNotFoundError:
            cancel.raise_if_set()
            make()
        else:
            if _holds(lock, path):
                break
            lock.release()  # the name was removed while we opened it: this lock keeps nobody out
            make()
    own = f"process {os.getpid()}"
    try:
        make()
        _owner_file(path).write_text(own, encoding="utf-8")
        yield
    finally:
        if _owner(path) == own:  # after an uninstall it may be the one of who waited
            _owner_file(path).unlink(missing_ok=True)
        lock.release()


@dataclass
class JournalWriter:
    """Appends one run's facts, each flushed before the next step begins; makes no file before the first change.

    satisfied: ids of the steps that the run found so, and relies on as much as on what it makes.
    """

    folder: PurePath
    run: str
    recipe: str
    workspace: str
    records: dict[str, tuple[str, dict[str, Any]]]  # step id -> kind and record
    files: Files = field(default_factory=Files)
    satisfied: Collection[str] | None = None
    _open: bool = False

    def keep(self, event: Event, before: dict[str, Any] | None = None) -> None:
        """Write down what `undo` and the report need, `before` the step begins; progress is not kept."""
        match event:
            case Started():
                kind, record = self.records[event.step]
                entry = {"started": event.step, "kind": kind, "record": record, "phase": event.phase}
                self._write(entry | ({"before": before} if before else {}))
            case Applied():
                self._write({"applied": event.step, "receipt": event.receipt, "seconds": round(event.seconds, 3)})
            case Failed():
                self._write({"failed": event.step, "text": str(event.text), "exit_code": event.exit_code})
            case Undone() | Skipped() | Began():
                pass

    def note(self, entry: dict[str, Any]) -> None:
        """Another fact of the run, such as the report's digest."""
        if self._open:
            self._write(entry)

    def _write(self, entry: dict[str, Any]) -> None:
        path = self.folder / f"{self.run}.jsonl"
        if not self._open:
            self.files.make_dir(self.folder)
            self._open = True
            self.files.append(path, encode_line(self._head()))
            self.files.flush_dir(self.folder)
        self.files.append(path, encode_line(entry))

    def _head(self) -> dict[str, Any]:
        head = {"began": self.run, "recipe": self.recipe, "workspace": self.workspace, "schema": "journal/1"}
        if self.satisfied is None:
            return head
        found = [[name, *self.records[name]] for name in self.records if name in self.satisfied]
        return head | {"uses": found}


@dataclass(frozen=True)
class RunMemory:
    """A run read back: its steps in the order in which they began, receipts of those that ended.

    uses: the steps that it found satisfied (id, kind, record); None where an earlier version did not write that down.
    """

    path: Path
    recipe: str
    workspace: str
    steps: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...]  # id, kind, record, receipt
    undone: frozenset[str]
    kept: frozenset[str]  # of the undone: those that stayed, because others work with what they made
    finished_undo: bool
    notes: tuple[dict[str, Any], ...]
    uses: tuple[tuple[str, str, dict[str, Any]], ...] | None = None


def last_run(folder: PurePath, workspace: PurePath) -> RunMemory | None:
    """The newest run on that workspace that changed something and was not undone."""
    return next((run for run in standing_runs(folder) if same_folder(run.workspace, workspace)), None)


def same_folder(one: str | PurePath, other: str | PurePath) -> bool:
    """Whether two paths lead to one folder, whatever links (such as a home that is one) each goes through."""
    return str(one) == str(other) or Path(one).resolve() == Path(other).resolve()


def standing_runs(folder: PurePath) -> tuple[RunMemory, ...]:
    """Every run that changed something and was not undone, the newest first."""
    runs = (read_run(path) for path in sorted(Path(folder).glob("*.jsonl"), reverse=True))
    return tuple(run for run in runs if run.steps and not run.finished_undo)


def read_run(path: Path) -> RunMemory:
    entries = decode_lines(path.read_bytes())
    began = {e["started"]: (e["kind"], e["record"]) for e in entries if "started" in e}
    receipts = {e["started"]: e.get("before", {}) for e in entries if "started" in e}
    receipts |= {e["applied"]: e["receipt"] for e in entries if "applied" in e}
    steps = tuple((name, kind, record, receipts.get(name, {})) for name, (kind, record) in began.items())
    return RunMemory(
        path=path,
        recipe=next((str(e["recipe"]) for e in entries if "began" in e), ""),
        workspace=next((str(e.get("workspace", "")) for e in entries if "began" in e), ""),
        steps=steps,
        undone=frozenset(e["undone"] for e in entries if "undone" in e),
        kept=frozenset(e["undone"] for e in entries if "undone" in e and "kept" in e),
        finished_undo=any(e.get("undo") == "finished" for e in entries),
        notes=tuple(e for e in entries if "report_sha256" in e),
        uses=next((tuple((n, k, r) for n, k, r in e["uses"]) for e in entries if "began" in e and "uses" in e), None),
    )


def drop_torn_tail(path: Path, files: Files) -> None:
    """Before more is appended: what follows a torn line would never be read."""
    data = path.read_bytes()
    whole = b"".join(encode_line(entry) for entry in decode_lines(data))
    if whole != data:
        files.write(path, whole)


def _holds(lock: "BaseFileLock", path: Path) -> bool:
    """Whether the file that we have locked is the one which others will find by its name."""
    descriptor = lock._context.lock_file_fd  # there is no public way to ask
    if os.name == "nt" or not isinstance(descriptor, int):
        return True  # where names of open files can't be removed
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _owner_file(path: Path) -> Path:
    return path.with_suffix(".owner")


def _owner(path: Path) -> str:
    try:
        return _owner_file(path).read_text(encoding="utf-8").strip() or "unknown"
    except OSError:
        return "unknown"


def run_name(now: Any) -> str:
    """Sorts by time; the process id keeps two runs of one second apart."""
    return f"{now:%Y%m%dT%H%M%S%fZ}-{os.getpid()}"
