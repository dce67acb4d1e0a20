"""Unpack a PyCharm beside earlier ones: streamed while it comes, proved by its hash and by what it says of itself."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal

import msgspec

from setup_llm_dev.documents.codec import from_stored, to_stored
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.lock import ArchiveIdeLock
from setup_llm_dev.documents.machine import Os
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.documents.transfer import Source, Wanted
from setup_llm_dev.errors import Busy, Corrupt, Refused
from setup_llm_dev.host.archives.staging import drop_stale_staging
from setup_llm_dev.host.configuration import read_surroundings
from setup_llm_dev.host.ide.running import running_from
from setup_llm_dev.host.installed import Difference
from setup_llm_dev.host.installed_tree import InstalledTree, measure_tree
from setup_llm_dev.host.transfer.store import Store
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.ide_tree import (
    UnpackedIde,
    assert_product,
    keep_aside,
    launch_of,
    newer_than,
    place_aside,
    read_facts,
    take_away,
    to_keep_aside,
    updated_itself,
    wrong_in,
)
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied

if TYPE_CHECKING:
    from setup_llm_dev.host.archives.extract import Staging

_MIB = 1 << 20
_SHOWN = 5
_KINDS: dict[str, Literal["tar.gz", "zip"]] = {".tar.gz": "tar.gz", ".tgz": "tar.gz", ".zip": "zip"}


@dataclass(frozen=True)
class InstallIde:
    """`folder` is where the IDE will be, a folder of ours; its facts lie beside it, in `FOLDER.json`.

    os, arch: of the machine, as in Machine, by which the IDE tells its launcher. config: where our settings are.
    """

    kind: ClassVar[str] = "ide"
    ide: ArchiveIdeLock
    os: Os
    arch: str
    folder: PurePath
    store: PurePath
    config: PurePath
    optional: bool = False
    needs: ClassVar[tuple[str, ...]] = ()
    phase: ClassVar[Phase] = "stage"

    @property
    def id(self) -> str:
        return "ide"

    @property
    def facts(self) -> PurePath:
        """What was unpacked, outside the tree, so that the tree holds nothing but the IDE."""
        return self.folder.with_name(self.folder.name + ".json")

    def describe(self) -> Message:
        if self.ide.size is None:
            return message("install PyCharm {version}", version=self.ide.version)
        return message(
            "install PyCharm {version} ({size} MiB)", version=self.ide.version, size=round(self.ide.size / _MIB)
        )

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        return self.prove(host, full=False)

    def prove(self, host: Host, *, full: bool) -> Satisfied | Unsatisfied:
        """Every file is what the archive held; `full` hashes all, else only what was touched."""
        facts = read_facts(host, self.facts)
        if facts is None or not host.files.is_dir(self.folder):
            return Unsatisfied(message("PyCharm {version} is not installed yet", version=self.ide.version))
        newer = updated_itself(host, self.folder, facts)
        if facts.archive_sha256 != self.ide.sha256:
            why = message("it was unpacked from another archive")
            return Unsatisfied(why if newer else self._with_what_moves(host, facts.tree, why))
        if newer:
            return Satisfied()
        differences = wrong_in(host, Path(self.folder), facts.tree, full=full)
        if not differences:
            return Satisfied()
        return Unsatisfied(self._with_what_moves(host, facts.tree, _named(differences)))

    def refuse_foreign(self, host: Host) -> None:
        """Raises Refused (3) when something that is not ours stands at `folder`; asked before anything is fetched.

        A PyCharm of ours whose updater has put a newer release there is the user's by now.
        """
        if host.files.exists(self.folder) and not host.files.exists(self.facts):
            raise Refused(
                message("{place} is there already and was not made by setup-llm-dev", place=str(self.folder)),
                hint=message("move it away, then run the same command again"),
            )
        newer = newer_than(host, self.folder, self.ide.version)
        if newer is not None and host.files.is_file(self.folder / self._launcher(host)):
            raise Refused(
                message("the PyCharm in {place} has updated itself to {version}, so it is not replaced by {older}",
                        place=str(self.folder), version=newer, older=self.ide.version),
                hint=message("add --upgrade, without --pycharm-archive, to use it; or move it away, then run the same "
                             "command again"),
            )  # fmt: skip

    def apply(self, host: Host, progress: Progress) -> Receipt:
        from setup_llm_dev.host.archives.extract import extracting  # here, since most runs unpack nothing

        self.refuse_foreign(host)
        self._refuse_running(host)
        ides = Path(self.folder.parent)
        host.files.make_dir(ides)
        drop_stale_staging(ides)
        kind = self._archive_kind()
        with (
            # A zip of the maker's has its files at the top, a tar.gz has one folder around them.
            extracting(kind, ides, single_root=kind == "tar.gz", cancel=host.cancel) as staging,
            host.files.flushing(ides),
        ):
            archive = self._unpack(host, staging, progress)
            progress(None, None, "", message("checking every file"))
            launcher = assert_product(host, staging.tree, self.ide, self.os, self.arch)
            tree = measure_tree(staging.tree, host.cancel)
            kept = self._publish(host, staging, tree, launcher)
        host.files.remove(archive)  # it is a gigabyte, and what it held stands there now
        receipt = {"folder": str(self.folder), "launcher": launcher, "files": len(tree.files), "bytes": tree.size}
        return receipt | ({"kept": str(kept)} if kept else {})

    def refuse_undo(self, host: Host) -> None:
        self._refuse_running(host)

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        self._refuse_running(host)
        Store(host.files, self.store).remove(self.ide.sha256)  # what a run that was killed had fetched
        facts = read_facts(host, self.facts)
        if facts is None:
            if not host.files.exists(self.folder):
                return ()
            return (message("{path} stays: which of its files are ours is not known", path=str(self.folder)),)
        if updated_itself(host, self.folder, facts):
            return (message("{path} stays: PyCharm has updated itself since", path=str(self.folder)),)
        left = take_away(host, Path(self.folder), facts.tree) if host.files.is_dir(self.folder) else ()
        host.files.remove(self.facts)
        host.files.remove_empty_dir(self.folder.parent)
        return left

    def record(self) -> dict[str, Any]:
        return {
            "ide": to_stored(self.ide),
            "os": self.os,
            "arch": self.arch,
            "folder": str(self.folder),
            "store": str(self.store),
            "config": str(self.config),
            "optional": self.optional,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "InstallIde":
        return cls(
            ide=from_stored(record["ide"], ArchiveIdeLock),
            os=record["os"],
            arch=record["arch"],
            folder=Path(record["folder"]),
            store=Path(record["store"]),
            config=Path(record["config"]),
            optional=record["optional"],
        )

    def _unpack(self, host: Host, staging: "Staging", progress: Progress) -> PurePath:
        """Fetch the archive into the store, unpacking what has come; returns its place once the hash is right."""
        store = Store(host.files, self.store)
        place = store.place(self.ide.sha256)
        if store.holds(self.ide.sha256, self.ide.size):
            with contextlib.suppress(Corrupt):  # damaged since: fetched anew
                Follower(staging).finish(Path(place))
                return place
            host.files.remove(place)
        follower = Follower(staging)
        host.fetcher().download(
            self._wanted(host),
            place,
            partials=store.partials,
            progress=lambda done, total: progress(done, total or self.ide.size, "bytes", None),
            follow=follower.follow if self._archive_kind() == "tar.gz" else None,
        )
        try:
            follower.finish(Path(place))
        except Corrupt:
            host.files.remove(place)  # the right bytes of an archive that can't be used: no reason to keep them
            raise
        return place

    def _wanted(self, host: Host) -> Wanted:
        surroundings = read_surroundings(host, self.config)
        sources = tuple(Source(url) for url in surroundings.carriers(self.ide.url))
        return Wanted(
            name=f"PyCharm {self.ide.version}", sources=sources, size=self.ide.size, sha256=self.ide.sha256
        )  # fmt: skip

    def _publish(self, host: Host, staging: "Staging", tree: InstalledTree, launcher: str) -> Path | None:
        """Returns where the user's part went. Facts go first: a folder without them is taken for somebody else's."""
        before, kept = read_facts(host, self.facts), None
        if host.files.is_dir(self.folder):
            kept = keep_aside(host, Path(self.folder), before.tree if before else tree)
        facts = UnpackedIde(
            archive_sha256=self.ide.sha256, version=self.ide.version, launcher=launcher, tree=tree, ide=self.ide
        )  # fmt: skip
        host.files.write(self.facts, msgspec.json.encode(facts))
        host.files.remove_tree(self.folder)
        staging.publish(self.folder)
        return kept

    def _with_what_moves(self, host: Host, known: InstalledTree, why: Message) -> Message:
        """Why it is made anew, and which files of the user's are put aside for that."""
        moves = to_keep_aside(host, Path(self.folder), known)
        if not moves:
            return why
        place = place_aside(host, self.folder)
        return message(
            "{why}; what you put or changed in it moves to {place}: {files}",
            why=why, place=str(place), files=_few(moves),
        )  # fmt: skip

    def _launcher(self, host: Host) -> str:
        facts = read_facts(host, self.facts)
        return facts.launcher if facts else launch_of(host, self.folder, self.os, self.arch).launcher

    def _archive_kind(self) -> Literal["tar.gz", "zip"]:
        name = self.ide.file_name.lower()
        kind = next((kind for end, kind in _KINDS.items() if name.endswith(end)), None)
        if kind is None:
            raise Refused(message("{name} is no archive that can be unpacked here", name=self.ide.file_name))
        return kind

    def _refuse_running(self, host: Host) -> None:
        """Nothing is replaced under the feet of an IDE that runs out of it."""
        who = running_from(host, self.folder) if host.files.exists(self.folder) else None
        if who is not None:
            raise Busy(who, hint=message("close PyCharm, then run the same command again"))


