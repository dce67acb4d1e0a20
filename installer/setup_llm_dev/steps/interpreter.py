"""Tell the IDE about the interpreter: one entry in `options/jdk.table.xml`, all other bytes of which stay.

The table belongs to the user and the IDE, which writes it anew when it ends. So: nothing while it runs, nothing in a
file that we do not fully understand, a backup of what stood there, and an entry that is right already stays as it is.
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar, NoReturn

from setup_llm_dev.documents.jdk_table import (
    EMPTY,
    TableEntry,
    VenvEntry,
    entries,
    insertion,
    planned_name,
    usable,
    without_entry,
)
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.documents.xml_nodes import Unreadable
from setup_llm_dev.documents.xml_text import splice
from setup_llm_dev.errors import Busy, Refused
from setup_llm_dev.host.ide.running import running_ide
from setup_llm_dev.host.ide.table import leads_to, look_at_table, table_of
from setup_llm_dev.host.user_files import (
    Untouchable,
    drop_staged,
    edit_file,
    remove_unchanged,
    require_writable,
    unfinished_if_barred,
)
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.folders import drop_folders, missing_folders
from setup_llm_dev.steps.preview import FileChange
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied

_MADE = "made.json"
"""Among the backups: tables that we made, with the folders made for them, whose first entry is gone already."""


@dataclass(frozen=True)
class ConfigureInterpreter:
    """The IDE whose settings lie in `settings` knows `home` by `name`.

    home: the program inside the workspace's link `.venv`, links not followed; version: its, in three parts. user_home:
    what the IDE takes for `$USER_HOME$`. uuid: a random one for a new entry. ide: the folder of the installation, by
    which a running one is found. backups: our folder for what stood in the table before.
    """

    kind: ClassVar[str] = "interpreter"
    settings: PurePath
    name: str
    home: PurePath
    version: str
    workspace: PurePath
    user_home: PurePath
    uuid: str
    ide: PurePath
    backups: PurePath
    needs: tuple[str, ...] = ()
    optional: bool = False
    phase: ClassVar[Phase] = "switch"

    @property
    def id(self) -> str:
        return "ide-interpreter"

    @property
    def table(self) -> PurePath:
        return table_of(self.settings)

    def describe(self) -> Message:
        return message("tell PyCharm about the interpreter {name}", name=self.name)

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        try:
            found = entries(look_at_table(host, self.settings).data or b"")
        except (Untouchable, Unreadable) as error:
            return Unsatisfied(message("{path}: {why}", path=str(self.table), why=error.why))
        if self.known(host, found):
            return Satisfied()
        return Unsatisfied(message("{path} has no interpreter {name}", path=str(self.table), name=self.name))

    def preview(self, host: Host) -> tuple[FileChange, ...]:
        """The table before and after; raises Refused (3) as `apply` would."""
        try:
            seen = look_at_table(host, self.settings)
            new = _Change(self, host)(seen.data)
            if new is None or new == seen.data:
                return ()
            require_writable(seen)
        except (Untouchable, Unreadable) as error:
            self._refuse(error.why)
        return (FileChange(self.table, seen.data, new),)

    def refuse_early(self, host: Host) -> None:
        """Raises what `apply` would, Busy (7) or Refused (3), if there is anything to do: asked before long work."""
        if self.preview(host):
            self._require_closed(host)

    def before(self, host: Host) -> Receipt:
        change = _Change(self, host)
        try:
            change(look_at_table(host, self.settings).data)
        except (Untouchable, Unreadable, Refused):
            return {}  # `apply` says why, and changes nothing
        return change.receipt

    def apply(self, host: Host, progress: Progress) -> Receipt:
        self._require_closed(host)
        change = _Change(self, host)
        try:
            edit_file(host, self.table, change, within=self.settings, backups=self.backups)
        except (Untouchable, Unreadable) as error:
            self._refuse(error.why)
        # An IDE that was started meanwhile has read the old table, and writes it back when it ends.
        self._require_closed(host)
        return change.receipt

    def refuse_undo(self, host: Host) -> None:
        self._require_closed(host)

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        """Only our entry goes; the file too, if it was made for it and holds nothing else.

        Raises RollbackIncomplete (9) for a table that can't be read or written now: our entry is still in it.
        """
        self._require_closed(host)
        drop_staged(host, self.table)
        try:
            with unfinished_if_barred(self.table):
                return self._taken_back(host, receipt)
        except (Untouchable, Unreadable) as error:
            return (message("{path} stays as it is: {why}", path=str(self.table), why=error.why),)

    def _taken_back(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        made = str(receipt.get("made", "")).encode()
        if receipt.get("new") and remove_unchanged(host, self.table, made, within=self.settings):
            drop_folders(host, receipt)
            return ()
        taken = _Removal(self, host, made, str(receipt.get("replaced", "")).encode())
        edit_file(host, self.table, taken, within=self.settings, backups=self.backups)
        self._drop_empty(host, receipt)
        return taken.left

    def record(self) -> dict[str, Any]:
        return {
            "settings": str(self.settings),
            "name": self.name,
            "home": str(self.home),
            "version": self.version,
            "workspace": str(self.workspace),
            "user_home": str(self.user_home),
            "uuid": self.uuid,
            "ide": str(self.ide),
            "backups": str(self.backups),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "ConfigureInterpreter":
        return cls(
            settings=Path(record["settings"]),
            name=record["name"],
            home=Path(record["home"]),
            version=record["version"],
            workspace=Path(record["workspace"]),
            user_home=Path(record["user_home"]),
            uuid=record["uuid"],
            ide=Path(record["ide"]),
            backups=Path(record["backups"]),
        )

    def leads_home(self, host: Host, entry: TableEntry) -> bool:
        """Whether an entry's program is ours."""
        return leads_to(host, entry, self.home, self.user_home)

    def known(self, host: Host, found: tuple[TableEntry, ...]) -> bool:
        """Whether one of these entries is usable, leads to our interpreter and has the planned name."""
        named = (entry for entry in found if entry.name == self.name)
        return any(usable(entry, found) and self.leads_home(host, entry) for entry in named)

    def _require_closed(self, host: Host) -> None:
        who = running_ide(host, self.settings, self.ide)
        if who is not None:
            raise Busy(who, hint=message("close PyCharm, then run the same command again"))

    def _refuse(self, why: Message) -> NoReturn:
        raise Refused(
            message("{path} was not changed: {why}", path=str(self.table), why=why),
            hint=message(
                "mend or move the file and run the same command again; or, in PyCharm, click the interpreter in the "
                "status bar, add a local interpreter, select an existing one, and choose {python}",
                python=str(self.home),
            ),
        )

    def _drop_empty(self, host: Host, receipt: Receipt) -> None:
        """A table that we made outlives the entry it was made for while others of ours are in it: its end is kept in
        mind, and with the last of them it goes too."""
        note = self.backups / _MADE
        made = _read_note(host, note)
        if receipt.get("new"):
            made[str(self.table)] = list(receipt.get("folders", ()))
            host.files.write(note, json.dumps(made).encode())
        if str(self.table) in made and remove_unchanged(host, self.table, EMPTY, within=self.settings):
            drop_folders(host, {"folders": made.pop(str(self.table))})
            host.files.write(note, json.dumps(made).encode()) if made else host.files.remove(note)


