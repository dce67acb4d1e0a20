"""The project: whether anything was set up for this recipe, and whether lock and link still lead somewhere."""

from collections.abc import Iterator

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import message
from setup_llm_dev.stages.diagnoses.situation import Situation, Told
from setup_llm_dev.stages.stored_lock import read_lock


def look(situation: Situation) -> Iterator[Told]:
    host, layout = situation.host, situation.layout
    venv, files = layout.venv, host.files
    yield from _lock(situation)
    if situation.environment is not None:
        return
    if files.exists(venv) and not files.is_dir(venv):
        yield Entry(
            id="environment-gone", group="environment", level="error",
            text=message("{venv} leads nowhere: the environment was removed", venv=str(venv)),
            hint=message("make it anew"), commands=(situation.again,),
            evidence=(f"{venv} -> {files.link_target(venv)}",), reference="environment",
        )  # fmt: skip
    else:
        yield Entry(
            id="not-set-up", group="environment", level="info",
            text=message("nothing is set up in {folder} yet", folder=str(layout.workspace)),
        )  # fmt: skip


def _lock(situation: Situation) -> Iterator[Entry]:
    path = situation.layout.lock_file
    text = situation.host.files.read_text(path)
    if text is None or situation.lock is not None:
        return
    try:
        read_lock(text, path)
    except UsageError as error:
        yield Entry(
            id="lock-damaged", group="environment", level="error", text=error.message, hint=error.hint,
            commands=(f"{situation.again} --upgrade",), evidence=(str(path),), reference="environment",
        )  # fmt: skip
