"""Merge our wishes into a project's `.idea`: what is there keeps its bytes, but for the few places that we mean.

Pure: file contents in, file contents out. Merging into what was merged changes nothing.
"""

import hashlib
import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath

from setup_llm_dev.documents.idea_edits import Change, appended_elements, checked, made, with_attributes
from setup_llm_dev.documents.idea_files import (
    EXCLUDED,
    IDEA_IGNORED,
    RUNS,
    SDK_TYPE,
    RunConfiguration,
    excluded_folder,
    jdk_entry,
    listed_module,
    misc_file,
    module_file,
    module_manager,
    modules_file,
    root_manager,
    run_file,
)
from setup_llm_dev.documents.idea_module import (
    ROOTS,
    listed_in,
    listed_modules,
    place,
    project_content,
    unlisted_module,
)
from setup_llm_dev.documents.jetbrains_xml import element, writable_name
from setup_llm_dev.documents.xml_nodes import Node, Unreadable, parse
from setup_llm_dev.documents.xml_text import Edit

MISC = ".idea/misc.xml"
MODULES = ".idea/modules.xml"
WORKSPACE = ".idea/workspace.xml"
IGNORE = ".idea/.gitignore"
RUN_FOLDER = ".idea/runConfigurations"
MEMORY = ".setup-llm-dev/idea.json"
"""Which run configurations we wrote, by digest: what differs since is the user's."""
_FORMER = (("PYTHONUNBUFFERED", "1"),)  # the environment of run configurations before there was a memory


@dataclass(frozen=True)
class ProjectWish:
    """What the project should say. `folder` is the workspace; `sdk_name` an interpreter of the IDE's own table.

    excluded: folders below the workspace that are not indexed.
    """

    folder: PurePath
    sdk_name: str
    runs: tuple[RunConfiguration, ...] = RUNS
    excluded: tuple[str, ...] = EXCLUDED


def merged(files: Mapping[str, bytes | None], wish: ProjectWish) -> Mapping[str, bytes]:
    """The files that would change, with their new bytes; empty where everything is as wished.

    files: path below the workspace (with slashes) and bytes, None or left out where there is no such file; must hold
    `misc.xml`, `modules.xml`, `workspace.xml`, `.gitignore`, every module file (see `listed_modules`), every run
    configuration, and our `MEMORY`. Raises Refused (3), naming the file, for one that is not what an IDE writes.
    """
    return {path: change.data for path, change in changes(files, wish).items()}


def changes(files: Mapping[str, bytes | None], wish: ProjectWish) -> Mapping[str, Change]:
    """As `merged`, with the single edits of each file that was there."""
    found = [(MISC, _misc(files, wish))]
    iml, listing = _module(files, wish)
    found += [(MODULES, listing), (iml, _iml(files.get(iml), iml, wish))]
    if files.get(IGNORE) is None:
        found.append((IGNORE, made(IDEA_IGNORED)))
    found += _runs(files, wish, posixpath.basename(iml).removesuffix(".iml"))
    return {path: change for path, change in found if change is not None}


# misc.xml ---------------------------------------------------------------------------------------------------


def _misc(files: Mapping[str, bytes | None], wish: ProjectWish) -> Change | None:
    data = files.get(MISC)
    if data is None:
        return made(misc_file(wish.sdk_name))
    root = checked(data, MISC, wish.folder, "project")
    managers = tuple(root.all("component", name="ProjectRootManager"))
    if not managers:
        return Change.of(data, appended_elements(data, root, [root_manager(wish.sdk_name)]))
    named = {"project-jdk-name": wish.sdk_name, "project-jdk-type": SDK_TYPE}
    return Change.of(data, (edit for node in managers for edit in with_attributes(data, node, named)))


# modules.xml and the module ---------------------------------------------------------------------------------


def _module(files: Mapping[str, bytes | None], wish: ProjectWish) -> tuple[str, Change | None]:
    """The file of the module that is the project's folder, and how `modules.xml` must change to list it."""
    data = files.get(MODULES)
    if data is None:
        stray = unlisted_module(files)
        iml = stray if stray and _is_project(files, stray, wish) else _free_iml(files, wish)
        return iml, made(modules_file(iml))
    root = checked(data, MODULES, wish.folder, "project")
    listed = tuple(listed_in(root))
    for iml in listed:
        if _is_project(files, iml, wish):
            return iml, None
    if lost := _lost(files, listed, wish):
        return lost, None
    iml = f".idea/{_name(wish)}.iml"
    if files.get(iml) is None or iml in listed or not _is_project(files, iml, wish):
        iml = _free_iml(files, wish)
    return iml, Change.of(data, _listing(data, root, iml))


def _is_project(files: Mapping[str, bytes | None], iml: str, wish: ProjectWish) -> bool:
    data = files.get(iml)
    return data is not None and project_content(checked(data, iml, wish.folder, "module"), iml, wish.folder) is not None


def _lost(files: Mapping[str, bytes | None], listed: tuple[str, ...], wish: ProjectWish) -> str | None:
    """A module that is listed though its file is gone, in a place where the project's module lies: made anew."""
    gone = [iml for iml in listed if files.get(iml) is None and posixpath.dirname(iml) in ("", ".idea")]
    named = [iml for iml in gone if posixpath.basename(iml) == f"{_name(wish)}.iml"]
    return next(iter(named or gone), None)


