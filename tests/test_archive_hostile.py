"""Archives that attack: cut, flipped, endless, swelling; and people who work against us while we unpack."""

import gzip
import io
import itertools
import os
import random
import resource
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from setup_llm_dev.errors import Interrupted, SetupError, SystemRefused, Unreachable
from setup_llm_dev.host.archives.extract import Kind, drop_stale_staging, extract, extracting
from setup_llm_dev.host.archives.ground import PathGround
from setup_llm_dev.host.archives.members import Unpacking
from setup_llm_dev.host.archives.rules import Limits, Rule, UnsafeArchive
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.messages import message
from tests.archives import (
    END,
    Entry,
    binary,
    file,
    folder,
    header,
    pax,
    quick_folder,
    record,
    symlink,
    tar_gz,
    zip_file,
)
from tests.test_archive import everything, tree_of

SEED = 20_261_122


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where that can be: thousands of small trees are flushed here."""
    with quick_folder() as folder:
        yield folder


def seeded() -> random.Random:
    return random.Random(SEED)  # noqa: S311  # contents, no cryptography


class Pieces:
    """A stream that only has `read`, made of pieces that come as they are asked for; it may never end."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._waiting = b""

    def read(self, size: int) -> bytes:
        while len(self._waiting) < size and (piece := next(self._pieces, None)) is not None:
            self._waiting += piece
        found, self._waiting = self._waiting[:size], self._waiting[size:]
        return found


def pieces(found: Iterable[bytes]) -> BinaryIO:
    return cast("BinaryIO", Pieces(found))


