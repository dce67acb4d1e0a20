"""Merging into a `.idea` that is somebody's: eight PyCharms, edits by hand, what is refused, and the way back."""

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setup_llm_dev.documents.events import Failed, Undone
from setup_llm_dev.documents.idea_edits import without
from setup_llm_dev.documents.idea_files import EXCLUDED, RUNS, module_file
from setup_llm_dev.documents.idea_project import MEMORY, ProjectWish, changes, merged
from setup_llm_dev.documents.xml_nodes import parse
from setup_llm_dev.errors import Busy, Refused, RollbackIncomplete
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.state import JournalWriter, last_run, run_name
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.execute import execute
from setup_llm_dev.stages.undo import undo
from setup_llm_dev.steps.project import MergeProject
from setup_llm_dev.steps.step import Satisfied, Unsatisfied, silent
from setup_llm_dev.steps.write import WriteFiles
from tests.ground import scratch_host
from tests.jps import understood
from tests.test_pycharm_project import table_with

PROJECTS = Path(__file__).parent / "projects"
SDK = "Python 3.11 (llm)"
VERSIONS = ("2018.3", "2019.3", "2020.3", "2021.3", "2022.3", "2023.2", "2024.3", "2026.2")
MODULES = dict.fromkeys(VERSIONS, "llm") | {
    "2018.3": "reviews",
    "hand-attributes": "ada",
    "hand-empty-list": "llm",
    "hand-nested": "root",
    "hand-no-iml": "their-name",
    "hand-no-modules": "mine",
    "hand-parts": "llm_2",
}
"""Each project, and the name of the module that is the project's folder afterwards."""
INHERITING = ("2018.3", "2019.3", "2024.3", "hand-no-modules")
LINES: Mapping[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: data,
    "crlf": lambda data: data.replace(b"\n", b"\r\n"),
    "bom and crlf": lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
    "trailing line": lambda data: data + b"\n\n",
}


def project(tmp_path: Path, name: str, turned: Callable[[bytes], bytes] = LINES["as it is"]) -> Path:
    """A copy of a project as `llm`, every file turned."""
    workspace = tmp_path / "llm"
    for file in sorted((PROJECTS / name).rglob("*")):
        if file.is_file():
            target = workspace / file.relative_to(PROJECTS / name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(turned(file.read_bytes()))
    return workspace


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and mode of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): (p.read_bytes(), stat.S_IMODE(p.stat().st_mode)) for p in files}


def step(workspace: Path, hub_cache: PurePath | None = None, **wish: Any) -> MergeProject:
    return MergeProject(ProjectWish(folder=workspace, sdk_name=SDK, **wish), hub_cache)


def merge(host: Host, workspace: Path, **wish: Any) -> tuple[MergeProject, dict[str, Any]]:
    one = step(workspace, **wish)
    receipt = one.apply(host, silent)
    assert isinstance(one.check(host), Satisfied)
    return one, receipt


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return scratch_host(tmp_path / "home")


# what PyCharm understands afterwards ------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_intellij_reads_our_wishes_and_theirs(tmp_path: Path, host: Host, name: str) -> None:
    workspace = project(tmp_path, name)
    merge(host, workspace)
    python = f"{workspace}/.venv/bin/python"
    table_with(tmp_path / "config", {SDK: python})

    read = understood(tmp_path, config=tmp_path / "config", project=workspace)

    assert (read["errors"], read["messages"]) == ([], [])
    [module] = [m for m in read["project"]["modules"] if m["contentRoots"] == [f"file://{workspace}"]]
    assert module["name"] == MODULES[name]
    assert [read["project"]["sdk"][key] for key in ("name", "type", "resolved", "home")] == [
        SDK, "Python SDK", True, python
    ]  # fmt: skip
    [sdk] = [d for d in module["dependencies"] if d["kind"] == "sdk"]
    assert (sdk["name"], sdk["resolved"], sdk["inherited"]) == (SDK, True, name in INHERITING)
    kept = {"models"} if name == "2024.3" else set()  # its owner marked that folder as sources
    excluded = [url.removeprefix(f"file://{workspace}/").rstrip("/") for url in module["excludedRoots"]]
    assert set(EXCLUDED) - kept <= set(excluded)
    assert not kept & set(excluded)
    assert len(set(excluded)) == len(excluded)
    assert {run["name"] for run in read["project"]["runConfigurations"]} >= {"train", "predict", "smoke"}


