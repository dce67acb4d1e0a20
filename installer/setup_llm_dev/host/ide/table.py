"""The table of interpreters of an IDE on this machine: where it is, what leads to ours, whether it may be made."""

import re
from pathlib import PurePath

from setup_llm_dev.documents.jdk_table import FILE, TableEntry, entries, planned_name
from setup_llm_dev.documents.xml_nodes import Unreadable
from setup_llm_dev.host.user_files import Seen, Untouchable, look
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

_PYTHON = re.compile(r"python[0-9.]*(\.exe)?", re.IGNORECASE)
_SETTINGS = re.compile(r"PyCharm(CE)?\d{4}\.\d+")


def table_of(settings: PurePath) -> PurePath:
    return settings / "options" / FILE


def look_at_table(host: Host, settings: PurePath) -> Seen:
    """The table's bytes; raises Untouchable for what we leave alone, see `look`."""
    return look(host, table_of(settings), within=settings)


def interpreter_name(host: Host, settings: PurePath, *, home: PurePath, user_home: PurePath, wanted: str) -> str:
    """The name for project and step: that of an entry which is right already, else a free one, see `planned_name`.

    A table that we would refuse to change gives `wanted`: the step says why.
    """
    try:
        found = entries(look_at_table(host, settings).data or b"")
    except (Untouchable, Unreadable):
        return wanted
    return planned_name(found, wanted, lambda entry: leads_to(host, entry, home, user_home))


def leads_to(host: Host, entry: TableEntry, home: PurePath, user_home: PurePath) -> bool:
    """Whether an entry names the environment of `home` by its link: any name of Python in it, links before it followed.

    The link itself is not followed: an entry that names what lies behind it is right only until it is switched, and
    behind Python's own link is the Python of the system.
    """
    found = entry.local_home(user_home)
    if found is None or found.drive.lower() != home.drive.lower() or not _PYTHON.fullmatch(found.name):
        return False
    folder, ours = found.parent, home.parent
    if (folder.name, folder.parent.name) != (ours.name, ours.parent.name):
        return False
    try:
        return folder == ours or host.files.resolve(folder.parent.parent) == host.files.resolve(ours.parent.parent)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return False


def why_not_yet(host: Host, settings: PurePath) -> Message | None:
    """Why the settings folder must not be made now, None where the table may be written.

    PyCharm offers to import the settings of an earlier version only as long as it has none of its own.
    """
    if host.files.list_dir(settings):
        return None
    older = [name for name in host.files.list_dir(settings.parent) if _SETTINGS.fullmatch(name)]
    used = [name for name in older if name != settings.name and host.files.list_dir(settings.parent / name)]
    if not used:
        return None
    return message(
        "{new} has no settings yet and will offer to import those of {old} when it starts for the first time; the "
        "interpreter is added when this command is run once more after that",
        new=settings.name,
        old=used[-1],
    )
