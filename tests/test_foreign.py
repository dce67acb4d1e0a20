"""What stands at names of ours in a project: refused before anything is fetched, or given back by `undo` as it was."""

import os
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import pytest

from setup_llm_dev.components.ide import git_step
from setup_llm_dev.components.pycharm import project_files
from setup_llm_dev.components.python import Generation
from setup_llm_dev.components.resources import Resources, read_resources
from setup_llm_dev.components.workspace import link_step, pylock_name, refuse_foreign, workspace_steps
from setup_llm_dev.documents.events import Failed, Undone
from setup_llm_dev.documents.idea_files import RUNS
from setup_llm_dev.documents.idea_project import ProjectWish
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Lock, PackagesLock, PythonLock, TorchLock
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.state import JournalWriter, last_run, run_name
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.execute import execute
from setup_llm_dev.stages.parts import PARTS
from setup_llm_dev.stages.undo import undo
from setup_llm_dev.steps.project import MergeProject
from setup_llm_dev.steps.step import Step
from tests.ground import layout_in, scratch_host, small_recipe
from tests.oracle import Entry, Manifest, changes, manifest

RECIPE = small_recipe("tiny")
PYLOCK = 'lock-version = "1.0"\n'
STARTER = ("train.py", "data/train.jsonl")
RESOURCES = Resources(b"smoke", tuple((name, b"start") for name in STARTER))
OUTSIDE = "outside"
PARTS_HERE = frozenset(PARTS)


def link(to: str) -> Callable[[Path, Path], None]:
    """A link to something in the home, or, with a name in front, in the project."""
    return lambda place, home: place.symlink_to(home / to)


STANDING: dict[str, Callable[[Path, Path], object]] = {
    "link to a file": link("outside/file"),
    "link to a file of that name": lambda place, home: place.symlink_to(_written(home / "outside" / place.name)),
    "link to a folder": link("outside/folder"),
    "link to a full folder": link("outside"),
    "link to nothing": link("outside/nothing"),
    "link to nothing in a folder that is missing": link("outside/missing/nothing"),
    "link to a file within": link("work/mine/file"),
    "link to a folder within": link("work/mine/folder"),
    "link to nothing within": link("work/mine/nothing"),
    "link to itself": lambda place, home: place.symlink_to(place.name),
    "empty folder": lambda place, home: place.mkdir(),
    "full folder": lambda place, home: _written(place / "mine"),
    "file": lambda place, home: _written(place),
    "empty file": lambda place, home: place.touch(),
    "fifo": lambda place, home: os.mkfifo(place),
}


def _written(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"precious")
    place.chmod(0o640)
    return place


def lock() -> Lock:
    return Lock(
        created="2026-01-01", created_by="test", recipe=RECIPE.name, recipe_digest="", request_digest="", os="linux",
        arch="x86_64", python=PythonLock(version="3.11.7", platform="linux-x86_64"),
        torch=TorchLock(version="2.13.0+cpu", variant="cpu", index="", why=message("a test"), wanted="2.13.0+cpu"),
        packages=PackagesLock(pylock=pylock_name(RECIPE.name), sha256="0" * 64, count=1),
    )  # fmt: skip


def switches(layout: Layout) -> tuple[Step, ...]:
    """All steps that write into a project, in the order of a plan."""
    generation = Generation(layout.environments, layout.environments / "tiny" / "0123456789ab-1", "3.11.7")
    Path(generation.folder).mkdir(parents=True, exist_ok=True)
    return (
        *workspace_steps(RECIPE, lock(), PYLOCK, layout, RESOURCES, PARTS_HERE),
        MergeProject(ProjectWish(folder=layout.workspace, sdk_name="Python 3.11 (work)", runs=RUNS)),
        git_step(layout, mapped=True),
        link_step(layout, generation),
    )


def paths() -> list[str]:
    """Every name of ours in a project, folders included."""
    own = [f".setup-llm-dev/{name}" for name in ("smoke.pyz", "smoke.json", "applied.json", "repository")]
    idea = [path for path, _ in project_files(workspace=Path("/x/work"), sdk_name="Python 3.11 (work)")]
    locks = ["setup-llm-dev.lock.toml", pylock_name(RECIPE.name), "report.json"]
    files = [*STARTER, *own, *idea, *locks, ".gitignore", ".idea/vcs.xml"]
    folders = sorted({str(parent) for path in files for parent in Path(path).parents} - {"."})
    return [*folders, *files, ".git", ".venv"]


