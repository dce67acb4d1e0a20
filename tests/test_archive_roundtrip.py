"""Any tree that common tools pack comes back byte for byte; any archive with random damage does no harm."""

import gzip
import io
import os
import random
import shutil
import tarfile
import tempfile
import time
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from setup_llm_dev.host.archives.extract import Kind, extract
from setup_llm_dev.host.archives.rules import UnsafeArchive
from tests.archives import quick_folder
from tests.test_archive import CASES, everything, tree_of

SEED = 20_261_122
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
FAR = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where that can be: thousands of small trees are flushed here."""
    with quick_folder() as folder:
        yield folder


names = st.text("abcxyz019_-+@é中ß", min_size=1, max_size=40)
paths = st.lists(names, min_size=1, max_size=6).map("/".join)
contents = st.one_of(st.binary(max_size=1600), st.just(b""), st.integers(0, 5000).map(lambda size: b"r" * size))
trees = st.dictionaries(paths, contents, min_size=1, max_size=12)


def consistent(tree: dict[str, bytes]) -> bool:
    """No file where another's folder is, and no twins."""
    plain = {path: unicodedata.normalize("NFD", path.casefold()) for path in tree}
    every = {folder for path in plain.values() for folder in _folders(path)}
    exact = {folder for path in tree for folder in _folders(path)}
    return len(set(plain.values())) == len(tree) and not every & set(plain.values()) and len(every) == len(exact)


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def with_links(tree: dict[str, bytes], picks: list[int]) -> dict[str, bytes | str]:
    """Links beside files, relative to where they stand."""
    found: dict[str, bytes | str] = dict(tree)
    files = sorted(tree)
    for number, pick in enumerate(picks):
        target = files[pick % len(files)]
        folder = files[(pick * 7) % len(files)].rpartition("/")[0]
        name = f"{folder}/Link{number}" if folder else f"Link{number}"
        found[name] = "-> " + os.path.relpath(target, folder or ".")
    return found


