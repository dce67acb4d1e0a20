"""The bytes behind an answer, whole or in part, after the acts that change them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .acts import Act


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """In bytes."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Entity:
    """A body of `size` bytes in which byte number `flip`, if any, is inverted."""

    body: bytes | Path
    size: int
    flip: int | None = None

    def pieces(self, span: Span, most: int) -> Iterator[bytes]:
        """The bytes of a span in pieces of at most `most` bytes, a file's never all at once in memory."""
        for start in range(span.start, span.stop, most):
            yield self._spoiled(self._read(start, min(start + most, span.stop)), start)

    def _read(self, start: int, stop: int) -> bytes:
        if isinstance(self.body, bytes):
            return self.body[start:stop]
        with self.body.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    def _spoiled(self, piece: bytes, start: int) -> bytes:
        if self.flip is None or not start <= self.flip < start + len(piece):
            return piece
        at = self.flip - start
        return piece[:at] + bytes([piece[at] ^ 0xFF]) + piece[at + 1 :]


def entity(body: bytes | Path, act: Act) -> Entity:
    """The body as `act` leaves it."""
    if act.gzip:
        body = gzip.compress(body.read_bytes() if isinstance(body, Path) else body, mtime=0)
    size = body.stat().st_size if isinstance(body, Path) else len(body)
    return Entity(body, size if act.truncate is None else min(size, act.truncate), act.flip)


def requested_span(headers: Mapping[str, str], size: int, etag: str | None) -> Span | Literal["whole", "impossible"]:
    """The one range that a request asks for; `whole` too where If-Range names another or a weak version."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("range", ""))
    if match is None or not any(match.groups()):
        return "whole"
    if headers.get("if-range", etag) != etag or (etag or "").startswith("W/"):
        return "whole"
    first, last = match.groups()
    if not first:
        return Span(max(0, size - int(last)), size) if int(last) and size else "impossible"
    if int(first) >= size or (last and int(last) < int(first)):
        return "impossible"
    return Span(int(first), min(size, int(last) + 1) if last else size)
