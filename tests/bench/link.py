"""A link held at a rate: two network namespaces with a pair of interfaces between them, and nobody else on it.

`python -m tests.bench.link FOLDER FILE SIZE SHA256` runs inside the first namespace, where the server is; it fetches
the file once with us and once with curl from the second one, and prints both times as JSON.
"""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.nginx import Nginx
from tests.bench.nginx import program as nginx_program

MEGABITS = 200
_SERVER, _CLIENT = "10.77.0.1", "10.77.0.2"
_FRAME, _PAYLOAD = 1514, 1448  # of a full packet: bytes that the rate counts, and those of the file among them


def seconds_needed(size: int) -> float:
    """How long so many bytes of a file are on the link, their packets' headers included, if it is never idle."""
    return size * _FRAME / _PAYLOAD * 8 / (MEGABITS * 1e6)


@functools.cache
def why_not() -> str | None:
    """Why no such link can be made here; None where it can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    for name in ("unshare", "nsenter", "ip", "tc", "curl"):
        if shutil.which(name, path=_path()) is None:
            return f"{name} is not installed"
    if nginx_program() is None:
        return "nginx is not installed"
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"


def measured(folder: Path, file: Path, sha256: str) -> tuple[float, float]:
    """Seconds with us and with curl; raises RuntimeError with what went wrong."""
    words = (str(folder), str(file), str(file.stat().st_size), sha256)
    done = subprocess.run(
        [*_unshare(), sys.executable, "-m", "tests.bench.link", *words],
        env={**os.environ, "PATH": _path()},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    ours, curl = json.loads(done.stdout)
    return float(ours), float(curl)


def main(folder: str, file: str, size: str, sha256: str) -> None:
    """Within the first namespace."""
    place = Path(file)
    with _client() as inside, Nginx(Path(folder, "nginx"), place.parent, address=_SERVER) as server:
        url = f"{server.url}/{place.name}"
        argv = [*inside, sys.executable, "-m", "tests.bench.fetching", "file", url, size, sha256, f"{folder}/home"]
        ours = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)["seconds"]
        began = time.monotonic()
        subprocess.run([*inside, "curl", "-s", "-o", f"{folder}/by-hand", url], check=True)
        print(json.dumps([ours, time.monotonic() - began]))


@contextlib.contextmanager
def _client() -> Iterator[list[str]]:
    """The argv that runs a command at the other end of the link."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    try:
        inside = ["nsenter", "--target", str(holder.pid), "--net", "--"]
        _wait_until_apart(holder.pid)
        for words in (
            f"ip link add served type veth peer name wanted netns {holder.pid}",
            f"ip address add {_SERVER}/30 dev served",
            "ip link set served up",
            f"tc qdisc add dev served root tbf rate {MEGABITS}mbit burst 128kb latency 50ms",
        ):
            subprocess.run(words.split(), check=True)
        for words in (f"ip address add {_CLIENT}/30 dev wanted", "ip link set wanted up", "ip link set lo up"):
            subprocess.run([*inside, *words.split()], check=True)
        yield inside
    finally:
        holder.kill()
        holder.wait()


def _wait_until_apart(process: int) -> None:
    """Until the child has a namespace of its own."""
    ours, end = os.readlink("/proc/self/ns/net"), time.monotonic() + 10
    while os.readlink(f"/proc/{process}/ns/net") == ours:
        if time.monotonic() > end:
            raise RuntimeError("no second network namespace")
        time.sleep(0.01)


def _unshare() -> list[str]:
    """Whoever is not root gets the rights for it in a user namespace, not the name: nginx can't drop root there."""
    return ["unshare", *(() if os.geteuid() == 0 else ("--map-current-user", "--keep-caps")), "--net"]


def _path() -> str:
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


if __name__ == "__main__":
    main(*sys.argv[1:])