def packed_tar(tree: dict[str, bytes | str], how: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=how, compresslevel=1) as archive:
        for path, data in tree.items():
            member = tarfile.TarInfo(path)
            if isinstance(data, str):
                member.type, member.linkname = tarfile.SYMTYPE, data.removeprefix("-> ")
                archive.addfile(member)
            else:
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def packed_zip(tree: dict[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (path, data) in enumerate(tree.items()):
            member = zipfile.ZipInfo(path)
            member.compress_type = zipfile.ZIP_DEFLATED if number % 2 else zipfile.ZIP_STORED
            member.create_system = 3
            member.external_attr = (0o120777 if isinstance(data, str) else 0o100644) << 16
            content = data.removeprefix("-> ").encode() if isinstance(data, str) else data
            archive.writestr(member, content)
    return buffer.getvalue()


def unpacked(data: bytes, kind: Kind) -> dict[str, bytes | str]:
    with quick_folder() as folder:
        extract(io.BytesIO(data), kind, folder / "out")
        return tree_of(folder / "out")


@pytest.mark.parametrize("how", FORMATS)
@given(tree=trees.filter(consistent), picks=st.lists(st.integers(0, 99), max_size=4))
@FAR
def test_tarfile_there_and_back(how: str, tree: dict[str, bytes], picks: list[int]) -> None:
    wanted = with_links(tree, picks)
    try:
        data = packed_tar(wanted, FORMATS[how])
    except ValueError:
        assume(False)  # too long for ustar
        raise
    assert unpacked(data, "tar.gz") == wanted


@given(tree=trees.filter(consistent), picks=st.lists(st.integers(0, 99), max_size=4))
@FAR
def test_zipfile_there_and_back(tree: dict[str, bytes], picks: list[int]) -> None:
    wanted = with_links(tree, picks)
    assert unpacked(packed_zip(wanted), "zip") == wanted


def test_zipfile_streamed(tmp_path: Path) -> None:
    """Written to what can't seek, zipfile puts sizes behind the bytes; with `force_zip64` in the wide form."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.got = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            piece = bytes(data)  # type: ignore[call-overload]
            self.got += piece
            return len(piece)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, wide in (("a", False), ("b", True)):
            with archive.open(name, "w", force_zip64=wide) as member:
                member.write(b"data" * 1000)
    extract(io.BytesIO(pipe.got), "zip", tmp_path / "out")
    assert tree_of(tmp_path / "out") == {"a": b"data" * 1000, "b": b"data" * 1000}


# random damage ---------------------------------------------------------------------------------------------------


def damaged(data: bytes, kind: Kind, noise: random.Random) -> bytes:
    """A few random changes; in a tar behind the compression, half of the time with checksums that fit."""
    if kind == "zip":
        return mutated(data, noise)
    try:
        tar = gzip.decompress(data)
    except (OSError, EOFError):
        return mutated(data, noise)
    changed = mutated(tar, noise)
    if noise.random() < 0.7:
        changed = b"".join(fitting(changed[at : at + 512]) for at in range(0, len(changed), 512))
    return gzip.compress(changed, 1, mtime=0)


def mutated(data: bytes, noise: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(noise.choice((1, 1, 2, 5))):
        at = noise.randrange(len(found) + 1)
        match noise.randrange(6):
            case 0 | 1 if found:
                found[at % len(found)] ^= 1 << noise.randrange(8)
            case 2 if found:
                found[at % len(found)] = noise.choice(b"\0\xff\x7f/.\\:0179")
            case 3:
                end = at + noise.choice((1, 2, 4, 8, 100, 512))
                found[at:end] = noise.choice((b"", b"../", b"\0" * 4, b"\xff" * 8, noise.randbytes(4)))
            case 4:
                start = noise.randrange(len(found) + 1) // 512 * 512
                found[at // 512 * 512 : at // 512 * 512] = found[start : start + 512]
            case _:
                del found[at // 512 * 512 : at // 512 * 512 + 512]
    return bytes(found)


def fitting(block: bytes) -> bytes:
    """A block that looks like a header gets the checksum that it claims to have."""
    if block[257:262] != b"ustar":
        return block
    total = sum(block) - sum(block[148:156]) + 256
    return block[:148] + b"%06o\0 " % total + block[156:]


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # damage, no cryptography


def fuzz(noise: random.Random, rounds: int, seconds: float, folder: Path) -> tuple[int, int]:
    """B30: how many were taken and how many refused; anything else, or any trace outside, raises."""
    seeds = [(case.data, case.kind) for case in CASES if len(case.data) < 20_000]
    yard = folder / "tree/yard"
    yard.mkdir(parents=True)
    before = everything(folder)
    taken, until = 0, time.monotonic() + seconds
    for number in range(rounds):
        data, kind = noise.choice(seeds)
        data = damaged(data, kind, noise)
        try:
            extract(io.BytesIO(data), kind, yard / "out")
        except UnsafeArchive:
            pass
        except BaseException:
            (Path(tempfile.gettempdir()) / f"setup-llm-dev-fuzz-{os.getpid()}.bin").write_bytes(data)
            raise
        else:
            taken += 1
            assert all(place.resolve().is_relative_to(yard / "out") for place in (yard / "out").rglob("*"))
            shutil.rmtree(yard / "out")
        assert everything(folder) == before, data
        if time.monotonic() > until:
            return taken, number + 1 - taken
    return taken, rounds - taken


def test_random_damage(tmp_path: Path) -> None:
    taken, refused = fuzz(seeded(SEED), 2_000, 60, tmp_path)
    assert taken and refused


@pytest.mark.nightly
def test_random_damage_for_ten_minutes(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    taken, refused = fuzz(seeded(seed), 1 << 40, 600, tmp_path)
    print(f"{taken} taken, {refused} refused")
    assert taken and refused
