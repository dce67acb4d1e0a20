"""The rules for folders that every platform shares: our overrides, the workspace, the hub's cache."""

from collections.abc import Mapping
from pathlib import PurePath

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import message

APP = "setup-llm-dev"
_OF_HUB = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")


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
    """A Layout from the platform's `data` and `config` folders, the name of the tool included.

    Raises UsageError (2) where a variable names a relative folder: what we start runs elsewhere, and so does a
    later run.
    """
    if uv := environment.get("UV_CACHE_DIR"):
        _absolute("UV_CACHE_DIR", type(home)(uv))  # uv knows no `~` there
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
    return data or (_absolute("SETUP_LLM_DEV_HOME", expanded(home, named)) if named else None)


def hub_cache(home: PurePath, environment: Mapping[str, str]) -> PurePath:
    """As the hub's own library decides: HF_HUB_CACHE, its old name, HF_HOME, XDG_CACHE_HOME, ~/.cache.

    Raises UsageError (2) for a relative one of the first three; the XDG specification ignores it in the fourth.
    """
    for name in _OF_HUB:
        if named := environment.get(name):
            return _absolute(name, expanded(home, named))
    if named := environment.get("HF_HOME"):
        return _absolute("HF_HOME", expanded(home, named)) / "hub"
    cache = expanded(home, environment.get("XDG_CACHE_HOME") or "~/.cache")
    return (cache if cache.is_absolute() else home / ".cache") / "huggingface" / "hub"


def expanded(home: PurePath, text: str) -> PurePath:
    """`~` and `~/…` mean `home`; everything else is taken as it stands, in the flavour of `home`."""
    if text == "~":
        return home
    if text[:2] in ("~/", "~\\"):
        return home / text[2:]
    return type(home)(text)


def _absolute(name: str, folder: PurePath) -> PurePath:
    if folder.is_absolute():
        return folder
    raise UsageError(
        message("{name} must be an absolute path, not “{folder}”", name=name, folder=str(folder)),
        hint=message("write the whole path: it must mean the same from every folder"),
    )
