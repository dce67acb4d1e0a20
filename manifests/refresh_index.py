"""What the package index tells of torch: every wheel of a release with its hash, and what goes with it."""

import tempfile
import tomllib
from pathlib import Path
from typing import Any

from packaging.version import Version
from refresh_run import plain

from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.resolver import Uv, find_uv
from setup_llm_dev.host.world import Host


def resolved(host: Host, wishes: tuple[str, ...], pythons: tuple[str, ...], index: str | None) -> list[dict[str, Any]]:
    """The packages of a resolution for all platforms at once, each with every wheel of it and its hash.

    uv knows the default index, `index` stands for another one. Raises Unreachable where it has no answer.
    """
    environment = {k: v for k, v in Uv(host, Surroundings()).environment().items() if not _names_an_index(k)}
    if index is not None:
        environment["UV_DEFAULT_INDEX"] = index
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "wish.in").write_text("".join(f"{wish}\n" for wish in wishes), encoding="utf-8")
        done = host.programs.run(
            (find_uv(), "pip", "compile", "wish.in", "--universal", "--no-config", "--python-version",
             min(pythons, key=Version), "--generate-hashes", "--format", "pylock.toml", "--output-file", "pylock.toml",
             "--no-header", "--quiet"),
            environment=environment, cwd=folder, timeout=300.0,
        )  # fmt: skip
        if not done.ok:
            raise Unreachable(plain(done.stderr.strip().splitlines()[0] if done.stderr.strip() else "no answer"))
        packages: list[dict[str, Any]] = tomllib.loads((folder / "pylock.toml").read_text(encoding="utf-8"))["packages"]
    return packages


def wheels(packages: list[dict[str, Any]]) -> dict[str, str]:
    """File name to sha256, of torch and triton."""
    family = (p for p in packages if p["name"] in ("torch", "triton"))
    return {_name(wheel["url"]): wheel["hashes"]["sha256"] for p in family for wheel in p.get("wheels", [])}


def version_of(packages: list[dict[str, Any]], name: str) -> str | None:
    return next((str(p["version"]) for p in packages if p["name"] == name), None)


def _names_an_index(variable: str) -> bool:
    return variable in ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


def _name(url: str) -> str:
    return url.rpartition("/")[2].replace("%2B", "+")
