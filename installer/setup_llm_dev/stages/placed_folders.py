"""Where the data folder and the project may lie: apart from each other, and neither is the user's home."""

from pathlib import PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.platforms.folders import APP


def refuse_misplaced(host: Host, layout: Layout, *, stands_in: bool) -> None:
    """Raises Refused (3) for a data folder or a project around the home, or a project in the data folder. Only reads.

    `stands_in`: there is no home of the user's, and the data folder is taken for one.
    """
    home, data, workspace = map(host.files.resolve, (host.home, layout.data, layout.workspace))
    if not stands_in and home.is_relative_to(data):
        raise Refused(
            message("--home names our own data folder, so it can't be your home folder, or one around it: {folder}",
                    folder=str(layout.data)),
            hint=message("give it a folder of its own: --home {folder}", folder=str(layout.data / APP)),
        )  # fmt: skip
    if home.is_relative_to(workspace) and not stands_in:
        raise Refused(
            message("the project folder can't be your home folder, or one around it: {folder}",
                    folder=str(layout.workspace)),
            hint=_workspace_hint(layout.workspace),
        )  # fmt: skip
    if workspace.is_relative_to(data):
        raise Refused(
            message("the project folder {folder} lies in the data folder, which is setup-llm-dev's alone: {data}",
                    folder=str(layout.workspace), data=str(layout.data)),
            hint=message("choose a project folder outside it: --workspace DIR"),
        )  # fmt: skip


def _workspace_hint(folder: PurePath) -> Message:
    return message("give it a folder of its own: --workspace {folder}", folder=str(folder / "llm-dev"))
