"""What the user already wrote down about the surroundings: mirrors, indexes, certificates, proxies.

pip's own configuration counts, because that is where a company already names its mirror. Precedence: our
`mirrors.*` (SETUP_LLM_DEV_MIRRORS_*, then config.toml), then uv's own settings, then pip's.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from urllib.parse import urlsplit, urlunsplit

from setup_llm_dev.host.addresses import WEB, WITH_FILES, refuse_no_address, without_credentials
from setup_llm_dev.host.mirror_settings import FLAT, Preset, mirror_settings
from setup_llm_dev.host.pip_settings import PIP_KEYS, pip_settings
from setup_llm_dev.host.web.carriers import HUB, KINDS, Kind, Mirror, carriers
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

# Variables of others that name a host, and how their addresses may begin.
_VARIABLES = {"HF_ENDPOINT": WEB, "MODELSCOPE_ENDPOINT": WEB, "UV_PYTHON_INSTALL_MIRROR": WITH_FILES}


@dataclass(frozen=True)
class Surroundings:
    """Where bytes come from. URLs may carry credentials: `without_credentials` before they are shown or stored."""

    default_index: str | None = None  # None: uv's own default
    extra_indexes: tuple[str, ...] = ()  # asked before the default one, in order; never for the torch family
    find_links: tuple[str, ...] = ()  # flat listings: folders or pages
    torch_root: str | None = None  # replaces the catalogue's index root
    torch_flat: bool = False  # every variant below torch_root is one page with all its files
    hub_endpoint: str | None = None
    jetbrains_feed: str | None = None
    jetbrains_downloads: str | None = None  # stands for the maker's host of downloads
    python_mirror: str | None = None  # stands for the releases of uv's Pythons
    modelscope: str | None = None  # the endpoint of ModelScope; None: its own
    modelscope_instead: bool = False  # neither the hub nor a mirror of it answered, but ModelScope did
    spares: tuple[Mirror, ...] = ()  # more mirrors that answered, should the chosen one fail
    known: tuple[Mirror, ...] = field(default=(), compare=False)  # all of the catalogue, whether they answer or not
    preset: Preset = "auto"
    chosen: frozenset[Kind] = frozenset()  # turned to a mirror by us: nobody who sits here vouches for it
    kept: frozenset[Kind] = frozenset()  # switched off by the user: not to be turned to a mirror
    uv_default: bool = False  # uv's own settings name the default index
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    used: tuple[Message, ...] = ()  # what was honoured, for the report

    def configured(self, kind: Kind) -> bool:
        """Whether the user, or a choice made before, says where these bytes come from."""
        return (kind == "pypi" and self.uv_default) or any(mirror.kind == kind for mirror in self.mirrors)

    @property
    def mirrors(self) -> tuple[Mirror, ...]:
        """What is configured or chosen, and what else may be tried."""
        first: tuple[tuple[Kind, str | None], ...] = (
            ("pypi", self.default_index),
            ("torch", self.torch_root),
            ("hub", self.hub_endpoint),
            ("jetbrains_downloads", self.jetbrains_downloads),
            ("python", self.python_mirror),
            ("modelscope", self.modelscope),
        )
        single = (Mirror(kind, url, flat=kind == "torch" and self.torch_flat) for kind, url in first if url)
        return (*single, *self.spares)

    def is_mirror(self, url: str, kind: Kind) -> bool:
        """Whether an address lies below a mirror of a kind, ours or the user's."""
        return any(m.kind == kind and f"{url}/".startswith(m.url.rstrip("/") + "/") for m in self.mirrors)

    def torch_places(self, variant: str, index: str) -> tuple[tuple[str, bool], ...]:
        """Where builds of a variant may come from, each with whether it is flat; `index` is the maker's own.

        The maker's is the only one, or the last one where we turned to a mirror; never where the user named one.
        """
        roots = [mirror for mirror in self.mirrors if mirror.kind == "torch"]
        places = [(f"{m.url.rstrip('/')}/{variant}{'/' if m.flat else ''}", m.flat) for m in roots]
        return tuple(places if places and "torch" not in self.chosen else [*places, (index, False)])

    @property
    def hub_endpoints(self) -> tuple[str, ...]:
        """Whom to ask for models, in order: what the user named, alone; else the mirrors we turned to, and the hub."""
        named = [mirror.url for mirror in self.mirrors if mirror.kind == "hub"]
        return tuple(named if named and "hub" not in self.chosen else [*named, HUB])

    def carriers(self, url: str) -> tuple[str, ...]:
        """The addresses that may carry the bytes of a maker's `url`: mirrors first, the maker's own last."""
        return carriers(url, self.mirrors, self.known)

    @property
    def indexes(self) -> tuple[str, ...]:
        """Every configured place that may have packages."""
        single = (url for url in (self.torch_root, self.default_index) if url)
        return (*single, *self.extra_indexes, *self.find_links)


