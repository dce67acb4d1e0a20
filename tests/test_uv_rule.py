"""uv's driver-only rule beside ours: where it would be wrong, counted and listed (`python -m tests.uv_rule`)."""

import os
import tomllib

import pytest

from tests.golden import MACHINES
from tests.uv_rule import Row, grid_rows, recorded_rows, text

# What uv finds out depends on more than the facts of the machine: on what its PATH and folders show.
BY_DETECTION = {
    "ubuntu-rx7900xtx-no-rocm": "without rocm_agent_enumerator it sees no AMD card",
    "wsl2-rtx3060": "nvidia-smi is not on PATH there, and WSL has none of the two files",
}


@pytest.fixture(scope="module")
def recorded() -> dict[str, Row]:
    return {row.name: row for row in recorded_rows()}


@pytest.fixture(scope="module")
def grid() -> list[Row]:
    return list(grid_rows())


def test_the_rule_takes_what_was_argued_by_hand(recorded: dict[str, Row]) -> None:
    """For each recorded machine somebody wrote down what uv would take, from its tables alone."""
    wrong = []
    for name, row in recorded.items():
        place = MACHINES / name / "expected.toml"
        told = tomllib.loads(place.read_text("utf-8")) if place.is_file() else {}
        if "uv" not in told or name in BY_DETECTION or row.uv is None:
            continue
        if row.uv[1].replace("mps", "cpu") != told["uv"]:
            wrong.append(f"{name}: the rule takes {row.uv}, argued was {told['uv']}")
    assert wrong == []


def test_where_uv_is_wrong_on_recorded_machines(recorded: dict[str, Row]) -> None:
    """Old cards on new drivers, containers without the device, WSL, processor graphics: each is in the table."""
    assert len(recorded) >= 40
    wrong = {name for name, row in recorded.items() if row.wrong}
    assert {"debian-gtx1080", "mixed-gtx1080-rtx4090", "debian-cpu", "container-without-device"} <= wrong
    assert not {"ubuntu-rtx4090", "macos-m3"} & wrong
    assert recorded["ubuntu-h100"].verdict == "older"


def test_the_grid_is_never_wrong_for_us(grid: list[Row]) -> None:
    """uv's rule fails on a third of driver × chip; our build is the oracle's everywhere (test_choose_oracle.py)."""
    assert sum(row.wrong for row in grid) * 4 >= len(grid)
    by_name = {row.name: row for row in grid}
    assert by_name["linux sm_61 580.95"].verdict == "no code or no device"
    assert by_name["linux sm_70 575.51.03"].verdict == "no code or no device", "cu129 lost Volta in 2.11"
    assert by_name["windows sm_89 570.26"].uv == ("2.8.0", "cu129"), "the one cu129 for Windows"
    assert by_name["linux sm_89 580.95"].verdict == ""


def test_a_table_for_people(recorded: dict[str, Row], grid: list[Row], capsys: pytest.CaptureFixture[str]) -> None:
    """Printed by a test run on demand: SETUP_LLM_DEV_TEST_TABLES=1."""
    table = text("recorded machines", list(recorded.values())) + "\n" + text("driver × chip", grid)
    assert len(table.splitlines()) > len(recorded) + len(grid)
    if os.environ.get("SETUP_LLM_DEV_TEST_TABLES"):
        with capsys.disabled():
            print("\n" + table)
