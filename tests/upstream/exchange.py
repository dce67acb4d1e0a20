"""What goes over the wire: a request, the good answer to it, and the record of what became of the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked; header names are lower case, `target` is as sent."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def raw_path(self) -> str:
        """The path with its percent signs: only here is a `/` always a separator."""
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        """The path as people write it."""
        return unquote(self.raw_path)

    @property
    def query(self) -> dict[str, str]:
        """The query's fields; of several values of one field the last."""
        return dict(parse_qsl(self.target.partition("?")[2]))


@dataclass(frozen=True, slots=True)
class Response:
    """A good answer; a `Path` as body is streamed from disk, `ranges` lets a client ask for a part of it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Path = b""
    ranges: bool = False


@dataclass(slots=True)
class Exchange:
    """One request and what became of it; `sent` (body bytes) grows while it goes out, so a test can watch."""

    request: Request
    status: int = 0
    sent: int = 0

    @property
    def method(self) -> str:
        """Of the request, as are `path` and `headers`."""
        return self.request.method

    @property
    def path(self) -> str:
        """Decoded, without the query."""
        return self.request.path

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        return self.request.headers

    def carries(self, secret: str) -> bool:
        """Whether the request had this text in its target, a header or its body."""
        request = self.request
        return any(secret in text for text in (request.target, *request.headers.values())) or (
            secret.encode() in request.body
        )
