"""With the hub in reach there is no gap: a commit in the lock, the model in the user's own cache, and a real proof."""

import subprocess
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
MODEL = "google-bert/bert-base-uncased"
NEVER = {"pytorch_model.bin": b"a pickle", "modeling.py": b"raise SystemExit", "tf_model.h5": b"of another framework"}


@pytest.fixture(scope="module")
def hub(provisioned: Provisioned) -> Iterator[Hub]:
    """Serves the real fallback model under the name of the default one, and files that nobody may fetch."""
    real = {path.name: path for path in provisioned.model.iterdir() if path.name != "model.json"}
    with Hub({MODEL: {**real, **NEVER}}, tokens=[CANARY], private=[MODEL]) as server:
        yield server


@pytest.fixture(scope="module")
def machine(provisioned: Provisioned, playground: Path, hub: Hub) -> Machine:
    """A neighbour whose project was set up while the hub could not be reached."""
    neighbour = provisioned.neighbour(playground / "hub home", HF_TOKEN=CANARY)
    assert neighbour.run().code == 0
    assert "fallback" not in [gap["what"] for gap in neighbour.report()["gaps"]]
    return neighbour


def snapshot(machine: Machine, hub: Hub) -> Path:
    cache = machine.home / ".cache" / "huggingface" / "hub" / "models--google-bert--bert-base-uncased"
    return cache / "snapshots" / hub.commit(MODEL)


def test_without_upgrade_the_fallback_stays_and_the_report_says_what_is_possible(
    machine: Machine, hub: Hub
) -> None:
    done = machine.run(HF_ENDPOINT=hub.url)
    assert done.code == 0, done.said
    assert "--upgrade" in done.out
    assert "Nothing had to be done" in done.out


def test_a_flipped_byte_is_found_and_nothing_is_switched(machine: Machine, hub: Hub) -> None:
    before = machine.venv.readlink()
    hub.cdn.fault("*", flip(5000), times=None)
    done = machine.run("apply", "--upgrade", HF_ENDPOINT=hub.url)
    hub.heal()
    assert done.code == 5, done.said
    assert "model.safetensors" in done.out + done.err
    assert machine.venv.readlink() == before
    assert not (snapshot(machine, hub) / "model.safetensors").exists(), "wrong bytes lie where libraries look"
    assert machine.run("apply", "--json").document()["changed"] is False, "the old lock still holds"


def test_upgrade_killed_in_the_fine_tune_and_run_again(machine: Machine, hub: Hub) -> None:
    """The one long test: the model comes, the fine-tune is killed, then the same command proves and switches."""
    with machine.start("apply", "--upgrade", HF_ENDPOINT=hub.url) as running:
        running.until_said("import done")
        running.kill()
    no_orphan(machine.home)
    assert machine.report()["gaps"][0]["what"] == "model", "nothing is switched before the proof"
    watch = Watch(CANARY)
    with machine.start("apply", "--upgrade", HF_ENDPOINT=hub.url) as running, watch.over(running.child.pid):
        done = running.end()
    assert done.code == 0, done.said
    assert watch.leaks == []
    assert done_holds(machine.workspace) == []
    report = machine.report()
    assert [gap["what"] for gap in report["gaps"]] == ["ide"]
    assert report["places"]["model"] == str(snapshot(machine, hub))
    assert report["metrics"]["accuracy"] > 0.9


def test_the_lock_has_the_commit_and_the_cache_its_layout(machine: Machine, hub: Hub) -> None:
    assert hub.commit(MODEL) in (machine.workspace / "setup-llm-dev.lock.toml").read_text(encoding="utf-8")
    files = sorted(path.name for path in snapshot(machine, hub).iterdir())
    assert {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"} <= set(files)
    assert not set(NEVER) & set(files), "code and pickles were fetched"
    for path in snapshot(machine, hub).iterdir():
        assert path.is_symlink()
        assert path.resolve().parent == snapshot(machine, hub).parents[1] / "blobs"
    ref = snapshot(machine, hub).parents[1] / "refs" / "main"
    assert not ref.exists() or ref.read_text() == hub.commit(MODEL)


def test_the_libraries_find_it_offline(machine: Machine) -> None:
    text = f"from transformers import AutoTokenizer as T; print(len(T.from_pretrained({MODEL!r})))"
    environment = machine.environment(HF_HUB_OFFLINE="1", HF_TOKEN="")
    done = subprocess.run([machine.python, "-c", text], capture_output=True, encoding="utf-8", env=environment)
    assert done.stdout.strip() == "30522", done.stderr


def test_with_the_hub_gone_there_is_nothing_to_do(machine: Machine) -> None:
    done = machine.run("apply", "--json", HF_ENDPOINT=CLOSED)
    assert done.code == 0, done.said
    assert done.document()["changed"] is False
    assert [gap["what"] for gap in done.document()["gaps"]] == ["ide"]


def test_the_token_went_to_the_hub_and_nowhere_else(machine: Machine, hub: Hub, provisioned: Provisioned) -> None:
    assert hub.origin.saw(CANARY)
    assert not hub.cdn.saw(CANARY)
    assert files_with(machine.home, CANARY.encode()) == []
    for folder in ("journals", "logs", "proofs", "locks"):
        assert files_with(provisioned.machine.data / folder, CANARY.encode()) == []
