"""What `plan --pin` shows of files of the user's before anything is changed: every byte that differs, and no more."""

import doctest
import io
import json
import subprocess
from pathlib import Path, PurePosixPath

import msgspec
import pytest

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.render_plan import render_plan
from setup_llm_dev.documents.codec import from_stored, to_json, to_stored
from setup_llm_dev.documents.idea_project import ProjectWish
from setup_llm_dev.documents.plan import FileDiff, PlanDocument
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages import diffs as diffs_module
from setup_llm_dev.stages.diffs import diffs, file_diff
from setup_llm_dev.steps.git import InitializeGit
from setup_llm_dev.steps.link import SwitchLink
from setup_llm_dev.steps.preview import FileChange
from setup_llm_dev.steps.project import MergeProject
from setup_llm_dev.steps.step import Step, silent
from setup_llm_dev.steps.write import WriteFiles
from tests.ground import scratch_host
from tests.pages import PLAN
from tests.test_idea_merge import project, tree

SDK = "Python 3.11 (llm)"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return scratch_host(tmp_path / "home")


def steps(workspace: Path) -> tuple[Step, ...]:
    return (
        WriteFiles("workspace", workspace, (("train.py", b"a\nb\n"), ("README.md", b"x")), message("x"), ours=False),
        WriteFiles("own", workspace, ((".setup-llm-dev/smoke.pyz", b"zip"),), message("x"), ours=True),
        MergeProject(ProjectWish(folder=workspace, sdk_name=SDK)),
        InitializeGit(workspace),
        SwitchLink(workspace / ".venv", workspace, workspace),
    )


def patched(before: bytes, diff: str, folder: Path) -> bytes:
    """What the program `patch` makes of it: our diff is a diff to others too."""
    (folder / "file").write_bytes(before)
    done = subprocess.run(["patch", "--quiet", "file"], input=diff.encode() + b"\n", cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stdout
    return (folder / "file").read_bytes()


def test_new_files_by_their_lines_and_changed_ones_line_by_line(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2023.2")
    (workspace / "README.md").write_text("mine")
    before = tree(workspace)
    found = {d.path.removeprefix(f"{workspace}/"): d for d in diffs(host, steps(workspace))}
    assert tree(workspace) == before
    assert {path for path, d in found.items() if not d.new} == {".idea/misc.xml", ".idea/llm.iml"}
    assert {"train.py", ".gitignore", ".idea/runConfigurations/train.xml"} <= set(found)
    assert "README.md" not in found
    assert ".setup-llm-dev/smoke.pyz" not in found
    assert found["train.py"] == FileDiff(path=str(workspace / "train.py"), new=True, lines=2)
    misc = found[".idea/misc.xml"].diff.splitlines()
    changed = [line for line in misc if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert [line[:1] for line in changed] == ["-", "+"]
    assert "Python 3.11 (thesis)" in changed[0]
    assert SDK in changed[1]


def test_when_all_is_done_there_is_nothing_to_show(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2022.3")
    for step in steps(workspace)[:-1]:
        step.apply(host, silent)
    assert diffs(host, steps(workspace)) == ()


def test_a_diff_is_one_to_the_program_patch_too(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2020.3")
    iml = workspace / "llm.iml"
    iml.write_bytes(iml.read_bytes() + b"\n")
    before = iml.read_bytes()
    [found] = [d for d in diffs(host, steps(workspace)) if d.path == str(iml)]
    try:
        result = patched(before, found.diff, tmp_path)
    except FileNotFoundError:
        pytest.skip("the program `patch` is not installed")
    steps(workspace)[2].apply(host, silent)
    assert result == iml.read_bytes()


def test_a_file_that_is_refused_is_refused_here_too(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2023.2")
    (workspace / ".idea" / "misc.xml").write_bytes(b"<!DOCTYPE x>")
    with pytest.raises(Refused, match=r"misc\.xml"):
        diffs(host, steps(workspace))


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (b"a\xff\n", b"b\xff\n", ["-a\\xff", "+b\\xff"]),
        (b"a\n", b"\x1b[2Ja\n", ["-a", "+\\x1b[2Ja"]),
        ("a\u202e\n".encode(), b"a\n", ["-a\\x202e", "+a"]),
        (b"a\r\nb\r\n", b"a\r\nB\r\n", ["-b", "+B"]),
        (b"a\n", b"a", ["-a", "+a  \\ no line end"]),
        (b"a\rb\n", b"a\rc\n", ["-a\\x0db", "+a\\x0dc"]),
        ("a\u2028b\n".encode(), "a\u2028c\n".encode(), ["-a\\x2028b", "+a\\x2028c"]),
        (b"a\0b\n", b"a\0c\n", ["-a\\x00b", "+a\\x00c"]),
    ],
)
def test_odd_bytes_are_spelled_out(before: bytes, after: bytes, shown: list[str]) -> None:
    diff = file_diff(FileChange(PurePosixPath("/p/f"), before, after)).diff
    assert [line for line in diff.split("\n")[3:] if line[0] != " "] == shown
    assert all(c.isprintable() or c == "\n" for c in diff)


def test_the_page_and_the_document_tell_the_same(tmp_path: Path, host: Host) -> None:
    workspace = project(tmp_path, "2023.2")
    plan = msgspec.structs.replace(PLAN, diffs=diffs(host, steps(workspace)))
    out = io.StringIO()
    render_plan(plan, Output(stdout=out, stderr=io.StringIO(), language="en"))
    page = out.getvalue()
    assert f"Would change: {workspace}/.idea/misc.xml\n" in page
    assert f'  | +  <component name="ProjectRootManager" version="2" project-jdk-name="{SDK}"' in page
    assert f"{workspace}/.idea/runConfigurations/train.xml (lines: " in page
    assert "\x1b" not in page
    told = json.loads(to_json(plan))["diffs"]
    assert {"path", "diff", "new"} <= set(told[0])
    assert [d["path"] for d in told] == [d.path for d in plan.diffs]
    assert from_stored(to_stored(plan), PlanDocument) == plan


def test_examples_in_the_documentation() -> None:
    assert doctest.testmod(diffs_module).failed == 0
