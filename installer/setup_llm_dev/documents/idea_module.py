"""Which module of a project is the project's folder itself: `modules.xml` lists files, each names its content roots."""

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from setup_llm_dev.documents.xml_nodes import Node, Unreadable, parse

ROOTS = "NewModuleRootManager"


def listed_modules(modules: bytes | None) -> tuple[str, ...]:
    """The module files below the workspace that a `modules.xml` names, with slashes; empty if it can't be read."""
    if modules is None:
        return ()
    try:
        return tuple(listed_in(parse(modules)))
    except Unreadable:
        return ()


def listed_in(root: Node) -> Iterator[str]:
    for manager in root.all("component", name="ProjectModuleManager"):
        for group in manager.all("modules"):
            for module in group.all("module"):
                address = module.get("filepath") or (module.get("fileurl") or "").removeprefix("file://")
                path = _below(address.replace("$PROJECT_DIR$", "."), "")
                if path is not None and path.endswith(".iml"):
                    yield path


def project_content(root: Node, iml: str, folder: PurePath) -> Node | None:
    """The `<content>` of a module file that is the project's folder."""
    for manager in root.all("component", name=ROOTS):
        for content in manager.all("content"):
            if place(content.get("url") or "", iml, folder) == ".":
                return content
    return None


def place(url: str, iml: str, folder: PurePath) -> str | None:
    """Where a URL of the module file `iml` points to, relative to the workspace (`.` itself); None outside of it.

    The IDE takes `$MODULE_DIR$` of a module file that lies in `.idea` for the folder around that, and knows no other
    macro of a project there (its loader leaves `$PROJECT_DIR$` as it is).

    >>> from pathlib import PurePosixPath
    >>> place("file://$MODULE_DIR$/models", ".idea/llm.iml", PurePosixPath("/home/ada/llm"))
    'models'
    >>> place("file://$MODULE_DIR$/..", "notes/notes.iml", PurePosixPath("/home/ada/llm"))
    '.'
    """
    home = posixpath.dirname(iml)
    home = posixpath.dirname(home) if posixpath.basename(home) == ".idea" else home
    path = url.removeprefix("file://")
    if path.split("/")[0] == "$MODULE_DIR$":
        return _below((home or ".") + path.removeprefix("$MODULE_DIR$"), "")
    return _below(path, folder.as_posix())


def unlisted_module(files: Mapping[str, bytes | None]) -> str | None:
    """The one module file that lies in `.idea`, for a project whose `modules.xml` is gone."""
    found = [path for path, data in files.items() if data is not None and _in_idea(path)]
    return found[0] if len(found) == 1 else None


def _in_idea(path: str) -> bool:
    return path.startswith(".idea/") and path.count("/") == 1 and path.endswith(".iml")


def _below(path: str, folder: str) -> str | None:
    """`path` relative to `folder`, normal; None if it lies elsewhere. Without a folder `path` is relative already."""
    normal = posixpath.normpath(path) if path else ".."
    if folder:
        around = posixpath.normpath(folder).rstrip("/") + "/"
        within = f"{normal}/".startswith(around)
        return posixpath.normpath(f"{normal}/".removeprefix(around) or ".") if within else None
    return None if posixpath.isabs(normal) or normal.split("/")[0] == ".." else normal
