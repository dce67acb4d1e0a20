"""A model of ModelScope's, by the command: through lies, kill -9 and ranges that are answered with 200."""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.machine import Machine, no_orphan
from tests.e2e.toy import INTERPRETER, RECIPE, Toy
from tests.upstream.acts import flip, slow
from tests.upstream.modelscope import ModelScope

NAME = "tests-cn/tiny"
CHUNK = 8 << 20
WEIGHTS = random.Random(11).randbytes(28 << 20)  # noqa: S311 - no secret
FILES = {"config.json": b'{"model_type": "bert"}\n', "model.safetensors": WEIGHTS, "vocab.txt": b"[PAD]\n[UNK]\n"}


@pytest.fixture(scope="module")
def scope() -> Iterator[ModelScope]:
    """As the real one: a range is answered with 200 and Content-Range."""
    with ModelScope({NAME: {**FILES, "pytorch_model.bin": b"a pickle"}}, partial_as_200=True) as server:
        yield server


@pytest.fixture(scope="module")
def machine(toy: Toy, scope: ModelScope, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return toy.machine(tmp_path_factory.mktemp("scope") / "home", MODELSCOPE_ENDPOINT=scope.url, HF_TOKEN="hf_mine")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    recipe = tmp_path_factory.mktemp("recipe") / "toy.toml"
    text = RECIPE.replace("hf:tests/tiny", f"modelscope:{NAME}").replace('fallback = "pypi:tiny-model"\n', "")
    recipe.write_text(text, encoding="utf-8")
    return ("apply", str(recipe), "--skip", "smoke,ide", "--python", INTERPRETER)


def published(machine: Machine) -> list[Path]:
    return sorted(path for path in (machine.data / "models").rglob("*") if path.name in FILES)


def test_wrong_bytes_end_with_5_and_nothing_appears(
    machine: Machine, scope: ModelScope, words: tuple[str, ...]
) -> None:
    scope.cdn.fault("*", flip(1000), times=None)  # of every part
    done = machine.run(*words)
    scope.heal()
    assert done.code == 5, done.said
    assert "model.safetensors is not what it should be" in done.out
    assert not machine.venv.exists()
    assert not any(path.name == "model.safetensors" for path in published(machine))


def test_killed_in_the_middle_it_leaves_no_half_file(
    machine: Machine, scope: ModelScope, words: tuple[str, ...]
) -> None:
    scope.cdn.forget()
    scope.cdn.fault("*", slow(20e6), times=None)
    with machine.start(*words) as running:
        running.until(lambda: scope.cdn.served() > 14 << 20)
        running.kill()
    scope.heal()
    no_orphan(machine.home)
    assert not any(path.name == "model.safetensors" for path in published(machine))


def test_the_same_command_goes_on_and_every_byte_is_right(
    machine: Machine, scope: ModelScope, words: tuple[str, ...]
) -> None:
    done = machine.run(*words)
    assert done.code == 0, done.said
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in published(machine)} == {
        name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()
    }
    assert scope.cdn.served() <= len(WEIGHTS) + 2 * CHUNK, "no more than pieces came twice"
    assert any(exchange.headers.get("range") for exchange in scope.cdn.log), "or it did not go on"
    assert not scope.origin.saw("hf_mine")
    assert not scope.cdn.saw("hf_mine")


def test_again_nobody_is_asked_and_one_damaged_file_is_fetched_alone(
    machine: Machine, scope: ModelScope, words: tuple[str, ...]
) -> None:
    scope.origin.forget()
    scope.cdn.forget()
    done = machine.run(*words, "--json")
    assert json.loads(done.out.splitlines()[-1])["changed"] is False
    assert not scope.log, "nobody is asked"
    vocabulary = next(path for path in published(machine) if path.name == "vocab.txt")
    vocabulary.write_bytes(b"[PAD]\n[UNX]\n")
    healed = machine.run(*words)
    assert healed.code == 0, healed.said
    assert vocabulary.read_bytes() == FILES["vocab.txt"]
    assert [exchange.request.query.get("FilePath") for exchange in scope.origin.asked()] == ["vocab.txt"]
    assert scope.cdn.served() == 0
