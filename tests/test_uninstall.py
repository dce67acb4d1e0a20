"""uninstall below the command line: what is ours by its shape, what is not, and what could not be removed."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path, PurePath

import msgspec
import pytest

from setup_llm_dev.cli.parser import parse
from setup_llm_dev.cli.uninstall import run
from setup_llm_dev.documents.events import Event, Failed, Undone
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import Interrupted, UsageError
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.installed_tree import measure_tree
from setup_llm_dev.host.state import JournalWriter, run_name
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.execute import execute
from setup_llm_dev.stages.inventory import inventory
from setup_llm_dev.stages.made_folders import MADE, before_run, made_folders, remembering
from setup_llm_dev.stages.uninstall import _undo, uninstall
from setup_llm_dev.steps.ide_tree import UnpackedIde
from setup_llm_dev.steps.interpreter import ConfigureInterpreter
from setup_llm_dev.steps.link import SwitchLink
from setup_llm_dev.steps.step import Satisfied, Step
from setup_llm_dev.steps.write import WriteFiles
from tests.ground import layout_in, scratch_host
from tests.oracle import changes, manifest

HEX = "0123456789ab"
OURS = (
    f"environments/small/{HEX}-1/pyvenv.cfg",
    "environments/small/.gone.12.removed/half",
    f"models/{HEX}/config.json",
    "models/hub-google--bert-0123456789ab.json",
    f"store/sha256/ab/ab{'0' * 62}",
    "store/partial/x.part",
    "ide/.setup-llm-dev.999999999.abc/half",
    "ide/.pycharm-2026.2.1.1234.removed/half",
    f"locks/pylock.{HEX}.toml",
    f"programs/smoke-{HEX}.pyz",
    f"proofs/{HEX}{HEX}.json",
    "scratch/tmp.abc/x",
    "logs/20260101T000000000000Z-12.log",
    "backups/jdk.table.xml.20260101T000000000000Z.0123456789abcdef",
    ".models.12.removed/config.json",
    "run.lock",
)
FOREIGN = (
    "notes.txt",
    "models/my-checkpoint/model.safetensors",
    "environments/mine/pyvenv.cfg",
    "logs/experiment.log",
    "journals/diary.jsonl",
    "store/photos/cat.jpg",
    "ide/pycharm-2026.2.3.kept/pycharm64.vmoptions",
    "ide/pycharm-toolbox-notes.txt",
    "ide/pycharm-2025.1/bin/pycharm",
    "ide/pycharm-2025.2.json",
)


class World:
    """A data folder with something of every kind, and runs in workspaces beside it."""

    def __init__(self, root: Path, *, cancel: Cancel | None = None) -> None:
        self.root = root
        self.host: Host = scratch_host(root, cancel=cancel)
        self.layout: Layout = layout_in(root)

    @property
    def data(self) -> Path:
        return Path(self.layout.data)

    def put(self, *names: str) -> None:
        for name in names:
            place = self.data / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"content of {name}")

    def unpacked(self, version: str) -> Path:
        """A PyCharm with what we write down of one."""
        tree = self.data / "ide" / f"pycharm-{version}"
        (tree / "bin").mkdir(parents=True)
        for name in ("bin/pycharm", "bin/idea.properties"):
            (tree / name).write_text("of the maker")
        facts = UnpackedIde(archive_sha256="0" * 64, version=version, launcher="bin/pycharm", tree=measure_tree(tree))
        tree.with_name(f"{tree.name}.json").write_bytes(msgspec.json.encode(facts))
        return tree

    def steps(self, workspace: Path, number: int) -> tuple[Step, ...]:
        target = self.data / "environments" / "small" / f"{HEX}-{number}"
        target.mkdir(parents=True, exist_ok=True)
        return (
            WriteFiles("own", workspace, ((".own/x", b"%d" % number),), message("own"), ours=True),
            WriteFiles("start", workspace, (("train.py", b"train"),), message("start"), ours=False),
            SwitchLink(workspace / ".venv", target, self.data / "environments"),
        )

    def run(self, workspace: Path, number: int, **unknown: dict[str, str]) -> None:
        """`unknown`: steps, by id, that become ones of a newer version, with these records."""
        steps = self.steps(workspace, number)
        name = run_name(self.host.now())
        records = {step.id: (step.kind, step.record()) for step in steps}
        records |= {step: ("teleport", record) for step, record in unknown.items()}
        writer = JournalWriter(self.layout.journals, name, "small", str(workspace), records)
        for event in execute(steps, self.host, recipe="small", run=name):
            writer.keep(event)

    def uninstall(self) -> list[Event]:
        return list(uninstall(self.host, self.layout, inventory(self.host, self.layout)))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "home")


def failures(events: list[Event]) -> list[str]:
    return [event.step for event in events if isinstance(event, Failed)]


def test_everything_of_ours_goes_and_the_folder_with_it(world: World) -> None:
    world.put(*OURS)
    world.unpacked("2026.2.3")
    (world.data / "proofs" / "empty").parent.mkdir(exist_ok=True)
    (world.data / "locks").mkdir(exist_ok=True)
    assert failures(world.uninstall()) == []
    assert not world.data.exists()
    assert inventory(world.host, world.layout).empty


def test_what_has_not_our_shape_stays_and_is_named(world: World) -> None:
    world.put(*FOREIGN)
    before = manifest(world.data)
    world.put(*OURS)
    kept = {kept.path for kept in inventory(world.host, world.layout).kept}
    assert {world.data / "notes.txt", world.data / "models" / "my-checkpoint"} <= kept
    assert len(kept) == len(FOREIGN)
    assert failures(world.uninstall()) == []
    assert changes(before, manifest(world.data)) == []


def test_a_pycharm_goes_by_what_we_wrote_down_of_it_and_what_the_user_made_of_it_stays(world: World) -> None:
    tree = world.unpacked("2026.2.3")
    world.unpacked("2026.2.4")
    (tree / "bin/idea.properties").write_text("mine")
    (tree / "notes").write_text("mine")
    (kept,) = inventory(world.host, world.layout).kept
    assert kept.path == tree
    assert "bin/idea.properties, notes" in str(kept.why)
    assert failures(world.uninstall()) == []
    assert {path for path, e in manifest(world.data).items() if e.kind == "file"} == {
        "ide/pycharm-2026.2.3/bin/idea.properties", "ide/pycharm-2026.2.3/notes",
    }  # fmt: skip
    assert [kept.path for kept in inventory(world.host, world.layout).kept] == [tree]


def test_a_pycharm_that_was_moved_and_linked_to_is_not_followed(world: World, tmp_path: Path) -> None:
    tree = world.unpacked("2026.2.3")
    tree.rename(tmp_path / "elsewhere")
    tree.symlink_to(tmp_path / "elsewhere")
    assert failures(world.uninstall()) == []
    assert (tmp_path / "elsewhere/bin/pycharm").exists()
    assert tree.is_symlink()


def test_what_a_step_leads_to_stays_with_it_and_is_named(world: World) -> None:
    """The link can't be taken back: without the environment it would lead nowhere, now and in older runs."""
    work = world.root / "work"
    world.run(work, 1)
    world.run(work, 2, link={})
    events = world.uninstall()
    assert set(failures(events)) == {"link", "environments"}
    (stays,) = (event for event in events if isinstance(event, Failed) and event.step == "environments")
    assert str(world.data / "environments/small" / f"{HEX}-2") in str(stays.text)
    assert (work / ".venv").resolve().is_dir()


