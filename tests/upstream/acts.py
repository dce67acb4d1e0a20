"""Acts: what a server does instead of answering well, as values that a test hands to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LOGIN_PAGE = b"<!doctype html><html><title>Sign in</title><body><form>Welcome, guest</form></body></html>"


@dataclass(frozen=True, slots=True)
class Act:
    """One deviation from the good answer; the default deviates in nothing.

    Positions (`flip`, `truncate`) count in the whole file, so a client that fetches ranges meets them too.
    Amounts (`cut_after`, `stall_after`) count body bytes of this one answer. Times are seconds.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    body: bytes | None = None
    delay: float = 0.0
    rate: float | None = None
    cut_after: int | None = None
    reset: bool = False
    stall_after: int | None = None
    stall_seconds: float = 3600.0
    flip: int | None = None
    truncate: int | None = None
    announce: int | None = None
    ignore_range: bool = False
    shift: int = 0
    gzip: bool = False
    chunked: bool = False
    then: Callable[[], None] | None = None
    content_range: str | None = None
    raw: bytes | None = None
    endless: bytes | None = None


def status(code: int, **headers: str) -> Act:
    """Answer with this status and an empty body; `retry_after="2"` becomes the header Retry-After."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return Act(status=code, body=b"", headers=named)


def cut(after: int, *, reset: bool = False) -> Act:
    """Announce the full length, send `after` bytes, then end the connection (FIN, or RST with `reset`)."""
    return Act(cut_after=after, reset=reset)


def stall(after: int, *, seconds: float = 3600.0) -> Act:
    """Send `after` bytes, be silent for `seconds` (or until the server stops), then send the rest."""
    return Act(stall_after=after, stall_seconds=seconds)


def flip(byte: int) -> Act:
    """Invert every bit of byte number `byte` of the file; all lengths stay right."""
    return Act(flip=byte)


def truncate(to: int) -> Act:
    """Serve the file as if it were `to` bytes long, with a length header that agrees."""
    return Act(truncate=to)


def wrong_length(announced: int) -> Act:
    """Serve the whole body under a Content-Length of `announced`, then end the connection."""
    return Act(announce=announced)


def ignore_range() -> Act:
    """Answer 200 with the whole file to a request for a part of it."""
    return Act(ignore_range=True)


def wrong_offset(by: int) -> Act:
    """Answer 206 with a part that starts `by` bytes after the one asked for, and say so in Content-Range."""
    return Act(shift=by)


def slow(bytes_per_second: float) -> Act:
    """Send the body at about this rate."""
    return Act(rate=bytes_per_second)


def late(seconds: float) -> Act:
    """Wait before the first byte of the answer."""
    return Act(delay=seconds)


def redirect(url: str, *, code: int = 302) -> Act:
    """Send the client to another address, whichever origin that is."""
    return Act(status=code, body=b"", headers={"Location": url})


def rate_limited(seconds: int, *, policy: str = "api", quota: int = 500, window: int = 300) -> Act:
    """Answer 429 with the hub's RateLimit headers and a Retry-After of as many seconds."""
    return Act(
        status=429,
        body=b"",
        headers={
            "RateLimit": f'"{policy}";r=0;t={seconds}',
            "RateLimit-Policy": f'"fixed window";"{policy}";q={quota};w={window}',
            "Retry-After": str(seconds),
        },
    )


def login_page() -> Act:
    """Answer 200 with a web page, as the gate of a hotel network does, whatever was asked for."""
    return Act(
        status=200,
        body=LOGIN_PAGE,
        headers={"Content-Type": "text/html; charset=utf-8"},
        without=("ETag", "Location", "X-Repo-Commit", "X-Linked-Etag", "X-Linked-Size", "Accept-Ranges"),
    )


def gzipped() -> Act:
    """Encode the body with gzip although nobody asked, in chunks and without a length."""
    return Act(gzip=True, chunked=True)


def without(*names: str) -> Act:
    """Answer well but for these headers."""
    return Act(without=names)


def then(effect: Callable[[], None]) -> Act:
    """Answer well; `effect` happens between forming the answer and sending it (a branch that moves)."""
    return Act(then=effect)


def content_range(value: str) -> Act:
    """Answer with this Content-Range whatever part is sent; empty: with none at all."""
    return Act(content_range=value)


def multipart() -> Act:
    """Answer 206 as a multipart of one part, as servers do for several ranges."""
    body = b"--x\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-3/4\r\n\r\nabcd\r\n--x--\r\n"
    return Act(status=206, body=body, headers={"Content-Type": "multipart/byteranges; boundary=x"})


def raw(first: bytes, endless: bytes | None = None) -> Act:
    """Send these bytes instead of an answer; then `endless` again and again until the client goes, or hang up."""
    return Act(raw=first, endless=endless)
