"""PyCharm's side of the workspace: the wish for its `.idea`, the interpreter's name, and how to open it."""

from collections.abc import Collection
from itertools import count
from pathlib import PurePath

from setup_llm_dev.documents.idea_files import RUNS, SDK_TYPE, RunConfiguration
from setup_llm_dev.documents.idea_project import ProjectWish, merged
from setup_llm_dev.documents.jetbrains_xml import writable_name
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.messages import Message, message

__all__ = [
    "RUNS", "SDK_TYPE", "RunConfiguration", "free_sdk_name", "how_to_open", "module_name", "project_files",
]  # fmt: skip


def project_files(
    *, workspace: PurePath, sdk_name: str, runs: tuple[RunConfiguration, ...] = RUNS
) -> tuple[tuple[str, bytes], ...]:
    """Path below the workspace (with slashes) and bytes of each file of a project that has none yet.

    None holds a path of this machine. sdk_name: the interpreter's name in the IDE's own table, the only link between
    project and interpreter.
    """
    return tuple(merged({}, ProjectWish(folder=workspace, sdk_name=sdk_name, runs=runs)).items())


def free_sdk_name(*, python_version: str, workspace: PurePath, taken: Collection[str] = ()) -> str:
    """`Python 3.11 (folder)`, or the first free of `Python 3.11 (folder) (2)`, `(3)`…

    python_version: `3.11.7` or `3.11`. taken: names that belong to interpreters elsewhere.

    >>> from pathlib import PurePosixPath
    >>> workspace = PurePosixPath("/home/ada/llm")
    >>> free_sdk_name(python_version="3.11.7", workspace=workspace, taken=["Python 3.11 (llm)"])
    'Python 3.11 (llm) (2)'
    """
    release = ".".join(python_version.split(".")[:2])
    name = f"Python {release} ({module_name(workspace)})"
    return next(n for n in (name if i == 1 else f"{name} ({i})" for i in count(1)) if n not in taken)


def module_name(workspace: PurePath) -> str:
    """The folder's name, or `project` where the workspace is a root folder."""
    return writable_name(workspace.name) or "project"


def how_to_open(layout: Layout) -> Message:
    """What a person does to open the workspace in a PyCharm whose interpreter table we have not written."""
    return message(
        "in PyCharm, open the folder {workspace}; if it misses its interpreter, click the interpreter in the "
        "status bar, add a local interpreter, select an existing one, and choose {python}",
        workspace=str(layout.workspace),
        python=str(layout.python_in(layout.venv)),
    )
