"""The smoke program as a file, and two ways to run it; Python and model come from the environment of all tests."""

import json
import os
import subprocess
import sys
import zipapp
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from smoke_outcome import FULL, SMOKE, Outcome, Smoke


@pytest.fixture(scope="session")
def smoke_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one-file program, as it lies in a workspace."""
    target = tmp_path_factory.mktemp("program") / "smoke.pyz"
    zipapp.create_archive(SMOKE, target, filter=lambda path: "__pycache__" not in path.parts)
    return target


@pytest.fixture
def run_program(smoke_program: Path, tmp_path: Path) -> Callable[..., Outcome]:
    """Run the program with any Python: `run_program(python, *arguments)`, in an empty home folder."""

    def run(python: Path, *arguments: str) -> Outcome:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
        if sys.platform == "win32":
            environment = {"SYSTEMROOT": os.environ["SYSTEMROOT"], "USERPROFILE": str(home)}
        done = subprocess.run(
            [str(python), "-I", str(smoke_program), "--json", *arguments],
            capture_output=True,
            encoding="utf-8",
            env=environment,
            cwd=home,
            timeout=2 * FULL,
            check=False,
        )
        # a line that is not JSON, such as a library's chatter, fails every test here
        return Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)

    return run


@pytest.fixture
def smoke(run_program: Callable[..., Outcome], smoke_python: Path, smoke_model: Path, tmp_path: Path) -> Smoke:
    """Run a job: `smoke(fault=…, max_steps=…)`; its scratch folder is `tmp_path / "scratch"`."""

    def run(**changes: Any) -> Outcome:
        document = {
            "schema": "smoke-job/1",
            "task": "text-classification",
            "model": str(smoke_model),
            "budget_seconds": FULL,
            "learning_rate": 3e-4,
            "device": "cpu",
            "scratch": str(tmp_path / "scratch"),
            **changes,
        }
        job = tmp_path / "job.json"
        job.write_text(json.dumps(document), encoding="utf-8")
        return run_program(smoke_python, "--job", str(job))

    return run
