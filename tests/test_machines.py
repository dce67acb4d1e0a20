"""Recorded machines: each is replayed, detected, planned for, and compared with what was argued for it by hand."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.machine import Finding, Machine
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.plan import PlanDocument
from setup_llm_dev.documents.recipe_reading import read_recipe
from setup_llm_dev.host.world import real_host
from setup_llm_dev.platforms.registry import current_platform
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.outline import outline
from tests.golden import MACHINES, detected, machine_text

NAMES = tuple(sorted(folder.parent.name for folder in MACHINES.glob("*/expected.toml")))
KEYS = {"uv", "uv_torch", "wrong", "because", "loud", "left_out", "findings", "helps", "plan"}
PLACE = re.compile(r"\[(torch|matrix|reliability)[^\]]*\]")  # of the reference that an answer is argued from
ENOUGH = 44


@cache
def expected(name: str) -> dict[str, Any]:
    return tomllib.loads((MACHINES / name / "expected.toml").read_text("utf-8"))


@cache
def recording(name: str) -> dict[str, Any]:
    return tomllib.loads((MACHINES / name / "recording.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    host = real_host()
    return current_platform(host.system).layout(
        home=tmp_path_factory.mktemp("home"), environment={}, recipe="text-classification"
    )


def planned(machine: Machine, recipe: str, layout: Layout) -> PlanDocument:
    """What `plan --machine` prints, made in this process."""
    wanted = read_recipe(recipe, folder=manifests_folder() / "recipes", os=machine.os, arch=machine.arch)
    return outline(real_host(), wanted, layout, Options(machine=machine), lambda _: None)


@pytest.mark.parametrize("name", NAMES)
def test_machine(name: str, layout: Layout) -> None:
    """Detected as its golden file says, planned for as it was argued, and nothing that can't be used left unsaid."""
    machine, told = detected(name), expected(name)
    assert machine_text(machine) == (MACHINES / name / "machine.json").read_text("utf-8")
    for argued in told["plan"]:
        plan = planned(machine, argued["recipe"], layout)
        assert answer(plan, argued) == argued_answer(argued), argued["why"]
        assert said(told, machine, plan) == []


def answer(plan: PlanDocument, argued: dict[str, Any]) -> dict[str, str]:
    """The part of a plan that is argued for, in the same words."""
    if plan.torch is None:
        reasons = [f"{refusal.candidate}: {refusal.reason}" for refusal in plan.refusals]
        named = next((reason for reason in reasons if argued.get("reason", "") in reason), "; ".join(reasons))
        return {"refused": argued["reason"] if argued.get("refused") and argued["reason"] in named else named}
    release, _, _ = plan.torch.version.partition("+")
    return {
        "python": ".".join((plan.python or "none").split(".")[:2]),
        "torch": release,
        "variant": plan.torch.variant,
        "index": plan.torch.index.rstrip("/").rpartition("/")[2] or "pypi",
    }


def argued_answer(argued: dict[str, Any]) -> dict[str, str]:
    if argued.get("refused"):
        return {"refused": argued["reason"]}
    return {key: argued[key] for key in ("python", "torch", "variant", "index")}


def said(told: dict[str, Any], machine: Machine, plan: PlanDocument) -> list[str]:
    """What was expected to be told and is not, or is told and was not expected."""
    findings = (*machine.findings, *plan.findings)
    alarms = [finding for finding in findings if finding.level in ("warning", "error")]
    ids, missing = {finding.id for finding in findings}, []
    missing += [f"finding {name}" for name in told["findings"] if name not in ids]
    missing += [f"left out: {card}" for card in told["left_out"] if not any(_named(a, [card]) for a in alarms)]
    missing += [f"alarm: {f.text}" for f in alarms if f.id == "gpu-left-out" and not _named(f, told["left_out"])]
    missing += [f"help: {word}" for word in told["helps"] if not any(word in str(a.hint or "") for a in alarms)]
    if plan.torch is not None and told["loud"] != loud(plan.findings):
        missing.append(f"loud: {told['loud']}")
    return missing


def _named(finding: Finding, cards: list[str]) -> bool:
    return any(card in str(finding.text) for card in cards)


def loud(findings: tuple[Finding, ...]) -> bool:
    return any(finding.id == "gpu-not-served" and finding.level == "error" for finding in findings)


# the data -------------------------------------------------------------------------------------------------


def test_there_are_enough_and_each_is_whole() -> None:
    folders = {folder.name for folder in MACHINES.iterdir() if folder.is_dir()}
    assert folders == set(NAMES)
    assert len(NAMES) >= ENOUGH
    for name in NAMES:
        assert {file.name for file in (MACHINES / name).iterdir()} == {
            "recording.toml",
            "expected.toml",
            "machine.json",
        }


@pytest.mark.parametrize("name", NAMES)
def test_a_case_says_where_it_comes_from(name: str) -> None:
    """Made up or seen, after which documented format; and the answer with the rule and its place."""
    origin, told = recording(name)["origin"], expected(name)
    assert origin["kind"] in ("observed", "constructed")
    assert len(origin["source"]) > len("documentation")
    assert (MACHINES / name / "recording.toml").read_text("utf-8").startswith("# ")
    assert set(told) == KEYS
    assert told["because"]
    for argued in told["plan"]:
        assert PLACE.search(argued["why"]) or argued.get("refused"), argued["why"]
        assert argued["why"].endswith(".")


def test_what_a_driver_alone_would_have_chosen_is_wrong_often_enough_to_matter() -> None:
    """The cases where driver and answer part are there in every way that they can part."""
    wrong = [name for name in NAMES if expected(name)["wrong"]]
    older = [name for name in NAMES if not expected(name)["wrong"] and _older(name)]
    assert len(wrong) > len(NAMES) // 5
    assert older


def _older(name: str) -> bool:
    told = expected(name)
    torch = told["plan"][0].get("torch")
    return torch is not None and told["uv_torch"] != "none" and Version(told["uv_torch"]) < Version(torch)


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_holds_no_secret_and_no_identity(name: str) -> None:
    """They are published: names, serial numbers and addresses of real machines have no place in them."""
    text = (MACHINES / name / "recording.toml").read_text("utf-8")
    assert list(_identities(text)) == []


def _identities(text: str) -> Iterator[str]:
    yield from re.findall(r"(?:GPU|MIG)-[0-9a-f]{8}-[0-9a-f]{4}\S*", text)
    yield from re.findall(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", text)
    yield from re.findall(r"\b(?:hf_|ghp_|github_pat_)\w+", text)
    homes = re.findall(r"(?:/home/|/Users/|C:\\\\Users\\\\)([A-Za-z0-9._-]+)", text)
    yield from (name for name in homes if name not in ("ann", "runner"))


def test_the_folder_is_named_in_its_readme() -> None:
    text = (MACHINES / "README.md").read_text("utf-8")
    assert all(word in text for word in ("recording.toml", "machine.json", "expected.toml", "origin"))
    assert Path(MACHINES / "README.md").stat().st_size < 8192
