"""The store: a name means verified bytes, and whatever else stands there is found out and fetched again (D16)."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from setup_llm_dev.documents.transfer import Source, Wanted
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.fetch import Fetcher
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.transfer.owners import this_process
from setup_llm_dev.host.transfer.store import Store
from tests.transfers import SHORT, body_of, serving, sha256

BODY = body_of(500_000, seed=8)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "x").touch()


def as_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


POISONS: dict[str, Callable[[Path], object]] = {
    "flipped": lambda path: path.write_bytes(bytes([BODY[0] ^ 1]) + BODY[1:]),
    "truncated": lambda path: path.write_bytes(BODY[:100]),
    "folder": as_folder,
    "link": as_link,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("poison", POISONS)
def test_d16_a_poisoned_file_is_found_and_fetched_again(tmp_path: Path, poison: str) -> None:
    store = Store(Files(), tmp_path / "store")
    digest = sha256(BODY)
    place = Path(store.place(digest))
    with serving({"/a": BODY}) as server:

        def fetch() -> None:
            wanted = Wanted("a", (Source(f"{server.url}/a"),), len(BODY), digest)
            Fetcher({}, Cancel(), Files(), SHORT).download(wanted, place, partials=store.partials)

        fetch()
        assert store.holds(digest, len(BODY))
        assert len(server.asked()) == 1
        POISONS[poison](place)
        assert poison == "flipped" or not store.holds(digest, len(BODY))
        assert not store.verified(digest)
        assert not place.exists() and not place.is_symlink()
        fetch()
        POISONS[poison](place)
        fetch()  # the engine looks itself, too
        assert store.verified(digest)
        assert len(server.asked()) == 3
    assert Path("/etc/passwd").exists()


def test_a_file_that_is_forgotten_goes_with_what_a_killed_run_left_of_it(tmp_path: Path) -> None:
    store, gone = Store(Files(), tmp_path / "store"), subprocess.Popen(["true"])
    gone.wait()
    me = this_process()
    log = replace(me, process=gone.pid, started="1").to_json() + "\n"
    others = [f"{sha256(BODY)}.x.{me.process}.1", f"{'0' * 64}.x.{gone.pid}.1"]
    Path(store.partials).mkdir(parents=True)
    for stem, owner in ((f"{sha256(BODY)}.x.{gone.pid}.0", log), *((stem, me.to_json() + "\n") for stem in others)):
        (Path(store.partials) / f"{stem}.part").write_bytes(BODY[:100])
        (Path(store.partials) / f"{stem}.pieces").write_text(owner)
    place = Path(store.place(sha256(BODY)))
    place.parent.mkdir(parents=True)
    place.write_bytes(BODY)
    store.remove(sha256(BODY))
    assert not place.exists()
    assert {path.stem for path in Path(store.partials).iterdir()} == {others[1]}


def test_where_a_file_is(tmp_path: Path) -> None:
    store = Store(Files(), tmp_path)
    assert store.place("ab" + "c" * 62) == tmp_path / "sha256" / "ab" / ("ab" + "c" * 62)
    assert not store.holds("ab" + "c" * 62)
    store.remove("ab" + "c" * 62)
