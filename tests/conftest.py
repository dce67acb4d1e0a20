"""What tests of several folders share: one environment that the tool itself installed, small machines, and workers."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.e2e.machine import ALONE, CLOSED, COMMAND, Done, Machine, surroundings
from tests.e2e.toy import Toy, toy_world
from tests.e2e.watch import Watch

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling

REUSE = "SETUP_LLM_DEV_TEST_REUSE"
PLAYGROUND = pytest.StashKey[Path]()
CANARY = "hf_CANARYcanaryCANARYcanary0123456789"
"""A token that opens nothing. It must be found nowhere."""

# Other tests run at the same time: how long an example takes says nothing.
settings.register_profile("among others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("among others")


@dataclass(frozen=True)
class Provisioned:
    """A machine after its first run: tests only read it, or work in a workspace of their own on its data."""

    machine: Machine
    first: Done
    watch: Watch

    @property
    def model(self) -> Path:
        """The folder of the fallback model."""
        return next(path.parent for path in self.machine.data.glob("models/*/config.json"))

    def neighbour(self, home: Path, **settings: str) -> Machine:
        """Another HOME on the same data folder: environments and proofs are there already."""
        shared = {"SETUP_LLM_DEV_HOME": str(self.machine.data)}
        return Machine(home, {**self.machine.settings, **shared, **settings})


def pytest_report_header(config: pytest.Config) -> list[str]:
    reused = os.environ.get(REUSE)
    lines = [f"command under test: {COMMAND}"]
    lines += [f"REUSED, not installed anew: the environment in {reused} ({REUSE})"] if reused else []
    if config.option.markexpr == "not nightly":
        lines.append("left out: tests marked nightly (`make nightly` runs them)")
    return lines


def on_provisioned(item: pytest.Item) -> bool:
    return item.get_closest_marker("provisioned") is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What works on the provisioned environment comes first: it is the longest, and all of it goes to one worker."""
    for item in items:
        if "provisioned" in getattr(item, "fixturenames", ()) and not on_provisioned(item):
            raise pytest.UsageError(f"{item.nodeid} uses the provisioned environment, but its file is not marked so")
    items.sort(key=lambda item: not on_provisioned(item))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The gigabytes go when nobody needs them any more, not at the end, when the other workers would wait for it."""
    place = item.config.stash.get(PLAYGROUND, None)
    if place and on_provisioned(item) and nextitem and not on_provisioned(nextitem):
        for path in place.iterdir():
            shutil.rmtree(path, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadFileScheduling":
    """A file stays whole, since its tests may share a story; files marked provisioned go to one worker, which makes it.

    By the text of the files: xdist's own groups are read from names that newer versions of pytest do not let it change.
    """
    from xdist.scheduler import LoadFileScheduling

    @cache
    def marked(file: str) -> bool:
        return "pytestmark = pytest.mark.provisioned" in (config.rootpath / file).read_text(encoding="utf-8")

    class ByFileOrMark(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "provisioned" if marked(file) else file

    return ByFileOrMark(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where a story is kept that a person may read; a worker's own words would not be seen."""
    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    told = {value for report in reports for name, value in getattr(report, "user_properties", ()) if name == "story"}
    for place in sorted(told):
        terminalreporter.write_line(f"the story: {place}")


@pytest.fixture(scope="session")
def playground(pytestconfig: pytest.Config) -> Iterator[Path]:
    """A folder for machines, gigabytes in all, emptied when they have served, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="setup-llm-dev-tests.", ignore_cleanup_errors=True) as name:
        pytestconfig.stash[PLAYGROUND] = Path(name)
        yield Path(name)


@pytest.fixture(scope="session")
def real_settings(playground: Path) -> dict[str, str]:
    """The environment of a machine that installs real packages: one uv cache for all, a hub that can't be reached."""
    kept = os.environ.get(REUSE)
    cache = Path(kept).absolute() / "uv-cache" if kept else playground / "uv-cache"
    return {**surroundings(), "UV_CACHE_DIR": str(cache), "HF_ENDPOINT": CLOSED, **ALONE}


@pytest.fixture(scope="session")
def provisioned(playground: Path, real_settings: dict[str, str]) -> Provisioned:
    """The first run of the installed command, as a user starts it: no arguments, nobody at the keyboard."""
    kept = os.environ.get(REUSE)
    home = (Path(kept).absolute() if kept else playground) / "first home"
    machine = Machine(home, real_settings)
    watch = Watch(CANARY)
    with machine.start(HF_TOKEN=CANARY) as running, watch.over(running.child.pid):
        done = running.end()
    assert done.code == 0, done.said
    return Provisioned(machine, done, watch)


@pytest.fixture(scope="session")
def smoke_python(provisioned: Provisioned) -> Path:
    """The Python of an environment with torch, transformers and accelerate."""
    return provisioned.machine.python


@pytest.fixture(scope="session")
def smoke_model(provisioned: Provisioned) -> Path:
    """The folder of a small pretrained encoder."""
    return provisioned.model


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    """Loopback indexes with tiny wheels, and a recipe for them."""
    with toy_world(tmp_path_factory.mktemp("toy")) as world:
        yield world


@pytest.fixture
def toy_machine(toy: Toy, tmp_path: Path) -> Iterator[Machine]:
    """A bare machine in the small world; what faults a test queued are forgotten after it."""
    yield toy.machine(tmp_path / "home")
    toy.index.heal()
    toy.jetbrains.heal()


@pytest.fixture
def folder(playground: Path) -> Iterator[Callable[[str], Path]]:
    """`folder(name)`: a place for something big, removed right after the test."""
    made: list[Path] = []

    def make(name: str) -> Path:
        made.append(playground / name)
        return made[-1]

    yield make
    for place in made:
        shutil.rmtree(place, ignore_errors=True)
