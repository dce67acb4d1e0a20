"""Put a fresh project under version control: an empty Git repository and a `.gitignore`, where there is neither."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.gitignore import PRODUCED, gitignore
from setup_llm_dev.documents.idea_files import vcs_file
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.errors import Dispensable
from setup_llm_dev.host.user_files import (
    Untouchable,
    drop_staged,
    edit_file,
    look,
    remove_unchanged,
    unfinished_if_barred,
)
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.folders import drop_folders, missing_folders
from setup_llm_dev.steps.foreign import refused
from setup_llm_dev.steps.preview import FileChange
from setup_llm_dev.steps.project import holds_code
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied

_IGNORE, _MAPPING = ".gitignore", ".idea/vcs.xml"
_ASIDE = ".setup-llm-dev/repository"
_BRANCH = "main"
# What `git init` without a template makes: two files, and folders that stay empty.
_FRESH_FILES = frozenset({"HEAD", "config"})
_FRESH_FOLDERS = frozenset({"branches", "objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags"})
_CORE = frozenset({
    "repositoryformatversion", "filemode", "bare", "logallrefupdates", "symlinks", "ignorecase", "precomposeunicode",
    "hidedotfiles",
})  # fmt: skip
# macOS has a `git` that only offers to install the real one, in a window.
_SHIM = Path("/usr/bin/git")
_BEHIND_SHIM = (Path("/Library/Developer/CommandLineTools/usr/bin/git"), Path("/Applications/Xcode.app"))


@dataclass(frozen=True)
class InitializeGit:
    """`git init` in `workspace` where neither it nor a folder around it is a repository; without git, nothing.

    mapped: whether PyCharm is told so in `.idea/vcs.xml`, if there is none. A repository of the user's is left as it
    is, but for a `.gitignore` where it has none. Not having a repository is no reason to fail, so the step is optional.
    """

    kind: ClassVar[str] = "git"
    workspace: PurePath
    mapped: bool = True
    needs: tuple[str, ...] = ()
    phase: ClassVar[Phase] = "switch"
    optional: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return "git"

    def describe(self) -> Message:
        return message("put the project under version control (git)")

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        """Raises Refused (3) where something else stands where the repository would be made."""
        self.refuse_foreign(host)
        wanted = self._wanted(host)
        if not wanted:
            return Satisfied()
        return Unsatisfied(message("to be written: {files}", files=", ".join(wanted)))

    def refuse_foreign(self, host: Host) -> None:
        """Raises Refused (3) for what stands where a repository is made first, and is none that was begun by us."""
        aside = self.workspace / _ASIDE
        if host.files.exists(aside) and not _begun(host, aside):
            raise refused(aside, message("it was not made by setup-llm-dev"))

    def preview(self, host: Host) -> tuple[FileChange, ...]:
        files = self._files(host)
        return tuple(
            FileChange(self.workspace / path, None, files[path]) for path in self._wanted(host) if path in files
        )

    def before(self, host: Host) -> Receipt:
        files = self._files(host)
        wanted = self._wanted(host)
        digests = {path: sha256(files[path]).hexdigest() for path in wanted if path in files}
        aside = [self.workspace / _ASIDE] if ".git" in wanted else []
        folders = missing_folders(host, [*(self.workspace / path for path in wanted), *aside])
        return {"repository": ".git" in wanted, "written": digests, "folders": folders}

    def apply(self, host: Host, progress: Progress) -> Receipt:
        """The repository last: with it the step is satisfied."""
        receipt = self.before(host)
        files = self._files(host)
        for path in receipt["written"]:
            _write_new(host, self.workspace, path, files[path])
        if receipt["repository"]:
            receipt["config"] = self._initialize(host)
            drop_folders(host, receipt)  # the one that the repository was made in, where nobody else needs it
        return receipt

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        """A repository that is more than `git init` left stays, and the files beside it with it."""
        host.files.remove_tree(self.workspace / _ASIDE)
        repository = self.workspace / ".git"
        if receipt.get("repository"):
            if host.files.exists(repository) and not _as_made(host, repository, receipt.get("config")):
                return (message("{path} was used since, so it stays", path=str(repository)),)
            host.files.remove_tree(repository)  # and what an undo that was killed had half removed
        left = tuple(_taken_back(host, self.workspace, receipt.get("written", {})))
        drop_folders(host, receipt)
        return left

    def record(self) -> dict[str, Any]:
        return {"workspace": str(self.workspace), "mapped": self.mapped}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "InitializeGit":
        return cls(Path(record["workspace"]), record["mapped"])

    def _wanted(self, host: Host) -> tuple[str, ...]:
        """What is to be made. A mapping only together with the repository: later it is the user's business."""
        own = repository_around(host, self.workspace)
        if own is None and git_program(host) is None:
            return ()
        wanted = [] if host.files.exists(self.workspace / _IGNORE) else [_IGNORE]
        if own is None:
            mapping = self.mapped and not host.files.exists(self.workspace / _MAPPING)
            wanted += [_MAPPING, ".git"] if mapping else [".git"]
        return tuple(wanted)

    def _files(self, host: Host) -> Mapping[str, bytes]:
        produced = [name for name in PRODUCED if not holds_code(host, self.workspace / name)]
        return {_IGNORE: gitignore(produced), _MAPPING: vcs_file()}

    def _initialize(self, host: Host) -> str:
        """Digest of the new repository's config. Made aside, then one rename: a kill leaves a whole one or none."""
        git = git_program(host)
        if git is None:
            raise Dispensable(message("git is gone from this machine"))
        aside = self.workspace / _ASIDE
        host.files.remove_tree(aside)
        host.files.make_dir(aside, 0o700)
        # No template means no hooks; nothing of the user's or the system's configuration has a say.
        done = host.programs.run(
            [git, "-c", f"init.defaultBranch={_BRANCH}", "init", "--quiet", "--template=", aside],
            environment={"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(aside)},
            cwd=Path(aside),
        )
        made = aside / ".git"
        if not done.ok or not host.files.is_dir(made):
            host.files.remove_tree(aside)
            raise Dispensable(
                message("git could not make a repository: {why}", why=done.stderr.strip()[-300:]),
                hint=message("the project works without one; `git init` in it makes one later"),
            )
        config = host.files.sha256(made / "config")
        host.files.flush_tree(made)
        host.files.rename(made, self.workspace / ".git")
        host.files.remove_tree(aside)
        return config


def _write_new(host: Host, workspace: PurePath, path: str, data: bytes) -> None:
    """A file that somebody else makes at the same moment is theirs."""
    place = workspace / path
    try:
        edit_file(host, place, lambda found: data if found is None else None, within=workspace)
    except Untouchable as error:
        raise Dispensable(message("{path} was not changed: {why}", path=str(place), why=error.why)) from error


def repository_around(host: Host, folder: PurePath) -> Path | None:
    """The folder whose `.git` governs `folder`, which need not exist yet.

    In `folder` itself everything of that name counts; above it, what Git would take: a folder with a HEAD, or the file
    of a worktree.
    """
    place = host.files.resolve(folder)
    if host.files.exists(place / ".git"):
        return place
    return next((around for around in place.parents if _governs(host, around / ".git")), None)


def _governs(host: Host, repository: Path) -> bool:
    return host.files.is_file(repository) or host.files.is_file(repository / "HEAD")


def git_program(host: Host) -> Path | None:
    found = host.programs.find("git")
    shim = host.system.platform == "darwin" and found == _SHIM and not any(map(host.files.exists, _BEHIND_SHIM))
    return None if shim else found


def git_note(host: Host, workspace: PurePath) -> Message | None:
    """What to say where there will be no repository because there is no git."""
    if repository_around(host, workspace) is not None or git_program(host) is not None:
        return None
    return message("git is not installed, so the project is not put under version control")


def _begun(host: Host, aside: PurePath) -> bool:
    """Whether a folder holds nothing but a repository that `git init` has made, or was about to."""
    if not host.files.is_dir(aside) or host.files.link_target(aside) is not None:
        return False
    folders = {".git", *(f".git/{name}" for name in _FRESH_FOLDERS)}
    files = {f".git/{name}{end}" for name in _FRESH_FILES for end in ("", ".lock")}
    return all(path in (folders if folder else files) for path, folder in _tree(host, aside))


def _as_made(host: Host, repository: PurePath, config: str | None) -> bool:
    """No commit, index, remote, hook, branch or setting: just what `git init` made."""
    if not host.files.is_dir(repository) or host.files.link_target(repository) is not None:
        return False
    for path, folder in _tree(host, repository):
        if path not in (_FRESH_FOLDERS if folder else _FRESH_FILES):
            return False
    head = host.files.read_text(repository / "HEAD")
    return head == f"ref: refs/heads/{_BRANCH}\n" and _plain_config(host, repository / "config", config)


def _plain_config(host: Host, path: PurePath, digest: str | None) -> bool:
    """By its digest; without one (a crash came first) by its words."""
    text = host.files.read_text(path)
    if text is None:
        return False
    if digest is not None:
        return host.files.sha256(path) == digest
    first, *lines = text.splitlines() or [""]
    return first == "[core]" and all(line.partition("=")[0].strip() in _CORE for line in lines)


def _tree(host: Host, root: PurePath, inside: str = "") -> Iterator[tuple[str, bool]]:
    """Paths below `root` and whether each is a folder; a link is none."""
    for name in host.files.list_dir(root / inside):
        path = f"{inside}{name}"
        folder = host.files.is_dir(root / path) and host.files.link_target(root / path) is None
        yield path, folder
        if folder:
            yield from _tree(host, root, f"{path}/")


def _taken_back(host: Host, workspace: PurePath, written: Mapping[str, str]) -> Iterator[Message]:
    for path, digest in written.items():
        place = workspace / path
        if not host.files.exists(place):
            continue
        if not _removed(host, workspace, place, digest):
            yield message("{path} was changed since, so it stays", path=str(place))


def _removed(host: Host, workspace: PurePath, place: PurePath, digest: str) -> bool:
    """Whether a file is gone; one with other bytes than those of this digest stays. Raises RollbackIncomplete (9)."""
    try:
        with unfinished_if_barred(place):
            seen = look(host, place, within=workspace)
            drop_staged(host, seen.path)
            if seen.data is None:
                return True
            ours = sha256(seen.data).hexdigest() == digest
            return ours and remove_unchanged(host, place, seen.data, within=workspace)
    except Untouchable:
        return False