class World:
    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.host: Host = scratch_host(self.home)
        self.layout = layout_in(self.home)
        self.work = self.home / "work"
        for folder in (self.home / OUTSIDE, self.work / "mine"):
            (folder / "folder").mkdir(parents=True)
            _written(folder / "file")
        Path(self.layout.journals).mkdir(parents=True)
        self.steps = switches(self.layout)

    def plant(self, path: str, kind: str) -> None:
        place = self.work / path
        place.parent.mkdir(parents=True, exist_ok=True)
        STANDING[kind](place, self.home)

    def prepare(self) -> None:
        """As the stage of that name does, before anything is fetched."""
        refuse_foreign(self.host, RECIPE.name, self.layout, RESOURCES, PARTS_HERE)
        for step in self.steps:
            step.check(self.host)

    def apply(self) -> list[Failed]:
        name = run_name(self.host.now())
        records = {step.id: (step.kind, step.record()) for step in self.steps}
        journal = JournalWriter(self.layout.journals, name, RECIPE.name, str(self.work), records)
        events = list(execute(self.steps, self.host, recipe=RECIPE.name, run=name, keep=journal.keep))
        return [event for event in events if isinstance(event, Failed)]

    def undo(self) -> list[str]:
        memory = last_run(self.layout.journals, self.work)
        assert memory is not None
        events = undo(self.host, memory)
        return [
            str(event) for event in events if isinstance(event, Failed) or (isinstance(event, Undone) and event.left)
        ]

    def seen(self) -> Manifest:
        pipes = {path: path.lstat() for path in self.home.rglob("*") if path.is_fifo() and not path.is_symlink()}
        names = tuple(path.relative_to(self.home).as_posix() for path in pipes)  # nobody can read what is in those
        kinds = {name: Entry("fifo", it.st_mode, "", 0) for name, it in zip(names, pipes.values(), strict=True)}
        return manifest(self.home, without=("data", *names)) | kinds


BEGUN = (".setup-llm-dev/repository", "empty folder")
"""What a run leaves that is killed when it begins to make a repository, so it is taken for ours and goes."""


@pytest.mark.parametrize(("path", "kind"), [case for case in product(paths(), STANDING) if case != BEGUN])
def test_it_is_refused_early_or_comes_back_as_it_was(tmp_path: Path, path: str, kind: str) -> None:
    world = World(tmp_path)
    world.plant(path, kind)
    before = world.seen()
    try:
        world.prepare()
    except Refused as error:
        assert str(world.work) in str(error)
        assert error.hint is not None
        assert world.seen() == before
        return
    assert path != "report.json" or kind.endswith("file"), "whoever writes it looks at nothing any more"
    assert world.apply() == []
    lost = [line for line in changes(before, world.seen()) if line.startswith(("gone", f"changed: {OUTSIDE}"))]
    assert lost == []
    assert world.undo() == []
    assert changes(before, world.seen(), times=False) == []


@pytest.mark.parametrize("path", paths())
def test_nothing_of_the_project_but_its_data_is_written_elsewhere(tmp_path: Path, path: str) -> None:
    world = World(tmp_path)
    world.plant(path, "link to a folder")
    before = manifest(world.home / OUTSIDE)
    try:
        world.prepare()
    except Refused:
        return
    world.apply()
    new = ["new: folder/train.jsonl"] if path == "data" else []
    assert changes(before, manifest(world.home / OUTSIDE)) == new


def test_a_project_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    host, layout = scratch_host(tmp_path / "home"), layout_in(tmp_path / "home")
    blocked = tmp_path / "home" / "work"
    blocked.write_text("mine")
    for workspace in (blocked, blocked / "of" / "work"):
        asked = Layout(data=layout.data, config=layout.config, workspace=workspace, hub_cache=layout.hub_cache)
        with pytest.raises(Refused, match="it is not a folder") as error:
            refuse_foreign(host, RECIPE.name, asked, RESOURCES, PARTS_HERE)
        assert str(blocked) in str(error.value)


def test_a_project_folder_that_is_a_link_to_one_is_fine(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "real").mkdir(parents=True)
    (home / "work").symlink_to(home / "real")
    steps: Sequence[Step] = switches(layout_in(home))
    refuse_foreign(scratch_host(home), RECIPE.name, layout_in(home), RESOURCES, PARTS_HERE)
    events = list(execute(steps, scratch_host(home), recipe=RECIPE.name, run="x"))
    assert [event for event in events if isinstance(event, Failed)] == []
    assert (home / "real" / "train.py").read_bytes() == b"start"


def test_the_names_of_a_real_recipe_are_among_those_that_are_asked(tmp_path: Path) -> None:
    layout, recipe = layout_in(tmp_path / "home"), Recipe(name="text-classification")
    resources = read_resources("text-classification")
    for name, _ in resources.starter:
        assert name.count("/") == 0 or name.startswith("data/"), "else `paths` above lacks a folder"
    (tmp_path / "home" / "work").mkdir(parents=True)
    (tmp_path / "home" / "work" / "data").write_text("mine")
    with pytest.raises(Refused, match="data stands in the way: it is not a folder"):
        refuse_foreign(scratch_host(tmp_path / "home"), recipe.name, layout, resources, PARTS_HERE)
