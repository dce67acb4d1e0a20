"""Python and the packages: the steps that make a generation."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock
from setup_llm_dev.messages import message
from setup_llm_dev.steps.environment import MakeEnvironment
from setup_llm_dev.steps.packages import InstallPackages
from setup_llm_dev.steps.step import Step
from setup_llm_dev.steps.variant import CheckVariant
from setup_llm_dev.steps.write import WriteFiles

_FORMAT = "1"  # counted up when a generation is made in another way, so that old ones are not taken for new ones


@dataclass(frozen=True)
class Generation:
    """An environment folder of ours, and the Python that it is, or will be, made with."""

    folder: PurePath
    interpreter: PurePath
    version: str


def generation_digest(lock: Lock) -> str:
    """Twelve hex digits that stand for everything that decides the content of an environment."""
    parts = (_FORMAT, lock.packages.sha256, lock.python.feature, lock.python.platform, lock.torch.version)
    return sha256("\n".join(parts).encode()).hexdigest()[:12]


def own_pylock(layout: Layout, lock: Lock) -> PurePath:
    """Our copy of the packages' lock, by its content: what uv reads, whatever happens to the one in the project."""
    return layout.data / "locks" / f"pylock.{lock.packages.sha256[:12]}.toml"


def python_steps(lock: Lock, pylock: str, layout: Layout, generation: Generation) -> tuple[Step, ...]:
    """Make the environment, write down its lock, install, and check the torch build."""
    python = layout.python_in(generation.folder)
    own = own_pylock(layout, lock)
    torch = lock.torch.version.partition("+")[0]
    return (
        MakeEnvironment(generation.folder, generation.interpreter, generation.version),
        WriteFiles(
            "pylock",
            own.parent,
            ((own.name, pylock.encode()),),
            message("write down the packages with their hashes"),
            ours=True,
            phase="stage",
        ),
        InstallPackages(
            folder=generation.folder,
            python=python,
            pylock=own,
            sha256=lock.packages.sha256,
            count=lock.packages.count,
            constraints=(f"torch=={lock.torch.version}",),
            config=layout.config,
            store=layout.store,
            facts=(
                ("schema", "generation/1"),
                ("recipe", lock.recipe),
                ("python", generation.version),
                ("interpreter", str(generation.interpreter)),
                ("torch", lock.torch.version),
                ("variant", lock.torch.variant),
            ),
        ),
        CheckVariant(generation.folder, torch, lock.torch.variant),
    )
