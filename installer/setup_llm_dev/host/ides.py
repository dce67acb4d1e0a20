"""The PyCharms of a computer, by the product-info.json that each one carries."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import PurePath

from setup_llm_dev.documents.machine import Ide, IdeInterpreter
from setup_llm_dev.host.places import Places
from setup_llm_dev.host.world import Host

_CODES = ("PY", "PC")  # unified and Professional; Community
_DEPTH = 3  # Toolbox keeps apps/PyCharm-P/ch-0/233.13135
_NAME = re.compile(r'<jdk\b[^>]*>\s*<name value="([^"]*)"')


def find_ides(host: Host, places: Places) -> tuple[Ide, ...]:
    """Every installed PyCharm, each once."""
    found: dict[str, Ide] = {}
    for folder in places.ides:
        for info, home in _product_infos(host, folder, _DEPTH):
            ide = _ide(host, places, info, home)
            if ide is not None:
                found.setdefault(str(host.files.resolve(home)), ide)
    return tuple(found.values())


def _product_infos(host: Host, folder: PurePath, depth: int) -> Iterator[tuple[PurePath, PurePath]]:
    """Pairs (product-info.json, home of the IDE) below `folder`, which may be such a home itself."""
    for inside in (PurePath("product-info.json"), PurePath("Contents/Resources/product-info.json")):
        if host.files.is_file(folder / inside):
            yield folder / inside, folder
            return
    if depth == 0:
        return
    for name in host.files.list_dir(folder):
        if depth == _DEPTH and "pycharm" not in name.lower():
            continue
        yield from _product_infos(host, folder / name, depth - 1)


def _ide(host: Host, places: Places, path: PurePath, home: PurePath) -> Ide | None:
    try:
        info = json.loads(host.files.read_text(path) or "")
    except ValueError:
        return None
    if not isinstance(info, dict) or info.get("productCode") not in _CODES:
        return None
    directory = info.get("dataDirectoryName")
    settings = places.settings / str(directory) if directory else None
    return Ide(
        name=str(info.get("name", "PyCharm")),
        version=str(info.get("version", "")),
        home=str(home),
        settings=str(settings) if settings else None,
        interpreters=_interpreter_names(host, settings) if settings else (),
    )


def _interpreter_names(host: Host, settings: PurePath) -> tuple[IdeInterpreter, ...]:
    """Names in jdk.table.xml; read by pattern, because only the names matter and the file is the user's."""
    table = host.files.read_text(settings / "options" / "jdk.table.xml") or ""
    return tuple(IdeInterpreter(name=html.unescape(name)) for name in _NAME.findall(table))
