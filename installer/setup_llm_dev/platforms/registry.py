"""The platforms we know: one name each in an ordered tuple, and how to find the right one."""

import importlib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Protocol, cast

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.machine import Machine, Os
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.places import Places
from setup_llm_dev.host.world import Host, System
from setup_llm_dev.messages import message


class Platform(Protocol):
    """What a platform module answers."""

    OS: Os
    SYSTEM: str

    def probe(self, host: Host) -> Machine: ...

    def arch(self, host: Host) -> str: ...

    def inside(self, host: Host) -> str | None: ...

    def places(self, home: PurePath, environment: Mapping[str, str], data: PurePath) -> Places: ...

    def layout(
        self,
        *,
        home: PurePath,
        environment: Mapping[str, str],
        recipe: str,
        data: PurePath | None = None,
        workspace: PurePath | None = None,
    ) -> Layout: ...


_MODULES = {"linux": "linux", "macos": "macos", "windows": "windows"}  # by the name that a Machine carries
_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}  # by sys.platform


def platform_of(name: str) -> Platform:
    """The platform by the name that a Machine carries; raises Refused for one that we don't know."""
    return _the_one(_MODULES, name)


def current_platform(system: System) -> Platform:
    """The platform of a running interpreter; raises Refused for one that we don't know."""
    return _the_one(_SYSTEMS, system.platform)


def _the_one(known: Mapping[str, str], name: str) -> Platform:
    """Only that one is loaded."""
    if name not in known:
        raise Refused(message("{os} is not one of the systems that this tool knows", os=name))
    return cast(Platform, importlib.import_module(f"setup_llm_dev.platforms.{known[name]}"))