def _read_note(host: Host, note: PurePath) -> dict[str, list[str]]:
    try:
        found = json.loads(host.files.read_text(note) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class _Change:
    """The table with our entry, as `edit_file` wants it; `receipt` is about the last bytes it was asked for."""

    def __init__(self, step: ConfigureInterpreter, host: Host) -> None:
        self._step = step
        self._host = host
        self.receipt: Receipt = {}

    def __call__(self, data: bytes | None) -> bytes | None:
        step, found = self._step, entries(data or b"")
        if step.known(self._host, found):
            return None
        if planned_name(found, step.name, lambda entry: step.leads_home(self._host, entry)) != step.name:
            raise Refused(
                message("the interpreters in {path} have changed since the plan was made", path=str(step.table)),
                hint=message("run the same command again"),
            )
        return self._with_entry(data)

    def _with_entry(self, data: bytes | None) -> bytes:
        step, old = self._step, data or b""
        entry = VenvEntry(step.name, step.version, step.home, step.workspace, step.uuid, step.user_home)
        try:
            edit = insertion(data, entry)
        except ValueError as error:
            raise Untouchable(message("XML can't hold {path}", path=str(step.home))) from error
        if edit is None:
            return old
        self.receipt = {
            "made": edit.text.decode(),
            "replaced": old[edit.start : edit.end].decode(),
            "new": data is None,
            "folders": missing_folders(self._host, [step.table]),
        }
        return splice(old, [edit])


class _Removal:
    """The table without our entry, as `edit_file` wants it; `left` says what is no longer ours."""

    def __init__(self, step: ConfigureInterpreter, host: Host, made: bytes, replaced: bytes) -> None:
        self._step = step
        self._host = host
        self._made = made
        self._replaced = replaced
        self.left: tuple[Message, ...] = ()

    def __call__(self, data: bytes | None) -> bytes | None:
        if data is None:
            return None
        new = without_entry(data, self._ours, made=self._made, before=self._replaced)
        moved = (entry for entry in entries(data) if entry.uuid == self._step.uuid)
        if new is None and (entry := next(moved, None)) is not None:
            self.left = (
                message(
                    "{path}: the interpreter {name} was changed since, so it stays",
                    path=str(self._step.table),
                    name=entry.name,
                ),
            )
        return new

    def _ours(self, entry: TableEntry) -> bool:
        """The IDE keeps the uuid, unless it is an old one; the user may have given another name."""
        known = entry.uuid == self._step.uuid or entry.name == self._step.name
        return known and self._step.leads_home(self._host, entry)
