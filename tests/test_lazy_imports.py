"""Starting is cheap: help and version import none of the libraries that the work needs."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from setup_llm_dev.cli.commands import COMMANDS
from tests.e2e.machine import Machine
from tests.e2e.toy import Toy
from tests.ground import tool_environment
from tests.test_floors import HEAVY

CODE = """
import json, sys
from setup_llm_dev.cli.main import run
try:
    code = run(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]), file=sys.stderr)
"""


def loaded(home: Path, *words: str, environment: Mapping[str, str] | None = None) -> tuple[int, set[str]]:
    """Exit code, and the packages that are loaded at the end."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words],
        env=environment or tool_environment(home),
        cwd=home,
        capture_output=True,
        text=True,
    )
    code, names = json.loads(done.stderr.splitlines()[-1])
    return code or 0, set(names)


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("aply",)])
def test_nothing_heavy_is_loaded(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, names = loaded(tmp_path / "home", *words)
    assert code == (2 if words == ("aply",) else 0)
    assert names & set(HEAVY) == set()


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_help_of_a_command_loads_its_arguments_and_none_of_its_work(tmp_path: Path, command: str) -> None:
    code, names = loaded(tmp_path / "home", command, "--help")
    assert code == 0
    assert names & (set(HEAVY) - {"msgspec", "tomli_w"}) == set()


def test_looking_at_this_machine_needs_neither_http_nor_the_hub(tmp_path: Path) -> None:
    code, names = loaded(tmp_path / "home", "detect", "--json")
    assert code == 0
    assert not names & {"requests", "huggingface_hub", "rich"}


def test_a_run_that_finds_all_well_needs_neither_http_nor_archives(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    code, names = loaded(toy_machine.home, *toy.words("-q"), environment=toy_machine.environment())
    assert code == 0
    assert not names & {"requests", "urllib3", "truststore", "isal", "huggingface_hub"}
