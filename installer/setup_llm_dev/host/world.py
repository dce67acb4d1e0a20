"""`Host`: the world as one value, passed to everything that has effects."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.run import Programs

if TYPE_CHECKING:
    from setup_llm_dev.host.configuration import Surroundings
    from setup_llm_dev.host.fetch import Fetcher


def _told_by_kernel() -> tuple[str, str]:
    """Its processor and its release; `platform` would ask the same, and its import costs more than the answer."""
    if hasattr(os, "uname"):
        told = os.uname()
        return told.machine, told.release
    import platform

    return platform.machine(), platform.release()


@dataclass(frozen=True)
class System:
    """What the running interpreter knows of its machine without asking any program."""

    platform: str = sys.platform  # linux, darwin, win32
    machine: str = field(default_factory=lambda: _told_by_kernel()[0])
    release: str = field(default_factory=lambda: _told_by_kernel()[1])
    executable: str = sys.executable


@dataclass(frozen=True)
class Host:
    """Programs, files, bytes, the user's environment, the clock, and the cancel token.

    `environment` is the user's; it is read for configuration only and never handed to a child as it is.
    """

    programs: Programs
    files: Files
    environment: Mapping[str, str]
    home: Path
    cancel: Cancel
    fetcher: "Callable[[], Fetcher]"  # made on first use: importing HTTP costs a tenth of a second
    system: System = field(default_factory=System)
    turned: "Surroundings | None" = None  # what was configured, and the mirrors that this run turned to
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def real_host(cancel: Cancel | None = None) -> Host:
    """This machine."""
    token = cancel or Cancel()
    environment = dict(os.environ)
    files = Files(token)
    return Host(
        programs=Programs(environment, token),
        files=files,
        environment=environment,
        home=Path.home(),
        cancel=token,
        fetcher=_fetcher(environment, token, files),
    )


def with_environment(host: Host, added: Mapping[str, str]) -> Host:
    """The same world, where these settings hold as if the user had exported them."""
    if not added:
        return host
    environment = {**host.environment, **added}
    return replace(host, environment=environment, fetcher=_fetcher(environment, host.cancel, host.files))


def _fetcher(environment: Mapping[str, str], cancel: Cancel, files: Files) -> "Callable[[], Fetcher]":
    made: list[Fetcher] = []

    def fetcher() -> "Fetcher":
        from setup_llm_dev.host.fetch import Fetcher

        if not made:
            made.append(Fetcher(environment, cancel, files))
        return made[0]

    return fetcher
