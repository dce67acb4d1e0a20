"""What runs in the namespace: mirrors in China under their real names, each with its own manners, and a user's runs.

`python -m tests.e2e.china_world GROUND TRUST HOME STORY` tells one story there and prints it as JSON: what every run
said, and what it asked of whom. The catalogue of the ground is mounted over the one that ships with us, inside only.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from setup_llm_dev.documents.manifests import manifests_folder
from tests.e2e.china_ground import ARCHIVE, LARGE, LIAR, MODEL, TWIN, Ground
from tests.e2e.machine import Machine
from tests.e2e.netns import Authority, Fronts
from tests.e2e.toy import INTERPRETER
from tests.upstream.acts import Act, cut, flip, redirect, status
from tests.upstream.hub import Hub
from tests.upstream.index import Index, Section, flat
from tests.upstream.modelscope import ModelScope
from tests.upstream.server import Upstream, files

TOKEN = "hf_CHINAchinaCHINAchina0123456789"
TUNA, ALIYUN, HUAWEI = "pypi.tuna.tsinghua.edu.cn", "mirrors.aliyun.com", "mirrors.huaweicloud.com"
NJU, SJTU = "mirrors.nju.edu.cn", "mirror.sjtu.edu.cn"
HUB, HUB_FILES = "hf-mirror.com", "cdn.hf-mirror.com"
SCOPE, SCOPE_FILES = "modelscope.cn", "cdn.modelscope.cn"
JETBRAINS = "download.jetbrains.com.cn"
TORCH_MAKER, JETBRAINS_MAKER, FEED = "download.pytorch.org", "download.jetbrains.com", "data.services.jetbrains.com"
HUB_MAKER, HUB_MAKER_FILES = "huggingface.co", "cdn.huggingface.co"
NAMES = (
    TUNA, ALIYUN, HUAWEI, NJU, SJTU, LIAR, HUB, HUB_FILES, SCOPE, SCOPE_FILES, JETBRAINS,
    TORCH_MAKER, HUB_MAKER, HUB_MAKER_FILES, JETBRAINS_MAKER, FEED,
)  # fmt: skip


class China:
    """Every mirror, at its best; a story spoils some of them. `running` has what stands, by the name of the host."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.tuna, self.aliyun, self.nju, self.liar, self.sjtu = (Index() for _ in range(5))
        self.torch_maker = Index()
        self.hub, self.hub_maker = (Hub({MODEL: ground.model}) for _ in range(2))
        self.scope = ModelScope({TWIN: ground.model}, partial_as_200=True)
        self.jetbrains, self.jetbrains_maker = (Upstream(files({ARCHIVE: ground.archive})) for _ in range(2))
        # A hub sends its visitors on for large files; to plain HTTP nobody would follow it.
        self.hub.cdn.url, self.scope.cdn.url = f"https://{HUB_FILES}", f"https://{SCOPE_FILES}"
        self.hub_maker.cdn.url = f"https://{HUB_MAKER_FILES}"
        self.mirrors: dict[str, Upstream] = {
            TUNA: self.tuna.origin, ALIYUN: self.aliyun.origin, NJU: self.nju.origin, LIAR: self.liar.origin,
            SJTU: self.sjtu.origin, HUB: self.hub.origin, HUB_FILES: self.hub.cdn, SCOPE: self.scope.origin,
            SCOPE_FILES: self.scope.cdn, JETBRAINS: self.jetbrains,
        }  # fmt: skip
        self.makers: dict[str, Upstream] = {
            TORCH_MAKER: self.torch_maker.origin, HUB_MAKER: self.hub_maker.origin,
            HUB_MAKER_FILES: self.hub_maker.cdn, JETBRAINS_MAKER: self.jetbrains_maker,
        }  # fmt: skip
        self.serve(ground.torch)

    def serve(self, torch: Path) -> None:
        """With these wheels of torch; those of the liar are always its own."""
        packages = self.ground.packages
        self.tuna.sections = (_packages(packages, "/simple"),)
        self.aliyun.sections = (_packages(packages, "/pypi/simple"), flat(torch, "/pytorch-wheels/cpu"))
        self.nju.sections = (_torch(torch, "/pytorch/whl"),)
        self.sjtu.sections = (_torch(torch, "/pytorch-wheels"),)
        self.liar.sections = (_torch(self.ground.lies, "/whl"),)
        self.torch_maker.sections = (_torch(self.ground.torch, "/whl"),)

    @contextmanager
    def standing(self, shown: Authority, *, makers: bool) -> Iterator[None]:
        """Whoever does not stand has an address, but nobody listens there."""
        servers = self.mirrors | (self.makers if makers else {})
        with ExitStack() as stack:
            for server in servers.values():
                stack.enter_context(server)
            stack.enter_context(Fronts(shown, {name: server.port for name, server in servers.items()}))
            yield

    def asked(self) -> dict[str, list[tuple[str, str, int]]]:
        """By host: method, path and body bytes sent; then all of it is forgotten."""
        found = {}
        for name, server in (self.mirrors | self.makers).items():
            found[name] = [(x.method, x.path, x.sent) for x in server.log]
            server.forget()
        return found

    def heal(self) -> None:
        for server in self.mirrors.values():
            server.heal()


def _packages(folder: Path, prefix: str) -> Section:
    return Section(prefix, folder, stored=True)


def _torch(folder: Path, root: str) -> Section:
    """Pages and files on one host, as those in China have them."""
    return Section(f"{root}/cpu", folder, python=False, json=False)


