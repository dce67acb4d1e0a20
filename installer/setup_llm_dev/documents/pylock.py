"""What a PEP 751 lock names: the one wheel of each package, with address, hash and size."""

import tomllib
from dataclasses import dataclass
from typing import Any

from packaging.pylock import Pylock, PylockValidationError

from setup_llm_dev.documents.lock_values import hex_rule, wheel_name, wheel_problem
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import message

_hash_problem = hex_rule(64)


@dataclass(frozen=True)
class LockedWheel:
    """The first wheel of a package: one machine, one Python, so there is one that counts."""

    name: str
    version: str
    url: str
    sha256: str
    size: int | None

    @property
    def file_name(self) -> str:
        """The one that a wheel must have, for version and tags stand in it."""
        return wheel_name(self.url)


def locked_wheels(text: str) -> tuple[LockedWheel, ...]:
    """Every package with its wheel; raises UsageError (2) for one without a wheel or a sha256.

    Its hash and the last part of its address become names of files, so they have to be what they are said to be.
    """
    try:
        lock = Pylock.from_dict(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, PylockValidationError) as error:
        raise UsageError(
            message("the lock of the packages can't be read: {why}", why=str(error)),
            hint=message("make a new one with `setup-llm-dev apply --upgrade`"),
        ) from error
    return tuple(_wheel(package) for package in lock.packages)


def _wheel(package: Any) -> LockedWheel:
    wheel = package.wheels[0] if package.wheels else None
    if wheel is None or "sha256" not in wheel.hashes:
        raise UsageError(
            message("the lock has no wheel with a sha256 for {package}", package=str(package.name)),
            hint=message("make a new one with `setup-llm-dev apply --upgrade`"),
        )
    url, sha256 = wheel.url or wheel.path or "", wheel.hashes["sha256"]
    why = wheel_problem(url) or _hash_problem(sha256)
    if why is not None:
        raise UsageError(
            message("the lock of the packages: {package}: {why}", package=str(package.name), why=why),
            hint=message("make a new one with `setup-llm-dev apply --upgrade`"),
        )
    return LockedWheel(str(package.name), str(package.version), url, sha256, wheel.size)