def _named(differences: Sequence[Difference]) -> Message:
    named = ", ".join(f"{d.path} ({d.what})" for d in differences[:_SHOWN])
    if len(differences) > _SHOWN:
        more = len(differences) - _SHOWN
        return message("not as unpacked: {files} and {count} more", files=named, count=more)
    return message("not as unpacked: {files}", files=named)


def _few(paths: Sequence[str]) -> str:
    return ", ".join(paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")


class Follower:
    """Unpacks the bytes of a transfer as they come; begins anew whenever the transfer does.

    That they can't be unpacked proves nothing while their hash is not known: a carrier that lies is found out by it,
    and the right bytes come from the next one.
    """

    def __init__(self, staging: "Staging") -> None:
        self._staging = staging
        self._failure: Corrupt | None = None
        self._whole = False

    def follow(self, reader: BinaryIO) -> None:
        self._failure, self._whole = None, False
        try:
            self._staging.feed_from(reader)
            self._whole = True
        except Corrupt as error:
            self._failure = error
            while reader.read(_MIB):
                pass

    def finish(self, archive: Path) -> None:
        """Once the hash is right: raises Corrupt (5) if those bytes can't be unpacked; unpacks what did not stream."""
        if self._failure is not None:
            raise self._failure
        if not self._whole:
            with archive.open("rb") as stream:
                self._staging.feed_from(stream)
