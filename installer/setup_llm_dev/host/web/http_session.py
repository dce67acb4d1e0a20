"""How we speak HTTP: system certificates, the proxies of the environment, and errors in words."""

import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import truststore
from requests.adapters import HTTPAdapter
from requests.utils import should_bypass_proxies

from setup_llm_dev.errors import Corrupt, Unreachable, UsageError
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.web.redirects import next_address
from setup_llm_dev.host.web.sockets import POOLS
from setup_llm_dev.messages import Message, message


class Session(requests.Session):
    """Proxies and certificate files of the environment that we were given, chosen anew for each request and redirect.

    `trust_env` stays on for .netrc alone; what else it would read from this process's environment is answered here.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self.trust_env = True
        self.environment = environment
        self.headers["User-Agent"] = "setup-llm-dev"
        self.max_redirects = 10
        self.mount("https://", _SystemCertificates(environment))
        self.mount("http://", _Adapter())

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        del proxies, verify
        bundle = self.environment.get("REQUESTS_CA_BUNDLE") or self.environment.get("CURL_CA_BUNDLE")
        proxies = proxies_for(str(url), self.environment)
        return {"proxies": proxies, "stream": bool(stream), "verify": bundle or True, "cert": cert}

    def rebuild_proxies(self, prepared_request: requests.PreparedRequest, proxies: Any) -> dict[str, str]:
        """A redirect may lead to a host that the proxy is not for, or the other way round."""
        del proxies
        prepared_request.headers.pop("Proxy-Authorization", None)  # the adapter sets it for the proxy that is used
        return proxies_for(prepared_request.url or "", self.environment)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """As requests finds it, unless it leads where we don't go: then Unreachable (4)."""
        target = super().get_redirect_target(resp)
        if target is not None:
            try:
                next_address(resp.url, target)
            except Corrupt as refused:
                shown = without_credentials(resp.url)
                raise Unreachable(refused.message, url=shown, hint=refused.hint) from None
        return target


class SessionByHand(Session):
    """For those who follow redirects themselves."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        del resp
        return None


class _Adapter(HTTPAdapter):
    """Connections that another thread can end, see `sockets`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        if manager.pool_classes_by_scheme.keys() == POOLS.keys() and not str(args[0]).startswith("socks"):
            manager.pool_classes_by_scheme = POOLS
        return manager


class _SystemCertificates(_Adapter):
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


def proxies_for(url: str, environment: Mapping[str, str]) -> dict[str, str]:
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


def in_words(error: BaseException, url: str, environment: Mapping[str, str] | None = None) -> Unreachable:
    """Which of name, connection, certificate, proxy or time it was, and what to set."""
    host = host_of(url)
    if isinstance(error, requests.exceptions.ProxyError):
        return refused_by_proxy(url, environment or {})
    if isinstance(error, requests.exceptions.SSLError):
        return untrusted(url)
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
        return Unreachable(
            message("{host} is behind a SOCKS proxy, which is not supported ({url})", host=host, url=url),
            url=url,
            hint=message("set HTTPS_PROXY to the same proxy's HTTP address; most have one"),
        )
    if isinstance(error, requests.exceptions.Timeout):
        why = message("{host} did not answer in time ({url})", host=host, url=url)
    elif _is_name_error(error):
        why = message("the name {host} can't be resolved ({url})", host=host, url=url)
    else:
        why = message("no connection to {host} ({url})", host=host, url=url)
    return Unreachable(why, url=url, hint=hint_for(url))


def refused_by_proxy(url: str, environment: Mapping[str, str], status: int | None = None) -> Unreachable:
    """The proxy, named without its password, stands in the way; it is never gone around."""
    proxy = proxies_for(url, environment).get(urlsplit(url).scheme)
    host = host_of(url)
    if proxy is None:
        why = message("the proxy did not let us reach {host} ({url})", host=host, url=url)
    else:
        shown = without_credentials(proxy)
        why = message("the proxy {proxy} did not let us reach {host} ({url})", proxy=shown, host=host, url=url)
    return Unreachable(why, url=url, status=status, hint=message("check HTTPS_PROXY and NO_PROXY"))


def untrusted(url: str) -> Unreachable:
    """The other side has a certificate that neither the system nor SSL_CERT_FILE vouches for."""
    return Unreachable(
        message("the certificate of {host} is not trusted here ({url})", host=host_of(url), url=url),
        url=url,
        hint=message(
            "behind a company proxy set SSL_CERT_FILE to its certificate; also check the clock of this machine"
        ),
    )


def refused_by(status: int, url: str) -> Unreachable:
    """An answer with a status that is not what we asked for."""
    return Unreachable(
        message("{url} answered {status}", url=url, status=status), url=url, status=status, hint=hint_for(url)
    )


def hint_for(url: str) -> Message:
    """What to set when a host can't be reached from here."""
    host = host_of(url)
    if host.endswith("huggingface.co"):
        return message("check the network, or set HF_ENDPOINT to a mirror of the hub")
    if host.endswith("pytorch.org"):
        return message("check the network, or set SETUP_LLM_DEV_MIRRORS_TORCH to a mirror of the PyTorch index")
    return message("check the network, or set HTTPS_PROXY")


def host_of(url: str) -> str:
    """The host's name, or the whole text where it is no address."""
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
