"""This machine, the catalogue that ships with us, and what of it fits."""

from pathlib import PurePath
from typing import TYPE_CHECKING

import msgspec

from setup_llm_dev.documents.choices import Choices
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.machine import Interpreter, Machine
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.detect import detect
from setup_llm_dev.stages.options import Options

if TYPE_CHECKING:
    from setup_llm_dev.documents.catalog import Catalog
    from setup_llm_dev.documents.hash_catalog import HashCatalog
    from setup_llm_dev.documents.ide_catalog import IdeCatalog


def machine_here(host: Host, layout: Layout, options: Options, *, interpreters: bool) -> Machine:
    """This machine, or the one that the options put in its place."""
    machine = options.machine or detect(host, data=layout.data, interpreters=interpreters and options.python is None)
    if interpreters and options.python is not None:
        named = _named_interpreter(host, options.python, machine.arch)
        machine = msgspec.structs.replace(machine, interpreters=(named,))
    if options.assume:
        from setup_llm_dev.stages.assume import assume

        machine = assume(machine, *options.assume)
    return machine


def catalogue() -> "Catalog":
    """The one that ships with us."""
    from setup_llm_dev.documents.catalog import read_catalog
    from setup_llm_dev.documents.manifests import manifests_folder

    return read_catalog(manifests_folder() / "catalog")


def hash_catalogue() -> "HashCatalog":
    """The hashes of torch's wheels that ship with us."""
    from setup_llm_dev.documents.hash_catalog import read_hashes
    from setup_llm_dev.documents.manifests import manifests_folder

    return read_hashes(manifests_folder() / "catalog")


def ide_catalogue() -> "IdeCatalog":
    """What ships with us about PyCharm."""
    from setup_llm_dev.documents.catalog import read_table
    from setup_llm_dev.documents.ide_catalog import IdeCatalog
    from setup_llm_dev.documents.manifests import manifests_folder

    return read_table(manifests_folder() / "catalog" / "ides.toml", IdeCatalog)


def choices_for(recipe: Recipe, machine: Machine, options: Options, catalog: "Catalog | None" = None) -> Choices:
    """`choose`, by default on the catalogue that ships with us."""
    from setup_llm_dev.stages.choose import choose

    return choose(machine, recipe, catalog or catalogue(), variant=options.torch)


def no_build(choices: Choices) -> Refused:
    """Every reason, one a line."""
    first = choices.refusals[0] if choices.refusals else None
    reasons = "\n".join(f"  {r.candidate}: {r.reason}" for r in choices.refusals)
    return Refused(
        message("no build of PyTorch fits this machine:\n{reasons}", reasons=reasons),
        hint=first.hint if first else message("see `setup-llm-dev detect`"),
    )


def _named_interpreter(host: Host, path: PurePath, arch: str) -> Interpreter:
    from setup_llm_dev.host.interpreters import ask_interpreter

    interpreter = ask_interpreter(host, path, arch)
    if interpreter.problem is not None:
        raise Refused(
            message("{python} can't be used: {why}", python=str(path), why=interpreter.problem),
            hint=message("name another one with --python PATH; `setup-llm-dev detect` lists those found here"),
        )
    return interpreter
