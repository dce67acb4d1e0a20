"""The family of torch as one consistent set: every member from torch's own index, at the versions that go with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from setup_llm_dev.documents.choices import Build, Choices
from setup_llm_dev.documents.pylock import locked_wheels
from setup_llm_dev.host.resolver import Unsatisfiable
from setup_llm_dev.stages.pin import Pinned, pin
from tests.ground import build_of, choices_of, small_recipe
from tests.test_pin import request_for
from tests.upstream.index import Index, pytorch, simple
from tests.upstream.wheels import build_wheel, torch_wheel


@dataclass(frozen=True)
class World:
    """The package index and torch's index of one variant, as folders and served."""

    index: Index
    general: Path
    torch: Path
    home: Path
    variant: str

    def build(self, *companions: str) -> Choices:
        build = build_of(f"2.14.1+{self.variant}", self.index.address(f"/whl/{self.variant}").rstrip("/"))
        return choices_of(msgspec.structs.replace(build, companions=companions))

    def pinned(self, *companions: str, requires: tuple[str, ...] = ()) -> Pinned:
        request = request_for(self.home, small_recipe(*requires), PIP_INDEX_URL=self.index.address())
        return pin(request, self.build(*companions))


@pytest.fixture(params=["rocm7.2", "xpu", "cpu"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    general, torch = tmp_path / "general", tmp_path / "torch"
    build_wheel(general, "pip", "26.0")
    torch.mkdir()
    with Index(simple(general), pytorch(torch, request.param)) as index:
        yield World(index, general, torch, tmp_path / "home", request.param)


def sources(pinned: Pinned) -> dict[str, str]:
    return {wheel.name: f"{wheel.version} {wheel.url}" for wheel in locked_wheels(pinned.pylock)}


@pytest.mark.parametrize("name", ["triton-rocm", "pytorch-triton-rocm", "triton-xpu", "pytorch-triton-xpu"])
@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_triton_of_a_variant_comes_from_torchs_index(world: World, name: str, elsewhere: bool) -> None:
    """Whatever it is called in this release, and whether or not another index has one of that name."""
    torch_wheel(world.torch, "2.14.1", world.variant, requires=[f"{name}==3.8.0"])
    build_wheel(world.torch, name, "3.8.0", tag="py3-none-manylinux_2_28_x86_64")
    if elsewhere:
        build_wheel(world.general, name, "3.8.0", files={"other.py": "bytes of somebody else"})
    assert f"/whl/{world.variant}/" in sources(world.pinned())[name]


def test_a_companion_that_a_package_asks_for_has_the_version_of_this_torch(world: World) -> None:
    torch_wheel(world.torch, "2.14.1", world.variant)
    for version in ("0.28.0", "0.29.2", "0.30.0"):
        build_wheel(world.torch, "torchvision", f"{version}+{world.variant}")
        build_wheel(world.general, "torchvision", version)
    build_wheel(world.general, "sees", "1.0", requires=["torchvision"])
    found = sources(world.pinned("torchvision==0.29.2", requires=("sees",)))["torchvision"]
    assert found.startswith(f"0.29.2+{world.variant} ")
    assert f"/whl/{world.variant}/" in found


def test_a_companion_that_nobody_asks_for_is_not_installed(world: World) -> None:
    torch_wheel(world.torch, "2.14.1", world.variant)
    build_wheel(world.torch, "torchvision", f"0.29.2+{world.variant}")
    assert "torchvision" not in sources(world.pinned("torchvision==0.29.2"))


def test_an_older_torchaudio_is_no_companion(world: World) -> None:
    """It asks for no torch by itself, so the resolver would take it; the pair would not work."""
    torch_wheel(world.torch, "2.14.1", world.variant)
    build_wheel(world.general, "torchaudio", "2.11.0")
    build_wheel(world.general, "hears", "1.0", requires=["torchaudio"])
    with pytest.raises(Unsatisfiable, match="torchaudio"):
        world.pinned("torchvision==0.29.2", requires=("hears",))


def test_the_lock_says_where_it_comes_from(world: World) -> None:
    torch_wheel(world.torch, "2.14.1", world.variant, requires=["triton-rocm==3.8.0"])
    build_wheel(world.torch, "triton-rocm", "3.8.0")
    pinned = world.pinned()
    assert pinned.lock.torch.variant == world.variant
    assert isinstance(world.build().builds[0], Build)
