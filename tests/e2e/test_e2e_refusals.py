"""What ends badly ends with its own exit code, says what to do, and leaves the machine as it was."""

import os
import random
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.machine import CLOSED, Done, Machine
from tests.e2e.toy import RECIPE, Toy
from tests.oracle import MARKER, changes, manifest
from tests.upstream.acts import flip
from tests.upstream.wheels import build_wheel

TRACES = (".local", ".cache")
"""Our data folder and uv's caches: a failed run may leave locks, logs and partial downloads there."""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("apply", "text-clasification"), ("text-clasification", "text-classification")),
        (("aply",), ("aply", "apply")),
        (("apply", "--skp", "smoke"), ("--skp", "--skip")),
        (("apply", "--skip", "smokes"), ("smokes", "smoke")),
        (("apply", "--require", "gpus"), ("gpus", "gpu")),
        (("apply", "--torch", "cu1300"), ("cu1300", "cu130")),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(
    toy_machine: Machine, words: tuple[str, ...], said: tuple[str, ...]
) -> None:
    done = toy_machine.run(*words)
    assert done.code == 2, done.said
    for word in said:
        assert word in done.err
    assert "Traceback" not in done.err
    left = [path.name for path in toy_machine.home.rglob("*") if path.is_file()]
    assert left == [] or set(left) == {MARKER, "made-folders.json", "run.lock"}


def test_every_wrong_key_of_a_recipe_is_named_at_once(toy_machine: Machine, tmp_path: Path) -> None:
    recipe = tmp_path / "wrong.toml"
    text = RECIPE.replace("requires =", "reqires =").replace("fallback =", "fallbak =")
    recipe.write_text(text, encoding="utf-8")
    done = toy_machine.run("apply", str(recipe))
    assert done.code == 2
    for word in ("reqires", "requires", "fallbak", "fallback", recipe.name):
        assert word in done.err


def test_a_failure_in_json_is_one_document(toy_machine: Machine) -> None:
    done = toy_machine.run("apply", "nothing-of-that-name", "--json")
    [answer] = done.events()
    assert (done.code, answer["error"]["exit_code"]) == (2, 2)
    assert answer["error"]["hint"]


def test_a_required_model_that_can_not_be_had_is_a_failure(toy: Toy, toy_machine: Machine) -> None:
    done = toy.apply(toy_machine, "--require", "model")
    assert done.code == 4, done.said
    assert CLOSED in done.err
    assert not toy_machine.workspace.exists()


def test_an_index_that_can_not_be_reached_is_named_with_what_to_set(toy: Toy, tmp_path: Path) -> None:
    machine = toy.machine(
        tmp_path / "home",
        UV_CACHE_DIR=str(tmp_path / "uv"), UV_HTTP_RETRIES="0", SETUP_LLM_DEV_MIRRORS_PYPI=f"{CLOSED}/simple/",
    )  # fmt: skip
    done = toy.apply(machine)
    assert done.code == 4, done.said
    assert f"{CLOSED}/simple/" in done.err
    assert "SETUP_LLM_DEV_MIRRORS_PYPI" in done.err
    assert not machine.workspace.exists()


@pytest.mark.parametrize("kind", ["environment", "folder", "link", "file"])
def test_a_foreign_venv_is_left_alone(toy: Toy, toy_machine: Machine, tmp_path: Path, kind: str) -> None:
    place = toy_machine.venv
    place.parent.mkdir(parents=True)
    make_foreign(kind, place, tmp_path / "elsewhere")
    before = manifest(toy_machine.home, without=TRACES)
    asked = len(toy.index.log)
    done = toy.apply(toy_machine)
    assert done.code == 3, done.said
    assert str(place) in done.err
    assert changes(before, manifest(toy_machine.home, without=TRACES)) == []
    assert len(toy.index.log) == asked, "it asked the network first"


def make_foreign(kind: str, place: Path, elsewhere: Path) -> None:
    if kind == "environment":
        venv.create(place, with_pip=False, symlinks=True)
    elif kind == "folder":
        place.mkdir()
        (place / "notes.txt").write_text("mine")
    elif kind == "link":
        elsewhere.mkdir()
        place.symlink_to(elsewhere)
    else:
        place.write_text("mine")


def test_bytes_that_are_not_the_locked_ones_are_not_installed(toy: Toy, tmp_path: Path) -> None:
    """The index announces a hash and sends other bytes; afterwards it is well again, and so are we."""
    machine = toy.machine(tmp_path / "home", UV_CACHE_DIR=str(tmp_path / "uv"))
    toy.index.fault("*tiny_one*.whl", flip(700), times=None, method="GET")
    done = toy.apply(machine)
    assert done.code == 5, done.said
    assert "tiny" in done.err
    assert not machine.workspace.exists()
    toy.index.heal()
    assert toy.apply(machine).code == 0


@pytest.fixture
def fat_world(toy: Toy) -> object:
    """The index also has a package of eight megabytes that nothing compresses."""
    content = random.Random(1).randbytes(8 << 20)  # noqa: S311  not for secrets
    wheel = build_wheel(toy.folder / "wheels", "fat", "1.0", files={"fat/data.bin": content})
    yield None
    wheel.unlink()


def test_a_full_disk_is_said_before_anything_is_downloaded(toy: Toy, fat_world: object, tmp_path: Path) -> None:
    recipe = tmp_path / "fat.toml"
    recipe.write_text(RECIPE.replace('"tiny-one"', '"tiny-one", "fat"'), encoding="utf-8")
    machine = toy.machine(tmp_path / "home", UV_CACHE_DIR=str(tmp_path / "uv"))
    done = on_a_tiny_disk(machine, "apply", str(recipe), "--skip", "smoke")
    assert done.code == 6, done.said
    assert "not enough space" in done.err
    assert "--home" in done.err
    assert not machine.workspace.exists()
    fetched = [x.path for x in toy.index.log if x.method == "GET" and x.path.endswith(".whl") and "fat" in x.path]
    assert fetched == []


def on_a_tiny_disk(machine: Machine, *words: str) -> Done:
    """Run with our data folder on a file system of two megabytes, in a mount namespace of its own."""
    small = machine.home.parent / "small"
    small.mkdir()
    enter = ("unshare", "--map-root-user", "--mount") if sys.platform == "linux" else ()
    mount = 'mount -t tmpfs -o size=2m,mode=755 none "$0" && exec "$@"'
    if not enter or not shutil.which("unshare"):
        pytest.skip("needs unshare(1) of Linux for a small file system")
    tried = subprocess.run([*enter, "sh", "-c", mount, small, "true"], capture_output=True, encoding="utf-8")
    if tried.returncode != 0:
        pytest.skip(f"no mount namespace here: {tried.stderr.strip()}")
    inside: Callable[..., Done] = machine_inside(machine, (*enter, "sh", "-c", mount, str(small)))
    return inside(*words, "--home", str(small))


def machine_inside(machine: Machine, before: tuple[str, ...]) -> Callable[..., Done]:
    def run(*words: str) -> Done:
        with machine.start(*words, before=before) as running:
            return running.end()

    return run


def test_a_folder_that_may_not_be_written_is_named(toy: Toy, toy_machine: Machine) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    closed = toy_machine.home / "closed"
    closed.mkdir(parents=True, mode=0o500)
    done = toy.apply(toy_machine, "--home", str(closed))
    assert done.code == 6, done.said
    assert str(closed) in done.err
