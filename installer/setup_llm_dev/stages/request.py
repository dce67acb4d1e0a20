"""What pinning needs to know besides the choices."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from setup_llm_dev.documents.catalog import ModelCatalog
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message

Say = Callable[[Message], None]


@dataclass(frozen=True)
class Request:
    """The world, the documents, and where sentences go."""

    host: Host
    machine: Machine
    recipe: Recipe
    recipe_digest: str
    request_digest: str
    layout: Layout
    surroundings: Surroundings
    say: Say
    models: ModelCatalog
    torch_root: str = ""  # of the makers' index
    with_model: bool = True
    with_ide: bool = True
    newest_ide: bool = False  # --upgrade: an installed PyCharm is no answer to `latest`
    ide_archive: PurePath | None = None
    ide_sha256: str | None = None
    again: str = "setup-llm-dev apply"