@pytest.mark.parametrize("lines", LINES)
@pytest.mark.parametrize("name", MODULES)
def test_a_merge_is_made_once_and_taken_back_to_the_byte(tmp_path: Path, host: Host, name: str, lines: str) -> None:
    workspace = project(tmp_path, name, LINES[lines])
    for file in workspace.rglob("*.xml"):
        file.chmod(0o600)
    before = tree(workspace)

    one, receipt = merge(host, workspace)
    after = tree(workspace)
    assert merged_in(workspace) == {}
    assert set(before) <= set(after)
    assert {after[path][1] for path in after if path in before and path.endswith(".xml")} == {0o600}
    if "crlf" in lines:
        changed = [after[path][0] for path in after if path in before and after[path] != before[path]]
        assert changed
        assert all(data.count(b"\n") == data.count(b"\r\n") for data in changed)

    assert one.undo(host, receipt) == ()
    assert tree(workspace) == before


def merged_in(workspace: Path) -> Mapping[str, bytes]:
    """What would still change, asked without the step."""
    files = {path: data for path, (data, _) in tree(workspace).items()}
    return merged(files, ProjectWish(folder=workspace, sdk_name=SDK))


@pytest.mark.parametrize("name", MODULES)
def test_no_line_of_theirs_is_lost_but_those_that_name_an_interpreter(tmp_path: Path, host: Host, name: str) -> None:
    workspace = project(tmp_path, name)
    before = tree(workspace)
    merge(host, workspace)
    after = tree(workspace)
    for path, (data, _) in before.items():
        lost = [line for line in data.splitlines() if line not in after[path][0].splitlines()]
        opened = (b"/>", b"<content", b"<modules", b"ProjectRootManager", b"project-jdk", b"jdkName")
        assert all(any(word in line for word in opened) for line in lost), (path, lost)
        assert path in (".idea/misc.xml", ".idea/modules.xml") or path.endswith(".iml") or not lost
    black = [line for line in before[".idea/misc.xml"][0].splitlines() if b'"sdkName"' in line]
    assert [line for line in after[".idea/misc.xml"][0].splitlines() if b'"sdkName"' in line] == black


def test_a_project_without_idea_gets_one_and_loses_it_again(tmp_path: Path, host: Host) -> None:
    workspace = tmp_path / "llm"
    one = step(workspace)
    assert isinstance(one.check(host), Unsatisfied)
    _, receipt = merge(host, workspace)
    assert (workspace / ".idea" / "llm.iml").read_bytes() == module_file(SDK, EXCLUDED)
    assert one.undo(host, receipt) == ()
    assert not workspace.exists()


def test_comments_and_odd_spellings_stay(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "hand-attributes")
    merge(host, workspace)
    misc, iml = ((workspace / ".idea" / name).read_text() for name in ("misc.xml", "ada.iml"))
    assert misc.startswith("<!-- kept by hand: ask before you change this -->\n<project version='4'>\n\t<component\n")
    assert f'\t\tproject-jdk-name="{SDK}"\n\t\tproject-jdk-type="Python SDK"\n\t/>' in misc
    assert 'project-jdk-name="a trap" /> -->' in misc
    assert f"""<orderEntry type="jdk" jdkType='Python SDK'   jdkName="{SDK}"/>""" in iml
    assert '<![CDATA[ <excludeFolder url="file://$MODULE_DIR$/data" /> ]]>' in iml
    assert iml.count("/models") == 1


