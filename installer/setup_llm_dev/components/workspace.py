"""The user's project folder: a starting point to go on with, our own files, and the link `.venv`."""

import json
from typing import Any

import tomli_w

from setup_llm_dev.components.python import Generation
from setup_llm_dev.components.resources import Resources
from setup_llm_dev.components.smoke import smoke_job
from setup_llm_dev.documents.codec import to_stored
from setup_llm_dev.documents.idea_project import ProjectWish
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.steps.foreign import refuse_foreign as refuse_foreign_files
from setup_llm_dev.steps.git import InitializeGit
from setup_llm_dev.steps.link import SwitchLink
from setup_llm_dev.steps.project import MergeProject
from setup_llm_dev.steps.step import Step
from setup_llm_dev.steps.write import WriteFiles

APPLIED = "applied.json"
"""In our own folder of the project: which parts were ever applied, so that `status` asks for no others."""
_PROGRAM, _JOB = "smoke.pyz", "smoke.json"


def workspace_steps(
    recipe: Recipe, lock: Lock, pylock: str, layout: Layout, resources: Resources, parts: frozenset[str]
) -> tuple[Step, ...]:
    """Only missing files are made; our own, in `.setup-llm-dev` and the lock, are kept up to date.

    parts: all that stand once the run is over, those of earlier runs among them.
    """
    own = [(_PROGRAM, resources.smoke), (APPLIED, _json({"parts": sorted(parts)}))]
    if lock.model is not None:
        own.append((_JOB, _json(smoke_job(recipe, lock, layout))))
    return (
        WriteFiles(
            "workspace",
            layout.workspace,
            resources.starter,
            message("make the project folder {path}", path=str(layout.workspace)),
            ours=False,
        ),
        WriteFiles(
            "workspace-own",
            layout.workspace,
            tuple((f"{layout.own.name}/{name}", data) for name, data in own),
            message("put the smoke program into the project"),
            ours=True,
        ),
        WriteFiles(
            "lock",
            layout.workspace,
            # The lock last: it names the other by its hash.
            ((lock.packages.pylock, pylock.encode()), (layout.lock_file.name, lock_text(lock))),
            message("keep the lock in the project"),
            ours=True,
        ),
    )


def refuse_foreign(host: Host, recipe: str, layout: Layout, resources: Resources, parts: frozenset[str]) -> None:
    """Raises Refused (3) for what stands at a name of ours in the project and was not made by us, nor can be put back.

    recipe: its name. To be asked before anything is fetched. Only reads.
    """
    own = (f"{layout.own.name}/{name}" for name in (_PROGRAM, APPLIED, _JOB))
    files = (pylock_name(recipe), layout.lock_file.name, layout.report.name, *own)
    refuse_foreign_files(host, layout.workspace, (path for path, _ in resources.starter), ours=False)
    refuse_foreign_files(host, layout.workspace, files, ours=True)
    link_step(layout, Generation(layout.environments, layout.data, "")).refuse_foreign(host)
    InitializeGit(layout.workspace).refuse_foreign(host)
    if "ide" in parts:
        MergeProject(ProjectWish(folder=layout.workspace, sdk_name="")).refuse_foreign(host)


def pylock_name(recipe: str) -> str:
    """Of a recipe by its name: the file beside the lock that holds the packages."""
    return f"pylock.{recipe}.toml"


def link_step(layout: Layout, generation: Generation) -> SwitchLink:
    """The last change of all: from here on the user sees the new environment."""
    return SwitchLink(layout.venv, generation.folder, layout.environments)


def lock_text(lock: Lock) -> bytes:
    """The lock as TOML; None can't be written there, so those keys are left out."""
    head = b"# Written by setup-llm-dev; `setup-llm-dev apply --upgrade` makes it anew.\n"
    return head + tomli_w.dumps(_without_none(to_stored(lock))).encode()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"
