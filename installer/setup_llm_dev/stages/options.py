"""What the command line says beyond the recipe."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePath

from setup_llm_dev.documents.codec import to_json
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.stages.parts import PARTS


@dataclass(frozen=True)
class Options:
    """What the command line says beyond the recipe."""

    torch: str | None = None
    python: PurePath | None = None
    upgrade: bool = False
    parts: frozenset[str] = frozenset(PARTS)
    require: frozenset[str] = frozenset()
    machine: Machine | None = None  # instead of this one
    assume: tuple[str, ...] = ()  # each gpu=…
    pycharm_archive: PurePath | None = None
    pycharm_sha256: str | None = None
    again: str = "setup-llm-dev apply"  # the command line that applies the same recipe to the same folders

    @property
    def digest(self) -> str:
        """Of what would change the lock; a lock made with other options is no answer to these."""
        words: list[object] = [self.torch, str(self.python) if self.python else None, self.assume]
        if self.machine is not None:
            words.append(to_json(self.machine).decode())
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]
