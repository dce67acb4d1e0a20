"""With the hub in reach there is no gap: a commit in the lock, the model in the user's own cache, and a real proof."""

import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import CANARY, Provisioned
from tests.e2e.machine import CLOSED, Machine, no_orphan
from tests.e2e.watch import Watch
from tests.oracle import done_holds, files_with
from tests.upstream.acts import flip
from tests.upstream.hub import Hub

pytestmark = pytest.mark.provisioned
RECIPES = Path(__file__).resolve().parents[2] / "manifests" / "recipes"
MODEL = "google-bert/bert-base-uncased"
NEVER = {"pytorch_model.bin": b"a pickle", "modeling.py": b"raise SystemExit", "tf_model.h5": b"of another framework"}


@pytest.fixture(scope="module")
def hub(provisioned: Provisioned) -> Iterator[Hub]:
    """Serves the real fallback model under the name of the default one, and files that nobody may fetch."""
    real: dict[str, Path | bytes] = {p.name: p for p in provisioned.model.iterdir() if not p.name.startswith(".")}
    real["session.json"] = uuid.uuid4().hex.encode()  # a model that nothing was proved with before
    with Hub({MODEL: {**real, **NEVER}}, tokens=[CANARY], private=[MODEL]) as server:
        yield server


@pytest.fixture(scope="module")
def machine(provisioned: Provisioned, playground: Path, recipe: str) -> Machine:
    """A neighbour whose project was set up while the hub could not be reached."""
    neighbour = provisioned.neighbour(playground / "hub home", HF_TOKEN=CANARY)
    done = neighbour.run("apply", recipe)
    assert done.code == 0, done.said
    assert {gap["what"] for gap in neighbour.report()["gaps"]} == {"model", "ide"}
    return neighbour


@pytest.fixture(scope="module")
def recipe(playground: Path) -> str:
    """The default one with the learning rate of the model that is served here."""
    return with_learning_rate("3e-4", playground / "of the served model")


def with_learning_rate(rate: str, folder: Path) -> str:
    text = (RECIPES / "text-classification.toml").read_text(encoding="utf-8")
    folder.mkdir()
    path = folder / "text-classification.toml"
    path.write_text(re.sub(r"learning_rate = \S+", f"learning_rate = {rate}", text), encoding="utf-8")
    return str(path)


def snapshot(machine: Machine, hub: Hub) -> Path:
    cache = machine.home / ".cache" / "huggingface" / "hub" / "models--google-bert--bert-base-uncased"
    return cache / "snapshots" / hub.commit(MODEL)


def test_without_upgrade_the_fallback_stays_and_the_report_says_what_is_possible(
    machine: Machine, hub: Hub, recipe: str
) -> None:
    done = machine.run("apply", recipe, HF_ENDPOINT=hub.url)
    assert done.code == 0, done.said
    assert "--upgrade" in done.out
    assert "Nothing had to be done" in done.out


def test_a_flipped_byte_is_found_and_nothing_is_switched(machine: Machine, hub: Hub, recipe: str) -> None:
    before = machine.venv.readlink()
    hub.cdn.fault("*", flip(5000), times=None)
    done = machine.run("apply", recipe, "--upgrade", HF_ENDPOINT=hub.url)
    hub.heal()
    assert done.code == 5, done.said
    assert "model.safetensors" in done.out + done.err
    assert machine.venv.readlink() == before
    assert not (snapshot(machine, hub) / "model.safetensors").exists(), "wrong bytes lie where libraries look"
    assert machine.run("apply", recipe, "--json").document()["changed"] is False, "the old lock still holds"


def test_upgrade_killed_in_the_fine_tune_and_run_again(machine: Machine, hub: Hub, recipe: str) -> None:
    """The one long test: the model comes, the fine-tune is killed, then the same command proves and switches."""
    with machine.start("apply", recipe, "--upgrade", HF_ENDPOINT=hub.url) as running:
        running.until_child_loaded("smoke", "libtorch")
        running.kill()
    no_orphan(machine.home)
    assert machine.report()["gaps"][0]["what"] == "model", "nothing is switched before the proof"
    watch = Watch(CANARY)
    with machine.start("apply", recipe, "--upgrade", HF_ENDPOINT=hub.url) as running, watch.over(running.child.pid):
        done = running.end()
    assert done.code == 0, done.said
    assert watch.leaks == []
    assert done_holds(machine.workspace) == []
    report = machine.report()
    assert [gap["what"] for gap in report["gaps"]] == ["ide"]
    assert report["places"]["model"] == str(snapshot(machine, hub))
    assert report["metrics"]["accuracy"] > 0.9


def test_a_recipe_that_can_not_learn_is_interrupted_and_then_fails(
    provisioned: Provisioned, playground: Path, hub: Hub
) -> None:
    """First Ctrl-C in the fine-tune, then the same command to its bad end: neither shows the user anything."""
    recipe = with_learning_rate("1e-9", playground / "too small")
    other = provisioned.neighbour(playground / "slow home", HF_TOKEN=CANARY, HF_ENDPOINT=hub.url)
    with other.start("apply", recipe) as running:
        running.until_child_loaded("smoke", "libtorch")
        interrupted = running.interrupt(signal.SIGINT)
    assert interrupted.code == 130, interrupted.said
    no_orphan(other.home)
    assert not other.workspace.exists()
    done = other.run("apply", recipe, "--json")
    assert done.code == 8, done.said
    assert "quality" in {check["id"] for check in done.document()["checks"] if check["status"] == "fail"}
    assert not other.workspace.exists()


def test_the_lock_has_the_commit_and_the_cache_its_layout(machine: Machine, hub: Hub) -> None:
    assert hub.commit(MODEL) in (machine.workspace / "setup-llm-dev.lock.toml").read_text(encoding="utf-8")
    files = sorted(path.name for path in snapshot(machine, hub).iterdir())
    assert {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"} <= set(files)
    assert not set(NEVER) & set(files), "code and pickles were fetched"
    for path in snapshot(machine, hub).iterdir():
        assert path.is_symlink()
        assert path.resolve().parent == snapshot(machine, hub).parents[1] / "blobs"
    assert (snapshot(machine, hub).parents[1] / "refs" / "main").read_text() == hub.commit(MODEL)


def test_the_libraries_find_it_offline(machine: Machine) -> None:
    text = f"from transformers import AutoTokenizer as T; print(len(T.from_pretrained({MODEL!r})))"
    environment = machine.environment(HF_HUB_OFFLINE="1", HF_TOKEN="")
    done = subprocess.run([machine.python, "-c", text], capture_output=True, encoding="utf-8", env=environment)
    assert done.stdout.strip() == "30522", done.stderr


def test_with_the_hub_gone_there_is_nothing_to_do(machine: Machine, recipe: str) -> None:
    done = machine.run("apply", recipe, "--json", HF_ENDPOINT=CLOSED)
    assert done.code == 0, done.said
    assert done.document()["changed"] is False
    assert [gap["what"] for gap in done.document()["gaps"]] == ["ide"]


def test_the_token_went_to_the_hub_and_nowhere_else(machine: Machine, hub: Hub, provisioned: Provisioned) -> None:
    assert hub.origin.saw(CANARY)
    assert not hub.cdn.saw(CANARY)
    assert files_with(machine.home, CANARY.encode()) == []
    for folder in ("journals", "logs", "proofs", "locks"):
        assert files_with(provisioned.machine.data / folder, CANARY.encode()) == []
