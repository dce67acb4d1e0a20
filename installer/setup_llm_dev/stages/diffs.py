"""diffs: what the steps of a plan would do to files of the user's, as unified diffs; nothing is changed."""

import difflib
from collections.abc import Sequence

from setup_llm_dev.documents.plan import FileDiff
from setup_llm_dev.host.world import Host
from setup_llm_dev.steps.preview import FileChange, Previewing
from setup_llm_dev.steps.step import Step


def diffs(host: Host, steps: Sequence[Step]) -> tuple[FileDiff, ...]:
    """In the order of the steps; a step that changes no file of the user's has nothing to tell."""
    previewing = (step for step in steps if isinstance(step, Previewing))
    return tuple(file_diff(change) for step in previewing for change in step.preview(host))


def file_diff(change: FileChange) -> FileDiff:
    """Files are compared byte by byte; bytes that are no text, and control characters, are shown spelled out.

    >>> from pathlib import PurePosixPath
    >>> print(file_diff(FileChange(PurePosixPath("/p/f"), b"a\\r\\nb\\r\\n", b"a\\r\\nB\\x1b\\r\\n")).diff)
    --- /p/f
    +++ /p/f
    @@ -1,2 +1,2 @@
     a
    -b
    +B\\x1b
    """
    after, path = _lines(change.after), str(change.path)
    if change.before is None:
        return FileDiff(path=path, new=True, lines=len(after))
    told = difflib.unified_diff(_lines(change.before), after, path, path, lineterm="")
    return FileDiff(path=path, diff="\n".join(map(_shown, told)), lines=len(after))


def _lines(data: bytes) -> list[str]:
    """With their ends, as far as they are more than a line feed; a last line without one says so."""
    text = data.decode("utf-8", "backslashreplace")
    *lines, last = text.split("\n")
    return [*lines, f"{last}\n"] if last else lines


def _shown(line: str) -> str:
    r"""Carriage returns are compared, but not shown: every line of a file of Windows ends with one."""
    if line.endswith("\n"):
        line = f"{line[:-1]}  \\ no line end"
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in line.removesuffix("\r"))
