"""Golden files of detect and choose: how they are made, and how to write them anew on purpose."""

import json
from pathlib import Path, PurePath

from setup_llm_dev.documents.catalog import Catalog, read_catalog
from setup_llm_dev.documents.codec import from_stored, to_plain
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe import PythonWish, Recipe
from setup_llm_dev.host.recorded import recorded_host
from setup_llm_dev.stages.detect import detect

MACHINES = Path(__file__).parent / "machines"
PLANS = Path(__file__).parent / "plans"
RECIPE = Recipe(name="golden", python=PythonWish(version=">=3.10"))


def names() -> tuple[str, ...]:
    return tuple(sorted(folder.name for folder in MACHINES.iterdir() if folder.is_dir()))


def recorded() -> tuple[str, ...]:
    return tuple(name for name in names() if (MACHINES / name / "recording.toml").exists())


def catalog() -> Catalog:
    return read_catalog(manifests_folder() / "catalog")


def saved(name: str) -> Machine:
    return from_stored(json.loads((MACHINES / name / "machine.json").read_text("utf-8")), Machine)


def detected(name: str) -> Machine:
    host = recorded_host(MACHINES / name)
    return detect(host, data=PurePath(host.home, ".local", "share", "setup-llm-dev"))


def machine_text(machine: Machine) -> str:
    return json.dumps(to_plain(machine), indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    from tests import plan_golden  # it needs what stands here

    for name in recorded():
        (MACHINES / name / "machine.json").write_text(machine_text(detected(name)), "utf-8")
    plan_golden.write()


if __name__ == "__main__":
    write()
