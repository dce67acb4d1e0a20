"""The torch family in a resolved lock: every member from the source of torch, whoever asked for it."""

import tomllib
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from setup_llm_dev.documents.recipe_values import TORCH_FAMILY
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.resolver import Unsatisfiable
from setup_llm_dev.host.web.simple_index import links
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.project import TorchSource


def refuse_strays(pylock: str, bound: frozenset[str], host: Host, source: TorchSource) -> None:
    """Raises Unsatisfiable (3), naming each member that came from elsewhere; Unreachable (4).

    What is asked for by name (`bound`, canonical names) uv binds to `source`; what other packages ask for it takes
    from any index. A wheel that `source` lists too, with the same sha256, is the same wheel.
    """
    strays = [
        package
        for package in tomllib.loads(pylock).get("packages", [])
        if _name(package) in TORCH_FAMILY - bound and not _listed(package, host, source)
    ]
    if strays:
        raise Unsatisfiable(
            message(
                "{packages} would come from another source than torch, which comes from {index}",
                packages=", ".join(f"{_name(package)} {package.get('version', '')}" for package in strays),
                index=without_credentials(source.url),
            ),
            hint=message("leave out the package of the recipe that needs it"),
        )


def _name(package: dict[str, Any]) -> str:
    return canonicalize_name(str(package["name"]))


def _listed(package: dict[str, Any], host: Host, source: TorchSource) -> bool:
    wheel: dict[str, Any] = next(iter(package.get("wheels", [])), {})
    name = unquote(urlsplit(str(wheel.get("url") or wheel.get("path") or "")).path.rpartition("/")[2])
    sha256 = wheel.get("hashes", {}).get("sha256")
    offered = links(host, source.url, _name(package), flat=source.flat)
    return sha256 is not None and any((link.name, link.sha256) == (name, sha256) for link in offered)
