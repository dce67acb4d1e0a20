"""IntelliJ's own loader of projects and settings, as a judge of what we write; not part of this repository."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

_SHARED = Path(os.environ.get("SETUP_LLM_DEV_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CHECKER = Path(os.environ.get("JPS_CHECK") or _SHARED / "tools" / "jps-check" / "jps-check")
_NO_JAVA = (3, 4)


def understood(home: Path, *, config: Path | None = None, project: Path | None = None) -> dict[str, Any]:
    """What the loader read of a project and of the settings in `config`; skips the test where it can't run.

    Java finds files with names beyond ASCII only in a UTF-8 locale.
    """
    if not CHECKER.is_file():
        pytest.skip(f"IntelliJ's project loader is not here: {CHECKER} (JPS_CHECK names another place)")
    argv = [str(CHECKER), "--user-home", str(home)]
    argv += ["--config", str(config)] if config else []
    argv += ["--project", str(project)] if project else []
    done = subprocess.run(argv, capture_output=True, encoding="utf-8", env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode in _NO_JAVA:
        pytest.skip(f"IntelliJ's project loader can't run here: {done.stderr.strip()}")
    assert done.returncode in (0, 1), done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read
