"""Real packages: killed in the middle, damaged by hand, and brought back by the same command."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.recipe_reading import read_recipe
from setup_llm_dev.host.world import Host
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.parts import PARTS
from setup_llm_dev.stages.prepare import prepare
from setup_llm_dev.steps.smoke import RunSmoke
from setup_llm_dev.steps.smoke_proof import read_proof, when_made, write_proof
from tests.conftest import Provisioned
from tests.e2e.machine import Machine, no_orphan
from tests.ground import scratch_host
from tests.oracle import broken_files, changes, done_holds, manifest, recorded_files

pytestmark = pytest.mark.provisioned
FILES_ONLY = ("apply", "--skip", "smoke")
"""What is judged here are files; the fine-tune is proved elsewhere."""


@pytest.fixture(scope="module")
def machine(playground: Path, real_settings: dict[str, str], provisioned: Provisioned) -> Machine:
    """A machine of its own, with a home that many programs stumble over; its first run was killed twice."""
    return Machine(playground / "另一台 machine", real_settings)


def site_packages(environment: Path) -> Path:
    return next(environment.glob("lib/python3.*/site-packages"))


def kill_when(machine: Machine, holds: Callable[[], bool]) -> None:
    with machine.start(*FILES_ONLY) as running:
        running.until(holds)
        running.kill()
    no_orphan(machine.home)
    assert not machine.workspace.exists(), "something was switched"


def test_killed_while_it_resolves_and_while_it_installs(machine: Machine, provisioned: Provisioned) -> None:
    kill_when(machine, machine.data.exists)
    environments = machine.data / "environments" / machine.recipe
    kill_when(machine, lambda: len(list(environments.glob("*/lib/python3.*/site-packages/*"))) > 3)
    left = manifest(machine.data)
    kill_when(machine, lambda: bool(list(environments.glob("*/lib/python3.*/site-packages/torch/**/*.so"))))
    assert not list(environments.glob("*/generation.json"))
    assert left
    done = machine.run(*FILES_ONLY)
    assert done.code == 0, done.said
    assert broken_files(machine.generation) == []
    assert recorded_files(machine.generation) == recorded_files(provisioned.machine.generation)
    assert len(list(environments.iterdir())) == 1, "what the killed runs left is gone"
    assert list((machine.data / "models").iterdir()) == [provisioned_twin(machine, provisioned)]


def provisioned_twin(machine: Machine, provisioned: Provisioned) -> Path:
    """Where the same model lies on this machine."""
    return machine.data / provisioned.model.relative_to(provisioned.machine.data)


def test_every_kind_of_drift_is_named_and_healed_into_a_fresh_environment(machine: Machine) -> None:
    old = machine.generation
    packages = site_packages(old)
    (packages / "transformers" / "trainer.py").unlink()
    emptied = packages / "accelerate" / "accelerator.py"
    emptied.write_bytes(b"")
    upgrade(machine, "--force-reinstall", "packaging<26")
    upgrade(machine, "iniconfig")

    status = machine.run("status", "--json")
    assert status.code == 8, status.said
    found = {(file["what"], Path(file["path"]).name) for file in status.document()["files"]}
    assert {("missing", "trainer.py"), ("empty", "accelerator.py")} <= found
    assert any("packaging-" in file["path"] for file in status.document()["files"])
    assert [name.partition("==")[0] for name in status.document()["added_packages"]] == ["iniconfig"]

    drifted = manifest(old)
    done = machine.run(*FILES_ONLY)
    assert done.code == 0, done.said
    assert "iniconfig" in done.out + done.err, "a package of the user's that is left behind must be named"
    assert machine.generation != old
    assert broken_files(machine.generation) == []
    assert changes(drifted, manifest(old)) == [], "a live environment is never mended in place"
    assert machine.run(*FILES_ONLY, "--json").document()["changed"] is False


def upgrade(machine: Machine, *words: str) -> None:
    """As a user does it by hand, with the pip of the environment."""
    done = subprocess.run(
        [machine.python, "-m", "pip", "install", "--quiet", "--no-deps", *words],
        capture_output=True, encoding="utf-8", env=machine.environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_undo_removes_the_last_environment_and_brings_the_one_before_back(machine: Machine) -> None:
    newest = machine.generation
    (machine.workspace / "my notes.txt").write_text("keep me")
    assert machine.run("undo").code == 0
    assert not newest.exists()
    assert machine.generation != newest
    while machine.run("undo", "--json").document()["undone"]:
        pass
    assert [path.name for path in machine.workspace.iterdir()] == ["my notes.txt"]
    assert not (machine.data / "environments").exists()
    assert not (machine.data / "models").exists()


def test_a_model_that_was_got_again_is_trained_again_and_nothing_else_is(machine: Machine) -> None:
    """The one test here that trains: by then an older proof of this very environment is at hand."""
    first = machine.run(*FILES_ONLY)
    assert first.code == 0, first.said
    host = scratch_host(machine.home, machine.settings)
    old = proof_by_hand(machine, host)
    weights = next(machine.data.glob("models/*/model.safetensors"))
    with weights.open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    done = machine.run("apply")
    assert done.code == 0, done.said
    assert done.out.startswith("Set up and proved by a real fine-tune"), done.said
    report = machine.report()
    outcomes = {step["id"]: step["outcome"] for step in report["steps"]}
    assert (outcomes["environment"], outcomes["model"], outcomes["smoke"]) == ("skipped", "applied", "applied")
    assert report["proved"] > old
    assert report["metrics"]["steps"] > 0
    again = machine.run("apply")
    assert "Nothing had to be done" in again.out
    assert f"on {report['proved'][:10]} (not repeated)" in again.out
    (machine.workspace / "predict.py").unlink()
    some = machine.run("apply")
    assert some.out.startswith(f"Set up, with gaps; proved on {report['proved'][:10]}, not repeated"), some.said
    assert machine.report()["proved"] == report["proved"]


def proof_by_hand(machine: Machine, host: Host) -> str:
    """As if the fine-tune had run there before; the time of it."""
    recipe = read_recipe(machine.recipe, folder=manifests_folder() / "recipes", os="linux", arch="x86_64")
    layout = Layout(data=machine.data, config=machine.home / "config", workspace=machine.workspace,
                    hub_cache=machine.home / "hub")  # fmt: skip
    smoke = prepare(host, recipe, layout, Options(parts=frozenset(PARTS) - {"ide"}), lambda _: None).plan.step("smoke")
    assert isinstance(smoke, RunSmoke)
    write_proof(host, smoke.proof, {"verdict": "pass"}, when_made(smoke.grounds))
    proof = read_proof(host, smoke.proof)
    assert proof is not None
    return str(proof["proved"])


def test_a_proof_is_for_one_environment_and_one_model(provisioned: Provisioned, tmp_path: Path) -> None:
    """A neighbour on the same data needs no second fine-tune, and its project is whole."""
    neighbour = provisioned.neighbour(tmp_path / "home")
    done = neighbour.run("apply", "--json")
    assert done.code == 0, done.said
    skipped = {event["step"] for event in done.events() if event.get("event") == "skipped"}
    assert {"environment", "packages", "model", "smoke"} <= skipped
    assert done_holds(neighbour.workspace) == []
    assert neighbour.generation == provisioned.machine.generation
    assert neighbour.run("undo").code == 0
    assert not neighbour.workspace.exists()
    assert os.path.lexists(provisioned.machine.venv)
    assert broken_files(provisioned.machine.generation) == []