class Storyteller:
    """Runs commands on one machine and writes down what came of them."""

    def __init__(self, china: China, machine: Machine) -> None:
        self.china, self.machine = china, machine
        self.runs: list[dict[str, Any]] = []

    def apply(self, *more: str, **extra: str) -> None:
        words = ("apply", str(self.china.ground.recipe), "--skip", "smoke", "--python", INTERPRETER, "-y", *more)
        done = self.machine.run(*words, cwd=None, **extra)
        told = [name for name, server in self.china.mirrors.items() if server.saw(TOKEN)]
        asked = self.china.asked()
        self.runs.append({"code": done.code, "out": done.out, "err": done.err, "asked": asked, "token": told})

    def lose(self) -> None:
        """Everything that was fetched, but for PyCharm; the lock stays."""
        for place in (self.machine.data / "environments", self.machine.data / "store", self.machine.home / ".cache"):
            shutil.rmtree(place, ignore_errors=True)


# the stories ----------------------------------------------------------------------------------------------


def spoiled(teller: Storyteller) -> None:
    """A first run and a second; then all is lost, and whoever served it has died since."""
    china = teller.china
    china.nju.fault("*.whl", redirect(f"https://{TORCH_MAKER}/whl/cpu/torch.whl"), times=None)
    # Shanghai's dies in the middle of the wheel; the first request only looks whether there is one.
    china.sjtu.fault("*.whl", Act(), cut(1_200_000), method="GET")
    china.sjtu.fault("*.whl", status(410), times=None, method="GET")
    china.tuna.fault("/packages/*/tiny_one*.whl", cut(500), times=None)
    china.hub.cdn.fault("*", flip(5000), times=None)
    with _black_hole(TORCH_MAKER):
        teller.apply()
        teller.apply("--json")
    china.heal()
    teller.lose()
    for dead in (china.tuna, china.sjtu, china.hub):
        dead.fault("*", status(503), times=None)
    china.aliyun.fault("/pytorch-wheels/*", status(503), times=None)
    teller.apply()


def lies(teller: Storyteller) -> None:
    """All pages tell of other bytes; then the pages are right, and all bytes are other ones."""
    china = teller.china
    china.serve(china.ground.lies)
    teller.apply()
    china.serve(china.ground.torch)
    for mirror in (china.nju, china.sjtu, china.aliyun):
        mirror.fault("*/torch*.whl", flip(1_000_000), times=None)
    for mirror in (china.tuna, china.aliyun):
        mirror.fault("*/packages/*.whl", flip(600), times=None)
    for origin in (china.hub.origin, china.hub.cdn, china.scope.origin, china.scope.cdn, china.jetbrains):
        origin.fault("*.json", flip(1), times=None)
        origin.fault("*", flip(700), times=None)
    teller.apply()


def nobody(teller: Storyteller) -> None:
    """Who wants no mirror gets none, though the makers are dead."""
    teller.apply(SETUP_LLM_DEV_MIRRORS_PRESET="none")


def makers_last(teller: Storyteller) -> None:
    """With the preset for China, and makers that answer: first with good bytes of mirrors, then with bad ones."""
    china = teller.china
    # They have pages, but die at what is behind them, so that others are asked already for the lock.
    china.tuna.fault("/packages/*.metadata", cut(0), times=None)
    china.nju.fault("*.metadata", cut(0), times=None)
    teller.apply(SETUP_LLM_DEV_MIRRORS_PRESET="cn")
    teller.lose()
    china.sjtu.fault("*.whl", status(410), times=None, method="GET")
    china.aliyun.fault("/pytorch-wheels/*.whl", status(410), times=None, method="GET")
    china.nju.fault("*.whl", Act(), flip(1_000_000), method="GET")
    china.nju.fault("*.whl", flip(1_000_000), times=None, method="GET")
    china.hub.cdn.fault("*", flip(5000), times=None)
    china.scope.cdn.fault("*", flip(5000), times=None)
    teller.apply(SETUP_LLM_DEV_MIRRORS_PRESET="cn")


STORIES: dict[str, Callable[[Storyteller], None]] = {
    story.__name__: story for story in (spoiled, lies, nobody, makers_last)
}


def main(ground: Ground, trust: Path, home: Path, story: str) -> None:
    _mount(ground.catalogue, manifests_folder() / "catalog")
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "SSL_CERT_FILE": str(trust / "ca.pem"),
        "UV_CACHE_DIR": str(home / ".cache" / "uv"),
        "UV_HTTP_RETRIES": "0",
        "HF_TOKEN": TOKEN,
    }
    if story == "spoiled":
        settings["SETUP_LLM_DEV_LARGE_BYTES"] = str(LARGE)
    china = China(ground)
    teller = Storyteller(china, Machine(home, settings, recipe="toy"))
    shown = Authority(trust / "ca.pem", trust / "chain.pem", trust / "key.pem")
    with china.standing(shown, makers=story == "makers_last"):
        STORIES[story](teller)
    print(json.dumps(teller.runs))


def _mount(folder: Path, over: Path) -> None:
    """In the mount namespace of this world, which ends with it."""
    subprocess.run(["mount", "--bind", folder, over], check=True)


@contextmanager
def _black_hole(name: str) -> Iterator[None]:
    """A host that never answers, not even with a no: the queue of its listener is full, so the kernel drops us."""
    address = (socket.gethostbyname(name), 443)
    with ExitStack() as stack:
        stack.enter_context(socket.create_server(address, backlog=0))
        for _ in range(3):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(address)
        yield


if __name__ == "__main__":
    main(Ground(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
