"""A computer replayed from a recording: the answers that detection got there, given again here."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NoReturn

from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.run import Completed, Programs
from setup_llm_dev.host.world import Host, System
from setup_llm_dev.messages import message

if TYPE_CHECKING:
    from setup_llm_dev.host.fetch import Fetcher

_SCRIPT = "…"


class RecordedFiles(Files):
    """Reads from a table of path → text. Links are a table of path → target. Nothing can be written."""

    def __init__(self, texts: Mapping[str, str], links: Mapping[str, str], free_bytes: int) -> None:
        self._texts = texts
        self._links = links
        self._free = free_bytes

    def read_bytes(self, path: PurePath, limit: int = 64 << 20) -> bytes:
        name = str(self.resolve(path))
        if name not in self._texts:
            raise FileNotFoundError(name)
        return self._texts[name].encode()[:limit]

    def exists(self, path: PurePath) -> bool:
        return str(path) in self._links or self.is_file(path) or self.is_dir(path)

    def is_dir(self, path: PurePath) -> bool:
        return bool(self.list_dir(path))

    def is_file(self, path: PurePath) -> bool:
        return str(self.resolve(path)) in self._texts

    def list_dir(self, path: PurePath) -> tuple[str, ...]:
        start = str(self.resolve(path)).rstrip("/") + "/"
        inside = (name.removeprefix(start) for name in (*self._texts, *self._links) if name.startswith(start))
        return tuple(sorted({name.split("/")[0] for name in inside}))

    def resolve(self, path: PurePath) -> Path:
        """Follows recorded links in every part of the path."""
        found = PurePath("/")
        for part in path.parts[1:]:
            found = found / part
            for _ in range(8):  # a link may point to a link
                if (target := self._links.get(str(found))) is None:
                    break
                found = PurePath(os.path.normpath(found.parent / target))
        return Path(found)

    def link_target(self, path: PurePath) -> str | None:
        return self._links.get(str(path))

    def free_bytes(self, path: PurePath) -> int:
        return self._free

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise SystemRefused(message("a recorded computer can only be looked at"))

    make_dir = write = append = link = remove = remove_tree = remove_empty_dir = rename = _refuse
    flush_dir = flush_tree = scratch = sha256 = _refuse


class RecordedPrograms(Programs):
    """Answers by the exact argument list; a script given by `-c` is not compared."""

    def __init__(self, answers: Sequence[Mapping[str, Any]], environment: Mapping[str, str]) -> None:
        super().__init__(environment, Cancel())
        self._answers = {tuple(a["argv"]): a for a in answers}

    def find(self, name: str) -> Path | None:
        every = {Path(argv[0]) for argv in self._answers}
        for folder in self._environment.get("PATH", "").split(":"):
            if Path(folder, name) in every:
                return Path(folder, name)
        return None

    def run(self, argv: Sequence[str | PurePath], **_: Any) -> Completed:
        command = tuple(str(a) for a in argv)
        answer = self._answers.get(_without_scripts(command))
        if answer is None:
            raise SystemRefused(message("could not start {program}: {why}", program=command[0], why="not recorded"))
        code = None if answer.get("timed_out") else int(answer.get("code", 0))
        return Completed(command, code, answer.get("stdout", ""), answer.get("stderr", ""))


def recorded_host(folder: Path) -> Host:
    """The computer recorded in `folder/recording.toml`: system, environment, files, links and programs."""
    told = tomllib.loads((folder / "recording.toml").read_text("utf-8"))
    environment = {str(k): str(v) for k, v in told.get("environment", {}).items()}
    return Host(
        programs=RecordedPrograms(told.get("programs", ()), environment),
        files=RecordedFiles(told.get("files", {}), told.get("links", {}), told.get("disk_free_bytes", 0)),
        environment=environment,
        home=Path(told["home"]),
        cancel=Cancel(),
        fetcher=_no_network,
        system=System(**told["system"]),
    )


def _no_network() -> "Fetcher":
    raise SystemRefused(message("a recorded computer has no network"))


def _without_scripts(argv: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_SCRIPT if i and argv[i - 1] == "-c" else a for i, a in enumerate(argv))
