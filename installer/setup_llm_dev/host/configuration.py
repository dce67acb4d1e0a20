"""What the user already wrote down about the surroundings: mirrors, indexes, certificates, proxies.

pip's own configuration counts, because that is where a company already names its mirror. Precedence: our
`mirrors.*` (SETUP_LLM_DEV_MIRRORS_*, then config.toml), then uv's own settings, then pip's.
"""

import configparser
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit, urlunsplit

from setup_llm_dev.errors import UsageError
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

_PIP_KEYS = ("index-url", "extra-index-url", "find-links", "cert", "client-cert", "proxy")
MIRRORS = ("torch", "pypi", "hub")


@dataclass(frozen=True)
class Surroundings:
    """Where bytes come from. URLs may carry credentials: `without_credentials` before they are shown or stored."""

    default_index: str | None = None  # None: uv's own default
    extra_indexes: tuple[str, ...] = ()  # asked before the default one, in order; never for the torch family
    find_links: tuple[str, ...] = ()  # flat listings: folders or pages
    torch_root: str | None = None  # replaces the catalogue's index root
    hub_endpoint: str | None = None
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    used: tuple[Message, ...] = ()  # what was honoured, for the report

    @property
    def indexes(self) -> tuple[str, ...]:
        """Every configured place that may have packages."""
        single = (url for url in (self.torch_root, self.default_index) if url)
        return (*single, *self.extra_indexes, *self.find_links)


def read_surroundings(host: Host, config_folder: PurePath) -> Surroundings:
    """Read every place; raises UsageError (2) naming the file when one can't be parsed."""
    mirrors = _our_mirrors(host, config_folder)
    pip, origins = _pip_settings(host)
    uv_has_default = _uv_names_a_default(host)
    default = mirrors.get("pypi") or (None if uv_has_default else pip.get("index-url"))
    extra = tuple(pip.get("extra-index-url", "").split())
    links = tuple(pip.get("find-links", "").split())
    found = Surroundings(
        default_index=default,
        extra_indexes=extra,
        find_links=links,
        torch_root=mirrors.get("torch"),
        hub_endpoint=mirrors.get("hub"),
        cert=pip.get("cert"),
        client_cert=pip.get("client-cert"),
        proxy=pip.get("proxy"),
        used=tuple(_used(mirrors, pip, origins, default)),
    )
    _refuse_malformed(found)
    return found


def as_environment(surroundings: Surroundings, environment: Mapping[str, str]) -> dict[str, str]:
    """pip's proxy and certificates by the names that everything else knows; what the user exported goes first."""
    added: dict[str, str] = {}
    if surroundings.proxy and not has_proxy(environment):
        added |= {"HTTPS_PROXY": surroundings.proxy, "HTTP_PROXY": surroundings.proxy}
    if surroundings.cert and not environment.get("SSL_CERT_FILE"):
        added["SSL_CERT_FILE"] = surroundings.cert
    if surroundings.client_cert and not environment.get("SSL_CLIENT_CERT"):
        added["SSL_CLIENT_CERT"] = surroundings.client_cert
    return added


def has_proxy(environment: Mapping[str, str]) -> bool:
    """Whether a proxy of any kind is exported, in either spelling."""
    names = ("http_proxy", "https_proxy", "all_proxy")
    return any(value and name.lower() in names for name, value in environment.items())


def without_credentials(url: str) -> str:
    """The URL as it may be shown: no user name, no password, no query."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that don't match
        return cleaned(url)
    if not parts.scheme or parts.scheme == "file":
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def cleaned(text: str) -> str:
    """Somebody else's words without the credentials in their URLs."""
    return re.sub(r"(\w+://)[^/\s@]+@", r"\1", text)


