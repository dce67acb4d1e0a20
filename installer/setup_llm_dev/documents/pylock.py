"""What a PEP 751 lock names: the one wheel of each package, with address, hash and size."""

import tomllib
from dataclasses import dataclass
from typing import Any

from packaging.pylock import Pylock, PylockValidationError

from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import message


@dataclass(frozen=True)
class LockedWheel:
    """The first wheel of a package: one machine, one Python, so there is one that counts."""

    name: str
    version: str
    url: str
    sha256: str
    size: int | None


def locked_wheels(text: str) -> tuple[LockedWheel, ...]:
    """Every package with its wheel; a package without wheel or sha256 is an error."""
    try:
        lock = Pylock.from_dict(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, PylockValidationError) as error:
        raise UsageError(
            message("the lock of the packages can't be read: {why}", why=str(error)),
            hint=message("make a new one with --upgrade"),
        ) from error
    return tuple(_wheel(package) for package in lock.packages)


def _wheel(package: Any) -> LockedWheel:
    wheel = package.wheels[0] if package.wheels else None
    if wheel is None or "sha256" not in wheel.hashes:
        raise UsageError(
            message("the lock has no wheel with a sha256 for {package}", package=str(package.name)),
            hint=message("make a new one with --upgrade"),
        )
    url = wheel.url or wheel.path or ""
    return LockedWheel(str(package.name), str(package.version), url, wheel.hashes["sha256"], wheel.size)
