"""Asking a source for bytes: redirects followed by hand, every answer judged before a byte of it is believed."""

import http.client
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from setup_llm_dev.documents.transfer import Limits, Source
from setup_llm_dev.errors import Corrupt, SetupError, Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.web.answer_headers import header_text, number, retry_after, strong_validator
from setup_llm_dev.host.web.http_session import Session, in_words, refused_by, refused_by_proxy
from setup_llm_dev.host.web.no_answer import login_page, ring, too_long
from setup_llm_dev.host.web.redirects import is_loopback, next_address, origin_of
from setup_llm_dev.host.web.sockets import Wire, using
from setup_llm_dev.messages import message

_PASSING = {408, 425, 429, 500, 502, 503, 504}
_REDIRECTS = {301, 302, 303, 307, 308}
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class Failed(Exception):
    """A source did not serve us: `again` if another try may help, after `wait` seconds if the server said so."""

    def __init__(self, error: SetupError, *, again: bool, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.again = again
        self.wait = wait


class NoRanges(Exception):
    """An answer to a question for a part that can't be used: this source is to be asked for the whole file."""


class Expired(Exception):
    """An address that a redirect gave us is no longer good; the first address may give a new one."""


class Cut(Exception):
    """A body ended with an error before its end."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` up to `stop`; `stop` None: the whole file, `start` is 0 then."""

    start: int = 0
    stop: int | None = None


@dataclass(slots=True)
class Body:
    """The bytes of one answer from `start` on: a part of the file, or from 0 the whole of it.

    length: bytes of this answer; total: size of the whole file, both as the source tells them.
    """

    _stream: Any
    address: str
    validator: str | None = None
    start: int = 0
    length: int | None = None
    total: int | None = None
    is_part: bool = False

    def readinto(self, view: memoryview) -> int:
        """Fill `view` from the network; less only at the end. Raises Cut."""
        try:
            return int(self._stream.readinto(view))
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            raise Cut(str(error)) from error  # a stream that another thread closed has no attributes any more

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else end it."""
        self._stream.close()


class _Stream:
    """What http.client reads, without what urllib3 adds: each byte is copied once, and nothing is decoded."""

    def __init__(self, answer: requests.Response) -> None:
        self._answer = answer
        raw = answer.raw
        self._http = getattr(raw, "_fp", None)
        self.readinto = self._http.readinto if isinstance(self._http, http.client.HTTPResponse) else self._copied

    def _copied(self, view: memoryview) -> int:
        data = self._answer.raw.read(len(view), decode_content=False)
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if isinstance(self._http, http.client.HTTPResponse) and self._http.isclosed():
            self._answer.raw.release_conn()
        else:
            self._answer.close()


class Asker:
    """Asks sources over one session; threads may share it."""

    def __init__(self, session: Session, limits: Limits) -> None:
        self._session = session
        self._limits = limits

    def ask(self, source: Source, address: str | None, span: Span, validator: str | None, wire: Wire) -> Body:
        """Open a part (or all) of a file. `address` is where an earlier redirect led.

        A body may start at 0 though a later part was asked for: then the source sends the whole file.
        Raises Failed, NoRanges, Expired.
        """
        if urlsplit(source.url).scheme == "file":
            return _local(source, span)
        answer = self._follow(source, address or source.url, _headers(span, validator), wire)
        try:
            body = self._judged(source, answer, span)
        except BaseException:
            answer.close()
            raise
        return body

    def _follow(self, source: Source, address: str, headers: Mapping[str, str], wire: Wire) -> requests.Response:
        chain = [address]
        while True:
            answer = self._once(source, address, headers, wire)
            if answer.status_code not in _REDIRECTS or "Location" not in answer.headers:
                return answer
            answer.close()
            try:
                address = next_address(address, header_text(answer.headers["Location"]))
            except Corrupt as refused:
                raise Failed(refused, again=False) from refused
            chain.append(address)
            if len(chain) > self._limits.redirects:
                raise Failed(ring(chain), again=False)

    def _once(self, source: Source, address: str, headers: Mapping[str, str], wire: Wire) -> requests.Response:
        limits = self._limits
        try:
            with using(wire):
                return self._session.get(
                    address,
                    headers=dict(headers),
                    auth=_credentials(source, address),
                    timeout=(limits.connect_seconds, limits.idle_seconds + 1),
                    stream=True,
                    allow_redirects=False,
                )
        except (requests.RequestException, http.client.HTTPException, OSError, ValueError) as error:
            shown = without_credentials(address)
            words = in_words(error, shown, self._session.environment)
            lasting = isinstance(error, requests.exceptions.SSLError | requests.exceptions.InvalidSchema)
            raise Failed(words, again=not lasting) from error

    def _judged(self, source: Source, answer: requests.Response, span: Span) -> Body:
        status, address = answer.status_code, answer.url
        if status == 416 and span.stop is not None:
            raise NoRanges
        if status not in (200, 206) or (status == 206 and span.stop is None):
            raise self._refusal(source, answer)
        if _is_page(answer, source.url):
            raise Failed(login_page(without_credentials(address)), again=False)
        encoded = answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity")
        length = number(answer.headers.get("Content-Length", ""))
        validator = None if encoded else strong_validator(answer.headers)
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
        if status == 200 and not _is_part(match, span, length):
            return Body(_Stream(answer), address, validator, 0, length, None if encoded else length)
        if match is None or encoded or int(match[1]) != span.start or int(match[2]) < span.start:
            raise NoRanges
        if span.stop is not None and int(match[2]) >= span.stop:
            raise NoRanges
        total = None if match[3] == "*" else int(match[3])
        return Body(_Stream(answer), address, validator, span.start, int(match[2]) + 1 - span.start, total, True)

    def _refusal(self, source: Source, answer: requests.Response) -> Exception:
        status, address = answer.status_code, answer.url
        shown = without_credentials(address)
        if status == 407:
            return Failed(refused_by_proxy(shown, self._session.environment, status), again=False)
        if status in (401, 403, 404, 410) and address.partition("?")[0] != source.url.partition("?")[0]:
            return Expired(Failed(refused_by(status, shown), again=False))
        wait = retry_after(answer.headers)
        if wait is not None and wait > self._limits.retry_after_seconds:
            return Failed(too_long(shown, status, wait), again=False)
        return Failed(refused_by(status, shown), again=status in _PASSING, wait=wait)


def _is_part(told: re.Match[str] | None, span: Span, length: int | None) -> bool:
    """Whether an answer of status 200 is no more than the part that was asked for: so does ModelScope (measured)."""
    if told is None or span.stop is None or int(told[1]) != span.start or int(told[2]) >= span.stop:
        return False
    return length == int(told[2]) + 1 - span.start


def _headers(span: Span, validator: str | None) -> dict[str, str]:
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    if span.stop is not None:
        headers["Range"] = f"bytes={span.start}-{span.stop - 1}"
        if validator is not None:
            headers["If-Range"] = validator
    return headers


class _Bearer(AuthBase):
    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _credentials(source: Source, address: str) -> AuthBase | None:
    """For the origin of the source alone; None lets requests look into .netrc, which no other origin may."""
    try:
        own, here = origin_of(source.url), origin_of(address)
    except ValueError:
        return None  # no address at all: requests says so
    if own != here:
        return _Bearer(None)
    if source.token is not None:
        safe = here[0] == "https" or is_loopback(here[1])
        return _Bearer(source.token if safe else None)
    parts = urlsplit(source.url)
    if parts.username is not None and address != source.url:
        return HTTPBasicAuth(unquote(parts.username), unquote(parts.password or ""))
    return None


def _local(source: Source, span: Span) -> Body:
    path = Path(url2pathname(urlsplit(source.url).path))
    try:
        stream = io.FileIO(path, "rb")
    except OSError as error:
        raise Failed(
            Unreachable(message("{file} can't be read: {why}", file=str(path), why=error.strerror or str(error))),
            again=False,
        ) from error
    size = stream.seek(0, io.SEEK_END)
    stream.seek(span.start)
    stop = size if span.stop is None else min(size, span.stop)
    length = max(0, stop - span.start)
    return Body(_Limited(stream, length), source.url, None, span.start, length, size, span.stop is not None)


class _Limited:
    """A local file up to a place, like a body that ends there."""

    def __init__(self, stream: io.FileIO, left: int) -> None:
        self._stream, self._left = stream, left

    def readinto(self, view: memoryview) -> int:
        count = self._stream.readinto(view[: self._left]) or 0
        self._left -= count
        return count

    def close(self) -> None:
        self._stream.close()


def _is_page(answer: requests.Response, url: str) -> bool:
    """Whether a web page came where nobody asked for one."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    wanted = urlsplit(url).path.lower().endswith((".html", ".htm", ".xhtml"))
    return kind in ("text/html", "application/xhtml+xml") and not wanted
