"""The wire side of a loopback server: sockets, headers, lengths, and connections that go wrong."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .acts import Act
from .entity import Entity, Span, entity, requested_span
from .exchange import Exchange, Request, Response

PIECE = 64 * 1024
Begin = Callable[[Request], tuple[Exchange, Response, Act]]


class Listener(ThreadingHTTPServer):
    """Accepts connections on 127.0.0.1, one thread each; `begin` logs a request and says how to answer it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, begin: Begin, port: int) -> None:
        self.begin = begin
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then serve it in its thread."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection, then end it."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """End everything, kept-alive connections too: a stopped server must not answer through them."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in tuple(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away (tests kill theirs); anything else is a bug and is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: with Nagle each answer takes 40 ms more
    server: Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr: the log is the server's `log`."""

    def _serve(self) -> None:
        exchange, response, act = self.server.begin(self._request())
        self.server.stopping.wait(act.delay)
        if act.raw is not None:
            self._send_raw(act.raw, act.endless)
            return
        content = entity(response.body, act)
        span, status, headers = self._part(exchange.request, response, content, act)
        exchange.status = status
        if act.content_range is not None and status == 206:
            headers["Content-Range"] = act.content_range
        self._send_head(status, headers, span, act)
        if exchange.method != "HEAD":
            self._send_body(content, span, act, exchange)

    do_GET = do_HEAD = do_POST = _serve  # noqa: N815  the names that http.server looks up

    def _request(self) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return Request(self.command, self.path, headers, body)

    def _part(
        self, request: Request, response: Response, content: Entity, act: Act
    ) -> tuple[Span, int, dict[str, str]]:
        """The span to send with its status and headers."""
        headers = dict(response.headers)
        if not response.ranges or response.status != 200:
            return Span(0, content.size), response.status, headers
        headers["Accept-Ranges"] = "bytes"
        wanted = requested_span(request.headers, content.size, headers.get("ETag"))
        if wanted == "whole":
            return Span(0, content.size), 200, headers
        if wanted == "impossible":
            return Span(0, 0), 416, headers | {"Content-Range": f"bytes */{content.size}"}
        span = Span(min(wanted.start + act.shift, wanted.stop), wanted.stop)
        return span, 206, headers | {"Content-Range": f"bytes {span.start}-{span.stop - 1}/{content.size}"}

    def _send_head(self, status: int, headers: dict[str, str], span: Span, act: Act) -> None:
        self.send_response(status)
        if act.gzip:
            headers["Content-Encoding"] = "gzip"
        if act.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(span.size if act.announce is None else act.announce)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _send_body(self, content: Entity, span: Span, act: Act, exchange: Exchange) -> None:
        stop = span.stop if act.cut_after is None else min(span.stop, span.start + act.cut_after)
        pause = stop if act.stall_after is None else min(stop, span.start + act.stall_after)
        self._send_span(content, Span(span.start, pause), act, exchange)
        if act.stall_after is not None and self.server.stopping.wait(act.stall_seconds):
            self.close_connection = True
            return
        self._send_span(content, Span(pause, stop), act, exchange)
        if stop < span.stop:
            self._hang_up(reset=act.reset)
        elif act.chunked:
            self.wfile.write(b"0\r\n\r\n")
        elif act.announce is not None:
            self.close_connection = True

    def _send_span(self, content: Entity, span: Span, act: Act, exchange: Exchange) -> None:
        most = PIECE if act.rate is None else max(1, min(PIECE, int(act.rate / 20)))
        for piece in content.pieces(span, most):
            exchange.sent += len(piece)  # before the write: whoever has the bytes finds them counted
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if act.chunked else piece)
            if act.rate is not None and self.server.stopping.wait(len(piece) / act.rate):
                self.close_connection = True
                return

    def _send_raw(self, first: bytes, endless: bytes | None) -> None:
        self.close_connection = True
        self.wfile.write(first)
        while endless and not self.server.stopping.wait(0.0005):
            self.wfile.write(endless)

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # zero linger makes close() send RST; detached, because the orderly shutdown would send FIN first
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
