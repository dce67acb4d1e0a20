"""The whole outside world on loopback: JetBrains' feed and downloads, the hub with the real model, PyTorch's index."""

import configparser
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from tests.upstream.hub import Hub
from tests.upstream.index import Index, pytorch
from tests.upstream.jetbrains import JetBrains

MODEL = "google-bert/bert-base-uncased"
PYCHARM, BUILD = "2026.3.1", "263.8665.41"
LARGE = 100_000_000
"""Below the size of the CPU build of torch, so that it comes through our own engine here."""
NEVER = {"pytorch_model.bin": b"a pickle", "modeling.py": b"raise SystemExit", ".gitattributes": b"*.bin filter=lfs\n"}


@dataclass(frozen=True)
class World:
    """`settings` go into the environment of a machine that lives in it."""

    jetbrains: JetBrains
    hub: Hub
    index: Index
    settings: Mapping[str, str]
    archive_path: str
    torch: str

    def heal(self) -> None:
        self.jetbrains.heal()
        self.hub.heal()
        self.index.heal()

    @property
    def served(self) -> dict[str, int]:
        """Bytes handed out so far of the three large things."""
        return {
            "pycharm": self.jetbrains.served(self.archive_path),
            "torch": self.index.files.served("*.whl"),
            "model": self.hub.cdn.served("*"),
        }


@contextmanager
def whole_world(
    folder: Path, model: Path, settings: Mapping[str, str], *, token: str, bulk: int = 60 << 20
) -> Iterator[World]:
    """`model` is a folder with a real encoder, served under the name of the default one; `settings` a machine's."""
    wheel = torch_wheel_here(settings)
    torch = folder / "torch"
    torch.mkdir(parents=True)
    (torch / wheel.name).symlink_to(wheel)
    real: dict[str, Path | bytes] = {p.name: p for p in model.iterdir() if not p.name.startswith(".")}
    with ExitStack() as stack:
        jetbrains = stack.enter_context(JetBrains())
        row = jetbrains.archive(PYCHARM, BUILD, bulk=bulk)
        hub = stack.enter_context(Hub({MODEL: {**real, **NEVER}}, tokens=[token], private=[MODEL]))
        index = stack.enter_context(Index(pytorch(torch)))
        own = {
            **without_links(settings, folder / "pip.conf"),
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": token,
            "SETUP_LLM_DEV_MIRRORS_TORCH": f"{index.url}/whl",
            "SETUP_LLM_DEV_MIRRORS_JETBRAINS_FEED": jetbrains.feed_url,
            "SETUP_LLM_DEV_LARGE_BYTES": str(LARGE),
        }
        yield World(jetbrains, hub, index, own, jetbrains.path(row), wheel.name)


def torch_wheel_here(settings: Mapping[str, str]) -> Path:
    """The CPU build that pip's configured listing has as a file; without one there is no PyTorch index to be."""
    for link in _pip_value(settings, "find-links").split():
        place = Path(url2pathname(urlsplit(link).path) if "://" in link else link)
        found = sorted(place.glob("torch-*+cpu-*.whl")) if place.is_dir() else []
        if found:
            return found[-1]
    pytest.skip(
        "pip's find-links names no folder with a CPU wheel of torch, so nothing can be served as PyTorch's index"
    )


def without_links(settings: Mapping[str, str], config: Path) -> dict[str, str]:
    """The same pip configuration, but for the listings: torch has to come from the index on loopback."""
    parser = configparser.RawConfigParser()
    parser.read(settings.get("PIP_CONFIG_FILE", os.devnull), encoding="utf-8")
    for section in parser.sections():
        parser.remove_option(section, "find-links")
    with config.open("w", encoding="utf-8") as stream:
        parser.write(stream)
    kept = {name: value for name, value in settings.items() if name != "PIP_FIND_LINKS"}
    return {**kept, "PIP_CONFIG_FILE": str(config)}


def _pip_value(settings: Mapping[str, str], key: str) -> str:
    parser = configparser.RawConfigParser()
    parser.read(settings.get("PIP_CONFIG_FILE", os.devnull), encoding="utf-8")
    named = [parser.get(s, key) for s in ("global", "install") if parser.has_option(s, key)]
    return settings.get("PIP_" + re.sub(r"\W", "_", key.upper()), " ".join(named))


class Story:
    """What was typed and what came back, kept in one file that a person can read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")

    def tell(self, words: tuple[object, ...], text: str) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"$ {shlex.join(map(str, words))}\n{text.rstrip()}\n\n")