def test_what_leads_to_a_place_stays_even_if_the_undo_itself_breaks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run(world.root / "work", 1)

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr("setup_llm_dev.stages.undo._report", broken)
    [run] = inventory(scratch_host(world.root), world.layout).runs
    stuck: list[str] = []
    events = list(_undo(world.host, run, stuck))
    assert failures(events) == ["undo"]
    assert stuck == ["own", "start", "link"]


def test_a_table_that_nobody_can_read_any_more_keeps_its_backups(world: World) -> None:
    step = ConfigureInterpreter(
        settings=world.root / "settings",
        name="Python 3.11 (small)",
        home=world.root / "work/.venv/bin/python",
        version="3.11.7",
        workspace=world.root / "work",
        user_home=world.root,
        uuid="0c1f",
        ide=world.root / "pycharm",
        backups=world.data / "backups",
    )
    table = world.root / "settings/options/jdk.table.xml"
    table.parent.mkdir(parents=True)
    table.write_text('<application>\n  <component name="ProjectJdkTable">\n  </component>\n</application>\n')
    before = table.read_bytes()
    writer = JournalWriter(
        world.layout.journals,
        run_name(world.host.now()),
        "small",
        str(step.workspace),
        {step.id: (step.kind, step.record())},
    )
    for event in execute((step,), world.host, recipe="small", run="r"):
        writer.keep(event)
    table.write_bytes(table.read_bytes()[:40])
    events = world.uninstall()
    assert failures(events) == []
    [backup] = (path for path in (world.data / "backups").iterdir() if path.name.startswith("jdk.table.xml"))
    assert backup.read_bytes() == before
    assert any(str(world.data / "backups") in str(s) for e in events if isinstance(e, Undone) for s in e.left)
    assert not Path(world.layout.journals).exists()


