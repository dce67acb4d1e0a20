"""Give an IDE the memory that an index of torch needs, where nobody has decided on that yet."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.documents.vmoptions import decides_heap, heap_options
from setup_llm_dev.host.ide.table import why_not_yet
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.preview import FileChange
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied
from setup_llm_dev.steps.write import WriteFiles

_VARIABLES = ("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")
_FILE_VARIABLE = "PYCHARM_VM_OPTIONS"


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
        folders = [str(folder) for folder in host.files.missing_parents(self.settings / self.file_name)]
        return self._file().before(host) | {"folders": folders}

    def apply(self, host: Host, progress: Progress) -> Receipt:
        receipt = self.before(host)
        return receipt | self._file().apply(host, progress)

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        """The folders that were made for it go with it, as far as they are empty then."""
        left = self._file().undo(host, receipt)
        for folder in receipt.get("folders", ()):
            if not host.files.remove_empty_dir(Path(folder)):
                break
        return left

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

        The user has decided by a file of that name, whatever is in it; by one beside the installation, where the
        Toolbox App keeps it; or by a variable that Java or PyCharm reads.
        """
        toolbox = self.home.with_name(self.home.name + ".vmoptions")
        if any(host.files.exists(place) for place in (self.settings / self.file_name, toolbox)):
            return False
        if any(decides_heap(host.environment.get(name, "")) for name in _VARIABLES):
            return False
        return not host.environment.get(_FILE_VARIABLE) and why_not_yet(host, self.settings) is None
