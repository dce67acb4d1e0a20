"""Switch what the user sees: the link `.venv` of the workspace, to a generation, in one rename."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied


@dataclass(frozen=True)
class SwitchLink:
    """`place` becomes a link to `target`. Only links into `ours` are replaced; anything else there is refused."""

    kind: ClassVar[str] = "link"
    place: PurePath
    target: PurePath
    ours: PurePath
    needs: tuple[str, ...] = ()
    optional: ClassVar[bool] = False
    phase: ClassVar[Phase] = "switch"

    @property
    def id(self) -> str:
        return "link"

    def describe(self) -> Message:
        return message("switch {place} to the new environment", place=str(self.place))

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        if not host.files.exists(self.place):
            return Unsatisfied(message("{place} is not there yet", place=str(self.place)))
        if self._resolved(host, self.place) == self._resolved(host, self.target):
            return Satisfied()
        return Unsatisfied(message("{place} points elsewhere", place=str(self.place)))

    def refuse_foreign(self, host: Host) -> None:
        """Raises Refused (3) when something that is not ours stands at `place`; asked before anything is fetched."""
        if not host.files.exists(self.place):
            return
        ours = self._resolved(host, self.ours)
        found = self._resolved(host, self.place)
        if found == self.place or not found.is_relative_to(ours):
            raise Refused(
                message("{place} is there already and was not made by setup-llm-dev", place=str(self.place)),
                hint=message("move it away, or choose another folder with --workspace DIR"),
            )

    def before(self, host: Host) -> Receipt:
        return {"before": host.files.link_target(self.place), "target": str(self.target)}

    def apply(self, host: Host, progress: Progress) -> Receipt:
        self.refuse_foreign(host)
        receipt = self.before(host)
        host.files.link(self.place, self.target)
        return receipt

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        if not host.files.exists(self.place):
            return ()
        if self._resolved(host, self.place) != self._resolved(host, self.target):
            return (message("{path} was changed since, so it stays", path=str(self.place)),)
        before = receipt.get("before")
        if before and host.files.is_dir(Path(before)):
            host.files.link(self.place, Path(before))
        else:
            host.files.remove(self.place)
            host.files.remove_empty_dir(self.place.parent)
        return ()

    def record(self) -> dict[str, Any]:
        return {"place": str(self.place), "target": str(self.target), "ours": str(self.ours)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "SwitchLink":
        return cls(Path(record["place"]), Path(record["target"]), Path(record["ours"]))

    @staticmethod
    def _resolved(host: Host, path: PurePath) -> PurePath:
        """The place itself for a link in a circle, which leads nowhere."""
        try:
            return host.files.resolve(path)
        except (OSError, RuntimeError):
            return path