def test_projects_that_are_not_where_they_were_are_named(world: World) -> None:
    one, moved = world.root / "one", world.root / "moved"
    world.run(one, 1)
    one.rename(moved)
    steps = world.steps(moved, 2)
    records = {step.id: (step.kind, step.record()) for step in steps}
    (moved / ".own" / "x").write_text("2")
    found = [step.id for step in steps if isinstance(step.check(world.host), Satisfied)]
    writer = JournalWriter(
        world.layout.journals, run_name(world.host.now()), "small", str(moved), records, satisfied=found
    )
    for event in execute(steps, world.host, recipe="small", run="x"):
        writer.keep(event)
    named = {kept.path for kept in inventory(world.host, world.layout).moved}
    assert named == {one, moved / ".own" / "x"}
    assert failures(world.uninstall()) == []
    assert sorted(path.name for path in moved.iterdir()) == [".own", "train.py"]


def test_a_folder_of_ours_that_is_a_link_is_not_followed(world: World, tmp_path: Path) -> None:
    """Somebody moved the models to a bigger disk: what is behind the link is ours by its shape, the link is not."""
    elsewhere = tmp_path / "big disk"
    (elsewhere / "private").mkdir(parents=True)
    world.data.mkdir(parents=True)
    (world.data / "environments").symlink_to(elsewhere)
    (world.data / "environments" / "private" / "file").write_text("mine")
    world.put("locks/pylock.0123456789ab.toml")
    assert failures(world.uninstall()) == []
    assert (elsewhere / "private" / "file").read_text() == "mine"
    assert (world.data / "environments").is_symlink()


def test_a_link_in_a_folder_of_ours_is_not_followed(world: World, tmp_path: Path) -> None:
    """What is behind it looks like ours, but nobody of us puts a link there."""
    elsewhere = tmp_path / "elsewhere" / f"{HEX}-1"
    elsewhere.mkdir(parents=True)
    (elsewhere / "file").write_text("mine")
    (world.data / "environments").mkdir(parents=True)
    (world.data / "environments" / "linked").symlink_to(elsewhere.parent)
    assert failures(world.uninstall()) == []
    assert (elsewhere / "file").read_text() == "mine"
    assert (world.data / "environments" / "linked").is_symlink()


