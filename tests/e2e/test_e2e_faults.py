"""The proof can fail: broken on purpose, it ends with 8, names the cause and changes nothing."""

from pathlib import Path

import pytest

from tests.conftest import Provisioned
from tests.oracle import changes, manifest

pytestmark = pytest.mark.provisioned


@pytest.mark.parametrize(
    ("fault", "check", "cause"),
    [
        ("nan-weight", "finite", "non-finite-loss"),
        # the same way from the command to its report; the program's own tests catch this fault every day
        pytest.param("lr0", "parameters-moved", "no-parameter-moved", marks=pytest.mark.nightly),
    ],
)
def test_verify_names_a_fault(provisioned: Provisioned, tmp_path: Path, fault: str, check: str, cause: str) -> None:
    """In polluted surroundings, so that the cause also shows that torch and json are the installed ones."""
    for name in ("torch", "json", "transformers"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    before = manifest(provisioned.machine.workspace)
    done = provisioned.machine.run(
        "verify", "--fault", fault, "--json",
        cwd=tmp_path, LD_LIBRARY_PATH=str(tmp_path), VIRTUAL_ENV=str(tmp_path), WORLD_SIZE="4", RANK="1",
        PYTHONSTARTUP=str(tmp_path / "torch.py"), ACCELERATE_USE_CPU="false", OMP_NUM_THREADS="64",
    )  # fmt: skip
    assert done.code == 8, done.said
    report = done.document()
    assert report["verdict"] == "fail"
    assert {c["id"]: c["cause"] for c in report["checks"]}[check] == cause
    assert report["error"]["exit_code"] == 8
    assert changes(before, manifest(provisioned.machine.workspace)) == []
