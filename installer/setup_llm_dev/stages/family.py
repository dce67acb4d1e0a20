"""The torch family in a resolved lock: every member from the source of torch, whoever asked for it."""

import re
import tomllib
from collections.abc import Callable
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


def resolve_bound(
    resolve: Callable[[frozenset[str]], str], bound: frozenset[str], host: Host, source: TorchSource
) -> str:
    """A lock in which the whole family comes from `source`; raises Unsatisfiable (3), Unreachable (4).

    What is asked for by name (`bound`, canonical names) uv binds to `source`; what other packages ask for it takes
    from any index, or does not find there: such members (torchvision, the triton of ROCm) are named in another try.
    `resolve` gives the lock in which these members are asked for by name too.
    """
    named: frozenset[str] = frozenset()
    refusal: Unsatisfiable | None = None
    while True:
        try:
            pylock = resolve(named)
        except Unsatisfiable as error:
            missing = _told_of(error) - bound - named
            if refusal is not None or not missing:
                raise refusal or error from None
            named |= missing
            continue
        strays = _strays(pylock, bound | named, host, source)
        if not strays:
            return pylock
        refusal = _refusal(strays, source)
        named |= {_name(package) for package in strays}


def _told_of(error: Unsatisfiable) -> frozenset[str]:
    """Members of the family that the resolver's words name as whole words."""
    words = {canonicalize_name(word) for word in re.findall(r"[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]", str(error))}
    return TORCH_FAMILY & words


def _strays(pylock: str, bound: frozenset[str], host: Host, source: TorchSource) -> list[dict[str, Any]]:
    """Members that came from elsewhere. A wheel that `source` lists too, with the same sha256, is the same wheel."""
    return [
        package
        for package in tomllib.loads(pylock).get("packages", [])
        if _name(package) in TORCH_FAMILY - bound and not _listed(package, host, source)
    ]


def _refusal(strays: list[dict[str, Any]], source: TorchSource) -> Unsatisfiable:
    return Unsatisfiable(
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