def _free_iml(files: Mapping[str, bytes | None], wish: ProjectWish) -> str:
    """No two modules of a project have the same name, wherever their files lie."""
    there = (path for path, data in files.items() if data is not None)
    taken = {posixpath.basename(path).casefold() for path in (*there, *listed_modules(files.get(MODULES)))}
    names = (_name(wish), *(f"{_name(wish)}_{number}" for number in range(2, len(taken) + 3)))
    return next(f".idea/{name}.iml" for name in names if f"{name}.iml".casefold() not in taken)


def _listing(data: bytes, root: Node, iml: str) -> Iterable[Edit]:
    manager = root.first("component", name="ProjectModuleManager")
    if manager is None:
        return appended_elements(data, root, [module_manager(iml)])
    modules = manager.first("modules")
    if modules is None:
        return appended_elements(data, manager, [element("modules", listed_module(iml))])
    return appended_elements(data, modules, [listed_module(iml)])


def _iml(data: bytes | None, iml: str, wish: ProjectWish) -> Change | None:
    if data is None:
        return made(module_file(wish.sdk_name, wish.excluded))
    root = checked(data, iml, wish.folder, "module")
    content = project_content(root, iml, wish.folder)
    if content is None:
        return None
    manager = next(node for node in root.all("component", name=ROOTS) if content in node.children)
    missing = [excluded_folder((content.get("url") or "").rstrip("/"), name) for name in _missing(content, iml, wish)]
    return Change.of(data, (*appended_elements(data, content, missing), *_interpreter(data, manager, wish)))


def _missing(content: Node, iml: str, wish: ProjectWish) -> list[str]:
    """Folders to exclude that the module says nothing about yet; where it has its sources stays as it is."""
    known = {place(node.get("url") or "", iml, wish.folder) for node in content.all("excludeFolder")}
    sources = [place(node.get("url") or "", iml, wish.folder) or "" for node in content.all("sourceFolder")]
    used = {"/".join(parts[:n]) for parts in (path.split("/") for path in sources) for n in range(1, len(parts) + 1)}
    return [name for name in wish.excluded if name not in known | used]


def _interpreter(data: bytes, manager: Node, wish: ProjectWish) -> Iterable[Edit]:
    """A module that takes the project's interpreter (`inheritedJdk`) has ours by `misc.xml`."""
    own = manager.first("orderEntry", type="jdk")
    if own is not None:
        return with_attributes(data, own, {"jdkName": wish.sdk_name, "jdkType": SDK_TYPE})
    if manager.first("orderEntry", type="inheritedJdk") is not None:
        return ()
    return appended_elements(data, manager, [jdk_entry(wish.sdk_name)])


def _name(wish: ProjectWish) -> str:
    return writable_name(wish.folder.name) or "project"


# run configurations -----------------------------------------------------------------------------------------


def _runs(files: Mapping[str, bytes | None], wish: ProjectWish, module: str) -> list[tuple[str, Change | None]]:
    """Made where the project has none of that name; ours are kept up to date as long as nobody else changed them."""
    taken, memory, written = _taken(files), _remembered(files.get(MEMORY)), {}
    found: list[tuple[str, Change | None]] = []
    for run in wish.runs:
        path, new = f"{RUN_FOLDER}/{run.name}.xml", run_file(run, module)
        old = files.get(path)
        if old is None and run.name.casefold() in taken:
            continue
        if old is not None and old != new and not _ours(old, memory.get(run.name), run, module):
            continue
        if old != new:
            found.append((path, made(new)))
        # Also of one that is there: a run that was killed may have ended between it and the memory.
        written[run.name] = hashlib.sha256(new).hexdigest()
    if memory | written != memory:
        found.append((MEMORY, made(_memory(memory | written))))
    return found


def _ours(data: bytes, digest: str | None, run: RunConfiguration, module: str) -> bool:
    former = run_file(replace(run, environment=_FORMER), module)
    return data == former or hashlib.sha256(data).hexdigest() == digest


def _taken(files: Mapping[str, bytes | None]) -> frozenset[str]:
    """Names of run configurations, and of the files that hold them; one that can't be read is none of our business."""
    names = set()
    for path, data in files.items():
        if data is None or not (path == WORKSPACE or path.startswith(f"{RUN_FOLDER}/")):
            continue
        if path != WORKSPACE:
            names.add(posixpath.basename(path).removesuffix(".xml").casefold())
        names |= _configurations(data)
    return frozenset(names)


def _configurations(data: bytes) -> set[str]:
    try:
        root = parse(data)
    except Unreadable:
        return set()
    parents = [node for node in (root, *root.all("component", name="RunManager")) if node.tag == "component"]
    return {(node.get("name") or "").casefold() for parent in parents for node in parent.all("configuration")}


def _remembered(data: bytes | None) -> dict[str, str]:
    try:
        runs = json.loads(data or b"{}").get("runs", {})
        return {str(name): str(digest) for name, digest in runs.items()}
    except (ValueError, AttributeError):
        return {}


def _memory(runs: Mapping[str, str]) -> bytes:
    return json.dumps({"schema": "idea/1", "runs": dict(sorted(runs.items()))}, indent=1).encode() + b"\n"
