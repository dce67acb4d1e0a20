"""The generated pyproject that uv resolves: torch bound to exactly one index, the rest to the user's own."""

from dataclasses import dataclass

import tomli_w
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from setup_llm_dev.documents.choices import Build
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.documents.recipe_values import TORCH_FAMILY
from setup_llm_dev.host.configuration import Surroundings

_INDEX = "torch-family"


@dataclass(frozen=True)
class TorchSource:
    """A place that may have torch: an index, a flat listing, or (`default`) the default package index."""

    url: str
    flat: bool = False
    default: bool = False


def torch_sources(build: Build, surroundings: Surroundings) -> tuple[TorchSource, ...]:
    """Where a build may come from: the user's own listings first, then its index or mirrors of that."""
    if not build.index:
        return (TorchSource(surroundings.default_index or "", default=True),)
    links = tuple(TorchSource(link, flat=True) for link in surroundings.find_links) if build.label else ()
    places = surroundings.torch_places(build.variant, build.index)
    return (*links, *(TorchSource(url, flat=flat) for url, flat in places))


def project_text(
    recipe: Recipe, build: Build, source: TorchSource, surroundings: Surroundings, python: str,
    named: frozenset[str] = frozenset(),
) -> str:  # fmt: skip
    """TOML of a project that asks for torch at `==VERSION+LABEL` from `source`, and for the recipe's packages.

    named: members of torch's family that are asked for by name, so that they come from `source` too.
    """
    feature = ".".join(python.split(".")[:2])
    requires = [*_requires(recipe, build), *sorted(named - bound(recipe, build))]
    uv: dict[str, object] = {"no-build": True, "index": _indexes(source, surroundings)}
    if build.companions:
        uv["constraint-dependencies"] = _companions(build)
    if not source.default:
        uv["sources"] = {name: {"index": _INDEX} for name in sorted(bound(recipe, build) | named)}
    project = {
        "name": "setup-llm-dev-environment",
        "version": "0",
        "requires-python": f"=={feature}.*",
        "dependencies": requires,
    }
    return tomli_w.dumps({"project": project, "tool": {"uv": uv}})


def model_project_text(name: str, surroundings: Surroundings) -> str:
    """TOML of a project that asks for one package, from the user's own indexes."""
    project = {"name": "model", "version": "0", "requires-python": ">=3.8", "dependencies": [name]}
    uv = {"no-build": True, "index": [*_others(surroundings), *_default(surroundings)]}
    return tomli_w.dumps({"project": project, "tool": {"uv": uv}})


def bound(recipe: Recipe, build: Build) -> frozenset[str]:
    """The members of the torch family that are asked for by name: uv takes them from torch's own source only."""
    return TORCH_FAMILY & {canonicalize_name(Requirement(line).name) for line in _requires(recipe, build)}


def _requires(recipe: Recipe, build: Build) -> list[str]:
    requires = [f"torch=={build.version}", *recipe.packages.requires, "pip"]
    if build.label.startswith("cu"):
        requires.append("triton; sys_platform == 'linux'")  # torch pins it; named here, it comes from torch's index
    return requires


def _companions(build: Build) -> list[str]:
    """The versions that belong to this torch; a torchaudio that does not exist for it must not be an older one."""
    known = {canonicalize_name(Requirement(line).name) for line in build.companions}
    return [*build.companions, *(() if "torchaudio" in known else ("torchaudio<0",))]


def _indexes(source: TorchSource, surroundings: Surroundings) -> list[dict[str, object]]:
    if source.default:
        # Extra indexes and listings are left out: they must never supply the torch family.
        return _default(surroundings)
    torch: dict[str, object] = {"name": _INDEX, "url": source.url, "explicit": True}
    flat = {"format": "flat"} if source.flat else {}
    return [torch | flat, *_others(surroundings), *_default(surroundings)]


def _others(surroundings: Surroundings) -> list[dict[str, object]]:
    """Indexes asked before the default one, in order; the first that has a package supplies it."""
    extra: list[dict[str, object]] = [
        {"name": f"extra-{number}", "url": url} for number, url in enumerate(surroundings.extra_indexes, 1)
    ]
    return extra + [
        {"name": f"links-{number}", "url": url, "format": "flat"}
        for number, url in enumerate(surroundings.find_links, 1)
    ]


def _default(surroundings: Surroundings) -> list[dict[str, object]]:
    if not surroundings.default_index:
        return []
    return [{"name": "default", "url": surroundings.default_index, "default": True}]
