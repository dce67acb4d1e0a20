"""The log of a partial file as text: one row for the size, one for each source, one for each piece that is there."""

import contextlib
import json
import re
from dataclasses import dataclass

from setup_llm_dev.host.transfer.pieces import Claim

_CLAIM = re.compile(r"(\d{1,9}) ([0-9a-f]{8}) (\d{1,4})")
_MOST = 1 << 44  # bytes; more than any file that we fetch


@dataclass(frozen=True, slots=True)
class Origin:
    """A source as the log knows it: its address without credentials, and the strong validator of its answer."""

    url: str
    validator: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What a log says: the size if it was known, the sources by number, and the pieces that they brought."""

    size: int | None = None
    origins: tuple[tuple[int, Origin], ...] = ()
    claims: tuple[Claim, ...] = ()


def read_kept(text: str) -> Kept:
    """The log's rows after the first; a torn or foreign row says nothing.

    >>> read_kept('{"size": 9}\\n0 00c0ffee 0\\n1 00c0f').claims
    (Claim(index=0, crc=12648430, source=0),)
    """
    size: int | None = None
    origins: dict[int, Origin] = {}
    claims: dict[int, Claim] = {}
    for row in text.split("\n")[:-1]:
        if match := _CLAIM.fullmatch(row):
            claim = Claim(int(match[1]), int(match[2], 16), int(match[3]))
            claims[claim.index] = claim
            continue
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            told = json.loads(row)
            if "size" in told:
                size = _number(told["size"])
            else:
                validator = told["validator"]
                origin = Origin(str(told["url"]), None if validator is None else str(validator))
                origins[_number(told["source"])] = origin
    return Kept(size, tuple(origins.items()), tuple(claims.values()))


def rows(kept: Kept) -> str:
    """What `read_kept` reads."""
    size = size_row(kept.size) if kept.size is not None else ""
    origins = "".join(origin_row(number, origin) for number, origin in kept.origins)
    return size + origins + "".join(map(claim_row, kept.claims))


def size_row(size: int) -> str:
    """How long the whole file is, in bytes."""
    return json.dumps({"size": size}) + "\n"


def origin_row(number: int, origin: Origin) -> str:
    """Which source has a number."""
    return json.dumps({"source": number, "url": origin.url, "validator": origin.validator}) + "\n"


def claim_row(claim: Claim) -> str:
    """That a piece is there."""
    return f"{claim.index} {claim.crc:08x} {claim.source}\n"


def _number(told: object) -> int:
    if type(told) is not int or not 0 <= told <= _MOST:
        raise ValueError(told)
    return told
