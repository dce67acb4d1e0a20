"""Make an IDE of ours startable: the command `pycharm`, and an entry in the menus of a Linux desktop."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, ClassVar

from packaging.version import Version

from setup_llm_dev.documents.desktop_entry import desktop_entry
from setup_llm_dev.documents.ide_version import read_version
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.machine import Os
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.folders import drop_folders, missing_folders
from setup_llm_dev.steps.ide_tree import launch_of, read_product
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied
from setup_llm_dev.steps.write import WriteFiles


@dataclass(frozen=True)
class LinkLauncher:
    """`place` becomes a link to the launcher of the IDE in `home`, unless something that is not ours stands there.

    Ours are links into the folder `ours`. One to a PyCharm there that is as new or newer is as good: projects with
    different ones share the command, and none takes it from another. What else stands there is not refused: a command
    of the user's that has this name, such as the Toolbox's script, is what the user wants to start by it; see
    `left_alone`. os, arch: as in Machine, by which the IDE tells its launcher.
    """

    kind: ClassVar[str] = "launcher"
    place: PurePath
    home: PurePath
    os: Os
    arch: str
    ours: PurePath
    optional: bool = False
    needs: ClassVar[tuple[str, ...]] = ("ide",)
    phase: ClassVar[Phase] = "switch"

    @property
    def id(self) -> str:
        return "ide-launcher"

    def describe(self) -> Message:
        return message("make the command {name}", name=self.place.name)

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        if not host.files.exists(self.place):
            return Unsatisfied(message("{place} is not there yet", place=str(self.place)))
        if not self._is_ours(host) or host.files.link_target(self.place) == self._target(host):
            return Satisfied()
        if self._starts_as_new(host):
            return Satisfied()
        return Unsatisfied(message("{place} starts another version", place=str(self.place)))

    def left_alone(self, host: Host) -> Message | None:
        """That the command is somebody else's, a sentence for the end of a run; None where it is ours, or not there,
        and where there is no IDE to start."""
        if not host.files.exists(self.place) or self._is_ours(host) or not host.files.is_dir(self.home):
            return None
        return message(
            "{place} was there already, so it stays; this PyCharm is started by {launcher}",
            place=str(self.place),
            launcher=self._target(host),
        )

    def before(self, host: Host) -> Receipt:
        before = host.files.link_target(self.place)
        return {"before": before, "folders": missing_folders(host, [self.place]), "target": self._target(host)}

    def apply(self, host: Host, progress: Progress) -> Receipt:
        receipt = self.before(host)
        if not host.files.exists(self.place) or self._is_ours(host):
            host.files.link_file(self.place, Path(receipt["target"]))
        return receipt

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        found, before = host.files.link_target(self.place), receipt.get("before")
        if found != receipt.get("target", self._target(host)):
            if self._is_ours(host):  # another project's by now
                if not host.files.exists(Path(str(found))):
                    host.files.remove(self.place)
                return ()
            same = found == before if found else not host.files.exists(self.place)
            return () if same else (message("{path} was changed since, so it stays", path=str(self.place)),)
        if before and before != found and host.files.is_file(Path(before)):
            host.files.link_file(self.place, Path(before))
            return ()
        host.files.remove(self.place)
        drop_folders(host, receipt)
        return ()

    def record(self) -> dict[str, Any]:
        return _record(self) | {"ours": str(self.ours)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "LinkLauncher":
        return cls(
            Path(record["place"]), Path(record["home"]), record["os"], record["arch"], Path(record["ours"])
        )  # fmt: skip

    def _target(self, host: Host) -> str:
        return str(self.home / launch_of(host, self.home, self.os, self.arch).launcher)

    def _starts_as_new(self, host: Host) -> bool:
        target = Path(host.files.link_target(self.place) or "")
        return host.files.is_file(target) and any(
            target == other / launch_of(host, other, self.os, self.arch).launcher
            for other in _as_new(host, self.home, self.os, self.arch)
        )

    def _is_ours(self, host: Host) -> bool:
        """By the text of the link, since what it led to may be gone."""
        target = PurePath(host.files.link_target(self.place) or "")
        return target.is_relative_to(self.ours) and ".." not in target.parts


@dataclass(frozen=True)
class WriteDesktopEntry:
    """`place` is a file of ours that starts the IDE in `home`, by what that IDE says of itself.

    As with the command, one that starts a PyCharm of ours that is as new or newer is as good.
    """

    kind: ClassVar[str] = "desktop-entry"
    place: PurePath
    home: PurePath
    os: Os
    arch: str
    optional: bool = False
    needs: ClassVar[tuple[str, ...]] = ("ide",)
    phase: ClassVar[Phase] = "switch"

    @property
    def id(self) -> str:
        return "ide-desktop"

    def describe(self) -> Message:
        return message("put PyCharm into the menus of the desktop")

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        if any(self._of(host, other) for other in _as_new(host, self.home, self.os, self.arch)):
            return Satisfied()
        return self._file(host).check(host)

    def before(self, host: Host) -> Receipt:
        """`of`: the folder of the PyCharm that the entry started before, if that was one of ours."""
        of = next((str(other) for other in _others(host, self.home) if self._of(host, other)), None)
        return self._file(host).before(host) | ({"of": of} if of else {})

    def apply(self, host: Host, progress: Progress) -> Receipt:
        receipt = self.before(host)
        return receipt | self._file(host).apply(host, progress)

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        if any(self._of(host, other) for other in _others(host, self.home)):
            return ()  # another project's by now
        if "of" in receipt and not host.files.is_dir(Path(receipt["of"])):  # nothing to come back to
            written = {path: entry | {"before": None} for path, entry in receipt["written"].items()}
            receipt = receipt | {"written": written}
        return self._file(host).undo(host, receipt)

    def record(self) -> dict[str, Any]:
        return _record(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "WriteDesktopEntry":
        return cls(Path(record["place"]), Path(record["home"]), record["os"], record["arch"])

    def _of(self, host: Host, other: PurePath) -> bool:
        """Whether the file starts the PyCharm in that folder."""
        step = replace(self, home=other)
        return step._file(host).stands(host)

    def _file(self, host: Host) -> WriteFiles:
        contents = ((self.place.name, self._content(host)),)
        return WriteFiles(self.id, self.place.parent, contents, self.describe(), ours=True)

    def _content(self, host: Host) -> bytes:
        """A picture of the other format where the one that the IDE names is missing."""
        said = launch_of(host, self.home, self.os, self.arch)
        program = self.home / said.launcher
        icons = (self.home / said.icon if said.icon else None, program.with_suffix(".svg"), program.with_suffix(".png"))
        return desktop_entry(
            name=f"PyCharm {said.version}".strip(),
            comment="Python IDE",
            program=program,
            icon=next((icon for icon in icons if icon is not None and host.files.is_file(icon)), None),
            wm_class=said.wm_class,
        )


def _as_new(host: Host, home: PurePath, system: Os, arch: str) -> Iterator[PurePath]:
    """PyCharms beside the one in `home` that can be started and are as new or newer."""
    own = _version(host, home)
    for other in _others(host, home):
        version = _version(host, other)
        startable = host.files.is_file(other / launch_of(host, other, system, arch).launcher)
        if own is not None and version is not None and version >= own and startable:
            yield other


def _others(host: Host, home: PurePath) -> Iterator[PurePath]:
    """Trees of ours beside `home`: by their facts."""
    for name in host.files.list_dir(home.parent):
        tree = home.parent / name
        if tree != home and host.files.is_file(tree.with_name(f"{name}.json")) and host.files.is_dir(tree):
            yield tree


def _version(host: Host, home: PurePath) -> Version | None:
    """As the IDE says; by the name of the folder before it is there."""
    said = read_product(host, home)
    return read_version(said.version if said is not None else home.name.removeprefix("pycharm-"))


def _record(step: LinkLauncher | WriteDesktopEntry) -> dict[str, Any]:
    return {"place": str(step.place), "home": str(step.home), "os": step.os, "arch": step.arch}