def zipped(found: Iterable[bytes], level: int = 1) -> Iterator[bytes]:
    """gzip of pieces, as they come."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    for piece in found:
        yield packer.compress(piece)
    yield packer.flush()


def a_tree() -> dict[str, bytes]:
    noise = seeded()
    names = [f"r/{letter}/{number}/file-{number}.txt" for letter in "abc" for number in range(9)]
    return {name: noise.randbytes(noise.randrange(3000)) + b"text " * noise.randrange(500) for name in names}


def packed(kind: Kind, tree: dict[str, bytes]) -> bytes:
    if kind == "zip":
        return zip_file(*(Entry(name.encode(), data) for name, data in tree.items()))
    return tar_gz(*(file(name.encode(), data) for name, data in tree.items()), level=6)


# cut and flipped -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_cut_anywhere(kind: Kind, tmp_path: Path) -> None:
    """B27: at every 1/64, and at each of the last bytes."""
    data = packed(kind, a_tree())
    before = everything(tmp_path)
    for end in [*(len(data) * n // 64 for n in range(64)), *range(len(data) - 30, len(data))]:
        with pytest.raises(UnsafeArchive):
            extract(io.BytesIO(data[:end]), kind, tmp_path / "out")
        assert everything(tmp_path) == before


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_one_bit_flipped(kind: Kind, tmp_path: Path) -> None:
    """B27: 200 random places: refused, or all that was packed."""
    tree = a_tree()
    data = packed(kind, tree)
    noise = seeded()
    for number in range(200):
        flipped = bytearray(data)
        flipped[noise.randrange(len(data))] ^= 1 << noise.randrange(8)
        target = tmp_path / str(number)
        try:
            extract(io.BytesIO(flipped), kind, target)
        except UnsafeArchive:
            assert not target.exists()
        else:
            assert tree_of(target) == tree
    assert all(name.isdigit() for name in os.listdir(tmp_path))


# endless and swelling --------------------------------------------------------------------------------------------


def numbered(start: int = 0) -> Iterator[bytes]:
    """Headers of empty files, as fast as Python makes them: only the digits and the checksum differ."""
    base = bytearray(header(b"0" * 9))
    rest = sum(base) - sum(base[148:156]) + 256 - 9 * 48
    for number in itertools.count(start):
        name = b"%09d" % number
        base[:9] = name
        base[148:156] = b"%06o\0 " % (rest + sum(name))
        yield bytes(base)


def growing(limit: int) -> Iterator[bytes]:
    """A file of `limit` zeros."""
    yield header(b"zeros", size=binary(limit))
    yield from itertools.repeat(bytes(1 << 16), limit >> 16)


def noise_for_ever(head: bytes) -> Iterator[bytes]:
    block = seeded().randbytes(1 << 16)
    return itertools.chain([head], itertools.repeat(block))


ENDLESS: dict[str, tuple[Callable[[], Iterable[bytes]], Limits, tuple[Rule, ...]]] = {
    "200 MB of zeros": (lambda: zipped(growing(200 << 20)), Limits(), (Rule.RATIO,)),
    "zeros for ever after the end": (lambda: zipped(itertools.chain([file(b"a")], itertools.repeat(END))),
                                     Limits(), (Rule.PADDING,)),
    "zeros for ever after gzip": (lambda: itertools.chain([tar_gz(file(b"a"))], itertools.repeat(bytes(1 << 16))),
                                  Limits(), (Rule.PADDING,)),
    "empty files for ever": (lambda: zipped(numbered()), Limits(members=3_000), (Rule.COUNT,)),
    "one file for ever": (lambda: zipped(itertools.repeat(file(b"a"))), Limits(), (Rule.DUPLICATE,)),
    "one folder for ever": (lambda: zipped(itertools.repeat(folder(b"a"))), Limits(members=5_000), (Rule.COUNT,)),
    "remarks for ever": (lambda: zipped(itertools.repeat(pax(record(b"comment", b"x"), kind=b"g"))),
                         Limits(members=5_000), (Rule.EXTENSION,)),
    "extensions for ever": (lambda: zipped(itertools.repeat(pax(record(b"path", b"a")))), Limits(), (Rule.EXTENSION,)),
    "empty gzip members for ever": (lambda: itertools.repeat(gzip.compress(b"", mtime=0)), Limits(), (Rule.PIECES,)),
    "noise for ever": (lambda: noise_for_ever(b""), Limits(), (Rule.UNKNOWN,)),
    "noise after gzip's magic": (lambda: noise_for_ever(b"\x1f\x8b\x08\x00" + bytes(6)), Limits(),
                                 (Rule.DAMAGED, Rule.UNKNOWN)),
    "noise as a gzip name for ever": (lambda: itertools.chain([b"\x1f\x8b\x08\x08" + bytes(6)],
                                                              itertools.repeat(b"n" * (1 << 16))),
                                      Limits(), (Rule.PIECES, Rule.DAMAGED)),
    "noise in a file for ever": (lambda: zipped(noise_for_ever(header(b"a", size=binary(1 << 63)))),
                                 Limits(), (Rule.SINGLE,)),
    "noise up to the limit": (lambda: zipped(noise_for_ever(header(b"a", size=1 << 20) + bytes(1 << 20)
                                                            + header(b"b", size=1 << 20))),
                              Limits(total=3 << 19), (Rule.TOTAL,)),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDLESS)
def test_endless(name: str, tmp_path: Path) -> None:
    """B28, B29: refused while it still comes, with memory for a few pieces only."""
    make, limits, rules = ENDLESS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnsafeArchive) as caught:
        extract(pieces(make()), "tar.gz", tmp_path / "out", limits=limits)
    assert caught.value.rule in rules, caught.value
    assert os.listdir(tmp_path) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


@pytest.mark.nightly
def test_a_million_empty_files(tmp_path: Path) -> None:
    """B28 under the usual limits, in a process of its own: below 100 MB more than the empty interpreter needs."""
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from setup_llm_dev.host.archives.extract import extract\n"
        "from setup_llm_dev.host.archives.rules import UnsafeArchive\n"
        "from tests.test_archive_hostile import numbered, pieces, zipped\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n"
        "    extract(pieces(zipped(numbered())), 'tar.gz', Path(sys.argv[1]))\n"
        "except UnsafeArchive as error:\n"
        "    print(error.rule.name, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "out")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    rule, more = done.stdout.split()
    assert rule in ("COUNT", "RATIO")
    assert int(more) < 100 << 10
    assert os.listdir(tmp_path) == []


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    """200 MB through the extractor, of which at most some pieces are held."""
    block = seeded().randbytes(1 << 20)
    members = [header(b"big", size=200 << 20), *itertools.repeat(block, 200), END]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with extracting("tar.gz", tmp_path) as staging:
        facts = staging.feed_from(pieces(zipped(members, level=0)))
    assert facts.bytes == 200 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


# others at work --------------------------------------------------------------------------------------------------


def test_temporary_names_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """X16: the names we would take are there, as links to a victim: another is taken, the victim stays."""
    victim = tmp_path / "victim"
    victim.mkdir()
    yard = tmp_path / "yard"
    yard.mkdir()
    for name in ("taken1", "taken2"):
        (yard / f".setup-llm-dev.{os.getpid()}.{name}").symlink_to(victim)
    names = iter(["taken1", "taken2", "free"])
    monkeypatch.setattr(tempfile, "_get_candidate_names", lambda: names)
    with extracting("tar.gz", yard) as staging:
        assert staging.folder.name.endswith("free")
        assert staging.folder.stat().st_mode & 0o777 == 0o700
        staging.feed_from(io.BytesIO(packed("tar.gz", a_tree())))
        staging.publish(yard / "out")
    assert os.listdir(victim) == []
    assert tree_of(yard / "out") == a_tree()


ATTACK = """
import os, sys
yard, outside = sys.argv[1:]
print("ready", flush=True)
while True:
    for staging in os.listdir(yard):
        tree = f"{yard}/{staging}/tree/a"
        try:
            names = os.listdir(tree)
        except OSError:
            continue
        for name in names[:20]:
            place = f"{tree}/{name}"
            try:
                os.rename(place, place + ".away")
                os.symlink(outside, place)
            except OSError:
                pass
