"""What a first run behind the firewall is made of: tiny wheels, a liar's, a model, a PyCharm, and their catalogue.

The catalogue that ships with us vouches for real bytes only, so this one, on disk, vouches for the tiny ones instead.
"""

from __future__ import annotations

import hashlib
import platform
import random
import shutil
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import tomli_w

from setup_llm_dev.documents.manifests import manifests_folder
from tests.e2e.toy import PYCHARM, RECIPE, TORCH, tiny_model, tiny_modules
from tests.upstream.ide_archive import pycharm_archive
from tests.upstream.repositories import Commit, RepositoryFile
from tests.upstream.wheels import build_wheel, torch_wheel

MODEL, TWIN = "tests/tiny", "tests-cn/tiny"
"""The same model on the hub and on ModelScope."""
LIAR = "mirror.liar.example"
"""One more mirror of torch than the catalogue names: the first one there."""
ARCHIVE = f"/python/pycharm-{PYCHARM}.tar.gz"
LARGE = 1_000_000
"""Between the size of the wheel of torch and the sizes of all others."""
SECONDS = 5.0
_ARCH = {"x86_64": "amd64", "aarch64": "aarch64"}[platform.machine()]


@dataclass(frozen=True)
class Ground:
    """A folder with everything; made once, served by whoever runs inside the namespace."""

    folder: Path

    @property
    def packages(self) -> Path:
        return self.folder / "packages"

    @property
    def torch(self) -> Path:
        return self.folder / "torch"

    @property
    def lies(self) -> Path:
        """A wheel of torch under the right name, with other bytes, of the same length."""
        return self.folder / "lies"

    @property
    def recipe(self) -> Path:
        return self.folder / "toy.toml"

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalog"

    @property
    def archive(self) -> Path:
        return self.folder / "pycharm.tar.gz"

    @cached_property
    def model(self) -> dict[str, bytes]:
        """File names and contents, as on the hub."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / "model").iterdir())}

    def wheel(self, folder: Path) -> Path:
        return next(folder.glob("torch-*.whl"))


def lay(folder: Path) -> Ground:
    """Write it all down."""
    ground = Ground(folder)
    build_wheel(ground.packages, "pip", "26.1")
    build_wheel(ground.packages, "tiny-one", "1.0", files=tiny_modules("tiny_one", 12), requires=["tiny-two"])
    build_wheel(ground.packages, "tiny-two", "1.5", files=tiny_modules("tiny_two", 5))
    build_wheel(ground.packages, "tiny-model", "0.1", files=tiny_model())
    _torch(ground.torch, b"faithful")
    _torch(ground.lies, b"the liar")
    (folder / "model").mkdir()
    for path, content in tiny_model().items():
        if path.startswith("tiny_model/model/"):
            data = content if isinstance(content, bytes) else content.encode()
            (folder / "model" / Path(path).name).write_bytes(data)
    ground.archive.write_bytes(pycharm_archive(PYCHARM, "263.8665.41", arches=(_ARCH,)))
    ground.recipe.write_text(RECIPE, encoding="utf-8")
    _catalogue(ground)
    return ground


def _torch(folder: Path, whose: bytes) -> None:
    """Two megabytes that no compression hides, so that the words of the liar are found wherever they lie."""
    feature = f"cp3{sys.version_info.minor}"
    tag = f"{feature}-{feature}-manylinux_2_28_{platform.machine()}"
    bare = torch_wheel(folder / "bare", TORCH, tag=tag)
    with zipfile.ZipFile(bare) as archive:
        files: dict[str, str | bytes] = {n: archive.read(n) for n in archive.namelist() if ".dist-info/" not in n}
    shutil.rmtree(folder / "bare")
    bulk = bytearray(random.Random(7).randbytes(2_000_000))  # noqa: S311 - no secret
    bulk[1_000_000 : 1_000_000 + 64] = hashlib.sha512(whose).digest()
    build_wheel(folder, "torch", f"{TORCH}+cpu", files=files | {"torch/lib/bulk.bin": bytes(bulk)}, tag=tag)


def _catalogue(ground: Ground) -> None:
    """As it ships, but for whose bytes it vouches, one more mirror, and a shorter look at each."""
    shutil.copytree(manifests_folder() / "catalog", ground.catalogue)
    wheel = ground.wheel(ground.torch)
    hashes = {"schema": 1, "collected": "", "pytorch": {wheel.name: _sha256(wheel.read_bytes())}}
    _rewrite(ground, "hashes", lambda was: hashes | {"collected": was["collected"]})
    _rewrite(ground, "mirrors", _mirrors)
    _rewrite(ground, "models", lambda was: was | {"models": [_model(ground)]})
    _rewrite(ground, "ides", lambda was: was | {"ides": [_ide(ground, was["collected"])]})


def _rewrite(ground: Ground, name: str, change: Any) -> None:
    path = ground.catalogue / f"{name}.toml"
    path.write_text(tomli_w.dumps(change(tomllib.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")


def _mirrors(was: dict[str, Any]) -> dict[str, Any]:
    liar = {"name": "a liar", "url": f"https://{LIAR}/whl", "evidence": "thread", "seen": "a test"}
    was["kinds"]["torch"]["mirrors"].insert(0, liar)
    was["kinds"]["hub"]["probe"] = f"api/models/{MODEL}"
    was["kinds"]["jetbrains_downloads"]["probe"] = ARCHIVE.lstrip("/")
    return was | {"seconds": SECONDS}


def _model(ground: Ground) -> dict[str, Any]:
    known = [RepositoryFile(name, data, large=name.endswith(".safetensors")) for name, data in ground.model.items()]
    files = [{"name": f.path, "bytes": f.size, "sha256": f.sha256, "git_sha1": f.oid} for f in known]
    return {
        "source": f"hf:{MODEL}", "name": "tiny", "licence": "MIT", "parameters": 1, "evidence": "read",
        "download_bytes": sum(f.size for f in known), "modelscope": TWIN, "files": files,
        "commit": Commit({f.path: f for f in known}).id,
    }  # fmt: skip


def _ide(ground: Ground, day: Any) -> dict[str, Any]:
    content = ground.archive.read_bytes()
    arch = {"amd64": "x86_64", "aarch64": "arm64"}[_ARCH]
    file = {
        "platform": f"linux_{arch}", "name": ARCHIVE.rpartition("/")[2], "sha256": _sha256(content),
        "size": len(content), "evidence": "two-packagers", "seen": day,
    }  # fmt: skip
    major = ".".join(PYCHARM.split(".")[:2])
    return {
        "version": PYCHARM, "major": major, "build": "263.8665.41", "evidence": "product-info", "seen": day,
        "files": [file],
    }  # fmt: skip


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
