"""The one door to HTTP: system certificates, proxies, bounded answers, and errors in words."""

import hashlib
import socket
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import requests
import truststore
from requests.adapters import HTTPAdapter
from requests.utils import should_bypass_proxies

from setup_llm_dev.errors import Unreachable, UsageError
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.configuration import without_credentials
from setup_llm_dev.host.files import Files
from setup_llm_dev.messages import Message, message

PAGE_LIMIT = 64 << 20
_TRIES = 2
_RETRIED = {408, 429, 500, 502, 503, 504}


class Fetcher:
    """Small documents over HTTP. Large files come through huggingface_hub and uv for now."""

    def __init__(self, environment: Mapping[str, str], cancel: Cancel, files: Files) -> None:
        self._environment = environment
        self._cancel = cancel
        self._files = files
        self._session = _Session(environment)
        self._session.mount("https://", _SystemCertificates(environment))
        self._session.headers["User-Agent"] = "setup-llm-dev"
        self._session.max_redirects = 10

    def get(
        self, url: str, *, accept: str = "*/*", timeout: float = 10.0, tries: int = _TRIES, limit: int = PAGE_LIMIT
    ) -> "Answer":
        """The whole body, at most `limit` bytes. Raises Unreachable (4) after `tries`, naming URL and cause."""
        failure: Unreachable | None = None
        for attempt in range(tries):
            if attempt and self._cancel.wait(0.5 * 2**attempt):
                self._cancel.raise_if_set()
            try:
                return self._once(url, accept, timeout, limit)
            except _Again as again:
                failure = again.error
        assert failure is not None  # noqa: S101 - tries is at least one
        raise _counted(failure, tries)

    def sha256(self, url: str, timeout: float = 30.0) -> str:
        """Hex digest of the bytes at `url`, which are not kept. Raises Unreachable (4)."""
        shown = without_credentials(url)
        digest, size = hashlib.sha256(), 0
        try:
            with self._session.get(
                url, headers={"Accept-Encoding": "identity"}, timeout=timeout, stream=True
            ) as answer:
                if not answer.ok:
                    raise _refused_by(answer.status_code, shown)
                for part in answer.iter_content(1 << 20):
                    self._cancel.raise_if_set()
                    digest.update(part)
                    size += len(part)
        except requests.RequestException as error:
            raise in_words(error, shown) from error
        expected = answer.headers.get("Content-Length", "")
        if expected.isdigit() and size != int(expected):
            raise Unreachable(message("the answer of {url} was cut off", url=shown), url=shown)
        return digest.hexdigest()

    def size(self, url: str, timeout: float = 5.0) -> int | None:
        """Content-Length by HEAD, None where it is not told."""
        try:
            answer = self._session.head(url, timeout=timeout, allow_redirects=True)
        except requests.RequestException:
            return None
        length = answer.headers.get("Content-Length", "")
        return int(length) if answer.ok and length.isdigit() else None

    def sizes(self, urls: tuple[str, ...]) -> tuple[int | None, ...]:
        """`size` of many, eight at a time."""
        with ThreadPoolExecutor(8) as pool:
            return tuple(pool.map(self.size, urls))

    def _once(self, url: str, accept: str, timeout: float, limit: int) -> "Answer":
        shown = without_credentials(url)
        try:
            with self._session.get(
                url,
                headers={"Accept": accept, "Accept-Encoding": "identity"},
                timeout=(timeout, timeout),
                stream=True,
            ) as answer:
                if answer.status_code in _RETRIED:
                    raise _Again(_refused_by(answer.status_code, shown))
                if not answer.ok:
                    raise _refused_by(answer.status_code, shown)
                return Answer(_body(answer, shown, limit), answer.headers.get("Content-Type", ""), answer.url)
        except requests.RequestException as error:
            raise _Again(in_words(error, shown)) from error


class Answer:
    """A body with its media type and the URL it finally came from."""

    def __init__(self, body: bytes, media_type: str, url: str) -> None:
        self.body = body
        self.media_type = media_type
        self.url = url


class _Again(Exception):
    def __init__(self, error: Unreachable) -> None:
        super().__init__(str(error))
        self.error = error