def test_runs_of_several_workspaces_are_taken_back_newest_first(world: World) -> None:
    one, two = world.root / "one", world.root / "two"
    world.run(one, 1)
    world.run(two, 1)
    world.run(one, 2)
    (two / "mine.txt").write_text("mine")
    assert failures(world.uninstall()) == []
    assert not one.exists()
    assert [path.name for path in two.iterdir()] == ["mine.txt"]
    assert not world.data.exists()


def test_a_link_that_the_user_set_back_goes_too_since_it_would_lead_nowhere(world: World) -> None:
    work = world.root / "work"
    world.run(work, 1)
    world.run(work, 2)
    (work / ".venv").unlink()
    (work / ".venv").symlink_to(world.data / "environments" / "small" / f"{HEX}-1")
    world.uninstall()
    assert not work.exists()


def test_an_environment_of_the_users_own_stays(world: World) -> None:
    work = world.root / "work"
    world.run(work, 1)
    (work / ".venv").unlink()
    (work / ".venv").mkdir()
    (work / ".venv" / "pyvenv.cfg").write_text("mine")
    world.uninstall()
    assert (work / ".venv" / "pyvenv.cfg").read_text() == "mine"


def test_what_could_not_be_taken_back_keeps_the_memory_of_it(world: World) -> None:
    """A step of a newer version: nobody here knows what it did, so its journal is there for who does."""
    work = world.root / "work"
    world.put(*OURS)
    steps = world.steps(work, 1)
    records = {step.id: (step.kind, step.record()) for step in steps} | {"own": ("teleport", {})}
    writer = JournalWriter(world.layout.journals, run_name(world.host.now()), "small", str(work), records)
    for event in execute(steps, world.host, recipe="small", run="x"):
        writer.keep(event)
    for _ in range(2):
        assert failures(world.uninstall()) == ["own"]
        assert len(list(Path(world.layout.journals).iterdir())) == 1
        assert (work / ".own" / "x").read_text() == "1"
    assert sorted(path.name for path in world.data.iterdir()) == ["backups", "journals", "logs", "run.lock"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="immutable folders are made with chattr")
def test_a_place_that_can_not_be_removed_is_named_and_the_rest_goes(world: World) -> None:
    world.put(*OURS)
    world.run(world.root / "work", 1)
    stuck = world.data / "models" / HEX
    if os.system(f"chattr +i {stuck} 2>/dev/null") != 0:  # noqa: S605 - a path of our own
        pytest.skip("this file system has no immutable folders, or this is not root")
    try:
        events = world.uninstall()
    finally:
        os.system(f"chattr -i {stuck}")  # noqa: S605
    assert failures(events) == ["models"]
    assert sorted(path.name for path in world.data.iterdir()) == ["backups", "journals", "logs", "models", "run.lock"]
    assert failures(world.uninstall()) == []
    assert not world.data.exists()


def test_stopped_anywhere_it_goes_on(tmp_path: Path) -> None:
    """Whatever was done before a signal, the next uninstall does the rest."""
    for stop_after in range(1, 14):
        cancel = Cancel()
        world = World(tmp_path / str(stop_after), cancel=cancel)
        world.put(*OURS)
        world.run(world.root / "one", 1)
        world.run(world.root / "two", 1)
        try:
            for count, _ in enumerate(uninstall(world.host, world.layout, inventory(world.host, world.layout)), 1):
                if count == stop_after:
                    cancel.set()
        except Interrupted:
            again = World(tmp_path / str(stop_after))
            assert failures(again.uninstall()) == []
        assert not world.data.exists()
        assert not (world.root / "one").exists()
        assert not (world.root / "two").exists()


class SignalWhileRemoving(Files):
    """A signal comes while a folder is removed: that ends at once, or fails because of it."""

    def __init__(self, cancel: Cancel, error: OSError | None) -> None:
        super().__init__(cancel)
        self._token, self._error = cancel, error

    def remove_tree(self, path: PurePath) -> None:
        del path
        self._token.set()
        if self._error is not None:
            raise self._error
        self._token.raise_if_set()


