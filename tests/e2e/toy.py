"""A small world where the real packages are not needed: tiny real wheels on loopback indexes, and their recipe."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.machine import ALONE, CLOSED, Done, Machine
from tests.upstream.index import Index, pytorch, simple
from tests.upstream.jetbrains import JetBrains
from tests.upstream.wheels import build_wheel, torch_wheel

TORCH = "2.13.0"
PYCHARM = "2026.3.1"
RECIPE = """\
schema = 1
name = "toy"
summary = "The shape of the real thing, in kilobytes"

[python]
version = ">=3.11"

[torch]
version = ">=2.6"
variant = "cpu"

[packages]
requires = ["tiny-one", "tiny-two>=1"]

[model]
source = "hf:tests/tiny"
fallback = "pypi:tiny-model"
"""
INTERPRETER = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
"""The Python that the tests' own environment was made with."""


@dataclass(frozen=True)
class Toy:
    """`index` serves what is in `folder`; `uv_cache` is kept between machines, so that only the first one downloads.

    `jetbrains` has one PyCharm, of some kilobytes, in the version PYCHARM.
    """

    folder: Path
    index: Index
    jetbrains: JetBrains
    recipe: Path
    uv_cache: Path
    made: list[Path] = field(default_factory=list)

    def machine(self, home: Path, **settings: str) -> Machine:
        """A machine that knows nothing but the loopback indexes, and whose hub can't be reached."""
        own = {
            "PIP_CONFIG_FILE": os.devnull,
            "UV_CACHE_DIR": str(self.uv_cache),
            "SETUP_LLM_DEV_MIRRORS_PYPI": self.index.address("/simple"),
            "SETUP_LLM_DEV_MIRRORS_TORCH": f"{self.index.url}/whl",
            "HF_ENDPOINT": CLOSED,
            **ALONE,
            "SETUP_LLM_DEV_MIRRORS_JETBRAINS_FEED": self.jetbrains.feed_url,
        }
        return Machine(home, own | settings, recipe="toy")

    def words(self, *more: str) -> tuple[str, ...]:
        """The arguments of every `apply` here: there is nothing to fine-tune, so without the smoke."""
        return ("apply", str(self.recipe), "--skip", "smoke", "--python", INTERPRETER, *more)

    def apply(self, machine: Machine, *more: str, **extra: str) -> Done:
        return machine.run(*self.words(*more), cwd=None, **extra)


@contextmanager
def toy_world(folder: Path) -> Iterator[Toy]:
    """Build the wheels and serve them."""
    wheels, torch = folder / "wheels", folder / "torch"
    build_wheel(wheels, "pip", "26.1")
    build_wheel(wheels, "tiny-one", "1.0", files=tiny_modules("tiny_one", 12), requires=["tiny-two"])
    build_wheel(wheels, "tiny-two", "1.5", files=tiny_modules("tiny_two", 5))
    build_wheel(wheels, "tiny-two", "1.4", files=tiny_modules("tiny_two", 5))
    build_wheel(wheels, "tiny-model", "0.1", files=tiny_model())
    build_wheel(wheels, "stranger", "3.0")
    feature = f"cp3{sys.version_info.minor}"
    torch_wheel(torch, TORCH, tag=f"{feature}-{feature}-manylinux_2_28_{platform.machine()}")
    recipe = folder / "toy.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    with Index(simple(wheels), pytorch(torch)) as index, JetBrains() as jetbrains:
        jetbrains.archive(PYCHARM, "263.8665.41")
        yield Toy(folder, index, jetbrains, recipe, folder / "uv-cache")


def tiny_modules(package: str, count: int) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {f"{package}/part_{n}.py": f"NUMBER = {n}\n" * 20 for n in range(count)}
    return files | {f"{package}/__init__.py": ""}


def tiny_model() -> dict[str, str | bytes]:
    weights = bytes(range(256)) * 400
    return {
        "tiny_model/__init__.py": "",
        "tiny_model/model/config.json": '{"model_type": "bert"}\n',
        "tiny_model/model/model.safetensors": weights,
        "tiny_model/model/tokenizer.json": "{}\n",
        "tiny_model/model/vocab.txt": "[PAD]\n[UNK]\n",
    }
