"""The proof can fail: broken on purpose, it ends with 8 and names the cause; and a failed proof switches nothing."""

import signal
from pathlib import Path

import pytest

from tests.conftest import Provisioned
from tests.e2e.machine import no_orphan
from tests.oracle import changes, manifest

pytestmark = pytest.mark.provisioned
RECIPES = Path(__file__).resolve().parents[2] / "manifests" / "recipes"


@pytest.mark.parametrize(
    ("fault", "check", "cause"),
    [("lr0", "parameters-moved", "no-parameter-moved"), ("nan-weight", "finite", "non-finite-loss")],
)
def test_verify_names_a_fault(provisioned: Provisioned, fault: str, check: str, cause: str) -> None:
    before = manifest(provisioned.machine.workspace)
    done = provisioned.machine.run("verify", "--fault", fault, "--json")
    assert done.code == 8, done.said
    report = done.document()
    assert report["verdict"] == "fail"
    assert {c["id"]: c["cause"] for c in report["checks"]}[check] == cause
    assert report["error"]["exit_code"] == 8
    assert changes(before, manifest(provisioned.machine.workspace)) == []


def test_verify_in_a_polluted_environment_takes_the_real_libraries(provisioned: Provisioned, tmp_path: Path) -> None:
    """With a fault, which ends the fine-tune early: what matters is that torch and json are the installed ones."""
    for name in ("torch", "json", "transformers"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    done = provisioned.machine.run(
        "verify", "--fault", "lr0", "--json",
        cwd=tmp_path, LD_LIBRARY_PATH=str(tmp_path), VIRTUAL_ENV=str(tmp_path), WORLD_SIZE="4", RANK="1",
        PYTHONSTARTUP=str(tmp_path / "torch.py"), ACCELERATE_USE_CPU="false", OMP_NUM_THREADS="64",
    )  # fmt: skip
    assert done.code == 8, done.said
    causes = {check["id"]: check["cause"] for check in done.document()["checks"]}
    assert causes["parameters-moved"] == "no-parameter-moved"


def test_a_recipe_that_can_not_learn_is_interrupted_and_then_fails(provisioned: Provisioned, tmp_path: Path) -> None:
    """First Ctrl-C in the fine-tune, then the same command to its bad end: neither shows the user anything."""
    recipe = tmp_path / "text-classification.toml"
    text = (RECIPES / "text-classification.toml").read_text(encoding="utf-8")
    recipe.write_text(text.replace("learning_rate = 3e-4", "learning_rate = 1e-9"), encoding="utf-8")
    machine = provisioned.neighbour(tmp_path / "home")
    with machine.start("apply", str(recipe)) as running:
        running.until_said("import done")
        interrupted = running.interrupt(signal.SIGINT)
    assert interrupted.code == 130, interrupted.said
    no_orphan(tmp_path)
    assert not machine.workspace.exists()
    done = machine.run("apply", str(recipe), "--json")
    assert done.code == 8, done.said
    failed = {check["id"] for check in done.document()["checks"] if check["status"] == "fail"}
    assert "quality" in failed
    assert not machine.workspace.exists()
