"""Give an IDE the memory that an index of torch needs, where nobody has decided on that yet."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.documents.vmoptions import heap_options
from setup_llm_dev.host.ide.table import why_not_yet
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.preview import FileChange
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied
from setup_llm_dev.steps.write import WriteFiles


@dataclass(frozen=True)
class SetHeap:
    """`settings` is the IDE's folder of settings, `file_name` its file of JVM options there, `heap` in MiB; `home` is
    the IDE's own folder."""

    kind: ClassVar[str] = "ide-memory"
    settings: PurePath
    file_name: str
    heap: int
    home: PurePath
    needs: tuple[str, ...] = ()
    optional: bool = False
    phase: ClassVar[Phase] = "switch"

    @property
    def id(self) -> str:
        return "ide-memory"

    def describe(self) -> Message:
        return message("let PyCharm use {heap} MiB of memory", heap=self.heap)

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        return self._file().check(host) if self._free(host) else Satisfied()

    def preview(self, host: Host) -> tuple[FileChange, ...]:
        return self._file().preview(host) if self._free(host) else ()

    def before(self, host: Host) -> Receipt:
        return self._file().before(host)

    def apply(self, host: Host, progress: Progress) -> Receipt:
        return self._file().apply(host, progress)

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        """The folders that were made for it go with it, as far as they are empty then."""
        return self._file().undo(host, receipt)

    def record(self) -> dict[str, Any]:
        return {
            "settings": str(self.settings), "file_name": self.file_name, "heap": self.heap, "home": str(self.home),
        }  # fmt: skip

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "SetHeap":
        return cls(Path(record["settings"]), record["file_name"], record["heap"], Path(record["home"]))

    def _file(self) -> WriteFiles:
        contents = ((self.file_name, heap_options(self.heap)),)
        return WriteFiles(self.id, self.settings, contents, self.describe(), ours=False)

    def _free(self, host: Host) -> bool:
        """Whether nobody has decided, and the folder of the settings is there or may be made.

        The user has decided by a file of that name, whatever is in it, or by one beside the installation, where the
        Toolbox App keeps it. Variables are not asked, so that every shell gets the same answer: a PyCharm that is
        started from a menu sees none of a shell's; JAVA_TOOL_OPTIONS yields to the heap of the installation's own file
        anyway; and _JAVA_OPTIONS, or the file that PYCHARM_VM_OPTIONS names, wins over what stands here.
        """
        toolbox = self.home.with_name(self.home.name + ".vmoptions")
        if any(host.files.exists(place) for place in (self.settings / self.file_name, toolbox)):
            return False
        return why_not_yet(host, self.settings) is None
