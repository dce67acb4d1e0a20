"""prepare: which lock is an answer here, machines that are elsewhere, and the space that is still needed."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from setup_llm_dev.components.python import Generation
from setup_llm_dev.components.workspace import lock_text
from setup_llm_dev.documents.codec import to_json
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import HubModelLock, Lock, PackageModelLock, PackagesLock, PythonLock, TorchLock
from setup_llm_dev.documents.machine import Accelerator, Machine
from setup_llm_dev.documents.recipe import Recipe, digest
from setup_llm_dev.errors import UsageError
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.interpreters import ask_interpreter
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.platforms.registry import current_platform
from setup_llm_dev.stages.compose import Plan
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.outline import pinned_outline
from setup_llm_dev.stages.prepare import prepare
from setup_llm_dev.stages.space import disk_needs
from setup_llm_dev.stages.stored_lock import made_for_other_pythons, stored_lock
from setup_llm_dev.steps.step import Satisfied, Unsatisfied
from tests.ground import layout_in, scratch_host, small_recipe, this_interpreter, tool

PYLOCK = 'lock-version = "1.0"\n'


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return scratch_host(tmp_path / "home")


@pytest.fixture
def layout(host: Host) -> Layout:
    return layout_in(host.home)


@pytest.fixture
def here(host: Host) -> Machine:
    """This machine as it is saved: with the Python that runs the tests."""
    machine = current_platform(host.system).probe(host)
    python = ask_interpreter(host, Path(this_interpreter().path), machine.arch)
    return msgspec.structs.replace(machine, interpreters=(python,))


def lock_for(machine: Machine, recipe: Recipe, options: Options) -> Lock:
    import hashlib

    python = machine.interpreters[0]
    return Lock(
        created="2026-01-01", created_by="a test", recipe=recipe.name, recipe_digest=digest(recipe),
        request_digest=options.digest, os=machine.os, arch=machine.arch,
        python=PythonLock(version=python.version, platform=python.platform),
        torch=TorchLock(version="2.13.0+cpu", variant="cpu", index="", why=message("a test"), wanted="2.13.0+cpu"),
        packages=PackagesLock(
            pylock="pylock.small.toml", sha256=hashlib.sha256(PYLOCK.encode()).hexdigest(), count=0,
            unpacked_bytes=1000,
        ),
    )  # fmt: skip


def keep(layout: Layout, lock: Lock) -> None:
    workspace = Path(layout.workspace)
    workspace.mkdir(parents=True, exist_ok=True)
    (workspace / lock.packages.pylock).write_text(PYLOCK)
    Path(layout.lock_file).write_bytes(lock_text(lock))


# locks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [{"os": "macos"}, {"arch": "riscv64"}])
def test_a_lock_from_another_platform_is_no_answer_and_is_said(
    host: Host, layout: Layout, here: Machine, changed: dict[str, str]
) -> None:
    recipe, options, said = small_recipe("tiny"), Options(), list[Message]()
    lock = lock_for(here, recipe, options)
    keep(layout, lock)
    assert stored_lock(host, layout, recipe, options, said.append) == (lock, PYLOCK)
    assert said == []
    keep(layout, msgspec.structs.replace(lock, **changed))
    assert stored_lock(host, layout, recipe, options, said.append) is None
    (sentence,) = map(str, said)
    for word in (*changed.values(), here.os, here.arch):
        assert word in sentence


def test_a_lock_for_a_python_of_another_platform_is_said(host: Host, layout: Layout, here: Machine) -> None:
    recipe, options, said = small_recipe("tiny"), Options(python=Path(here.interpreters[0].path)), list[Message]()
    lock = lock_for(here, recipe, options)
    assert not made_for_other_pythons(host, layout, lock, options, said.append)
    assert said == []
    other = msgspec.structs.replace(lock, python=msgspec.structs.replace(lock.python, platform="plan9-universal2"))
    assert made_for_other_pythons(host, layout, other, options, said.append)
    assert "plan9-universal2" in str(said[0])
    missing = msgspec.structs.replace(lock, python=msgspec.structs.replace(lock.python, version="3.5.0"))
    assert not made_for_other_pythons(host, layout, missing, options, said.append), "that is refused by its version"


# machines -------------------------------------------------------------------------------------------------


def elsewhere(here: Machine) -> Iterator[tuple[Machine, str]]:
    """Machines that can't be pinned for here, and what the sentence names."""
    python = here.interpreters[0]
    yield msgspec.structs.replace(here, os="windows"), "windows"
    yield msgspec.structs.replace(here, arch="riscv64"), "riscv64"
    absent = msgspec.structs.replace(python, path="/nowhere/bin/python3")
    yield msgspec.structs.replace(here, interpreters=(python, absent)), "/nowhere/bin/python3"
    older = msgspec.structs.replace(python, version="3.11.0rc1")
    yield msgspec.structs.replace(here, interpreters=(older,)), "3.11.0rc1"


