"""The proof that a smoke fine-tune passed: what it measured, when, and on what it rests."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

from setup_llm_dev.host.world import Host

Grounds = tuple[PurePath, ...]
"""Files that are written whenever what a proof rests on is made anew: their times are when that was."""


def proof_name(*parts: str) -> str:
    """The file name under which a proof is kept: everything that could change the outcome is in it."""
    return sha256("\n".join(parts).encode()).hexdigest()[:24] + ".json"


def read_proof(host: Host, path: PurePath) -> dict[str, Any] | None:
    """A proof that passed, or None."""
    text = host.files.read_text(path)
    try:
        proof = json.loads(text) if text else None
    except ValueError:
        return None
    return proof if isinstance(proof, dict) and proof.get("verdict") == "pass" else None


def write_proof(host: Host, path: PurePath, result: Mapping[str, Any], made: Mapping[str, int | None]) -> None:
    """`result` is the program's answer; `made` is what `when_made` said before the fine-tune began."""
    proof = {**result, "proved": host.now().isoformat(timespec="seconds"), "rests_on": dict(made)}
    host.files.write(path, json.dumps(proof, indent=1).encode())


def when_made(grounds: Grounds) -> dict[str, int | None]:
    """The time of each file in nanoseconds, which a copy of the folder keeps; None where there is none."""
    return {str(file): _time(file) for file in grounds}


def holds(proof: Mapping[str, Any], grounds: Grounds) -> bool:
    """Whether what a proof rests on is still what the fine-tune ran on, and not only like it."""
    return bool(proof.get("rests_on") == when_made(grounds))


def _time(file: PurePath) -> int | None:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return None
