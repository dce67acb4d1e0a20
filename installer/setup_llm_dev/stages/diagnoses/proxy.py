"""Proxy and certificates as they are configured: files that are not there, addresses that are none."""

import ssl
from collections.abc import Iterator
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.diagnoses.situation import Situation, Told

_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def look(situation: Situation) -> Iterator[Told]:
    host = situation.host
    yield from _certificates(host)
    yield from _proxies(host)


def _certificates(host: Host) -> Iterator[Entry]:
    """Each file once, named by every variable that names it."""
    named: dict[str, list[str]] = {}
    for name in _BUNDLES:
        if value := host.environment.get(name, "").strip():
            named.setdefault(value, []).append(name)
    for path, names in named.items():
        if host.files.is_dir(PurePath(path)):
            continue
        why = _unusable(host, path)
        if why is not None:
            yield Entry(
                id="ca-file-unusable", group="network", level="error",
                text=message("{names} names a file of certificates that can't be used: {path}",
                             names=", ".join(names), path=path),
                cause=message("{why}", why=why),
                hint=message("correct it or unset it: without it the system's own certificates count"),
                commands=tuple(f"unset {name}" for name in names), evidence=(f"{path}: {why}",), reference="network",
            )  # fmt: skip


def _unusable(host: Host, path: str) -> str | None:
    if not host.files.is_file(PurePath(path)):
        return "not there"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=Path(path))
    except (OSError, ssl.SSLError) as error:
        return f"no certificates in PEM format ({getattr(error, 'reason', None) or error})"
    return None


def _proxies(host: Host) -> Iterator[Entry]:
    for name in _PROXIES:
        upper, lower = host.environment.get(name, ""), host.environment.get(name.lower(), "")
        shown = [without_credentials(value) for value in (upper, lower) if value]
        if upper and lower and upper != lower:
            yield Entry(
                id="proxy-differs", group="network", level="warning",
                text=message("{name} and {lower} name different proxies: {values}", name=name, lower=name.lower(),
                             values=", ".join(shown)),
                hint=message("set both to the same; some programs read one, some the other"),
                evidence=tuple(shown), reference="network",
            )  # fmt: skip
        value = lower or upper
        if value and (why := _no_address(value)):
            yield Entry(
                id="proxy-unusable", group="network", level="error",
                text=message("{name} is no proxy that can be used: {value}", name=name,
                             value=without_credentials(value)),
                cause=why, hint=message("write it as http://proxy.example:8080"), evidence=tuple(shown),
                reference="network",
            )  # fmt: skip


def _no_address(value: str) -> Message | None:
    """A sentence, or None for what can be used."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        _ = parts.port
    except ValueError:
        return message("it is no address")
    if parts.scheme.startswith("socks"):
        return message("SOCKS proxies are not spoken here; most have an HTTP address too")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return message("it is no address")
    return None
