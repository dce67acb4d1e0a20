"""`options/jdk.table.xml`, an IDE's table of interpreters: what is in it, and one entry of ours put in or taken out.

The table is the user's: it is read, and changed at one place by bytes (see `xml_text`), never written anew. All kinds
of interpreters share it (Python, Java, remote ones), and a name belongs to one entry over all of them, for the name is
all that a project keeps.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import PurePath

from setup_llm_dev.documents.jetbrains_xml import Element, document, element, tag_lines
from setup_llm_dev.documents.xml_nodes import Node, Unreadable, parse
from setup_llm_dev.documents.xml_text import Edit, appended, indent_unit, removed, splice
from setup_llm_dev.documents.xml_text import taken_back as with_text_back
from setup_llm_dev.messages import message

SDK_TYPE = "Python SDK"
FILE = "jdk.table.xml"
_COMPONENT = "ProjectJdkTable"
_HOME_MACRO = "$USER_HOME$"
_UV_FLAVOUR = "UvSdkFlavor"


@dataclass(frozen=True)
class TableEntry:
    """An interpreter as the table has it: attributes as they stand there, None where they are missing.

    `home` may hold macros of the IDE, and the address of another machine; `local_home` sorts that out.
    """

    name: str
    type: str | None = None
    home: str | None = None
    version: str | None = None
    flavour: str | None = None  # FLAVOR_ID: VirtualEnvSdkFlavor, UvSdkFlavor…
    uv: bool = False  # the IDE would start it by `uv run`
    project: str | None = None  # the folder it is associated with, macros as they stand
    uuid: str | None = None
    roots: bool = False  # an entry without them breaks the IDE's reader
    line: int = 0

    def local_home(self, user_home: PurePath) -> PurePath | None:
        """The program on this machine, of the flavour of `user_home`; None for remote ones and unknown macros."""
        return local_path(self.home, user_home)


@dataclass(frozen=True)
class VenvEntry:
    """An interpreter to be added: an environment made by `python -m venv`, which has no `uv` line in its pyvenv.cfg.

    version: `3.12.11`. home: the program inside the link `.venv`, links not followed. user_home: what the IDE takes for
    `$USER_HOME$`. uuid: any random one in its usual spelling; the IDE keeps it.
    """

    name: str
    version: str
    home: PurePath
    project: PurePath
    uuid: str
    user_home: PurePath


def entries(data: bytes) -> tuple[TableEntry, ...]:
    """All entries in the order of the file; none where the file is empty. Raises Unreadable."""
    return tuple(_entry(node) for node in _nodes(data))


def insertion(data: bytes | None, entry: VenvEntry) -> Edit | None:
    """The one edit that makes `entry` the last one of the table; None where it is there already.

    data: None or nothing but blanks means a new file, laid out as the IDE does. Raises Unreadable, and ValueError if
    the name belongs to another interpreter.
    """
    if not data or not data.strip():
        return Edit(0, len(data or b""), _document(entry))
    root = _root(data)
    for known in map(_entry, _jdks(root)):
        if known.name == entry.name:
            if known.local_home(entry.user_home) != entry.home:
                raise ValueError(f"the name {entry.name!r} belongs to another interpreter")
            return None
    table, unit = _table(root), indent_unit(data, root)
    if table is None:
        return appended(data, root, list(tag_lines(_table_of(entry))), unit=unit)
    return appended(data, table, list(tag_lines(_jdk(entry))), unit=unit)


def with_entry(data: bytes | None, entry: VenvEntry) -> bytes:
    """The table with `entry` in it; the very same bytes where it is there already. Raises as `insertion` does."""
    edit = insertion(data, entry)
    return splice(data or b"", [edit] if edit else [])


def without_entry(
    data: bytes, ours: Callable[[TableEntry], bool], *, made: bytes = b"", before: bytes = b""
) -> bytes | None:
    """The table without the entries for which `ours` says yes; None if there is none. Raises Unreadable.

    made, before: the text of the edit that brought the entry, and what it replaced. With them the bytes of before come
    back exactly, even if the file, the component or its end tag was made by the edit, as long as the IDE has not laid
    out that place anew. Without them an entry goes with its own lines, and all other bytes stay.
    """
    found = [node for node in _nodes(data) if ours(_entry(node))]
    if not found:
        return None
    if len(found) == 1 and (again := _exactly_back(data, made, before)) is not None:
        return again
    return splice(data, [removed(data, node) for node in found])


EMPTY = f'<application>\n  <component name="{_COMPONENT}">\n  </component>\n</application>'.encode()
"""What is left of a table of our making once its last entry is gone."""


def usable(entry: TableEntry, table: Sequence[TableEntry]) -> bool:
    """Whether a project that names this entry gets it, as a plain local interpreter.

    Not so: another type than Python, no roots, run by uv (that would start `uv run` on our environment, which uv does
    not know), or a name that an entry further up has too (the IDE takes the first).
    """
    first = next(other for other in table if other.name == entry.name)
    return bool(entry.name) and first is entry and entry.type == SDK_TYPE and entry.roots and not entry.uv


def planned_name(table: Sequence[TableEntry], wanted: str, ours: Callable[[TableEntry], bool]) -> str:
    """The name under which a project finds our interpreter: that of a usable entry which leads to it, else a free one.

    ours: whether an entry's program is our interpreter. Such an entry stays as the IDE left it, whatever its name; one
    that leads to it but is not usable stays too, and ours stands beside it under a name of its own.
    """
    known = [entry.name for entry in table if ours(entry) and usable(entry, table)]
    if known:
        return wanted if wanted in known else known[0]
    return free_name(wanted, (entry.name for entry in table))


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or the first free of `wanted (2)`, `wanted (3)`…

    >>> free_name("Python 3.12 (llm)", ["Python 3.12 (llm)"])
    'Python 3.12 (llm) (2)'
    """
    names = frozenset(taken)
    return next(n for n in (wanted if i == 1 else f"{wanted} ({i})" for i in count(1)) if n not in names)