def read_surroundings(host: Host, config_folder: PurePath) -> Surroundings:
    """Read every place; raises UsageError (2) naming the file or variable that can't be parsed or is no address.

    A host that turned to mirrors for this run remembers them.
    """
    if host.turned is not None:
        return host.turned
    settings = mirror_settings(host, config_folder)
    mirrors = settings.addresses
    pip, origins = pip_settings(host)
    _judge_others(host, pip, origins)
    uv_has_default = _uv_names_a_default(host)
    default = mirrors.get("pypi") or (None if uv_has_default else pip.get("index-url"))
    extra = tuple(pip.get("extra-index-url", "").split())
    links = tuple(pip.get("find-links", "").split())
    return Surroundings(
        default_index=default,
        extra_indexes=extra,
        find_links=links,
        torch_root=mirrors.get("torch", "").removeprefix(FLAT) or None,
        torch_flat=mirrors.get("torch", "").startswith(FLAT),
        hub_endpoint=host.environment.get("HF_ENDPOINT") or mirrors.get("hub"),
        jetbrains_feed=mirrors.get("jetbrains_feed"),
        jetbrains_downloads=mirrors.get("jetbrains_downloads"),
        python_mirror=mirrors.get("python") or host.environment.get("UV_PYTHON_INSTALL_MIRROR"),
        modelscope=host.environment.get("MODELSCOPE_ENDPOINT"),
        preset=settings.preset,
        kept=frozenset(kind for kind in KINDS if settings.written.get(kind) == "none"),
        uv_default=uv_has_default,
        cert=pip.get("cert"),
        client_cert=pip.get("client-cert"),
        proxy=pip.get("proxy"),
        used=tuple(_used(mirrors, pip, origins, default)),
    )


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


def as_settings(surroundings: Surroundings) -> dict[str, str]:
    """What we turned to, by the names under which a user would have configured it: for whatever comes after pinning.

    Who reads these surroundings again takes them for the user's word, so nothing may be left to vouch for by then.
    """
    if not surroundings.chosen:
        return {}
    flat = FLAT if surroundings.torch_flat else ""
    values = {
        "pypi": surroundings.default_index,
        "torch": surroundings.torch_root and flat + surroundings.torch_root,
        "hub": surroundings.hub_endpoint,
        "jetbrains_downloads": surroundings.jetbrains_downloads,
        "python": surroundings.python_mirror,
    }
    named = {kind: url for kind, url in values.items() if kind in surroundings.chosen and url}
    return {f"SETUP_LLM_DEV_MIRRORS_{kind.upper()}": url for kind, url in named.items()}


def has_proxy(environment: Mapping[str, str]) -> bool:
    """Whether a proxy of any kind is exported, in either spelling."""
    names = ("http_proxy", "https_proxy", "all_proxy")
    return any(value and name.lower() in names for name, value in environment.items())


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


def _judge_others(host: Host, pip: Mapping[str, str], origins: Mapping[str, str]) -> None:
    """What is not ours, but is asked by us."""
    for name, schemes in _VARIABLES.items():
        if url := host.environment.get(name):
            refuse_no_address(url, name, schemes)
    for key in ("index-url", "extra-index-url", "find-links"):
        for url in pip.get(key, "").split():
            if not _is_path(url, key):
                refuse_no_address(url, _place(origins[key], key), WITH_FILES)


def _place(origin: str, key: str) -> str:
    return origin if origin.startswith("PIP_") else f"{origin}, {key}"


def _is_path(text: str, key: str) -> bool:
    """Indexes may be folders too; a bare word is one only where folders are usual."""
    return "://" not in text and (key == "find-links" or Path(text).is_absolute() or text.startswith("."))


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
    for key in PIP_KEYS:
        if key not in pip or (key == "index-url" and default != pip[key]):
            continue
        shown = " ".join(without_credentials(word) for word in pip[key].split())
        yield message("pip's configuration, {key}: {value} ({place})", key=key, value=shown, place=origins[key])
