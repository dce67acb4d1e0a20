"""A loopback proxy: forwards plain requests, opens tunnels with CONNECT, and fails on demand."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_PIECE = 64 * 1024


class Proxy:
    """Listens on 127.0.0.1 from `with` to its end.

    login: `user:password` that it asks for (407 without). refuse: a status that it answers to everything.
    cut_after: bytes after which a connection dies, for the next `cuts` requests. `asked` holds what it was asked for.
    """

    def __init__(
        self, *, login: str | None = None, refuse: int | None = None, cut_after: int | None = None, cuts: int = 1
    ) -> None:
        self.login = login
        self.refuse = refuse
        self.cut_after = cut_after
        self.cuts = cuts
        self.asked: list[str] = []
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in tuple(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections end in every way here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""

    def do_CONNECT(self) -> None:
        """Open a tunnel."""
        if self._may_pass():
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port)), 10) as other:
                self.send_response(200)
                self.end_headers()
                self._pump(other, self._limit())
            self.close_connection = True

    def do_GET(self) -> None:
        """Ask for the client, whose target is a whole address."""
        if not self._may_pass():
            return
        parts = urlsplit(self.path)
        upstream = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=10)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        with contextlib.closing(upstream):
            upstream.request("GET", target, headers=headers)
            answer = upstream.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self._copy(answer, self._limit())

    def _may_pass(self) -> bool:
        proxy = self.server.proxy
        proxy.asked.append(f"{self.command} {self.path}")
        status = proxy.refuse
        if status is None and proxy.login is not None:
            expected = "Basic " + base64.b64encode(proxy.login.encode()).decode()
            status = None if self.headers.get("Proxy-Authorization") == expected else 407
        if status is not None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return status is None

    def _limit(self) -> int | None:
        proxy = self.server.proxy
        if proxy.cut_after is None or proxy.cuts <= 0:
            return None
        proxy.cuts -= 1
        return proxy.cut_after

    def _copy(self, answer: http.client.HTTPResponse, limit: int | None) -> None:
        left = limit
        while piece := answer.read(_PIECE if left is None else min(_PIECE, left)):
            self.wfile.write(piece)
            left = None if left is None else left - len(piece)
            if left == 0:
                self.close_connection = True
                return

    def _pump(self, other: socket.socket, limit: int | None) -> None:
        ends = {self.connection: other, other: self.connection}
        left = limit
        while True:
            for one in select.select(list(ends), [], [], 10)[0]:
                piece = one.recv(_PIECE)
                if not piece or (left is not None and left <= 0):
                    return
                ends[one].sendall(piece)
                if left is not None and one is other:
                    left -= len(piece)
