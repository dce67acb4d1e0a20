"""The rules for folders that every platform shares: our overrides, the workspace, the hub's cache."""

from collections.abc import Mapping
from pathlib import PurePath

from setup_llm_dev.documents.layout import Layout

APP = "setup-llm-dev"


def lay_out(
    *,
    home: PurePath,
    environment: Mapping[str, str],
    recipe: str,
    data: PurePath,
    config: PurePath,
    workspace: PurePath | None,
    windows: bool = False,
) -> Layout:
    """A Layout from the platform's `data` and `config` folders, the name of the tool included."""
    return Layout(
        data=data,
        config=config,
        workspace=workspace or home / "llm-dev" / recipe,
        hub_cache=hub_cache(home, environment),
        windows=windows,
    )


def overridden(home: PurePath, environment: Mapping[str, str], data: PurePath | None) -> PurePath | None:
    """The data folder that the user named, by argument or SETUP_LLM_DEV_HOME."""
    named = environment.get("SETUP_LLM_DEV_HOME", "").strip()
    return data or (expanded(home, named) if named else None)


def hub_cache(home: PurePath, environment: Mapping[str, str]) -> PurePath:
    """As the hub's own library decides: HF_HUB_CACHE, its old name, HF_HOME, XDG_CACHE_HOME, ~/.cache."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if named := environment.get(name):
            return expanded(home, named)
    if named := environment.get("HF_HOME"):
        return expanded(home, named) / "hub"
    cache = environment.get("XDG_CACHE_HOME")
    return (expanded(home, cache) if cache else home / ".cache") / "huggingface" / "hub"


def expanded(home: PurePath, text: str) -> PurePath:
    """`~` and `~/…` mean `home`; everything else is taken as it stands, in the flavour of `home`."""
    if text == "~":
        return home
    if text[:2] in ("~/", "~\\"):
        return home / text[2:]
    return type(home)(text)
