"""Connections that can be ended by another thread, even while ours waits for the first byte of an answer."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Wire:
    """The socket that a thread is using at the moment; `cut` ends it from elsewhere."""

    def __init__(self) -> None:
        self._socket: Any = None
        self._is_cut = False
        self._lock = threading.Lock()

    def use(self, found: Any) -> None:
        """The socket of the connection that this request got."""
        with self._lock:
            self._socket = found
            if self._is_cut:
                self._shut()

    def let_go(self) -> None:
        """The request is over: its connection may serve another one from now on, and is not ours to end."""
        with self._lock:
            self._socket = None

    def cut(self) -> None:
        """Whoever waits for this socket wakes up and finds the end of the stream."""
        with self._lock:
            self._is_cut = True
            self._shut()

    def _shut(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # gone already, or TLS within TLS
            if isinstance(self._socket, socket.socket):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            elif self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)


_using = threading.local()


@contextlib.contextmanager
def using(wire: Wire) -> Iterator[None]:
    """While it lasts, connections that this thread uses are known to `wire`."""
    _using.wire = wire
    try:
        yield
    finally:
        _using.wire = None


def _tell(connection: Any) -> None:
    wire = getattr(_using, "wire", None)
    if wire is not None and connection.sock is not None:
        wire.use(connection.sock)


class _Http(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _tell(self)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        _tell(self)  # a connection that was kept
        super().putrequest(*args, **kwargs)


class _Https(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _tell(self)

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        _tell(self)
        super().putrequest(*args, **kwargs)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


POOLS: dict[str, Any] = {"http": _HttpPool, "https": _HttpsPool}