def local_path(value: str | None, user_home: PurePath) -> PurePath | None:
    """A path of the table as a path of this machine; None if it is none: an address, an unknown macro, relative.

    >>> from pathlib import PurePosixPath
    >>> local_path("$USER_HOME$/llm/.venv/bin/python", PurePosixPath("/home/ada"))
    PurePosixPath('/home/ada/llm/.venv/bin/python')
    >>> local_path("ssh://ada@host:22/usr/bin/python3", PurePosixPath("/home/ada"))
    """
    if not value:
        return None
    flavour = type(user_home)
    if value == _HOME_MACRO or value.startswith((_HOME_MACRO + "/", _HOME_MACRO + "\\")):
        return user_home / value[len(_HOME_MACRO) :].lstrip("/\\")
    path = flavour(value)
    return path if path.is_absolute() else None


def written_path(path: PurePath, user_home: PurePath) -> str:
    """A path as the IDE writes it: slashes, and `$USER_HOME$` for what lies below the user's home.

    >>> from pathlib import PureWindowsPath
    >>> written_path(PureWindowsPath(r"C:\\Users\\Ada\\llm"), PureWindowsPath(r"C:\\Users\\Ada"))
    '$USER_HOME$/llm'
    """
    if path.is_relative_to(user_home) and path != user_home:
        return f"{_HOME_MACRO}/{path.relative_to(user_home).as_posix()}"
    return path.as_posix()


def _root(data: bytes) -> Node:
    root = parse(data)
    if root.tag != "application":
        raise Unreadable(message("its outermost element is “{tag}”, not “application”", tag=root.tag))
    return root


def _table(root: Node) -> Node | None:
    found = list(root.all("component", name=_COMPONENT))
    if len(found) > 1:
        raise Unreadable(message("it has {count} tables of interpreters instead of one", count=len(found)))
    return found[0] if found else None


def _jdks(root: Node) -> tuple[Node, ...]:
    table = _table(root)
    return tuple(table.all("jdk")) if table else ()


def _nodes(data: bytes) -> tuple[Node, ...]:
    return _jdks(_root(data)) if data.strip() else ()


def _exactly_back(data: bytes, made: bytes, before: bytes) -> bytes | None:
    """The edit taken back, unless it took more than one entry with it or left something that is no table."""
    again = with_text_back(data, made, before)
    try:
        return again if again is not None and len(entries(again)) == len(entries(data)) - 1 else None
    except Unreadable:
        return None


def _entry(node: Node) -> TableEntry:
    additional = node.first("additional")
    flavour = _setting(additional, "FLAVOR_ID")
    return TableEntry(
        name=_value(node, "name") or "",
        type=_value(node, "type"),
        home=_value(node, "homePath"),
        version=_value(node, "version"),
        flavour=flavour,
        uv=flavour == _UV_FLAVOUR or (additional is not None and additional.get("IS_UV") == "true"),
        project=additional.get("ASSOCIATED_PROJECT_PATH") if additional else None,
        uuid=additional.get("SDK_UUID") if additional else None,
        roots=node.first("roots") is not None,
        line=node.line,
    )


def _value(node: Node, tag: str) -> str | None:
    child = node.first(tag)
    return child.get("value") if child else None


def _setting(additional: Node | None, name: str) -> str | None:
    setting = additional.first("setting", name=name) if additional else None
    return setting.get("value") if setting else None


def _document(entry: VenvEntry) -> bytes:
    """A table as the IDE writes it: no declaration, and no line end after the last line."""
    return document(element("application", _table_of(entry)), declaration=False).rstrip()


def _table_of(entry: VenvEntry) -> Element:
    return element("component", _jdk(entry), name=_COMPONENT)


def _jdk(entry: VenvEntry) -> Element:
    """Version 2 wants roots; PyCharm fills empty composites when it opens the project."""
    nothing = element("root", type="composite")
    return element(
        "jdk",
        element("name", value=entry.name),
        element("type", value=SDK_TYPE),
        element("version", value=f"Python {entry.version}"),
        element("homePath", value=written_path(entry.home, entry.user_home)),
        element("roots", element("classPath", nothing), element("sourcePath", nothing)),
        element(
            "additional",
            element("setting", name="FLAVOR_ID", value="VirtualEnvSdkFlavor"),
            element("setting", name="FLAVOR_DATA", value="{}"),
            ASSOCIATED_PROJECT_PATH=written_path(entry.project, entry.user_home),
            SDK_UUID=entry.uuid,
        ),
        version="2",
    )