def test_a_machine_that_is_not_this_one_is_refused_before_anything_is_asked(
    host: Host, layout: Layout, here: Machine
) -> None:
    for machine, word in elsewhere(here):
        for stage in (prepare, pinned_outline):
            said: list[Message] = []
            with pytest.raises(UsageError) as error:
                stage(host, small_recipe("tiny"), layout, Options(machine=machine), said.append)
            assert word in str(error.value)
            assert "plan --machine" in str(error.value.hint)
            assert said == []


def test_apply_for_another_machine_ends_with_2_and_plan_works(here: Machine, tmp_path: Path) -> None:
    file, home = tmp_path / "other.json", tmp_path / "home"
    python = msgspec.structs.replace(here.interpreters[0], path="/nowhere/bin/python3", version="3.12.1")
    file.write_bytes(to_json(msgspec.structs.replace(here, interpreters=(python,))))
    for words in (("apply", "-y"), ("plan", "--pin")):
        done = tool(*words, "--machine", str(file), home=home)
        assert done.returncode == 2, done.stderr
        assert "/nowhere/bin/python3" in done.stderr
    done = tool("plan", "--json", "--machine", str(file), home=home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["python"] == "3.12.1"


def test_a_lock_made_for_another_machine_is_no_answer(here: Machine) -> None:
    gpu = Accelerator(vendor="nvidia", name="GPU", chip="sm_89", driver="580")
    with_gpu = Options(machine=msgspec.structs.replace(here, accelerators=(gpu,)))
    digests = {Options().digest, Options(machine=here).digest, with_gpu.digest, Options(assume=("gpu=none",)).digest}
    assert len(digests) == 4


# space ----------------------------------------------------------------------------------------------------


def test_a_model_out_of_a_package_lies_there_three_times(host: Host, layout: Layout, here: Machine) -> None:
    recipe = small_recipe("tiny")
    lock = lock_for(here, recipe, Options())
    package = PackageModelLock(source="pypi:m", name="m", version="1", url="http://h/m.whl", sha256="0", size=70)
    hub = HubModelLock(
        source="hf:a/b", repository="a/b", revision="main", commit="0", endpoint="http://h", files=()
    )  # fmt: skip
    missing, there = Unsatisfied(message("missing")), Satisfied()
    generation = Generation(layout.environments / "e", Path("python"), "3.11.0")
    cache = Uv(host, Surroundings()).cache_dir()

    def needs(lies: PackageModelLock | HubModelLock, **statuses: Satisfied | Unsatisfied) -> dict[str, int | None]:
        plan = Plan(recipe, msgspec.structs.replace(lock, model=lies), layout, generation, (), ())
        return {str(place): size for place, size in disk_needs(host, plan, dict(statuses))}

    assert needs(package, model=missing) == {str(p): 70 for p in (cache, layout.scratch, layout.models)}
    assert needs(hub, model=missing) == {str(layout.hub_cache): 0}
    assert needs(package, model=there, packages=missing) == {str(layout.environments): 1000, str(cache): 1000}
    assert needs(package, model=there, packages=there) == {}