def with_credentials(url: str, surroundings: Surroundings) -> str:
    """The URL as it is asked: with the user name and password of a configured index on the same host, if any."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return url
    for index in surroundings.indexes:
        known = urlsplit(index)
        user, _, place = known.netloc.rpartition("@")
        if user and (known.scheme, place) == (parts.scheme, parts.netloc):
            return urlunsplit(parts._replace(netloc=f"{user}@{place}"))
    return url


def _refuse_malformed(surroundings: Surroundings) -> None:
    for url in (*surroundings.indexes, surroundings.hub_endpoint or ""):
        try:
            _ = urlsplit(url).port
        except ValueError as error:
            raise UsageError(
                message("{url} is no address: {why}", url=without_credentials(url), why=str(error)),
                hint=message("correct it in the configuration of pip or of setup-llm-dev"),
            ) from error


def _our_mirrors(host: Host, config_folder: PurePath) -> dict[str, str]:
    found: dict[str, str] = {}
    text = host.files.read_text(config_folder / "config.toml")
    if text is not None:
        found.update(_mirrors_in(text, config_folder / "config.toml"))
    for name in MIRRORS:
        value = host.environment.get(f"SETUP_LLM_DEV_MIRRORS_{name.upper()}")
        if value:
            found[name] = value
    return {name: value for name, value in found.items() if value != "none"}


def _mirrors_in(text: str, path: PurePath) -> dict[str, str]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(message("{file}: {why}", file=str(path), why=str(error))) from error
    mirrors = table.get("mirrors", {})
    if not isinstance(mirrors, dict) or not all(isinstance(v, str) for v in mirrors.values()):
        raise UsageError(message("{file}: [mirrors] must hold texts", file=str(path)))
    unknown = sorted(set(mirrors) - set(MIRRORS)) + [f"[{k}]" for k in sorted(set(table) - {"mirrors"})]
    if unknown:
        raise UsageError(
            message("{file}: unknown key {key}", file=str(path), key=", ".join(unknown)),
            hint=message("the keys of [mirrors] are: {keys}", keys=", ".join(MIRRORS)),
        )
    return dict(mirrors)


def _pip_settings(host: Host) -> tuple[dict[str, str], dict[str, str]]:
    """Settings, and where each was read: global, user, PIP_CONFIG_FILE, then PIP_*; sections global and install."""
    found: dict[str, str] = {}
    origins: dict[str, str] = {}
    for path in _pip_files(host):
        text = host.files.read_text(path)
        settings = _pip_file(text, path) if text is not None else {}
        found |= settings
        origins |= dict.fromkeys(settings, str(path))
    for key in _PIP_KEYS:
        name = "PIP_" + key.upper().replace("-", "_")
        if host.environment.get(name):
            found[key], origins[key] = host.environment[name], name
    return found, origins


def _pip_file(text: str, path: PurePath) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # Not the parser's own words: they quote the line, which may hold a password.
        line = getattr(error, "lineno", None) or getattr(error, "errors", [(0, "")])[0][0]
        raise UsageError(message("{file}: line {line} is not understood", file=str(path), line=line)) from None
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    return {k: v for k, v in found.items() if k in _PIP_KEYS}


def _pip_files(host: Host) -> Iterable[PurePath]:
    environment = host.environment
    single = environment.get("PIP_CONFIG_FILE")
    if single == os.devnull:
        return []
    system = host.system.platform
    files: list[PurePath] = []
    if system == "win32":
        files.append(Path(environment.get("PROGRAMDATA", "C:/ProgramData"), "pip", "pip.ini"))
        files.append(host.home / "pip" / "pip.ini")
        files.append(Path(environment.get("APPDATA", host.home / "AppData" / "Roaming"), "pip", "pip.ini"))
    else:
        folders = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        files += [Path(folder) / "pip" / "pip.conf" for folder in reversed(folders.split(":")) if folder]
        files += [Path("/etc/pip.conf"), host.home / ".pip" / "pip.conf"]
        if system == "darwin":
            files.append(host.home / "Library" / "Application Support" / "pip" / "pip.conf")
        files.append(Path(environment.get("XDG_CONFIG_HOME") or host.home / ".config") / "pip" / "pip.conf")
    return [*files, *([Path(single)] if single else [])]


def _uv_names_a_default(host: Host) -> bool:
    if any(host.environment.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")):
        return True
    config = host.environment.get("XDG_CONFIG_HOME") or str(host.home / ".config")
    for path in (Path("/etc/uv/uv.toml"), Path(config) / "uv" / "uv.toml"):
        text = host.files.read_text(path)
        if text is None:
            continue
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue  # uv itself will say what is wrong with its file
        indexes = table.get("index", [])
        if "index-url" in table or any(isinstance(i, dict) and i.get("default") for i in indexes):
            return True
    return False


def _used(
    mirrors: Mapping[str, str], pip: Mapping[str, str], origins: Mapping[str, str], default: str | None
) -> Iterable[Message]:
    for name, value in mirrors.items():
        yield message("mirror {name}: {url}", name=name, url=without_credentials(value))
    for key in _PIP_KEYS:
        if key not in pip or (key == "index-url" and default != pip[key]):
            continue
        shown = " ".join(without_credentials(word) for word in pip[key].split())
        yield message("pip's configuration, {key}: {value} ({place})", key=key, value=shown, place=origins[key])
