"""The IDE's whole side of a set-up: the program, its knowledge of the interpreter, and the project."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from setup_llm_dev.components.pycharm_install import ide_home, ide_settings, ide_steps
from setup_llm_dev.components.python import Generation
from setup_llm_dev.documents.idea_project import ProjectWish
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import IdeLock
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.messages import Message
from setup_llm_dev.steps.git import InitializeGit
from setup_llm_dev.steps.interpreter import ConfigureInterpreter
from setup_llm_dev.steps.project import MergeProject
from setup_llm_dev.steps.step import Step


@dataclass(frozen=True)
class IdeSide:
    """What was found out about this machine before the plan.

    settings: one folder per IDE version lies in it. programs, applications: the user's own commands and menu entries.
    name: of the interpreter in the IDE's table. waits: why it can't be entered there yet.
    """

    settings: PurePath
    programs: PurePath
    applications: PurePath
    user_home: PurePath
    name: str
    waits: Message | None = None


def all_ide_steps(
    ide: IdeLock | None, layout: Layout, machine: Machine, generation: Generation, side: IdeSide, *, optional: bool
) -> Iterable[Step]:
    """Without an IDE (a gap) the project is prepared all the same; a later run completes the rest."""
    if ide is not None:
        yield from ide_steps(
            ide,
            layout,
            machine,
            optional=optional,
            settings_root=side.settings,
            programs=side.programs,
            applications=side.applications,
        )
        if side.waits is None:
            yield _interpreter(ide, layout, generation, side, optional=optional)
    yield MergeProject(ProjectWish(folder=layout.workspace, sdk_name=side.name), layout.hub_cache)


def git_step(layout: Layout, *, mapped: bool) -> Step:
    """mapped: PyCharm is told of the repository."""
    return InitializeGit(layout.workspace, mapped=mapped)


def _interpreter(ide: IdeLock, layout: Layout, generation: Generation, side: IdeSide, *, optional: bool) -> Step:
    home = layout.python_in(layout.venv)
    return ConfigureInterpreter(
        settings=ide_settings(ide, side.settings),
        name=side.name,
        home=home,
        version=generation.version,
        workspace=layout.workspace,
        user_home=side.user_home,
        # The same for the same place: a plan made twice is the same plan.
        uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, home.as_posix())),
        ide=ide_home(ide, layout),
        backups=layout.backups,
        needs=("ide",),
        optional=optional,
    )
