"""The figures of large bytes: an IDE, a held link, narrow connections, kills and cuts; beside what one does by hand."""

import hashlib
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from setup_llm_dev.host.hashing import sha256_of
from tests.bench import broken, link
from tests.bench.broken import FETCHING, MIB, environment_in
from tests.bench.fetching import BUILD, VERSION
from tests.bench.measure import Row, Timed, timed
from tests.bench.nginx import Nginx
from tests.bench.nginx import program as nginx_program
from tests.upstream.ide_archive import write_archive

_BULK, _STUBS = 1900 * MIB, 20_000  # a tar.gz of 1.01 GB, 2.0 GB unpacked
_NARROW = 50_000_000 // 8  # bytes a second of each connection
_NARROW_SIZE, _HELD_SIZE = 96 * MIB, 100_000_000

Figures = list[Row]


def rows(scratch: Path, repeats: int) -> tuple[list[Row], list[str]]:
    """Every figure that this machine can take (of several runs the best), and in words what was left out and why."""
    found: list[Row] = []
    left_out: list[str] = []
    for what, why_not, take in (
        ("an IDE of 1 GB from loopback", _without("nginx", "curl", "tar", "gzip"), _archive),
        (f"a link held at {link.MEGABITS} Mbit/s", link.why_not(), _held_link),
        ("connections held at 50 Mbit/s", _without("nginx", "curl") or _not_linux(), _narrow),
        *((what, broken.why_not(), lambda place, _, part=part: part(place)) for what, part in broken.PARTS),
    ):
        if why_not:
            left_out.append(f"{what}: {why_not}")
            continue
        print(f"{what} …", file=sys.stderr, flush=True)
        with _room(scratch) as place:
            found += take(place, repeats)
    if shutil.which("aria2c") is None:
        left_out.append("aria2c beside us: aria2c is not installed")
    return found, left_out


def _archive(scratch: Path, repeats: int) -> Figures:
    """Fetch, verify, unpack, publish."""
    archive = scratch / "served" / "pycharm.tar.gz"
    archive.parent.mkdir()
    with archive.open("wb") as stream:
        write_archive(stream, VERSION, BUILD, bulk=_BULK, stubs=_STUBS)
    sha256 = sha256_of(archive)
    with Nginx(scratch / "nginx", archive.parent) as server:
        url = f"{server.url}/{archive.name}"
        facts = (url, str(archive.stat().st_size), sha256)
        ours: list[Timed] = []
        steps: list[Timed] = []
        piped: list[Timed] = []
        aria2: list[Timed] = []
        for _ in range(repeats):  # in turn, so that a noisy minute hits all
            ours.append(_once(scratch, lambda home: (*FETCHING, "archive", *facts, str(home))))
            piped.append(_once(scratch, lambda _: _shell(f"curl -s {url} | tar xz")))
            if shutil.which("aria2c"):
                aria2.append(_once(scratch, lambda _: _shell(f"aria2c -q -x8 {url} && tar xf {archive.name}")))
            steps.append(_once(scratch, lambda home: (*FETCHING, "ide", *facts, str(home))))
    best, peak = _best(ours), max(run.peak for run in (*ours, *steps))
    what = "IDE of 1 GB, fetched, verified, unpacked"
    others = [(name, _best(runs)) for name, runs in (("curl | tar xz", piped), ("aria2c, tar xf", aria2)) if runs]
    return [
        *(Row(f"{what}: {name}", best, hand, best / hand, 1.0) for name, hand in others),
        Row("the same, each file hashed for later: curl | tar xz", _best(steps), _best(piped),
            _best(steps) / _best(piped), None),
        Row("peak memory of that, MB (limit 150)", peak / 1e6, None, peak / 150e6, 1.0),
    ]  # fmt: skip


def _held_link(scratch: Path, repeats: int) -> Figures:
    file, sha256 = _file(scratch, _HELD_SIZE)
    runs = [link.measured(scratch / f"run{number}", file, sha256) for number in range(repeats)]
    ours, curl = min(run[0] for run in runs), min(run[1] for run in runs)
    needed = link.seconds_needed(_HELD_SIZE)
    return [
        Row("100 MB over 200 Mbit/s: the time that the bytes need", ours, needed, ours / needed, 1.05),
        Row("the same: curl", ours, curl, ours / curl, None),
    ]


def _narrow(scratch: Path, repeats: int) -> Figures:
    file, sha256 = _file(scratch, _NARROW_SIZE)
    with Nginx(scratch / "nginx", file.parent, rate=_NARROW) as server:
        url = f"{server.url}/{file.name}"
        words = (*FETCHING, "file", url, str(_NARROW_SIZE), sha256)
        ours = min(_once(scratch, lambda home: (*words, str(home))).seconds for _ in range(repeats))
        curl = min(_once(scratch, lambda _: ("curl", "-s", "-o", "file", url)).seconds for _ in range(repeats))
    return [Row("100 MB, each connection held at 50 Mbit/s: curl", ours, curl, ours / curl, 1 / 3)]


def _best(runs: Sequence[Timed]) -> float:
    return min(run.seconds for run in runs)


def _once(scratch: Path, argv: Callable[[Path], tuple[str, ...]]) -> Timed:
    """Run in an empty home, which is gone afterwards; what others left to be written is written before."""
    os.sync()
    with _room(scratch) as home:
        return timed(argv(home), environment_in(home), home)


def _shell(line: str) -> tuple[str, ...]:
    """What a user types."""
    return ("sh", "-c", f"set -e; {line}")


def _file(scratch: Path, size: int) -> tuple[Path, str]:
    """A file in a folder that is served, and its hash."""
    place = scratch / "served" / "file.bin"
    place.parent.mkdir()
    data = random.Random(1).randbytes(size)  # noqa: S311 - no secret
    place.write_bytes(data)
    return place, hashlib.sha256(data).hexdigest()


@contextmanager
def _room(scratch: Path) -> Iterator[Path]:
    """An empty folder; gigabytes are not left for the end."""
    place = scratch / f"room{len(list(scratch.iterdir()))}"
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place)


def _without(*programs: str) -> str | None:
    for name in programs:
        if (nginx_program() if name == "nginx" else shutil.which(name)) is None:
            return f"{name} is not installed"
    return None


def _not_linux() -> str | None:
    return None if sys.platform.startswith("linux") else "only Linux holds single connections at a rate"
