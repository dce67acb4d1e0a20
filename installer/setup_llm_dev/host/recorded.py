"""A computer replayed from a recording: the answers that detection got there, given again here."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, NoReturn, cast

from setup_llm_dev.errors import SystemRefused, UsageError
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.run import Completed, Programs
from setup_llm_dev.host.world import Host, System
from setup_llm_dev.messages import message

if TYPE_CHECKING:
    from setup_llm_dev.host.fetch import Fetcher

SCRIPT = "…"  # stands for a script in a recorded argument list
_BEFORE_A_SCRIPT = ("-c", "-Command")


class RecordedFiles(Files):
    """Reads from a table of path → text. Links are a table of path → target. Nothing can be written.

    `denied` are files that are there and may not be opened; `flavour` says how paths are written there.
    """

    def __init__(
        self,
        texts: Mapping[str, str],
        links: Mapping[str, str],
        free_bytes: int,
        *,
        denied: Sequence[str] = (),
        flavour: type[PurePath] = PurePosixPath,
    ) -> None:
        self._flavour = flavour
        self._texts = {self._key(name): text for name, text in (dict.fromkeys(denied, "") | dict(texts)).items()}
        self._links = {self._key(name): target for name, target in links.items()}
        self._denied = {self._key(name) for name in denied}
        self._free = free_bytes

    def read_bytes(self, path: PurePath, limit: int = 64 << 20) -> bytes:
        name = str(self.resolve(path))
        if name in self._denied:
            raise PermissionError(name)
        if name not in self._texts:
            raise FileNotFoundError(name)
        return self._texts[name].encode()[:limit]

    def exists(self, path: PurePath) -> bool:
        return self._key(path) in self._links or self.is_file(path) or self.is_dir(path)

    def is_dir(self, path: PurePath) -> bool:
        return bool(self.list_dir(path))

    def is_file(self, path: PurePath) -> bool:
        return str(self.resolve(path)) in self._texts

    def list_dir(self, path: PurePath) -> tuple[str, ...]:
        separator = "\\" if self._flavour is PureWindowsPath else "/"
        start = str(self.resolve(path)).rstrip(separator) + separator
        inside = (name.removeprefix(start) for name in (*self._texts, *self._links) if name.startswith(start))
        return tuple(sorted({name.split(separator)[0] for name in inside}))

    def resolve(self, path: PurePath) -> Path:
        """Follows recorded links in every part of the path."""
        whole = self._flavour(str(path))
        found = self._flavour(whole.anchor)
        for part in whole.parts[1:] if whole.anchor else whole.parts:
            found = found / part
            for _ in range(8):  # a link may point to a link
                if (target := self._links.get(str(found))) is None:
                    break
                found = self._flavour(os.path.normpath(found.parent / target))
        return cast(Path, found) if self._flavour is PureWindowsPath else Path(found)

    def _key(self, path: str | PurePath) -> str:
        return str(self._flavour(str(path)))

    def link_target(self, path: PurePath) -> str | None:
        own = self._key(path)  # the way to it may be a link too
        return self._links.get(own, self._links.get(str(self.resolve(path.parent) / path.name)))

    def free_bytes(self, path: PurePath) -> int:
        return self._free

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise SystemRefused(message("a recorded computer can only be looked at"))

    make_dir = write = append = link = remove = remove_tree = remove_empty_dir = rename = _refuse
    flush_dir = flush_tree = scratch = sha256 = _refuse


class RecordedPrograms(Programs):
    """Answers by the exact argument list; a script given by `-c` or `-Command` is not compared.

    `found`: programs that are there and were never run.
    """

    def __init__(
        self, answers: Sequence[Mapping[str, Any]], environment: Mapping[str, str], found: Sequence[str] = ()
    ) -> None:
        super().__init__(environment, Cancel())
        self._answers = {tuple(a["argv"]): a for a in answers}
        self._programs = (*(argv[0] for argv in self._answers), *found)

    def find(self, name: str) -> Path | None:
        """In the folders of the recorded PATH; Windows' are joined by `;`, and its programs end in `.exe`."""
        path = self._environment.get("PATH", "")
        windows = ";" in path or "\\" in path
        flavour: type[PurePath] = PureWindowsPath if windows else PurePosixPath
        every = {str(flavour(program)) for program in self._programs}
        for folder in path.split(";" if windows else ":"):
            candidate = flavour(folder, f"{name}.exe" if windows else name)
            if str(candidate) in every:
                return cast(Path, candidate) if windows else Path(candidate)
        return None

    def run(self, argv: Sequence[str | PurePath], **_: Any) -> Completed:
        command = tuple(str(a) for a in argv)
        answer = self._answers.get(without_scripts(command))
        if answer is None:
            raise SystemRefused(message("could not start {program}: {why}", program=command[0], why="not recorded"))
        code = None if answer.get("timed_out") else int(answer.get("code", 0))
        return Completed(command, code, answer.get("stdout", ""), answer.get("stderr", ""))


def recorded_host(folder: Path) -> Host:
    """The computer recorded in `folder/recording.toml`: system, environment, files, links and programs.

    Raises UsageError where there is none, or one that can't be read.
    """
    told = _told(folder / "recording.toml")
    try:
        environment = {str(k): str(v) for k, v in told.get("environment", {}).items()}
        system = System(**told["system"])
        flavour: type[PurePath] = PureWindowsPath if system.platform == "win32" else PurePosixPath
        return Host(
            programs=RecordedPrograms(told.get("programs", ()), environment, told.get("found", ())),
            files=RecordedFiles(
                told.get("files", {}),
                told.get("links", {}),
                told.get("disk_free_bytes", 0),
                denied=told.get("denied", ()),
                flavour=flavour,
            ),
            environment=environment,
            home=cast(Path, PureWindowsPath(told["home"])) if system.platform == "win32" else Path(told["home"]),
            cancel=Cancel(),
            fetcher=_no_network,
            system=system,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(message("{file} is not a recording: {why}", file=str(folder), why=str(error))) from error


def _told(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(message("{file}: {why}", file=str(path), why=error.strerror or str(error))) from error
    except ValueError as error:  # of TOML and of UTF-8
        raise UsageError(message("{file} is not a recording: {why}", file=str(path), why=str(error))) from error


def _no_network() -> "Fetcher":
    raise SystemRefused(message("a recorded computer has no network"))


def without_scripts(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The argument list as it is recorded: what a script says is not compared."""
    return tuple(SCRIPT if i and argv[i - 1] in _BEFORE_A_SCRIPT else a for i, a in enumerate(argv))
