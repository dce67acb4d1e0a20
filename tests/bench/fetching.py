"""Run by the bench in a process of its own: one real step of ours, fetching, with its facts as JSON at the end.

`python -m tests.bench.fetching ide|archive|file|model …`; see the functions for what each takes.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from setup_llm_dev.documents.lock import ArchiveIdeLock
from setup_llm_dev.documents.transfer import Source, Wanted
from setup_llm_dev.host.archives.extract import extracting
from setup_llm_dev.host.hubs.hub import Hub
from setup_llm_dev.steps.ide import Follower, InstallIde
from setup_llm_dev.steps.step import silent
from tests.ground import layout_in, scratch_host

VERSION, BUILD = "2026.3.1", "263.8665.41"


def ide(url: str, size: str, sha256: str, home: str) -> int:
    """The whole step as `apply` runs it: fetched, hashed, unpacked, proved, flushed, published. Bytes unpacked."""
    layout = layout_in(Path(home))
    lock = ArchiveIdeLock(
        version=VERSION,
        build=BUILD,
        settings_name="PyCharm2026.3",
        file_name=url.rpartition("/")[2],
        url=url,
        sha256=sha256,
        size=int(size),
    )
    folder = layout.ides / f"pycharm-{VERSION}"
    step = InstallIde(lock, "linux", "x86_64", folder, layout.store, layout.config)
    return int(str(step.apply(scratch_host(Path(home)), silent)["bytes"]))


def archive(url: str, size: str, sha256: str, home: str) -> int:
    """What two programs do by hand, and the hash: fetched, verified, unpacked, flushed, published. Bytes unpacked."""
    host, parent = scratch_host(Path(home)), Path(home, "unpacked")
    wanted = Wanted("archive", (Source(url),), int(size), sha256)
    with extracting("tar.gz", parent, single_root=True) as staging, host.files.flushing(parent):
        follower = Follower(staging)
        place, partials = Path(home, "store", "archive"), Path(home, "store")
        host.fetcher().download(wanted, place, partials=partials, follow=follower.follow)
        follower.finish(place)
        staging.publish(parent / "pycharm")
        place.unlink()
    return staging.facts.bytes


def file(url: str, size: str, sha256: str, home: str) -> int:
    """One file through the engine. Bytes that were fetched."""
    wanted = Wanted("file", (Source(url),), int(size), sha256)
    fetcher = scratch_host(Path(home)).fetcher()
    return fetcher.download(wanted, Path(home, "file"), partials=Path(home, "partials")).fetched


def model(endpoint: str, repository: str, home: str) -> int:
    """A model as the model step pulls it into the hub's cache. Bytes that stand there."""
    hub = Hub(scratch_host(Path(home)), endpoint, Path(home, "hf", "hub"))
    snapshot = hub.download(hub.resolve(repository, "main"))
    return sum(place.stat().st_size for place in snapshot.iterdir())


_KINDS: dict[str, Callable[..., int]] = {"ide": ide, "archive": archive, "file": file, "model": model}


def main(kind: str, *arguments: str) -> None:
    """Prints the seconds that the step itself took, without the start of the interpreter, and its bytes."""
    began = time.monotonic()
    count = _KINDS[kind](*arguments)
    print(json.dumps({"seconds": time.monotonic() - began, "bytes": count}))


if __name__ == "__main__":
    main(*sys.argv[1:])