class _Session(requests.Session):
    """Proxies and certificate files of the environment that we were given, chosen anew for each request and redirect.

    `trust_env` stays on for .netrc alone; what else it would read from this process's environment is answered here.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self.trust_env = True
        self._environment = environment

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        del proxies, verify
        bundle = self._environment.get("REQUESTS_CA_BUNDLE") or self._environment.get("CURL_CA_BUNDLE")
        proxies = _proxies(str(url), self._environment)
        return {"proxies": proxies, "stream": bool(stream), "verify": bundle or True, "cert": cert}

    def rebuild_proxies(self, prepared_request: requests.PreparedRequest, proxies: Any) -> dict[str, str]:
        """A redirect may lead to a host that the proxy is not for, or the other way round."""
        del proxies
        prepared_request.headers.pop("Proxy-Authorization", None)  # the adapter sets it for the proxy that is used
        return _proxies(prepared_request.url or "", self._environment)


class _SystemCertificates(HTTPAdapter):
    """Certificates of the system's own store, where a company puts its own authority."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        kwargs["ssl_context"] = self._context()
        super().init_poolmanager(*args, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["ssl_context"] = self._context()
        return super().proxy_manager_for(*args, **kwargs)

    def _context(self) -> ssl.SSLContext:
        """With the file that SSL_CERT_FILE names, and the user's own certificate where a company asks for one."""
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if cert := self._environment.get("SSL_CERT_FILE"):
                context.load_verify_locations(cafile=cert)
            if client := self._environment.get("SSL_CLIENT_CERT"):
                context.load_cert_chain(client)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                message("the certificate file can't be used: {why}", why=str(error)),
                hint=message("check SSL_CERT_FILE and `cert` in pip's configuration"),
            ) from error
        return context


# requests sets NO_PROXY in this process's environment and resets it: two threads at once would leave it changed.
_ASKING_NO_PROXY = threading.Lock()


def _proxies(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """By scheme, from the environment that we were given, which may hold pip's proxy; none for hosts of NO_PROXY."""
    with _ASKING_NO_PROXY:
        if should_bypass_proxies(url, environment.get("no_proxy") or environment.get("NO_PROXY") or ""):
            return {}
    found: dict[str, str] = {}
    for scheme in ("http", "https"):
        for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"):
            if environment.get(name):
                found.setdefault(scheme, environment[name])
    return found


def in_words(error: BaseException, url: str) -> Unreachable:
    """Which of name, connection, certificate, proxy or time it was, and what to set."""
    host = _host(url)
    if isinstance(error, requests.exceptions.ProxyError):
        return Unreachable(
            message("the proxy did not let us reach {host} ({url})", host=host, url=url),
            url=url,
            hint=message("check HTTPS_PROXY and NO_PROXY"),
        )
    if isinstance(error, requests.exceptions.SSLError):
        return untrusted(url)
    if isinstance(error, requests.exceptions.Timeout):
        why = message("{host} did not answer in time ({url})", host=host, url=url)
    elif _is_name_error(error):
        why = message("the name {host} can't be resolved ({url})", host=host, url=url)
    else:
        why = message("no connection to {host} ({url})", host=host, url=url)
    return Unreachable(why, url=url, hint=hint_for(url))


def untrusted(url: str) -> Unreachable:
    """The other side has a certificate that neither the system nor SSL_CERT_FILE vouches for."""
    return Unreachable(
        message("the certificate of {host} is not trusted here ({url})", host=_host(url), url=url),
        url=url,
        hint=message(
            "behind a company proxy set SSL_CERT_FILE to its certificate; also check the clock of this machine"
        ),
    )


def _counted(error: Unreachable, tries: int) -> Unreachable:
    if tries == 1:
        return error
    text = message("{what}; tried {times} times", what=error.message, times=tries)
    return Unreachable(text, url=error.url, status=error.status, hint=error.hint)


def hint_for(url: str) -> Message:
    """What to set when a host can't be reached from here."""
    host = _host(url)
    if host.endswith("huggingface.co"):
        return message("check the network, or set HF_ENDPOINT to a mirror of the hub")
    if host.endswith("pytorch.org"):
        return message("check the network, or set SETUP_LLM_DEV_MIRRORS_TORCH to a mirror of the PyTorch index")
    return message("check the network, or set HTTPS_PROXY")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def _is_name_error(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, socket.gaierror) or "NameResolution" in repr(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _refused_by(status: int, url: str) -> Unreachable:
    return Unreachable(
        message("{url} answered {status}", url=url, status=status), url=url, status=status, hint=hint_for(url)
    )


def _body(answer: requests.Response, url: str, limit: int) -> bytes:
    parts, size = [], 0
    expected = answer.headers.get("Content-Length", "")
    for part in answer.iter_content(1 << 16):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise Unreachable(message("{url} sends more than we accept for a page", url=url), url=url)
    if expected.isdigit() and "Content-Encoding" not in answer.headers and size != int(expected):
        raise _Again(Unreachable(message("the answer of {url} was cut off", url=url), url=url))
    return b"".join(parts)
