"""What every part of the robot has: the world, the catalogue as it is, and what happened to it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from setup_llm_dev.documents.catalog import Catalog
from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message


@dataclass
class Run:
    """The world, the catalogue as it is, and what happened to it."""

    host: Host
    folder: Path
    catalog: Catalog
    changes: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    reached: int = 0

    def ask(self, what: str, question: Callable[[], Any]) -> Any:
        """The answer, or None where nobody gave one: that is noted."""
        try:
            answer = question()
        except Unreachable as error:
            self.silent.append(f"{what}: {error}")
            return None
        self.reached += 1
        return answer


def write_dated(run: Run, path: Path, text: str) -> None:
    if text != path.read_text(encoding="utf-8"):
        today = datetime.now(UTC).date().isoformat()
        path.write_text(re.sub(r"^collected = \S+", f"collected = {today}", text, count=1, flags=re.MULTILINE), "utf-8")


def read_json(host: Host, url: str) -> Any:
    body = host.fetcher().get(url, accept="application/json").body
    try:
        return json.loads(body)
    except ValueError as error:
        raise Unreachable(plain(f"{url} answered with a page")) from error


def plain(text: str) -> Message:
    return Message("{text}", {"text": text})
