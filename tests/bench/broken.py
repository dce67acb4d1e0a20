"""Downloads that are killed or cut off: what they cost us, and what they cost the tools that one would use by hand."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import uv

from setup_llm_dev.host.hashing import sha256_of
from tests.bench.measure import Row, timed
from tests.ground import SOURCE
from tests.upstream.acts import cut, slow
from tests.upstream.hub import Hub
from tests.upstream.index import Index, simple
from tests.upstream.server import Upstream
from tests.upstream.wheels import build_wheel

MIB = 1 << 20
SIZE = 64 * MIB
FETCHING = (sys.executable, "-m", "tests.bench.fetching")
_RATE = 24e6  # bytes a second of one answer, so that there is a time at which to kill
_KILL_AT = 0.6
_KEPT = 8 * MIB  # the most that may come twice
_CUT = 3 * MIB
_STOCK_TRIES = 3
_STOCK = "import sys, huggingface_hub; huggingface_hub.snapshot_download(sys.argv[1])"
_REPOSITORY, _PROJECT = "org/model", "large-thing"


class Client(NamedTuple):
    """A command that fetches; `scratch` is its home, with its caches."""

    argv: Sequence[str]
    scratch: Path
    environment: dict[str, str]


def why_not() -> str | None:
    """Why there is nothing to compare with; None where there is."""
    return None if importlib.util.find_spec("pip") else "pip is not installed beside this Python"


def killed(scratch: Path) -> list[Row]:
    """kill -9 when 60 % were sent, then the same command again: MB that the server sent more than once."""
    wheels = scratch / "wheels"
    wheels.mkdir(parents=True)
    wheel = build_wheel(wheels, _PROJECT, "1.0", files={"large_thing/data.bin": os.urandom(SIZE)})
    with Index(simple(wheels)) as index, _hub() as hub:
        index.fault("*.whl", slow(_RATE), times=None)
        hub.cdn.fault("*", slow(_RATE), times=None)
        own = _own_file(scratch / "ours", f"{index.address()}{wheel.name}", wheel)
        wheel_size, model_size = wheel.stat().st_size, SIZE
        ours = _again(own, index.origin, "*.whl", wheel_size)
        model = _again(_own_model(scratch / "model", hub), hub.cdn, "*", model_size)
        return [
            _row("pip", ours, _again(_pip(scratch / "pip", index), index.origin, "*.whl", wheel_size)),
            _row("uv", ours, _again(_uv(scratch / "uv", index), index.origin, "*.whl", wheel_size)),
            _row("the stock hub", model, _again(_stock(scratch / "stock", hub), hub.cdn, "*", model_size)),
        ]


def cut_off(scratch: Path) -> list[Row]:
    """A model whose every answer ends after 3 MiB; MB of it that stand in the cache in the end."""
    with _hub() as hub:
        hub.cdn.fault("*", cut(_CUT), times=None)
        ours = _own_model(scratch / "ours", hub)
        done = timed(ours.argv, ours.environment, ours.scratch)
        stock = _stock(scratch / "stock", hub)
        for _ in range(_STOCK_TRIES):
            if (
                subprocess.run(stock.argv, env=stock.environment, cwd=stock.scratch, capture_output=True).returncode
                == 0
            ):
                break
        mine, theirs = _weights(ours.scratch), _weights(stock.scratch)
    what = f"model, link cut every 3 MiB, MB there (stock hub: {_STOCK_TRIES} runs)"
    return [
        Row(what, mine / 1e6, theirs / 1e6, SIZE / max(mine, 1), 1.0),
        Row("peak memory of that pull, MB (limit 150)", done.peak / 1e6, None, done.peak / 150e6, 1.0),
    ]


def environment_in(home: Path, **more: str) -> dict[str, str]:
    """For children in an empty home; the checkout is importable."""
    home.mkdir(parents=True, exist_ok=True)
    path = f"{SOURCE}{os.pathsep}{SOURCE.parent}"
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "PYTHONPATH": path, **more}


def _again(client: Client, server: Upstream, pattern: str, size: int) -> int:
    """Bytes that were sent more than once because of one kill."""
    server.forget()
    child = subprocess.Popen(
        client.argv, env=client.environment, cwd=client.scratch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while server.served(pattern) < _KILL_AT * size and child.poll() is None:
        time.sleep(0.002)
    child.kill()
    child.wait()
    if (sent := server.served(pattern)) < _KILL_AT * size:
        raise RuntimeError(f"{client.argv} ended by itself after {sent} bytes")
    timed(client.argv, client.environment, client.scratch)
    return server.served(pattern) - size


def _row(other: str, ours: int, theirs: int) -> Row:
    return Row(f"killed at 60 % of 67 MB, MB fetched again: {other}", ours / 1e6, theirs / 1e6, ours / _KEPT, 1.0)


def _own_file(home: Path, url: str, file: Path) -> Client:
    words = (*FETCHING, "file", url, str(file.stat().st_size), sha256_of(file), str(home))
    return Client(words, home, environment_in(home))


def _own_model(home: Path, hub: Hub) -> Client:
    return Client((*FETCHING, "model", hub.url, _REPOSITORY, str(home)), home, environment_in(home))


def _pip(home: Path, index: Index) -> Client:
    options = ("--disable-pip-version-check", "--no-deps", "--index-url", index.address(), "--target", str(home / "to"))
    words = (sys.executable, "-m", "pip", "install", *options, _PROJECT)
    return Client(words, home, environment_in(home, PIP_CONFIG_FILE=os.devnull))


def _uv(home: Path, index: Index) -> Client:
    options = ("--no-config", "--no-deps", "--index-url", index.address(), "--target", str(home / "to"))
    words = (uv.find_uv_bin(), "pip", "install", "--python", sys.executable, *options, _PROJECT)
    return Client(words, home, environment_in(home))


def _stock(home: Path, hub: Hub) -> Client:
    more = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return Client((sys.executable, "-c", _STOCK, _REPOSITORY), home, environment_in(home, **more))


def _hub() -> Hub:
    files = {"model.safetensors": os.urandom(SIZE), "config.json": b'{"model_type": "bert"}'}
    return Hub({_REPOSITORY: files})


def _weights(home: Path) -> int:
    """Bytes of the weights in a snapshot of whichever cache lies in this home; 0 where they are not whole."""
    found = [place.stat().st_size for place in home.rglob("snapshots/*/model.safetensors")]
    return sum(size for size in found if size == SIZE)


PARTS: tuple[tuple[str, Callable[[Path], list[Row]]], ...] = (
    ("kill -9 at 60 % of a download, then again", killed),
    ("a model over a link that is cut every 3 MiB", cut_off),
)
