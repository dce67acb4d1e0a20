"""Where a redirect may lead: never to a weaker scheme, never from the world into this machine or its network."""

import ipaddress
import socket
from urllib.parse import urljoin, urlsplit, urlunsplit

from setup_llm_dev.errors import Corrupt
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.messages import Message, message

Origin = tuple[str, str, int | None]
_PORTS = {"http": 80, "https": 443}
# Handed out by proxies that answer every name with an address of their own: such an address says nothing of the host.
_PLACEHOLDERS = ipaddress.ip_network("198.18.0.0/15")


def origin_of(url: str) -> Origin:
    """Scheme, host as spelled (but for case), port; raises ValueError for what is no address."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or ""), parts.port or _PORTS.get(parts.scheme)


def next_address(address: str, location: str) -> str:
    """The address that a redirect of `address` leads to; raises Corrupt (5) where we don't go.

    Credentials in the new address are dropped: nobody but the user gives us any.
    """
    try:
        target = urljoin(address, location)
        here, there = origin_of(address), origin_of(target)
    except ValueError:
        raise _refused(address, location, message("it is no address")) from None
    if there[0] not in _PORTS or not there[1]:
        raise _refused(address, target, message("it is not on the web"))
    if here[0] == "https" and there[0] == "http":
        raise _refused(address, target, message("it is not encrypted"))
    if here != there and not _is_inner(here[1]) and _is_inner(there[1]):
        raise _refused(address, target, message("it is inside this machine or its network"))
    parts = urlsplit(target)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def is_loopback(host: str) -> bool:
    """Whether a host name or address, as written, is this machine."""
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def _is_inner(host: str) -> bool:
    """Addresses as written; names by what they resolve to, but only as far as no public host has such an address.

    A company may answer a public name with a private address of its own cache, so those names are let pass.
    """
    if is_loopback(host):
        return True
    written = _address(host)
    if written is not None:
        return written not in _PLACEHOLDERS and not written.is_global
    found = _resolved(host)
    return bool(found) and all(one.is_loopback or one.is_link_local or one.is_unspecified for one in found)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _odd_spelling(host)
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _odd_spelling(host: str) -> ipaddress.IPv4Address | None:
    """`2130706433`, `0x7f.1` and the like, which the system's resolver takes for addresses."""
    if not host or host[-1].lower() not in "0123456789abcdef" or not set(host.lower()) <= set("0123456789abcdefx."):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _resolved(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []  # behind a proxy names need not resolve here; otherwise the connection will say it
    found = (_address(str(row[4][0])) for row in rows)
    return [one for one in found if one is not None]


def _refused(address: str, target: str, why: Message) -> Corrupt:
    return Corrupt(
        message(
            "{url} redirects to {target}, which is refused: {why}",
            url=without_credentials(address),
            target=without_credentials(target),
            why=why,
        ),
        hint=message("this network or mirror may be tampering with downloads; try another one"),
    )
