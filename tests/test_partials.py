"""The map of pieces and the log of a partial file: whatever happens, no byte is claimed that nobody brought."""

import itertools
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setup_llm_dev.host.transfer.kept import Kept, read_kept
from setup_llm_dev.host.transfer.owners import is_gone, read_owner, this_process
from setup_llm_dev.host.transfer.partials import drop_orphans
from setup_llm_dev.host.transfer.pieces import PIECE, Claim, Lease, Pieces


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 9 * PIECE), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7)), max_size=60))
def test_every_byte_is_leased_once_and_the_frontier_is_what_is_done(size: int, moves: list[tuple[int, int]]) -> None:
    pieces, held, done = Pieces(size), list[Lease](), set[int]()
    for move, number in moves:
        if move == 0 and (lease := pieces.take((number + 1) * PIECE, 0)):
            held.append(lease)
        elif move == 4 and held and (half := pieces.split(held[number % len(held)], 0)):
            held.append(half)
        elif held:
            lease = held[number % len(held)]
            if move == 1 and lease.stop is not None and lease.at < lease.stop:
                index = lease.at // PIECE
                assert index not in done
                pieces.finish(Claim(index, 0, 0))
                done.add(index)
                lease.at = min((index + 1) * PIECE, lease.stop)
            elif move == 2:
                pieces.give_back(lease, 0)
                held.remove(lease)
        ranges = sorted((lease.at, lease.stop or 0) for lease in held)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(ranges))
        first = next((index for index in range(size // PIECE + 1) if index not in done), size)
        assert pieces.frontier == min(first * PIECE, size)
        assert pieces.done_bytes == sum(pieces.length(index) for index in done)


@given(st.text())
def test_a_log_of_anything_is_read(text: str) -> None:
    assert all(0 <= claim.crc < 1 << 32 for claim in read_kept(text).claims)
    read_owner(text)


@pytest.mark.parametrize("size", ["-5", "1e999", "true", "1.5", '"7"', "9" * 30, "[" * 100_000])
def test_a_log_that_tells_an_impossible_size_tells_none(size: str) -> None:
    row = f'{{"size": {size}}}\n{{"source": {size}, "url": "u", "validator": null}}\n'
    assert read_kept(row) == Kept()
    read_owner(f'{{"machine": "", "boot": "", "namespace": "", "started": "", "process": {size}}}')


def test_a_small_file_has_no_log_and_is_known_by_its_name(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    place, alive = this_process().place, os.getppid()
    left = [f"d.{place}.{gone.pid}.0.part", f"d.{place}.{gone.pid}.1.new"]
    kept = [f"d.{place}.{alive}.0.part", f"d.elsewhere.{gone.pid}.0.part", f"d.{place}.{'9' * 30}.0.part", "d.part"]
    for name in (*left, *kept):
        (tmp_path / name).write_bytes(b"half")
    drop_orphans(tmp_path, "d")
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


def test_a_process_is_its_own_owner_and_alive() -> None:
    me = this_process()
    assert read_owner(me.to_json()) == me
    assert is_gone(me) is False
