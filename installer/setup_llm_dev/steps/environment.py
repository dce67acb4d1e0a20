"""Make an empty environment: `python -m venv --without-pip`, in place, since a venv can't be renamed."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied

COMPLETE = "generation.json"
"""Written last into a generation: without it the folder is what an interrupted run left."""


_PYTHONS = ("bin/python", "Scripts/python.exe")


def read_marker(host: Host, folder: PurePath) -> dict[str, Any] | None:
    """What a complete generation says of itself; None for an unfinished one, and where the file is damaged."""
    text = host.files.read_text(folder / COMPLETE)
    try:
        marker = json.loads(text) if text else None
    except ValueError:
        return None
    return marker if isinstance(marker, dict) and "pylock_sha256" in marker else None


@dataclass(frozen=True)
class MakeEnvironment:
    """`folder` is a generation of ours; `interpreter` is the Python it is made with, of `version`."""

    kind: ClassVar[str] = "environment"
    folder: PurePath
    interpreter: PurePath
    version: str
    optional: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    phase: ClassVar[Phase] = "stage"

    @property
    def id(self) -> str:
        return "environment"

    def describe(self) -> Message:
        return message("make an environment with Python {version}", version=self.version)

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        settings = host.files.read_text(self.folder / "pyvenv.cfg")
        if settings is None:
            return Unsatisfied(message("there is no environment yet"))
        if f"version = {self.version}" not in settings:
            return Unsatisfied(message("it has another Python"))
        # Links are followed: an environment outlives the Python it was made with, and is of no use then.
        if not any(host.files.is_file(self.folder / name) for name in _PYTHONS):
            return Unsatisfied(message("its Python is gone"))
        return Satisfied()

    def apply(self, host: Host, progress: Progress) -> Receipt:
        host.files.remove_tree(self.folder)
        host.files.make_dir(self.folder.parent)
        # -I keeps PYTHONPATH and the current folder out; ensurepip may be missing (Debian), so pip comes as a wheel.
        done = host.programs.run(
            (self.interpreter, "-I", "-m", "venv", "--without-pip", self.folder), timeout=120, tied=True
        )
        if not done.ok:
            why = done.stderr.strip().splitlines()[-1:] or [done.stdout.strip() or "no output"]
            raise SystemRefused(
                message("{python} could not make an environment: {why}", python=str(self.interpreter), why=why[0]),
                hint=message("name another Python with --python PATH"),
            )
        return {"folder": str(self.folder)}

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        host.files.remove_tree(self.folder)
        host.files.remove_empty_dir(self.folder.parent)
        return ()

    def record(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "interpreter": str(self.interpreter), "version": self.version}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "MakeEnvironment":
        return cls(Path(record["folder"]), Path(record["interpreter"]), record["version"])