def test_a_project_of_another_language_gets_name_and_type(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2021.3")
    merge(host, workspace)
    misc = (workspace / ".idea" / "misc.xml").read_text()
    assert f'languageLevel="JDK_11" project-jdk-name="{SDK}" project-jdk-type="Python SDK">' in misc


def test_one_module_is_listed_however_the_list_was_lost(tmp_path: Path, host: Host) -> None:
    for name, module in MODULES.items():
        workspace = project(tmp_path / name, name)
        merge(host, workspace)
        modules = (workspace / ".idea" / "modules.xml").read_text()
        assert modules.count("<module ") == (2 if name in ("2022.3", "hand-nested") else 3 if "parts" in name else 1)
        assert f"/{module}.iml" in modules


def test_a_pipe_in_the_place_of_a_file_does_not_hold_us_up(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2023.2")
    misc = workspace / ".idea" / "misc.xml"
    misc.unlink()
    os.mkfifo(misc)
    with pytest.raises(Refused, match=r"misc\.xml.*regular"):
        step(workspace).check(host)


def test_a_package_named_models_is_code_and_not_excluded(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2023.2")
    (workspace / "models").mkdir()
    (workspace / "models" / "network.py").write_text("class Network: ...\n")
    (workspace / "data").mkdir()
    (workspace / "data" / "train.jsonl").write_text("{}\n")
    merge(host, workspace)
    iml = (workspace / ".idea" / "llm.iml").read_text()
    assert "/models" not in iml
    assert "$MODULE_DIR$/data" in iml


def test_a_link_stays_a_link_and_its_target_is_changed(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2023.2")
    kept = workspace / "dotfiles" / "misc.xml"
    kept.parent.mkdir()
    misc = workspace / ".idea" / "misc.xml"
    shutil.move(misc, kept)
    misc.symlink_to(kept)
    merge(host, workspace)
    assert misc.is_symlink()
    assert f'project-jdk-name="{SDK}"' in kept.read_text()


@pytest.mark.parametrize("name", [".idea/misc.xml", ".idea", ".idea/runConfigurations"])
def test_a_link_that_leads_out_of_the_project_is_refused(tmp_path: Path, host: Host, name: str) -> None:
    workspace = project(tmp_path, "2026.2")
    kept = tmp_path / "elsewhere" / Path(name).name
    kept.parent.mkdir()
    shutil.move(workspace / name, kept)
    (workspace / name).symlink_to(kept)
    before = tree(tmp_path)
    for act in (step(workspace).check, lambda host: step(workspace).apply(host, silent)):
        with pytest.raises(Refused, match="it is a link to"):
            act(host)
    assert tree(tmp_path) == before


def test_a_project_whose_files_became_links_out_of_it_is_not_followed_by_an_undo(tmp_path: Path, host: Host) -> None:
    workspace = tmp_path / "llm"
    one, receipt = merge(host, workspace)
    shutil.move(workspace / ".idea", tmp_path / "elsewhere")
    (workspace / ".idea").symlink_to(tmp_path / "elsewhere")
    before = tree(tmp_path / "elsewhere")
    left = [str(why) for why in one.undo(host, receipt)]
    assert len(left) == len(before)
    assert all("it is a link to" in why for why in left)
    assert tree(tmp_path / "elsewhere") == before


# run configurations -----------------------------------------------------------------------------------------


def test_their_run_configurations_keep_their_names(tmp_path: Path, host: Host) -> None:
    """`train` in the workspace of 2024.3, `smoke` in a file of 2026.2."""
    theirs = project(tmp_path / "a", "2024.3")
    merge(host, theirs)
    assert sorted(os.listdir(theirs / ".idea" / "runConfigurations")) == ["predict.xml", "smoke.xml"]
    shared = project(tmp_path / "b", "2026.2")
    smoke = (shared / ".idea" / "runConfigurations" / "smoke.xml").read_bytes()
    merge(host, shared)
    assert (shared / ".idea" / "runConfigurations" / "smoke.xml").read_bytes() == smoke
    assert sorted(os.listdir(shared / ".idea" / "runConfigurations")) == ["predict.xml", "smoke.xml", "train.xml"]


def test_ours_follow_our_wish_until_somebody_changes_them(tmp_path: Path, host: Host) -> None:
    workspace = tmp_path / "llm"
    merge(host, workspace)
    folder = workspace / ".idea" / "runConfigurations"
    mine = (folder / "predict.xml").read_bytes().replace(b'"PARAMETERS" value=""', b'"PARAMETERS" value="hello"')
    (folder / "predict.xml").write_bytes(mine)
    wish = tuple(replace(run, environment=(("CUDA_VISIBLE_DEVICES", "0"),)) for run in RUNS)
    merge(host, workspace, runs=wish)
    assert b"CUDA_VISIBLE_DEVICES" in (folder / "train.xml").read_bytes()
    assert (folder / "predict.xml").read_bytes() == mine


def test_a_run_that_was_killed_before_its_memory_is_remembered_by_the_next(tmp_path: Path, host: Host) -> None:
    workspace = tmp_path / "llm"
    merge(host, workspace)
    remembered = (workspace / MEMORY).read_bytes()
    (workspace / MEMORY).unlink()
    merge(host, workspace)
    assert (workspace / MEMORY).read_bytes() == remembered
    wish = tuple(replace(run, environment=(("CUDA_VISIBLE_DEVICES", "0"),)) for run in RUNS)
    merge(host, workspace, runs=wish)
    assert b"CUDA_VISIBLE_DEVICES" in (workspace / ".idea" / "runConfigurations" / "train.xml").read_bytes()


def test_run_configurations_of_before_the_memory_are_ours(tmp_path: Path, host: Host) -> None:
    workspace = tmp_path / "llm"
    former = tuple(replace(run, environment=(("PYTHONUNBUFFERED", "1"),)) for run in RUNS)
    merge(host, workspace, runs=former)
    (workspace / MEMORY).unlink()
    merge(host, workspace)
    assert b"TOKENIZERS_PARALLELISM" in (workspace / ".idea" / "runConfigurations" / "train.xml").read_bytes()


@pytest.mark.parametrize(
    ("cache", "told"),
    [
        (".cache/huggingface/hub", b'<env name="HF_HOME" value="$USER_HOME$/.cache/huggingface" />'),
        ("big disk/hub", b'<env name="HF_HOME" value="$USER_HOME$/big disk" />'),
        ("models", b'<env name="HF_HUB_CACHE" value="$USER_HOME$/models" />'),
        ("/mnt/shared/hf/hub", None),
        ("hub", None),
    ],
)
def test_the_cache_is_named_without_an_absolute_path(
    tmp_path: Path, host: Host, cache: str, told: bytes | None
) -> None:
    workspace = tmp_path / "llm"
    step(workspace, hub_cache=host.home / cache).apply(host, silent)
    for file in (workspace / ".idea" / "runConfigurations").iterdir():
        data = file.read_bytes()
        assert told is None or told in data
        assert (b"HF_H" in data) == (told is not None)
        assert b'"TOKENIZERS_PARALLELISM" value="false"' in data
        assert str(tmp_path).encode() not in data
        assert b"TOKEN=" not in data.replace(b"TOKENIZERS", b"")


# what is refused --------------------------------------------------------------------------------------------

DAMAGE: Mapping[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "zeros": lambda data: b"\0" * len(data),
    "utf-16": lambda data: data.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "latin-1": lambda data: data.replace(b"</", "<!-- café --></".encode("latin-1"), 1),
    "doctype": lambda data: data.replace(b"?>", b'?><!DOCTYPE x [<!ENTITY a "b">]>', 1),
    "external": lambda data: data.replace(b"?>", b'?><!DOCTYPE x SYSTEM "file:///etc/passwd">', 1),
    "deep": lambda data: b"<project>" * 10_000 + b"</project>" * 10_000,
    "large": lambda data: data + b"\n" * (17 << 20),
    "another": lambda data: b"<html><body /></html>",
    "conflict": lambda data: b"<<<<<<< HEAD\n" + data + b"\n=======\n>>>>>>> theirs\n",
}


@pytest.mark.parametrize("file", [".idea/misc.xml", ".idea/modules.xml", ".idea/llm.iml"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_what_no_ide_wrote_is_refused_and_nothing_is_touched(
    tmp_path: Path, host: Host, damage: str, file: str
) -> None:
    workspace = project(tmp_path, "2023.2")
    (workspace / file).write_bytes(DAMAGE[damage]((workspace / file).read_bytes()))
    before = tree(workspace)
    for verb in (step(workspace).check, step(workspace).before, step(workspace).preview):
        with pytest.raises(Refused) as error:
            verb(host)
        assert str(workspace / file) in str(error.value)
        assert "move it away" in str(error.value.hint)
    assert tree(workspace) == before


def test_a_damaged_workspace_file_or_foreign_run_configuration_is_not_our_business(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2024.3")
    (workspace / ".idea" / "workspace.xml").write_bytes(b"<project><component")
    (workspace / ".idea" / "runConfigurations").mkdir()
    (workspace / ".idea" / "runConfigurations" / "Predict.xml").write_bytes(b"")
    merge(host, workspace)
    assert sorted(os.listdir(workspace / ".idea" / "runConfigurations")) == ["Predict.xml", "smoke.xml", "train.xml"]
    assert (workspace / ".idea" / "workspace.xml").read_bytes() == b"<project><component"


@pytest.mark.parametrize("name", [".idea", ".idea/misc.xml"])
def test_something_else_in_the_place_is_refused(tmp_path: Path, host: Host, name: str) -> None:
    workspace = tmp_path / "llm"
    (workspace / name).parent.mkdir(parents=True)
    if name == ".idea":
        (workspace / name).write_text("a file")
    else:
        (workspace / name).symlink_to(tmp_path / "gone")
    with pytest.raises(Refused, match=str(workspace / name)):
        step(workspace).check(host)


def test_write_protection_is_respected_before_anything_is_done(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2023.2")
    before = tree(workspace)
    misc = workspace / ".idea" / "misc.xml"
    misc.chmod(0o444)
    with pytest.raises(Refused, match=r"misc\.xml.*write-protected"):
        step(workspace).check(host)
    with pytest.raises(Refused, match=r"misc\.xml.*write-protected"):
        step(workspace).apply(host, silent)
    misc.chmod(0o644)
    assert tree(workspace) == before
    one, receipt = merge(host, workspace)
    misc.chmod(0o444)
    with pytest.raises(RollbackIncomplete, match=r"misc\.xml could not be taken back: it is write-protected"):
        one.undo(host, receipt)
    misc.chmod(0o644)
    assert one.undo(host, receipt) == ()
    assert tree(workspace) == before


# undo after somebody went on working ------------------------------------------------------------------------


def edited(workspace: Path, name: str, old: str, new: str) -> None:
    file = workspace / ".idea" / name
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_undo_takes_only_our_parts_out_of_files_that_were_changed_since(tmp_path: Path, host: Host) -> None:
    plain, ours = project(tmp_path / "plain", "2023.2"), project(tmp_path / "ours", "2023.2")
    one, receipt = merge(host, ours)
    for workspace in (plain, ours):
        edited(
            workspace, "misc.xml", '  <component name="Black">', '  <component name="A" />\n  <component name="Black">'
        )
        edited(
            workspace,
            "llm.iml",
            '$MODULE_DIR$/venv" />',
            '$MODULE_DIR$/venv" />\n      <excludeFolder url="file://x" />',
        )
    edited(ours, "llm.iml", '      <excludeFolder url="file://$MODULE_DIR$/data" />\n', "")  # the user wants it indexed
    edited(ours, "llm.iml", '      <excludeFolder url="file://$MODULE_DIR$/runs" />\n', "")
    edited(
        ours, "llm.iml", "    </content>", '        <excludeFolder url="file://$MODULE_DIR$/runs" />\n    </content>'
    )
    assert one.undo(host, receipt) == ()
    assert tree(ours) == tree(plain)


def test_undo_leaves_and_names_what_it_can_not_tell_apart(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2019.3")
    one, receipt = merge(host, workspace)
    edited(workspace, "misc.xml", f'project-jdk-name="{SDK}"', 'project-jdk-name="Python 3.13 (mine)"')
    edited(workspace, "llm.iml", '      <excludeFolder url="file://$MODULE_DIR$/wandb" />\n', "")
    train = workspace / ".idea" / "runConfigurations" / "train.xml"
    train.write_text(train.read_text().replace('"PARAMETERS" value=""', '"PARAMETERS" value="--epochs 9"'))
    changed = tree(workspace)
    left = [str(sentence) for sentence in one.undo(host, receipt)]
    assert len(left) == 3
    for name in ("misc.xml", "llm.iml", "train.xml"):
        assert [sentence for sentence in left if name in sentence], name
    assert {path: changed[path] for path in tree(workspace)} == tree(workspace)
    assert "--epochs 9" in train.read_text()
    assert not (workspace / ".idea" / "runConfigurations" / "smoke.xml").exists()


def test_an_undo_in_two_halves_ends_like_one(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2022.3")
    before = tree(workspace)
    one, receipt = merge(host, workspace)
    half = {"written": dict(list(receipt["written"].items())[::2])}
    assert one.undo(host, half) == ()
    assert one.undo(host, receipt) == ()
    assert one.undo(host, receipt) == ()
    assert tree(workspace) == before


# through the journal ----------------------------------------------------------------------------------------


def recorded(tmp_path: Path, host: Host, one: Any, *, crash: bool = False) -> Path:
    """A run of one step with its journal; `crash`: the line that says that it was applied is missing."""
    journals = tmp_path / "journals"
    name = run_name(host.now())
    writer = JournalWriter(journals, name, "small", str(tmp_path / "llm"), {one.id: (one.kind, one.record())})
    for event in execute((one,), host, recipe="small", run=name, keep=writer.keep):
        assert not isinstance(event, Failed), event
    path = journals / f"{name}.jsonl"
    if crash:
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    return journals


@pytest.mark.parametrize("crash", [False, True])
def test_the_journal_alone_is_enough_to_undo(
    tmp_path: Path, host: Host, crash: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("setup_llm_dev.steps.registry.KINDS", (MergeProject, WriteFiles))
    workspace = project(tmp_path, "2026.2")
    before = tree(workspace)
    journals = recorded(tmp_path, host, step(workspace), crash=crash)
    assert tree(workspace) != before
    memory = last_run(journals, workspace)
    assert memory is not None
    assert [event.left for event in undo(host, memory) if isinstance(event, Undone)] == [()]
    assert tree(workspace) == before


def test_a_run_of_before_the_merge_is_still_undone(tmp_path: Path, host: Host) -> None:
    """Then the step was of kind `write`, under the same name; a merge may have come on top of it."""
    workspace = tmp_path / "llm"
    former = tuple(replace(run, environment=(("PYTHONUNBUFFERED", "1"),)) for run in RUNS)
    wish = ProjectWish(folder=workspace, sdk_name=SDK, runs=former, excluded=(".venv", "models"))
    files = tuple((path, data) for path, data in merged({}, wish).items() if path != MEMORY)
    journals = recorded(tmp_path, host, WriteFiles("ide-project", workspace, files, message("x"), ours=False))
    one, receipt = merge(host, workspace)
    assert b"/data" in (workspace / ".idea" / "llm.iml").read_bytes()
    assert one.undo(host, receipt) == ()
    memory = last_run(journals, workspace)
    assert memory is not None
    assert [event.left for event in undo(host, memory) if isinstance(event, Undone)] == [()]
    assert not workspace.exists()


# while PyCharm writes too -----------------------------------------------------------------------------------


class Beside(Files):
    """The disk, with a PyCharm that saves `path` so many times, each time just before we replace it."""

    def __init__(self, path: Path, times: int) -> None:
        self.path = path
        self.times = times

    def write(self, path: PurePath, data: bytes, mode: int = 0o644) -> None:
        super().write(path, data, mode)
        if self.times and Path(path).name.startswith(f".{self.path.name}."):
            self.times -= 1
            text = self.path.read_text()
            self.path.write_text(text.replace("</project>", f'  <component name="Saved{self.times}" />\n</project>'))


@pytest.mark.parametrize("times", [1, 2])
def test_a_save_of_pycharm_in_between_is_not_lost(tmp_path: Path, host: Host, times: int) -> None:
    workspace = project(tmp_path, "2023.2")
    misc = workspace / ".idea" / "misc.xml"
    busy = replace(host, files=Beside(misc, times))
    merge(busy, workspace)
    text = misc.read_text()
    assert f'project-jdk-name="{SDK}"' in text
    assert [f'"Saved{n}"' in text for n in range(times)] == [True] * times
    assert not list(misc.parent.glob("*.setup-llm-dev*"))


def test_what_a_kill_left_beside_a_file_is_gone_after_the_next_run_or_undo(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2023.2")
    before = tree(workspace)
    left = [workspace / ".idea" / name for name in (".misc.xml.setup-llm-dev", "..gitignore.setup-llm-dev")]
    for file in left:
        file.write_text("half")
    one, receipt = merge(host, workspace)
    assert not [file for file in left if file.exists()]
    for file in left:
        file.write_text("half")
    assert one.undo(host, receipt) == ()
    assert tree(workspace) == before


def test_a_file_that_never_holds_still_is_busy(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2023.2")
    misc = workspace / ".idea" / "misc.xml"
    with pytest.raises(Busy, match=r"misc\.xml"):
        step(workspace).apply(replace(host, files=Beside(misc, 99)), silent)
    assert SDK not in misc.read_text()


# any file that is well-formed -------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=6)
NAMES = st.sampled_from(["component", "option", "content", "orderEntry", "excludeFolder", "x:y", "é"])
KEYS = st.sampled_from(["name", "url", "type", "value", "jdkName", "version"])
FAMILIAR = st.sampled_from(["NewModuleRootManager", "ProjectRootManager", "jdk", "file://$MODULE_DIR$/data", "Black"])
BLANKS = st.sampled_from(["", " ", "\n", "\n  ", "\r\n\t", "<!-- <content> -->", "<![CDATA[</module>]]>", "<?x y?>"])


def _attribute(key: str, value: str, quote: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), ("\ufffe", ""), ("\uffff", ""), (quote, "&#x27;")):
        value = value.replace(character, entity if character != '"' else "&quot;")
    return f" {key}={quote}{value}{quote}"


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> str:
    tag = draw(NAMES)
    keys = draw(st.lists(KEYS, unique=True, max_size=2))
    pairs = [_attribute(key, draw(WORDS | FAMILIAR), draw(st.sampled_from("\"'"))) for key in keys]
    if not depth or draw(st.booleans()):
        return f"<{tag}{''.join(pairs)}{draw(st.sampled_from(['/>', ' />', f'></{tag}>']))}"
    inner = draw(st.lists(st.tuples(BLANKS, elements(depth - 1)), max_size=3))
    return f"<{tag}{''.join(pairs)}>{''.join(a + b for a, b in inner)}{draw(BLANKS)}</{tag}>"


@st.composite
def module_files(draw: st.DrawFn) -> bytes:
    """A module file whose content is the project's folder, between anything else."""
    noise = [draw(BLANKS) + draw(st.just("") | elements()) + draw(BLANKS) for _ in range(5)]
    inner = draw(st.sampled_from([" />", "/>", "></content>", ">\n</content>", "><excludeFolder url='x'/></content>"]))
    jdk = draw(
        st.sampled_from(["", '<orderEntry type="inheritedJdk"/>', "<orderEntry jdkName='a &amp; b' type='jdk' />"])
    )
    declared = draw(st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>']))
    text = (
        f"{declared}<module>{noise[0]}"
        f'<component name="NewModuleRootManager">{noise[1]}<content url="file://$MODULE_DIR$"{inner}{noise[2]}'
        f"{jdk}{noise[3]}</component>{noise[4]}</module>"
    )
    return text.encode()


def stable(iml: bytes, misc: str) -> None:
    """Twice is once, the result is well-formed, and without our edits it is what it was."""
    wish = ProjectWish(folder=PurePosixPath("/home/ada/llm"), sdk_name=SDK)
    files: dict[str, bytes | None] = {
        ".idea/misc.xml": f"<project>{misc}</project>".encode(),
        ".idea/llm.iml": iml,
    }
    once = changes(files, wish)
    after = files | {path: change.data for path, change in once.items()}
    assert merged(after, wish) == {}
    assert f'name="{SDK}"'.encode() in (after[".idea/misc.xml"] or b"")
    for path, data in files.items():
        if path in once and data is not None:
            parse(once[path].data)
            back, clean = without(once[path].data, once[path].edits)
            alone = all(once[path].data.count(text) == 1 for text, _ in once[path].edits)
            assert (clean and back == data) if alone else (not clean or back == data)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(iml=module_files(), misc=elements())
def test_any_project_plus_ours_is_stable_and_minus_ours_the_same_bytes(iml: bytes, misc: str) -> None:
    stable(iml, misc)


@pytest.mark.nightly
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(iml=module_files(), misc=elements())
def test_any_of_ten_thousand_projects(iml: bytes, misc: str) -> None:
    stable(iml, misc)
