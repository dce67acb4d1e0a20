"""The repository of a fresh project, with a real git: where one is made, where not, and when `undo` takes it away."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from setup_llm_dev.documents.gitignore import gitignore
from setup_llm_dev.documents.idea_project import ProjectWish
from setup_llm_dev.errors import Dispensable, Refused, RollbackIncomplete
from setup_llm_dev.host.world import Host, System
from setup_llm_dev.messages import message
from setup_llm_dev.steps.git import InitializeGit, git_note, git_program, repository_around
from setup_llm_dev.steps.link import SwitchLink
from setup_llm_dev.steps.project import MergeProject
from setup_llm_dev.steps.step import Satisfied, Unsatisfied, silent
from setup_llm_dev.steps.write import WriteFiles
from tests.ground import scratch_host
from tests.protected import unprivileged_folder

GIT = shutil.which("git")
pytestmark = pytest.mark.skipif(GIT is None, reason="git is not installed")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return scratch_host(tmp_path / "home")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "home" / "work").mkdir(parents=True)
    return tmp_path / "home" / "work"


def git(folder: Path, *words: str) -> str:
    """As its user would, with a name and without anybody's configuration."""
    settings = {"PATH": os.defpath, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    named = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    done = subprocess.run([str(GIT), *named, *words], cwd=folder, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if ".git/" not in str(path)}


def test_a_fresh_project_becomes_a_repository_without_hooks(host: Host, work: Path) -> None:
    step = InitializeGit(work)
    assert isinstance(step.check(host), Unsatisfied)
    receipt = step.apply(host, silent)
    assert isinstance(step.check(host), Satisfied)
    assert names(work) == {".git", ".gitignore", ".idea", ".idea/vcs.xml"}
    assert git(work, "symbolic-ref", "HEAD") == "refs/heads/main\n"
    assert git(work, "status", "--porcelain") == "?? .gitignore\n?? .idea/\n"
    assert not (work / ".git" / "hooks").exists()
    assert (work / ".git").stat().st_mode & 0o777 == 0o755
    assert step.undo(host, receipt) == ()
    assert names(work) == set()


def test_what_is_ignored_and_what_is_kept(host: Host, work: Path) -> None:
    InitializeGit(work).apply(host, silent)
    (work / ".venv").symlink_to(work.parent)
    ignored = [
        "models/m.bin", "checkpoints/a/optimizer.pt", "runs/events", "wandb/x", ".setup-llm-dev/smoke.json", ".env",
        "src/__pycache__/a.cpython-311.pyc", "out/model.safetensors", "report.json",
    ]  # fmt: skip
    kept = ["train.py", "data/train.jsonl", "setup-llm-dev.lock.toml", ".idea/misc.xml", "src/models/net.py"]
    for name in (*ignored, *kept):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("x")
    git(work, "add", "--all")
    assert set(git(work, "ls-files").split()) == {*kept, ".gitignore", ".idea/vcs.xml"}


def test_code_in_a_folder_named_models_is_not_ignored(host: Host, work: Path) -> None:
    (work / "models").mkdir()
    (work / "models" / "network.py").write_text("")
    InitializeGit(work).apply(host, silent)
    git(work, "add", "--all")
    assert "models/network.py" in git(work, "ls-files").split()


def test_nobodys_configuration_or_template_has_a_say(host: Host, work: Path, tmp_path: Path) -> None:
    """A template with a hook, named by the user's configuration and by the environment."""
    template = tmp_path / "template"
    (template / "hooks").mkdir(parents=True)
    (template / "hooks" / "post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    (host.home / ".gitconfig").write_text(f"[init]\n\ttemplateDir = {template}\n\tdefaultBranch = trunk\n")
    foreign = {"GIT_TEMPLATE_DIR": str(template), "GIT_DIR": str(tmp_path / "elsewhere"), "HOME": str(host.home)}
    dressed = scratch_host(host.home, foreign)
    InitializeGit(work).apply(dressed, silent)
    assert (work / ".git" / "HEAD").read_text() == "ref: refs/heads/main\n"
    assert not (work / ".git" / "hooks").exists()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("where", [".", "..", "worktree"])
def test_a_repository_of_the_users_is_left_as_it_is(host: Host, work: Path, where: str) -> None:
    if where == "worktree":
        (work / ".git").write_text("gitdir: /elsewhere/.git/worktrees/work\n")
    else:
        git(work / where, "init", "--quiet")
    before = names(work)
    step = InitializeGit(work)
    receipt = step.apply(host, silent)
    assert isinstance(step.check(host), Satisfied)
    assert names(work) == before | {".gitignore"}
    assert step.undo(host, receipt) == ()
    assert names(work) == before


def test_their_gitignore_and_mapping_stay(host: Host, work: Path) -> None:
    (work / ".gitignore").write_text("mine\n")
    (work / ".idea").mkdir()
    (work / ".idea" / "vcs.xml").write_text("<project />")
    step = InitializeGit(work)
    receipt = step.apply(host, silent)
    assert step.undo(host, receipt) == ()
    assert (work / ".gitignore").read_text() == "mine\n"
    assert (work / ".idea" / "vcs.xml").read_text() == "<project />"
    assert not (work / ".git").exists()


def test_without_git_nothing_happens_and_a_sentence_says_so(host: Host, work: Path, tmp_path: Path) -> None:
    bare = scratch_host(host.home, {"PATH": str(tmp_path)})
    step = InitializeGit(work)
    assert isinstance(step.check(bare), Satisfied)
    assert step.preview(bare) == ()
    assert "git is not installed" in str(git_note(bare, work))
    assert git_note(host, work) is None
    assert names(work) == set()


def test_a_git_that_fails_is_named_and_leaves_nothing(host: Host, work: Path, tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "git"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'fatal: out of luck' >&2\nexit 128\n")
    broken.chmod(0o755)
    step = InitializeGit(work)
    receipt = step.before(scratch_host(host.home, {"PATH": str(broken.parent)}))
    with pytest.raises(Dispensable, match="out of luck"):
        step.apply(scratch_host(host.home, {"PATH": str(broken.parent)}), silent)
    assert not (work / ".git").exists()
    assert step.undo(host, receipt) == ()
    assert names(work) == set()


@pytest.mark.skipif(not os.access("/usr/bin/git", os.X_OK), reason="no git in the place of that program")
def test_the_git_of_a_mac_without_developer_tools_is_none(tmp_path: Path) -> None:
    host = scratch_host(tmp_path / "home", {"PATH": "/usr/bin"})
    assert git_program(host) == Path("/usr/bin/git")
    assert git_program(replace(host, system=System(platform="darwin"))) is None


def _commit(work: Path) -> None:
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "-m", "mine")


def _hook(work: Path) -> None:
    (work / ".git" / "hooks").mkdir()
    (work / ".git" / "hooks" / "pre-commit").write_text("#!/bin/sh\n")


USED: Mapping[str, Callable[[Path], object]] = {
    "a commit": _commit,
    "an index": lambda work: git(work, "add", ".gitignore"),
    "a remote": lambda work: git(work, "remote", "add", "origin", "https://example.org/x.git"),
    "a setting": lambda work: git(work, "config", "core.autocrlf", "input"),
    "a changed setting": lambda work: git(work, "config", "core.filemode", "false"),
    "a branch": lambda work: git(work, "checkout", "--quiet", "-b", "work"),
    "a hook": _hook,
    "an object": lambda work: git(work, "hash-object", "-w", ".gitignore"),
    "a link": lambda work: (work / ".git" / "info").symlink_to(work),
    "a stash of its own": lambda work: (work / ".git" / "refs" / "stash").write_text("0" * 40),
}


@pytest.mark.parametrize("use", USED)
def test_a_repository_that_was_used_stays_with_what_belongs_to_it(host: Host, work: Path, use: str) -> None:
    step = InitializeGit(work)
    receipt = step.apply(host, silent)
    USED[use](work)
    [left] = step.undo(host, receipt)
    assert str(work / ".git") in str(left)
    assert {".git", ".gitignore", ".idea/vcs.xml"} <= names(work)
    git(work, "status")


def test_looking_at_the_status_is_no_use(host: Host, work: Path) -> None:
    step = InitializeGit(work)
    receipt = step.apply(host, silent)
    git(work, "status")
    git(work, "log", "--all")
    assert step.undo(host, receipt) == ()
    assert names(work) == set()


def test_a_gitignore_that_was_changed_stays_though_the_repository_goes(host: Host, work: Path) -> None:
    step = InitializeGit(work)
    receipt = step.apply(host, silent)
    (work / ".gitignore").write_text("/mine\n")
    [left] = step.undo(host, receipt)
    assert ".gitignore" in str(left)
    assert names(work) == {".gitignore"}


@pytest.mark.parametrize("moment", ["before", "files", "aside", "done"])
def test_undo_after_a_crash_at_any_moment(host: Host, work: Path, moment: str) -> None:
    """Only what was known before the step began is in the journal then."""
    work.rmdir()
    step = InitializeGit(work)
    receipt = step.before(host)
    if moment == "done":
        step.apply(host, silent)
    if moment == "aside":
        (work / ".setup-llm-dev" / "repository" / ".git").mkdir(parents=True)
    if moment == "files":
        work.mkdir()
        (work / ".gitignore").write_bytes(gitignore())
    again = InitializeGit.from_record(step.record())
    assert again == step
    assert again.undo(host, receipt) == ()
    assert not work.exists()


def test_an_empty_folder_of_that_name_above_governs_nothing(host: Host, work: Path) -> None:
    (work.parent / ".git").mkdir()
    assert repository_around(host, work) is None
    (work.parent / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert repository_around(host, work) == work.parent


def test_with_the_steps_around_it_everything_goes_again_last_first(host: Host, work: Path, tmp_path: Path) -> None:
    """The switches of a run, undone from what the journal keeps of them."""
    work.rmdir()
    generation = tmp_path / "environments" / "one"
    generation.mkdir(parents=True)
    steps = (
        WriteFiles("workspace", work, (("train.py", b"x"),), message("x"), ours=False),
        WriteFiles("workspace-own", work, ((".setup-llm-dev/smoke.pyz", b"x"),), message("x"), ours=True),
        MergeProject(ProjectWish(folder=work, sdk_name="Python 3.11 (work)"), host.home / ".cache/huggingface/hub"),
        InitializeGit(work),
        SwitchLink(work / ".venv", generation, generation.parent),
    )
    receipts = [json.loads(json.dumps(step.apply(host, silent))) for step in steps]
    assert all(isinstance(step.check(host), Satisfied) for step in steps)
    assert git(work, "status", "--porcelain") == "?? .gitignore\n?? .idea/\n?? train.py\n"
    for step, receipt in reversed(list(zip(steps, receipts, strict=True))):
        assert type(step).from_record(json.loads(json.dumps(step.record()))).undo(host, receipt) == ()
    assert not work.exists()


def test_an_interrupted_start_is_healed(host: Host, work: Path) -> None:
    step = InitializeGit(work, mapped=False)
    killed = step.before(host)
    (work / ".setup-llm-dev" / "repository" / ".git").mkdir(parents=True)
    assert isinstance(step.check(host), Unsatisfied)
    receipt = step.apply(host, silent)
    assert names(work) == {".git", ".gitignore", ".setup-llm-dev"}
    assert repository_around(host, work / "src" / "deep") == work
    assert [step.undo(host, kept) for kept in (receipt, killed)] == [(), ()]
    assert names(work) == set()


@pytest.mark.parametrize("name", ["mine.txt", ".git/objects/ab/cdef", ".git/hooks/pre-commit"])
def test_a_folder_where_repositories_are_made_that_is_the_users_is_refused(host: Host, work: Path, name: str) -> None:
    kept = work / ".setup-llm-dev" / "repository" / name
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    with pytest.raises(Refused, match="repository stands in the way"):
        InitializeGit(work).check(host)
    assert kept.read_text() == "mine"


def test_folders_that_were_there_and_empty_stay(host: Host, work: Path) -> None:
    for name in (".idea", ".setup-llm-dev"):
        (work / name).mkdir()
    step = InitializeGit(work)
    receipt = step.apply(host, silent)
    assert step.undo(host, receipt) == ()
    assert names(work) == {".idea", ".setup-llm-dev"}


def test_a_file_that_can_not_be_read_now_is_no_undo(host: Host) -> None:
    with unprivileged_folder() as folder:
        step = InitializeGit(folder / "work")
        receipt = step.apply(host, silent)
        (folder / "work" / ".gitignore").chmod(0)
        with pytest.raises(RollbackIncomplete, match="gitignore could not be taken back"):
            step.undo(host, receipt)
        (folder / "work" / ".gitignore").chmod(0o644)
        assert step.undo(host, receipt) == ()
        assert not (folder / "work").exists()
