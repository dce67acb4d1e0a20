"""plan: what it says without --pin: by nobody's leave but the disk's, for the machine and the places that are meant."""

import hashlib
import json
import socket
from pathlib import Path

import pytest

from setup_llm_dev.components.workspace import lock_text
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Gap, Lock, PackagesLock, PythonLock, TorchLock
from setup_llm_dev.documents.plan import PlannedStep
from setup_llm_dev.documents.recipe import digest
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.platforms.registry import current_platform
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.outline import outline
from tests.golden import MACHINES
from tests.ground import layout_in, scratch_host, small_recipe, this_interpreter, tool

PYLOCK = 'lock-version = "1.0"\n'
RECIPE = small_recipe("tiny")
OPTIONS = Options(python=Path(this_interpreter().path))
REFUSED, TORCH_ROOT = 3, "http://127.0.0.1:9/whl"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return scratch_host(tmp_path / "home")


@pytest.fixture
def layout(host: Host) -> Layout:
    return layout_in(host.home)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Whom this process wanted to talk to; nobody can be reached."""
    wanted: list[object] = []

    def refuse(*address: object, **_: object) -> None:
        wanted.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: refuse(address))
    return wanted


def locked(host: Host, layout: Layout, *gaps: Gap) -> None:
    """A lock in the project, as a run without PyCharm leaves it."""
    here, python = current_platform(host.system).probe(host), this_interpreter()
    lock = Lock(
        created="2026-01-01", created_by="a test", recipe=RECIPE.name, recipe_digest=digest(RECIPE),
        request_digest=OPTIONS.digest, os=here.os, arch=here.arch,
        python=PythonLock(version=python.version, platform=python.platform),
        torch=TorchLock(version="2.13.0+cpu", variant="cpu", index="", why=message("a test"), wanted="2.13.0+cpu"),
        packages=PackagesLock(
            pylock="pylock.small.toml", sha256=hashlib.sha256(PYLOCK.encode()).hexdigest(), count=0,
            unpacked_bytes=1000,
        ),
        gaps=gaps,
    )  # fmt: skip
    workspace = Path(layout.workspace)
    workspace.mkdir(parents=True, exist_ok=True)
    (workspace / lock.packages.pylock).write_text(PYLOCK)
    Path(layout.lock_file).write_bytes(lock_text(lock))


# nobody is asked ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [False, True])
def test_a_lock_without_a_pycharm_asks_nobody(host: Host, layout: Layout, asked: list[object], gap: bool) -> None:
    """Made with `--skip ide`, or where its maker did not answer: which one it will be is left open."""
    gaps = (Gap(what="ide", why=message("its host was silent"), url="https://example.org/pycharm"),) if gap else ()
    locked(host, layout, *gaps)
    plan = outline(host, RECIPE, layout, OPTIONS, lambda _: None)
    assert asked == []
    assert plan.pinned
    assert plan.torch is not None
    assert plan.torch.version == "2.13.0+cpu"
    ide = [step for step in plan.steps if step.id == "ide"]
    if gap:
        assert [str(told.why) for told in plan.gaps] == ["its host was silent"]
        assert ide == []
    else:
        assert [_open(step) for step in ide] == [True]
        assert [step.phase for step in plan.steps] == sorted(
            (step.phase for step in plan.steps), key=["stage", "check", "switch"].index
        )


def _open(step: PlannedStep) -> bool:
    return step.satisfied is None and "plan --pin" in str(step.why_not)


def test_a_plan_without_a_lock_asks_nobody(host: Host, layout: Layout, asked: list[object]) -> None:
    plan = outline(host, RECIPE, layout, OPTIONS, lambda _: None)
    assert asked == []
    assert not plan.pinned
    assert plan.steps


# Pythons that don't fit -----------------------------------------------------------------------------------


def python_that_says(folder: Path, version: str) -> Path:
    """A program that answers as a Python of another release does; such a one is on few machines."""
    told = {
        "version": version, "implementation": "CPython", "platform": "linux-x86_64", "venv": True, "bits": 64,
        "free_threaded": False, "base": str(folder / "python3"), "conda": False,
    }  # fmt: skip
    folder.mkdir(parents=True)
    program = folder / "python3"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(told)}'\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("version", ["3.9.18", "3.15.0"])
def test_a_python_that_does_not_fit_is_refused_by_plan_as_by_apply(tmp_path: Path, version: str) -> None:
    """One too old for any present build, and one too new for the recipe."""
    python = str(python_that_says(tmp_path / version, version))
    for words in (("plan",), ("plan", "--pin"), ("apply", "--yes")):
        done = tool(*words, "--python", python, home=tmp_path / "home")
        assert done.returncode == REFUSED, (words, done.stdout, done.stderr)
        assert "hint: " in done.stderr or "what would help" in done.stdout, (words, done.stdout, done.stderr)
        assert version in done.stdout + done.stderr or "too old" in done.stderr
    assert not (tmp_path / "home" / "data" / "environments").exists()


def test_detect_marks_a_python_that_is_too_old(tmp_path: Path) -> None:
    machine = str(MACHINES / "sudo-old-glibc")
    (line,) = [
        text for text in tool("detect", "--machine", machine, home=tmp_path).stdout.splitlines() if "3.9." in text
    ]
    assert "✗" in line


# where torch comes from -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "first", "last"),
    [
        ("SETUP_LLM_DEV_MIRRORS_TORCH", TORCH_ROOT, f"{TORCH_ROOT}/cpu", f"{TORCH_ROOT}/cpu"),
        ("PIP_FIND_LINKS", "https://me:secret@wheels.example/", "https://wheels.example/", "/whl/cpu"),
    ],
)
def test_the_place_that_is_configured_for_torch_is_named(
    tmp_path: Path, name: str, value: str, first: str, last: str
) -> None:
    """What it offers decides on the release; the plan can't know it without asking."""
    words, home = ("plan", "--torch", "cpu"), tmp_path / "home"
    told = json.loads(tool(*words, "--json", home=home, **{name: value}).stdout)
    assert told["torch"]["sources"][0] == first
    assert told["torch"]["sources"][-1].endswith(last)
    page = tool(*words, home=home, **{name: value}).stdout
    assert first in page
    assert "known only with `plan --pin`" in page
    assert "secret" not in page + json.dumps(told)
    bare = tool(*words, home=home).stdout
    assert "known only with `plan --pin`" not in bare
    elsewhere = tool(*words, "--machine", str(MACHINES / "debian-cpu"), home=home, **{name: value}).stdout
    assert first not in elsewhere, "another machine has another configuration"


# the machine that is meant --------------------------------------------------------------------------------


def test_what_a_recipe_says_of_a_system_counts_for_the_machine_that_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'schema = 1\nname = "mine"\nextends = "text-classification"\n'
        '[[override]]\nwhen = { os = "windows" }\ntorch = { variant = "cu126" }\n'
    )
    for name, variant in (("windows-rtx3060", "cu126"), ("ubuntu-rtx4090", "cu132")):
        machine = str(MACHINES / name)
        done = tool("plan", str(recipe), "--machine", machine, "--json", home=tmp_path / "home")
        assert json.loads(done.stdout)["torch"]["variant"] == variant, done.stderr
