"""What runs in the namespace: a world where only mirrors in China answer, some of them badly, and what is made of it.

`python -m tests.e2e.china FOLDER` prints, as JSON, which mirrors are chosen there by the catalogue that ships with us.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.mirror_catalog import read_mirrors
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.web.carriers import Kind
from setup_llm_dev.host.world import real_host
from setup_llm_dev.messages import Message
from setup_llm_dev.stages.mirrors import choose_mirrors
from tests.e2e.netns import Authority, Fronts
from tests.upstream.acts import cut, redirect
from tests.upstream.exchange import Request, Response
from tests.upstream.hub import Hub
from tests.upstream.index import Index, Section, flat, simple
from tests.upstream.modelscope import ModelScope
from tests.upstream.server import Upstream
from tests.upstream.wheels import build_wheel, torch_wheel

# Every name of the catalogue; those without a server here are dead. Nobody else exists.
NAMES = (
    "mirrors.nju.edu.cn", "mirrors.aliyun.com", "mirror.sjtu.edu.cn", "pypi.tuna.tsinghua.edu.cn",
    "mirrors.huaweicloud.com", "hf-mirror.com", "modelscope.cn", "download.jetbrains.com.cn",
    "download.pytorch.org", "huggingface.co", "download.jetbrains.com",
)  # fmt: skip
MODEL = "google-bert/bert-base-uncased"


def main(folder: Path) -> None:
    torch, packages = folder / "torch", folder / "packages"
    torch_wheel(torch, "2.13.0", "cpu")
    build_wheel(packages, "pip", "26.0")
    shown = Authority(folder / "ca.pem", folder / "chain.pem", folder / "key.pem")
    with ExitStack() as standing:
        # Nanjing's sends its visitors back; Aliyun's wheels break off, its packages are well; Shanghai's is faithful.
        nju = standing.enter_context(Index(Section("/pytorch/whl/cpu", torch, python=False, json=False)))
        nju.fault("*.whl", redirect("https://download.pytorch.org/whl/cpu/torch.whl"), times=None)
        aliyun = standing.enter_context(Index(flat(torch, "/pytorch-wheels/cpu"), simple(packages, "/pypi/simple")))
        aliyun.fault("/pytorch-wheels/*.whl", cut(0), times=None)
        sjtu = standing.enter_context(Index(Section("/pytorch-wheels/cpu", torch, python=False, json=False)))
        hub = standing.enter_context(Hub({MODEL: {"config.json": b"{}", "model.safetensors": b"weights"}}))
        scope = standing.enter_context(ModelScope({"AI-ModelScope/bert-base-uncased": {"config.json": b"{}"}}))
        jetbrains = standing.enter_context(Upstream(_archive))
        ports = {
            "mirrors.nju.edu.cn": nju.port,
            "mirrors.aliyun.com": aliyun.port,
            "mirror.sjtu.edu.cn": sjtu.port,
            "hf-mirror.com": hub.port,
            "modelscope.cn": scope.port,
            "download.jetbrains.com.cn": jetbrains.port,
        }
        standing.enter_context(Fronts(shown, ports))
        _report()


def _archive(request: Request) -> Response:
    return Response(headers={"Content-Type": "application/gzip"}, body=b"\x1f\x8b\x08 an archive", ranges=True)


def _report() -> None:
    said: list[Message] = []
    kinds: tuple[Kind, ...] = ("pypi", "torch", "hub", "jetbrains_downloads")
    catalog = read_mirrors(manifests_folder() / "catalog")
    found = choose_mirrors(real_host(), Surroundings(), catalog, said.append, kinds=kinds)
    answer = {
        "pypi": found.default_index,
        "torch": [found.torch_root, found.torch_flat],
        "hub": found.hub_endpoint,
        "jetbrains": found.jetbrains_downloads,
        "spares": [mirror.url for mirror in found.spares],
        "said": [str(text) for text in said],
        "settings": sorted(os.environ),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
