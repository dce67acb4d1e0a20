"""The Journal: one line a fact, each with its checksum, so that a torn tail is seen and ignored."""

import json
import zlib
from typing import Any

Receipt = dict[str, Any]
"""What a step wrote down about its own work: strings, numbers, lists and tables only."""


def encode_line(entry: dict[str, Any]) -> bytes:
    """`<crc32 in hex> <json>` and a newline; a line without its newline was torn."""
    body = json.dumps(entry, separators=(",", ":"), sort_keys=True, ensure_ascii=True).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def decode_lines(data: bytes) -> tuple[dict[str, Any], ...]:
    """The entries up to the first line that is torn or damaged; what follows can't be trusted."""
    entries = []
    for line in data.split(b"\n")[:-1]:
        entry = _decode(line)
        if entry is None:
            break
        entries.append(entry)
    return tuple(entries)


def is_journal(data: bytes) -> bool:
    """Whether these bytes begin as a journal of ours does."""
    entry = _decode(data.partition(b"\n")[0])
    return entry is not None and "began" in entry and str(entry.get("schema", "")).startswith("journal/")


def _decode(line: bytes) -> dict[str, Any] | None:
    head, _, body = line.partition(b" ")
    try:
        if int(head, 16) != zlib.crc32(body):
            return None
        entry = json.loads(body)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
