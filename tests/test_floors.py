"""Who may import whom: only downwards, or a leaf of the same folder, never the module that lists its folder."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ground import SOURCE

PACKAGE = SOURCE / "setup_llm_dev"
HOUSE = "setup_llm_dev"
FLOORS = {
    "__about__": 0,
    "messages": 0,
    "errors": 1,
    "documents": 2,
    "host": 3,
    "platforms": 4,
    "accelerators": 4,
    "steps": 4,
    "components": 5,
    "stages": 6,
    "cli": 7,
    "__main__": 8,
}
ROOMS = {  # of the host's rooms, whose doors each may open; all may use what lies beside the rooms
    "archives": (),
    "web": (),
    "ide": (),
    "transfer": ("web",),
    "hubs": ("web", "transfer"),
}
ALONE = ("smoke", "starter")  # they run in the user's environment, where nothing of ours is
LISTS = {"registry", "__init__", "commands"}  # modules that name the leaves of their folder
LISTED_BY = {"cli": {"main", "completion", "parser"}}  # the frame of the command line works on that list
HEAVY = ("requests", "rich", "huggingface_hub", "msgspec", "truststore", "filelock", "uv", "pynvml", "tomli_w")
EFFECTS = {"subprocess", "socket", "requests", "shutil", "tempfile", "signal", "threading", "urllib.request"}


def modules(*parts: str) -> list[Path]:
    return sorted(PACKAGE.joinpath(*parts).rglob("*.py"))


def name_of(path: Path) -> tuple[str, ...]:
    """`("host", "run")` of `host/run.py`."""
    return path.relative_to(PACKAGE).with_suffix("").parts


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Every module that a file imports, wherever it does, with the line, and whether it is at the top."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        top = node in tree.body
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: say the whole name"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if _is_module(full) else str(node.module), node.lineno, top


def _is_module(name: str) -> bool:
    place = SOURCE.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def ours(path: Path) -> Iterator[tuple[tuple[str, ...], int]]:
    """Only modules of the house, as `("host", "run")`."""
    for name, line, _ in imports(path):
        head, *rest = name.split(".")
        if head == HOUSE:
            yield tuple(rest), line


def test_there_is_no_package_named_installer() -> None:
    assert not (SOURCE / "__init__.py").exists()


def test_every_part_has_a_floor() -> None:
    parts = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if not path.name.startswith("__pycache")}
    assert parts - set(FLOORS) - set(ALONE) - {"__init__", "manifests", "locale", "py.typed"} == set()


def test_imports_go_downwards_or_to_the_same_folder() -> None:
    wrong = []
    for path in modules():
        name = name_of(path)
        if name[0] in (*ALONE, "__init__"):
            continue
        for target, line in ours(path):
            if not target:
                continue
            up = FLOORS.get(target[0], 99) >= FLOORS[name[0]] and target[0] != name[0]
            if up or target[0] in ALONE:
                wrong.append(f"{'/'.join(name)}:{line} imports {'.'.join(target)}")
    assert wrong == []


def test_a_room_of_the_host_opens_only_its_own_doors() -> None:
    rooms = {path.parent.name for path in PACKAGE.joinpath("host").glob("*/__init__.py")}
    assert rooms == set(ROOMS)
    wrong = []
    for path in modules("host"):
        name = name_of(path)
        if len(name) > 2:
            foreign = {target[1] for target, _ in ours(path) if target[:1] == ("host",)} & rooms - {name[1]}
            wrong += [f"{'/'.join(name)} imports {room}" for room in foreign if room not in ROOMS[name[1]]]
    assert wrong == []


def test_a_leaf_never_imports_what_lists_its_folder() -> None:
    wrong = []
    for path in modules():
        name = name_of(path)
        if len(name) < 2 or name[0] in ALONE or name[-1] in LISTS | LISTED_BY.get(name[0], set()):
            continue
        for target, line in ours(path):
            lists = target == (name[0],) or (target[-1] in LISTS and target[:-1] == name[: len(target) - 1])
            if lists:
                wrong.append(f"{'/'.join(name)}:{line} imports {'.'.join(target)}")
    assert wrong == []


def test_a_folders_init_has_nothing_but_its_sentence() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        if "smoke" not in path.parts:
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert all(isinstance(node, ast.Expr) for node in body), path


@pytest.mark.parametrize("folder", ALONE)
def test_what_stands_apart_imports_nothing_of_ours(folder: str) -> None:
    wrong = [f"{path.name}:{line}" for path in modules(folder) for _, line in ours(path)]
    assert wrong == []


def test_vendors_and_systems_are_blind_to_one_another() -> None:
    for folder in ("platforms", "accelerators"):
        leaves = {path.stem for path in modules(folder)} - LISTS
        axis = {"linux", "macos", "windows", "nvidia", "amd", "intel", "apple"} & leaves
        for path in modules(folder):
            if path.stem in axis:
                known = {target[-1] for target, _ in ours(path)}
                assert not known & axis, path


def test_documents_components_and_axes_touch_the_world_only_through_the_host() -> None:
    wrong = []
    for folder in ("documents", "components", "platforms", "accelerators"):
        for path in modules(folder):
            wrong += [f"{path.name}:{line} {name}" for name, line, _ in imports(path) if name in EFFECTS]
    assert wrong == []


def test_only_the_front_looks_at_the_environment_and_prints() -> None:
    wrong = []
    for path in modules():
        name = name_of(path)
        if name[0] in ("cli", "__main__", *ALONE) or name in (("host", "world"), ("host", "hubs", "child")):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input"):
                wrong.append(f"{'/'.join(name)}:{node.lineno} {node.func.id}")
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv", "sys.argv"):
                wrong.append(f"{'/'.join(name)}:{node.lineno} {ast.unparse(node)}")
    assert [w for w in wrong if not w.startswith("host/run:")] == [], "run.py takes one name from Windows"


def test_there_is_no_shell_anywhere() -> None:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("subprocess."):
                assert "shell" not in {keyword.arg for keyword in node.keywords}, path
            if isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in ("os.system", "os.popen"), path


def test_every_module_opens_with_one_sentence() -> None:
    for path in modules():
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert text and text.split("\n\n")[0].rstrip().endswith((".", "?", ":")), path


def test_the_standard_library_knows_none_of_our_names() -> None:
    assert HOUSE not in sys.stdlib_module_names
