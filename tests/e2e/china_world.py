"""What runs in the namespace: mirrors in China under their real names, each with its own manners, and a user's runs.

`python -m tests.e2e.china_world GROUND TRUST HOME STORY` tells one story there and prints it as JSON: what every run
said, and what it asked of whom. The catalogue of the ground is mounted over the one that ships with us, inside only.
"""

from __future__ import annotations

import json
import os
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
from tests.upstream.acts import cut, flip, redirect
from tests.upstream.hub import Hub
from tests.upstream.index import Index, Section, flat
from tests.upstream.modelscope import ModelScope
from tests.upstream.server import Upstream, files

TUNA, ALIYUN, HUAWEI = "pypi.tuna.tsinghua.edu.cn", "mirrors.aliyun.com", "mirrors.huaweicloud.com"
NJU, SJTU = "mirrors.nju.edu.cn", "mirror.sjtu.edu.cn"
HUB, HUB_FILES = "hf-mirror.com", "cdn.hf-mirror.com"
SCOPE, SCOPE_FILES = "modelscope.cn", "cdn.modelscope.cn"
JETBRAINS = "download.jetbrains.com.cn"
MAKERS = ("download.pytorch.org", "huggingface.co", "download.jetbrains.com", "data.services.jetbrains.com")
BLACK_HOLE = "download.pytorch.org"
NAMES = (TUNA, ALIYUN, HUAWEI, NJU, SJTU, LIAR, HUB, HUB_FILES, SCOPE, SCOPE_FILES, JETBRAINS, *MAKERS)


class China:
    """Every mirror, at its best; a story spoils some of them. `running` has what stands, by the name of the host."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        torch, packages = ground.torch, ground.packages
        self.tuna = Index(_packages(packages, "/simple"))
        self.aliyun = Index(_packages(packages, "/pypi/simple"), flat(torch, "/pytorch-wheels/cpu"))
        self.nju = Index(_torch(torch, "/pytorch/whl"))
        self.liar = Index(_torch(ground.lies, "/whl"))
        self.sjtu = Index(_torch(torch, "/pytorch-wheels"))
        self.hub = Hub({MODEL: ground.model})
        self.hub.cdn.url = f"https://{HUB_FILES}"
        self.scope = ModelScope({TWIN: ground.model}, partial_as_200=True)
        self.scope.cdn.url = f"https://{SCOPE_FILES}"
        self.jetbrains = Upstream(files({ARCHIVE: ground.archive}))
        self.maker_of_torch = Index(_torch(torch, "/whl"))
        self.indexes = {
            TUNA: self.tuna, ALIYUN: self.aliyun, NJU: self.nju, LIAR: self.liar, SJTU: self.sjtu
        }  # fmt: skip
        self.running: dict[str, Upstream] = {
            **{name: index.origin for name, index in self.indexes.items()},
            HUB: self.hub.origin, HUB_FILES: self.hub.cdn, SCOPE: self.scope.origin, SCOPE_FILES: self.scope.cdn,
            JETBRAINS: self.jetbrains,
        }  # fmt: skip

    @contextmanager
    def standing(self) -> Iterator[None]:
        with ExitStack() as stack:
            for server in (*self.indexes.values(), self.hub, self.scope, self.jetbrains, self.maker_of_torch):
                stack.enter_context(server)
            yield

    def ports(self) -> dict[str, int]:
        return {name: server.port for name, server in self.running.items()}

    def asked(self) -> dict[str, list[tuple[str, str, int]]]:
        """By host: method, path and body bytes sent; then all of it is forgotten."""
        found = {}
        for name, server in self.running.items():
            found[name] = [(x.method, x.path, x.sent) for x in server.log]
            server.forget()
        return found

    def spoil(self) -> None:
        """Nanjing's sends back, Shanghai's wheels break off in the middle, TUNA's packages, the hub's lie."""
        self.nju.fault("*.whl", redirect("https://download.pytorch.org/whl/cpu/torch.whl"), times=None)
        self.sjtu.fault("/pytorch-wheels/*.whl", cut(1_200_000), times=None)
        self.tuna.fault("/packages/*/tiny_one*.whl", cut(500), times=None)
        self.hub.cdn.fault("*", flip(5000), times=None)


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
        done = self.machine.run(*words, **extra)
        self.runs.append({"code": done.code, "out": done.out, "err": done.err, "asked": self.china.asked()})


# the stories ----------------------------------------------------------------------------------------------


def spoiled(teller: Storyteller) -> None:
    """The first run, and the second; then the environment and uv's cache are gone and other mirrors than before."""
    china = teller.china
    china.spoil()
    teller.apply()
    teller.apply("--json")


STORIES: dict[str, Callable[[Storyteller], None]] = {"spoiled": spoiled}


def main(ground: Ground, trust: Path, home: Path, story: str) -> None:
    _mount(ground.catalogue, manifests_folder() / "catalog")
    china = China(ground)
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "SSL_CERT_FILE": str(trust / "ca.pem"),
        "UV_CACHE_DIR": str(home / "uv-cache"),
        "SETUP_LLM_DEV_LARGE_BYTES": str(LARGE),
        "UV_HTTP_RETRIES": "0",
    }
    teller = Storyteller(china, Machine(home, settings, recipe="toy"))
    shown = Authority(trust / "ca.pem", trust / "chain.pem", trust / "key.pem")
    with china.standing(), Fronts(shown, china.ports()), _black_hole(BLACK_HOLE):
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