@pytest.mark.parametrize("error", [None, OSError(errno.EINTR, "interrupted")], ids=["at once", "with an error"])
def test_a_signal_while_something_is_removed_ends_it_at_once(tmp_path: Path, error: OSError | None) -> None:
    cancel = Cancel()
    world = World(tmp_path, cancel=cancel)
    world.put(f"environments/small/{HEX}-1/pyvenv.cfg", f"models/{HEX}/config.json")
    found = inventory(world.host, world.layout)
    host = replace(world.host, files=SignalWhileRemoving(cancel, error))
    events: list[Event] = []
    with pytest.raises(Interrupted) as stopped:
        events.extend(uninstall(host, world.layout, found))
    assert stopped.value.code == 130
    assert events == []
    assert (world.data / "models" / HEX).exists()
    again = World(tmp_path)
    assert failures(again.uninstall()) == []
    assert not world.data.exists()


# folders that runs made for ours --------------------------------------------------------------------------


def recorded(world: World, *workspaces: Path) -> None:
    """A run in each, with the folders written down as `apply` does."""
    for number, workspace in enumerate(workspaces, 1):
        layout = msgspec.structs.replace(world.layout, workspace=workspace)
        with remembering(before_run(world.host, layout)) as making:
            making.note()
            world.run(workspace, number)


def test_folders_that_we_made_go_and_those_that_were_there_stay(world: World) -> None:
    world.layout = msgspec.structs.replace(world.layout, data=world.root / ".local" / "share" / "ours")
    empty, made = world.root / "empty project", world.root / "llm-dev" / "toy"
    for folder in (empty, world.root / ".config"):
        folder.mkdir(parents=True)
    before = manifest(world.root)
    recorded(world, empty, made)
    assert set(made_folders(world.host, world.layout) or ()) == {
        world.root / ".local", world.root / ".local/share", world.data, made.parent, made,
    }  # fmt: skip
    assert failures(world.uninstall()) == []
    assert changes(before, manifest(world.root), times=False) == []


def test_what_somebody_else_put_into_a_folder_that_we_made_keeps_it(world: World) -> None:
    made = world.root / "llm-dev" / "toy"
    recorded(world, made)
    (made.parent / "notes.txt").write_text("mine")
    assert failures(world.uninstall()) == []
    assert [path.name for path in made.parent.iterdir()] == ["notes.txt"]


def test_a_folder_that_was_missing_and_that_somebody_else_made_later_stays(world: World) -> None:
    recorded(world, world.root / "work")
    theirs = world.root / ".config"
    theirs.mkdir()
    assert failures(world.uninstall()) == []
    assert theirs.is_dir()


def test_what_a_killed_run_did_not_come_to_forget_the_next_one_forgets(world: World) -> None:
    recorded(world, world.root / "work")
    with_one_more = [*map(str, made_folders(world.host, world.layout) or ()), str(world.root / ".config")]
    (world.data / MADE).write_text(json.dumps(with_one_more))
    with remembering(before_run(world.host, world.layout)):
        pass  # nothing had to be done
    assert world.root / ".config" not in (made_folders(world.host, world.layout) or ())


@pytest.mark.parametrize("text", ["", "{}", '[1, "x", "../y"]', "[["])
def test_a_list_of_folders_that_is_none_leads_nowhere(world: World, text: str) -> None:
    recorded(world, world.root / "work")
    (world.data / MADE).write_text(text)
    assert failures(world.uninstall()) == []
    assert not world.data.exists()


def test_one_project_alone_can_not_be_uninstalled() -> None:
    with pytest.raises(UsageError) as error:
        run(parse(["uninstall", "--workspace", "somewhere"], str), None)  # type: ignore[arg-type]
    assert "undo" in str(error.value.hint)
