"""The kinds of steps by name, for `undo`, which knows them only from the journal."""

from typing import Any, cast

from setup_llm_dev.errors import Refused
from setup_llm_dev.messages import message
from setup_llm_dev.steps.environment import MakeEnvironment
from setup_llm_dev.steps.git import InitializeGit
from setup_llm_dev.steps.ide import InstallIde
from setup_llm_dev.steps.installed_ide import UseInstalledIde
from setup_llm_dev.steps.interpreter import ConfigureInterpreter
from setup_llm_dev.steps.launcher import LinkLauncher, WriteDesktopEntry
from setup_llm_dev.steps.link import SwitchLink
from setup_llm_dev.steps.memory import SetHeap
from setup_llm_dev.steps.model import FetchHubModel, FetchPackageModel
from setup_llm_dev.steps.modelscope import FetchModelScopeModel
from setup_llm_dev.steps.packages import InstallPackages
from setup_llm_dev.steps.project import MergeProject
from setup_llm_dev.steps.smoke import RunSmoke
from setup_llm_dev.steps.step import Step
from setup_llm_dev.steps.variant import CheckVariant
from setup_llm_dev.steps.write import WriteFiles

KINDS = (
    MakeEnvironment,
    InstallPackages,
    FetchHubModel,
    FetchPackageModel,
    FetchModelScopeModel,
    CheckVariant,
    RunSmoke,
    WriteFiles,
    InstallIde,
    UseInstalledIde,
    LinkLauncher,
    WriteDesktopEntry,
    SetHeap,
    ConfigureInterpreter,
    MergeProject,
    InitializeGit,
    SwitchLink,
)


def step_of(kind: str, record: dict[str, Any]) -> Step:
    """The step that wrote this record; raises Refused (3) for a kind of a newer version."""
    for known in KINDS:
        if known.kind == kind:
            return cast(Step, known.from_record(record))
    raise Refused(
        message("the journal has a step of kind “{kind}”, which this version does not know", kind=kind),
        hint=message("undo it with the version of setup-llm-dev that made it"),
    )
