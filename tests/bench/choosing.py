"""How long a plan takes without network: one recorded machine as a process, and the whole matrix in one."""

import os
import subprocess
import sys
import time
from pathlib import Path

from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe_reading import read_recipe
from setup_llm_dev.stages.choose import choose
from tests.bench.measure import COMMAND, Row
from tests.golden import MACHINES, catalog, saved

ONE, ALL = 0.3, 10.0  # seconds


def rows(scratch: Path, repeats: int) -> list[Row]:
    """Both figures with their limits; the process against an interpreter that does nothing."""
    print("plans of recorded machines …", file=sys.stderr, flush=True)
    machine = MACHINES / "mixed-gtx1080-rtx4090" / "machine.json"
    home = scratch / "plans"
    home.mkdir(parents=True, exist_ok=True)
    words = (*COMMAND, "plan", "--machine", str(machine), "--home", str(home), "--json")
    one = min(_seconds(words, scratch) for _ in range(max(repeats, 3)))
    bare = min(_seconds((sys.executable, "-c", "pass"), scratch) for _ in range(max(repeats, 3)))
    count, matrix = _matrix()
    return [
        Row(f"plan for a recorded machine, seconds (limit {ONE})", one, bare, one / ONE, 1.0),
        Row(
            f"every recorded machine × recipe, {count} plans, seconds (limit {ALL:g})", matrix, None, matrix / ALL, 1.0
        ),
    ]


def _seconds(words: tuple[str, ...], compiled: Path) -> float:
    """With compiled modules, as an installed tool has them, whatever the surroundings say."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True, env=environment | {"PYTHONPYCACHEPREFIX": str(compiled)})
    return time.perf_counter() - began


def _matrix() -> tuple[int, float]:
    """Reading included: the catalogue once, each machine and recipe as often as they are used."""
    folder = manifests_folder() / "recipes"
    names = [path.stem for path in folder.glob("*.toml")]
    machines = sorted(path.parent.name for path in MACHINES.glob("*/machine.json"))
    began, count = time.perf_counter(), 0
    data = catalog()
    for name in machines:
        machine = saved(name)
        for recipe in names:
            choose(machine, read_recipe(recipe, folder=folder, os=machine.os, arch=machine.arch), data)
            count += 1
    return count, time.perf_counter() - began
