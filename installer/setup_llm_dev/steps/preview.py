"""What a step would do to files of the user's, told before it does anything."""

from pathlib import PurePath
from typing import NamedTuple, Protocol, runtime_checkable

from setup_llm_dev.host.world import Host


class FileChange(NamedTuple):
    """A file of the user's with its bytes before (None: there is no such file) and after."""

    path: PurePath
    before: bytes | None
    after: bytes


@runtime_checkable
class Previewing(Protocol):
    """A step that changes, or makes, files of the user's."""

    def preview(self, host: Host) -> tuple[FileChange, ...]:
        """What `apply` would write now; only reads, and raises what `check` raises."""
        ...
