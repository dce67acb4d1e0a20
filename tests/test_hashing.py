"""The one loop that hashes files: right digests, told progress, and an end as soon as the run is to end."""

import hashlib
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from setup_llm_dev.documents.lock import ModelFile
from setup_llm_dev.documents.transfer import Wanted
from setup_llm_dev.errors import Interrupted
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.hashing import git_sha1_of, sha256_of
from setup_llm_dev.host.installed import compare, measured
from setup_llm_dev.host.installed_tree import compare_tree, measure_tree
from setup_llm_dev.host.transfer.adoption import present_size
from setup_llm_dev.host.transfer.store import Store
from setup_llm_dev.host.world import real_host
from setup_llm_dev.steps.model_files import check_files
from tests.transfers import MIB, body_of, sha256

HUGE = 1 << 40  # a hole; whoever reads it to its end comes back tomorrow


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 7])
def test_digests_are_those_of_the_library(tmp_path: Path, size: int) -> None:
    body, place = body_of(size), tmp_path / "file"
    place.write_bytes(body)
    assert sha256_of(place) == sha256(body)
    assert git_sha1_of(place) == hashlib.sha1(b"blob %d\0" % size + body, usedforsecurity=False).hexdigest()


def test_progress_grows_to_the_size_in_small_steps(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_bytes(bytes(5 * MIB + 3))
    told: list[int] = [0]
    sha256_of(place, progress=told.append)
    assert told[-1] == 5 * MIB + 3
    assert all(0 <= after - before <= 4 * MIB for before, after in pairwise(told))


def test_a_token_that_is_set_meanwhile_ends_it(tmp_path: Path) -> None:
    cancel = Cancel()

    def stop(done: int) -> None:
        if done >= 8 * MIB:
            cancel.set(15)

    with pytest.raises(Interrupted) as error:
        sha256_of(hole(tmp_path / "file", 64 * MIB), cancel, stop)
    assert error.value.exit_code == 143


def test_a_file_that_is_gone_is_the_systems_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "none")


def hole(place: Path, size: int = HUGE) -> Path:
    with place.open("wb") as stream:
        stream.truncate(size)
    return place


WORKS: dict[str, Callable[[Path, Cancel], object]] = {
    "files": lambda place, cancel: Files(cancel).sha256(place),
    "host": lambda place, cancel: real_host(cancel).files.sha256(place),
    "store": lambda place, cancel: Store(Files(cancel), place.parent).verified("ab" * 32),
    "target": lambda place, cancel: present_size(Files(), place, Wanted("x", (), HUGE, "0" * 64), cancel),
    "tree": lambda place, cancel: measure_tree(place.parent, cancel),
    "measured": lambda place, cancel: measured(place.parent, (place.name,), cancel),
    "model": lambda place, cancel: check_files(
        real_host(cancel), place.parent, (ModelFile(path=place.name, size=HUGE, sha256="0" * 64),), {}
    ),
    "model of git": lambda place, cancel: check_files(
        real_host(cancel), place.parent, (ModelFile(path=place.name, size=HUGE, git_sha1="0" * 40),), {}
    ),
}


@pytest.mark.parametrize("work", WORKS)
def test_whoever_hashes_looks_at_the_token(tmp_path: Path, work: str) -> None:
    cancel = Cancel()
    place = hole(tmp_path / "file")
    if work == "store":
        kept = Path(Store(Files(), tmp_path).place("ab" * 32))
        kept.parent.mkdir(parents=True)
        place.rename(kept)
    ended_by_token(lambda: WORKS[work](place, cancel), cancel)


@pytest.mark.parametrize("kind", ["list", "tree"])
def test_a_full_comparison_looks_at_the_token(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "file").write_bytes(b"1")
    tree = measure_tree(folder)
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Interrupted):
        if kind == "list":
            compare(folder, tree.files, full=True, cancel=cancel)
        else:
            compare_tree(folder, tree, full=True, cancel=cancel)


def ended_by_token(work: Callable[[], object], cancel: Cancel) -> None:
    """Set the token while it works: it ends with Interrupted. It would work for a day."""
    told: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            told.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    cancel.wait(0.05)
    cancel.set()
    thread.join(10.0)
    assert not thread.is_alive(), "it goes on"
    assert [type(error) for error in told] == [Interrupted]
