"""A loopback HTTP/1.1 server with a log of every request, byte counts, ranges, and faults on demand."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from .acts import Act
from .exchange import Exchange, Request, Response
from .transport import Listener


@dataclass(slots=True)
class _Fault:
    pattern: str
    act: Act
    remaining: int | None
    method: str | None

    def fits(self, request: Request) -> bool:
        asked = self.method in (None, request.method) and fnmatchcase(request.path, self.pattern)
        return asked and self.remaining != 0


class Upstream:
    """Serves `answer` on 127.0.0.1, at a free port unless told, from `with` to its end.

    >>> with Upstream(lambda request: Response(body=b"hello")) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, answer: Callable[[Request], Response], *, port: int = 0) -> None:
        self._answer = answer
        self._faults: list[_Fault] = []
        self._log: list[Exchange] = []
        self._lock = threading.Lock()
        self._listener = Listener(self._begin, port)
        self.port: int = self._listener.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.stop()

    def fault(self, pattern: str, *acts: Act, times: int | None = 1, method: str | None = None) -> None:
        """Queue acts for the paths that match the glob `pattern`, each for `times` requests (None: for ever).

        A request takes the first queued act that fits it and is not used up. Patterns see decoded paths.
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
        """The exchanges whose path matches a glob."""
        return tuple(x for x in self.log if method in (None, x.method) and fnmatchcase(x.path, pattern))

    def served(self, pattern: str = "*") -> int:
        """Body bytes handed to the network for the paths that match a glob."""
        return sum(exchange.sent for exchange in self.asked(pattern))

    def saw(self, secret: str) -> bool:
        """Whether any request carried this text."""
        return any(exchange.carries(secret) for exchange in self.log)

    def _begin(self, request: Request) -> tuple[Exchange, Response, Act]:
        exchange = Exchange(request)
        with self._lock:
            self._log.append(exchange)
            act = self._take_act(request)
        response = _acted(self._answer(request), act)
        if act.then is not None:
            act.then()
        return exchange, response, act

    def _take_act(self, request: Request) -> Act:
        fault = next((fault for fault in self._faults if fault.fits(request)), None)
        if fault is None:
            return Act()
        if fault.remaining is not None:
            fault.remaining -= 1
        return fault.act


def _acted(response: Response, act: Act) -> Response:
    dropped = {name.lower() for name in (*act.without, *act.headers)}
    kept = {name: value for name, value in response.headers.items() if name.lower() not in dropped}
    plain = act.body is not None or act.ignore_range or act.gzip
    return replace(
        response,
        status=act.status or response.status,
        headers={**kept, **act.headers},
        body=response.body if act.body is None else act.body,
        ranges=response.ranges and not plain,
    )


def not_found(reason: str = "Not Found") -> Response:
    """A plain 404."""
    return Response(404, {"Content-Type": "text/plain"}, reason.encode())


def files(contents: Mapping[str, bytes | Path] | Path) -> Callable[[Request], Response]:
    """An answer that serves, with ranges, a folder or a mapping of paths (`/a.bin`) to contents."""

    def answer(request: Request) -> Response:
        body = _below(contents, request.path) if isinstance(contents, Path) else contents.get(request.path)
        if body is None:
            return not_found()
        return Response(headers={"Content-Type": "application/octet-stream"}, body=body, ranges=True)

    return answer


def _below(folder: Path, path: str) -> Path | None:
    file = (folder / path.lstrip("/")).resolve()
    return file if file.is_file() and file.is_relative_to(folder.resolve()) else None


class _Standing(Protocol):
    @property
    def port(self) -> int: ...

    @property
    def url(self) -> str: ...


def stand(server: AbstractContextManager[_Standing], port_file: Path | None) -> None:
    """Run a server until SIGINT or SIGTERM; `port_file` holds the port as soon as it answers."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with server as running:
        print(running.url, flush=True)
        if port_file is not None:
            _write_whole(port_file, f"{running.port}\n")
        stop.wait()


def _write_whole(file: Path, text: str) -> None:
    """A reader who waits for the file never sees half of it."""
    partial = file.with_name(file.name + ".part")
    partial.write_text(text)
    partial.replace(file)