"""


def race(rounds: int, tmp_path: Path, ground: Callable[[Path], object] | None = None) -> int:
    """Unpack while another process swaps our folders for links; how often we noticed."""
    yard, outside = tmp_path / "yard", tmp_path / "outside"
    yard.mkdir()
    outside.mkdir()
    (outside / "canary").write_text("canary")
    # More folders than stay open, each visited again: they are looked up anew while they are swapped.
    members = [file(f"a/{number}/{turn}".encode()) for turn in range(4) for number in range(60)]
    data = tar_gz(*members)
    before = everything(outside)
    noticed = 0
    attacker = subprocess.Popen([sys.executable, "-c", ATTACK, str(yard), str(outside)], stdout=subprocess.PIPE)
    try:
        assert attacker.stdout and attacker.stdout.readline() == b"ready\n"
        for _ in range(rounds):
            try:
                with extracting("tar.gz", yard) as staging:
                    staging.feed_from(io.BytesIO(data))
            except SetupError:
                noticed += 1
            assert everything(outside) == before
    finally:
        attacker.kill()
        attacker.communicate()
    return noticed


def test_folders_swapped_for_links(tmp_path: Path) -> None:
    """X19: 0 escapes, and the attack is a real one: some rounds meet it."""
    assert race(50, tmp_path) > 0


@pytest.mark.nightly
def test_folders_swapped_for_links_for_long(tmp_path: Path) -> None:
    assert race(2_000, tmp_path) > 0


def test_whole_paths_notice_a_swap(tmp_path: Path) -> None:
    """The way without folder descriptors (Windows) asks each folder before it writes below it."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    ground = PathGround(root)
    ground.make_folder("a")
    ground.make_folder("a/b")
    (root / "a").rename(root / "away")
    (root / "a").symlink_to(outside)
    (outside / "b").mkdir()
    with pytest.raises(Exception, match="a"):
        ground.create("a/b", "x", program=False)
    assert os.listdir(outside / "b") == []


