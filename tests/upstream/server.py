"""A loopback HTTP/1.1 server with a log of every request, byte counts, ranges, and faults on demand."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote

from .acts import Act
from .ranges import Span, requested_span

PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked; header names are lower case, `path` is decoded and has no query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def raw_path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        return unquote(self.raw_path)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2]))


@dataclass(frozen=True, slots=True)
class Response:
    """A good answer; a `Path` body is streamed from disk, `ranges` lets a client ask for parts of it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Path = b""
    ranges: bool = False

    @property
    def size(self) -> int:
        return self.body.stat().st_size if isinstance(self.body, Path) else len(self.body)


@dataclass(slots=True)
class Exchange:
    """One request and what became of it; `sent` grows while the body goes out, so a test can watch a transfer."""

    request: Request
    status: int = 0
    sent: int = 0

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers


@dataclass(slots=True)
class _Fault:
    pattern: str
    act: Act
    remaining: int | None
    method: str | None

    def takes(self, request: Request) -> bool:
        wanted = self.method in (None, request.method) and fnmatchcase(request.path, self.pattern)
        return wanted and self.remaining != 0


class Upstream:
    """Serves `answer` on 127.0.0.1 at a free port, from `with` to its end.

    >>> with Upstream(lambda request: Response(body=b"hello")) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, answer: Callable[[Request], Response], *, port: int = 0) -> None:
        self._answer = answer
        self._faults: list[_Fault] = []
        self._log: list[Exchange] = []
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self._listener = _Listener(self, port)
        self.port: int = self._listener.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.hang_up()

    def fault(self, pattern: str, *acts: Act, times: int | None = 1, method: str | None = None) -> None:
        """Queue acts for paths that match the glob `pattern`; each is used up `times` times (None: for ever).

        The queue is in order: a request takes the first act that fits it and still has uses left.
        """
        with self._lock:
            self._faults += [_Fault(pattern, act, times, method) for act in acts]

    def heal(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def forget(self) -> None:
        """Empty the log."""
        with self._lock:
            self._log.clear()

    @property
    def log(self) -> tuple[Exchange, ...]:
        """Every request so far, oldest first."""
        with self._lock:
            return tuple(self._log)

    def asked(self, pattern: str = "*", method: str | None = None) -> tuple[Exchange, ...]:
        """The requests whose path matches a glob."""
        return tuple(x for x in self.log if fnmatchcase(x.path, pattern) and method in (None, x.method))

    def served(self, pattern: str = "*") -> int:
        """Body bytes handed to the network for paths that match a glob."""
        return sum(exchange.sent for exchange in self.asked(pattern))

    def saw(self, secret: str) -> bool:
        """Whether any request carried this text in its target, a header or its body."""
        return any(
            secret in x.request.target or secret in "\n".join(x.headers.values()) or secret.encode() in x.request.body
            for x in self.log
        )

    def begin(self, request: Request) -> tuple[Exchange, Response, Act]:
        """Log a request, form its good answer, and pick the act that goes with it."""
        exchange = Exchange(request)
        with self._lock:
            self._log.append(exchange)
            act = self._take_act(request)
        response = _acted(self._answer(request), act)
        if act.then:
            act.then()
        return exchange, response, act

    def _take_act(self, request: Request) -> Act:
        fault = next((fault for fault in self._faults if fault.takes(request)), None)
        if fault is None:
            return Act()
        if fault.remaining is not None:
            fault.remaining -= 1
        return fault.act


def _acted(response: Response, act: Act) -> Response:
    dropped = {name.lower() for name in act.without}
    headers = {name: value for name, value in response.headers.items() if name.lower() not in dropped}
    return Response(
        status=act.status or response.status,
        headers={**headers, **act.headers},
        body=response.body if act.body is None else act.body,
        ranges=response.ranges and act.body is None and not act.ignore_range and not act.gzip,
    )


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, upstream: Upstream, port: int) -> None:
        self.upstream = upstream
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        self._open.add(request)
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the kept-alive connections too: a stopped server must not go on answering through them."""
        for connection in tuple(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away (killed by a test) is no news; anything else is a bug worth its traceback."""
        import sys

        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
