"""The PyCharms of a computer, by the product-info.json that each one carries."""

from collections.abc import Iterator
from pathlib import PurePath

from setup_llm_dev.documents.machine import Ide, IdeInterpreter, Os
from setup_llm_dev.documents.product_info import FILE, FOLDERS, ProductInfo, read_product_info
from setup_llm_dev.host.places import IdeFolder, IdeKind, Places
from setup_llm_dev.host.world import Host

_DEPTH: dict[IdeKind, int] = {
    "ours": 1,
    "toolbox": 3,  # earlier ones keep apps/PyCharm-P/ch-0/233.13135, later ones apps/pycharm
    "snap": 2,  # pycharm-community/current: the others are revisions of it that were or will be
    "folder": 3,
}
_NAMES = ("pycharm", "jetbrains")
_PROJECTS = "pycharmprojects"  # where the IDE makes projects, which may be many and large
_SYSTEMS: dict[str, Os] = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_LAUNCHERS: dict[Os, tuple[str, ...]] = {
    "linux": ("bin/pycharm", "bin/pycharm.sh"),
    "macos": ("Contents/MacOS/pycharm",),
    "windows": ("bin/pycharm64.exe",),
}


def find_ides(host: Host, places: Places) -> tuple[Ide, ...]:
    """Every installed PyCharm, each once."""
    found: dict[str, Ide] = {}
    for folder in places.ides:
        for home, inside in _homes(host, folder, folder.path, _DEPTH[folder.kind]):
            ide = _ide(host, places, home, inside, folder.kind)
            if ide is not None:
                found.setdefault(str(host.files.resolve(home)), ide)
    return tuple(found.values())


def installed_ide(host: Host, places: Places, home: PurePath, kind: IdeKind) -> Ide | None:
    """The PyCharm in a folder, None where there is none."""
    inside = _inside(host, home)
    return None if inside is None else _ide(host, places, home, inside, kind)


def _homes(host: Host, folder: IdeFolder, path: PurePath, depth: int) -> Iterator[tuple[PurePath, str]]:
    """Pairs (home of an IDE, folder of its product-info.json below that) below `path`, which may be one itself."""
    inside = _inside(host, path)
    if inside is not None:
        yield path, inside
        return
    if depth == 0:
        return
    for name in _worth_a_look(host, folder, path):
        yield from _homes(host, folder, path / name, depth - 1)


def _worth_a_look(host: Host, folder: IdeFolder, path: PurePath) -> Iterator[str]:
    for name in host.files.list_dir(path):
        low = name.lower()
        if low.startswith("."):
            continue  # what is being unpacked or removed beside ours, settings of old
        if path != folder.path:
            if folder.kind != "snap" or name == "current":
                yield name
        elif any(part in low for part in _NAMES) and low != _PROJECTS:
            yield name


def _inside(host: Host, home: PurePath) -> str | None:
    """Reads rather than asks: a folder that we may not enter is none of ours, not an error."""
    return next((inside for inside in FOLDERS if host.files.read_text(home / inside / FILE) is not None), None)


def _ide(host: Host, places: Places, home: PurePath, inside: str, kind: IdeKind) -> Ide | None:
    info = read_product_info(host.files.read_text(home / inside / FILE) or "", inside)
    if info is None:
        return None
    settings = places.settings / info.settings_name if info.settings_name else None
    return Ide(
        name=info.name,
        version=info.version,
        home=str(home),
        build=info.build,
        launcher=_launcher(host, home, info),
        kind=kind,
        settings=str(settings) if settings else None,
        interpreters=_interpreters(host, settings, home / inside.partition("/")[0]) if settings else (),
    )


def _launcher(host: Host, home: PurePath, info: ProductInfo) -> str | None:
    """As the IDE says, else one of the known names; only one that is there."""
    os = _SYSTEMS[host.system.platform]
    said = info.launch(os, host.system.machine)
    candidates = (said.launcher if said else None, *_LAUNCHERS[os])
    return next((path for path in candidates if path and host.files.exists(home / path)), None)


def _interpreters(host: Host, settings: PurePath, application: PurePath) -> tuple[IdeInterpreter, ...]:
    """What jdk.table.xml names; nothing where there is no table, or one that can't be read."""
    from setup_llm_dev.documents.jdk_table import FILE as TABLE  # XML is only read where an IDE is
    from setup_llm_dev.documents.jdk_table import entries
    from setup_llm_dev.documents.xml_nodes import Unreadable

    try:
        table = entries(host.files.read_bytes(settings / "options" / TABLE))
    except (OSError, Unreadable):
        return ()
    return tuple(
        IdeInterpreter(name=entry.name, home=_home(entry.home, application, host.home)) for entry in table if entry.name
    )


def _home(value: str | None, application: PurePath, user_home: PurePath) -> str | None:
    """The program's path with the IDE's macros expanded; None for one on another machine (`ssh://…`)."""
    from setup_llm_dev.documents.jdk_table import local_path

    path = local_path((value or "").replace("$APPLICATION_HOME_DIR$", str(application)), user_home)
    return str(path) if path else None