def test_whole_paths_give_the_same_tree(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    unpacking = Unpacking(root, Limits(), single_root=False, on=PathGround)
    given = iter([b"data", b""])
    unpacking.folder("d")
    unpacking.file("a/b/c", 4, lambda: next(given), program=True, mtime=5)
    unpacking.link("l", "a/b")
    unpacking.hard_link("h", "a/b/c")
    unpacking.finish()
    unpacking.close()
    assert tree_of(root) == {"d": "folder", "a/b/c": b"data", "l": "-> a/b", "h": b"data"}
    assert (root / "h").stat().st_mode & 0o777 == 0o755


# publishing ------------------------------------------------------------------------------------------------------


def an_archive() -> BinaryIO:
    return io.BytesIO(tar_gz(file(b"r/a"), symlink(b"r/l", b"a")))


@pytest.mark.parametrize("what", ["file", "empty folder", "folder", "link", "dangling link"])
def test_a_target_that_exists_stays(what: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    if "folder" in what:
        target.mkdir()
    if what == "folder":
        (target / "mine").write_text("mine")
    elif what == "file":
        target.write_text("mine")
    elif "link" in what:
        target.symlink_to(tmp_path if what == "link" else "gone")
    before = everything(tmp_path)
    with pytest.raises(SystemRefused, match="exists"):
        extract(an_archive(), "tar.gz", target)
    assert everything(tmp_path) == before


def test_published_only_on_demand(tmp_path: Path) -> None:
    with extracting("tar.gz", tmp_path, single_root=True) as staging:
        with pytest.raises(RuntimeError):
            staging.publish(tmp_path / "early")
        facts = staging.feed_from(an_archive())
        assert (facts.root_name, facts.files, facts.bytes) == ("r", 1, 4)
        assert (staging.tree / "a").read_bytes() == b"data"
        assert staging.folder.stat().st_mode & 0o777 == 0o700
    assert os.listdir(tmp_path) == []


def test_fed_again_it_starts_anew(tmp_path: Path) -> None:
    """What a transfer does that noticed a replaced byte: the first attempt leaves nothing."""
    with extracting("tar.gz", tmp_path) as staging:
        with pytest.raises(UnsafeArchive):
            staging.feed_from(io.BytesIO(tar_gz(file(b"first"), file(b"../x"))))
        with pytest.raises(RuntimeError):
            staging.publish(tmp_path / "out")
        staging.feed_from(io.BytesIO(tar_gz(file(b"second"))))
        staging.publish(tmp_path / "out")
    assert tree_of(tmp_path) == {"out/second": b"data"}


def test_a_stream_that_fails(tmp_path: Path) -> None:
    def failing() -> Iterator[bytes]:
        data = packed("tar.gz", a_tree())
        yield data[: len(data) // 2]
        raise Unreachable(message("the line is dead"))

    with pytest.raises(Unreachable, match="line is dead"):
        extract(pieces(failing()), "tar.gz", tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_a_stream_of_single_bytes(tmp_path: Path) -> None:
    data = tar_gz(file(b"a"), file(b"b", b"x" * 700))

    class Dripping(io.RawIOBase):
        def __init__(self) -> None:
            self._source = io.BytesIO(data)

        def read(self, size: int = -1) -> bytes:
            return self._source.read(1)

    with Dripping() as stream:
        extract(cast("BinaryIO", stream), "tar.gz", tmp_path / "out")
    assert tree_of(tmp_path / "out") == {"a": b"data", "b": b"x" * 700}


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_cancelled(kind: Kind, tmp_path: Path) -> None:
    cancel = Cancel()
    cancel.set(15)
    with pytest.raises(Interrupted):
        extract(io.BytesIO(packed(kind, a_tree())), kind, tmp_path / "out", cancel=cancel)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_progress_ends_with_all(kind: Kind, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    tree = a_tree()
    extract(io.BytesIO(packed(kind, tree)), kind, tmp_path / "out", progress=lambda *now: heard.append(now))
    assert heard == sorted(heard)
    assert heard[-1] == (sum(map(len, tree.values())), len(tree))


def test_modes_do_not_depend_on_the_mask(tmp_path: Path) -> None:
    """H17: a mask of 077 makes nothing of the tree unreadable for the others of this machine."""
    old = os.umask(0o077)
    try:
        extract(io.BytesIO(tar_gz(file(b"d/a"), file(b"d/p", mode=0o700))), "tar.gz", tmp_path / "out")
    finally:
        os.umask(old)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("out", "out/d", "out/d/a", "out/d/p")}
    assert modes == {"out": 0o755, "out/d": 0o755, "out/d/a": 0o644, "out/d/p": 0o755}


def test_without_isal_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processors that isal has no build for use zlib."""
    monkeypatch.setitem(sys.modules, "isal", None)
    tree = a_tree()
    extract(io.BytesIO(packed("tar.gz", tree)), "tar.gz", tmp_path / "tar")
    extract(io.BytesIO(packed("zip", tree)), "zip", tmp_path / "zip")
    assert tree_of(tmp_path / "tar") == tree_of(tmp_path / "zip") == tree
    with pytest.raises(UnsafeArchive) as caught:
        extract(io.BytesIO(packed("tar.gz", tree)[:-9]), "tar.gz", tmp_path / "out")
    assert caught.value.rule is Rule.TRUNCATED


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").write_text("kept")
    stale = tmp_path / f".setup-llm-dev.{gone.pid}.abc"
    (stale / "tree/a").mkdir(parents=True)
    (stale / "tree/a/link").symlink_to(victim)
    kept = [f".setup-llm-dev.{os.getpid()}.abc", ".setup-llm-dev.x.abc", ".other.1.abc"]
    for name in kept:
        (tmp_path / name).mkdir()
    (tmp_path / f".setup-llm-dev.{gone.pid}.link").symlink_to(victim)
    drop_stale_staging(tmp_path)
    assert not stale.exists()
    assert set(os.listdir(tmp_path)) == {*kept, "victim", f".setup-llm-dev.{gone.pid}.link"}
    assert (victim / "kept").exists()
