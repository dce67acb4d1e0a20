"""A PyCharm that somebody else looks after: it has to be where the lock says, and nothing of it is ever changed."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.ide_tree import read_product
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied


@dataclass(frozen=True)
class UseInstalledIde:
    """The PyCharm at `home` is there, in `version`."""

    kind: ClassVar[str] = "installed-ide"
    home: PurePath
    version: str
    optional: bool = False
    needs: ClassVar[tuple[str, ...]] = ()
    phase: ClassVar[Phase] = "stage"

    @property
    def id(self) -> str:
        return "ide"

    def describe(self) -> Message:
        return message("use PyCharm {version} at {home}", version=self.version, home=str(self.home))

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        found = read_product(host, self.home)
        if found is None:
            return Unsatisfied(message("there is no PyCharm at {home} any more", home=str(self.home)))
        if found.version != self.version:
            return Unsatisfied(
                message("PyCharm at {home} is {version} now", home=str(self.home), version=found.version)
            )
        return Satisfied()

    def apply(self, host: Host, progress: Progress) -> Receipt:
        """Nothing can be done about it here; a run that begins now takes what it finds."""
        answer = self.check(host)
        if isinstance(answer, Unsatisfied):
            raise Refused(answer.why, hint=message("run the same command again"))
        return {}

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        return ()

    def record(self) -> dict[str, Any]:
        return {"home": str(self.home), "version": self.version}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "UseInstalledIde":
        return cls(Path(record["home"]), record["version"])
