"""Which addresses may be followed for PyCharm, and which of them are the maker's own."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from setup_llm_dev.messages import Message, message

_HERE = ("127.0.0.1", "localhost")
# Stricter than a URL may be: what two readers of a URL could take for two different hosts is no link to follow.
_PLAIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9._~+%/-]*")


@dataclass(frozen=True)
class Origins:
    """`feed` is the list that is asked, `mirror` the configured root that stands for `downloads`, the maker's host.

    domains: those of the maker; a host below one of them counts too.
    """

    feed: str
    downloads: str
    domains: tuple[str, ...]
    mirror: str | None = None

    def official(self, url: str) -> bool:
        """Whether the maker speaks there, so that a hash found there is the maker's word.

        With a list on this very machine, so does everything on it but the mirror.
        """
        if not _safe(url) or self._mirrored(url):
            return False
        return self._on_loopback(url) or (urlsplit(url).scheme == "https" and self._of_maker(url))

    def refused(self, url: str) -> Message | None:
        """Why a link of the list is not followed; None where it is."""
        if not _safe(url):
            return message("{url} is no plain web address", url=url)
        if self._on_loopback(url):
            return None
        if urlsplit(url).scheme != "https":
            return message("{url} is not https", url=url)
        if self._of_maker(url) or _host(url) in (_host(self.feed), _host(self.mirror or self.downloads)):
            return None
        return message("{url} is on a host that is neither the maker's nor configured", url=url)

    def at_maker(self, url: str) -> str:
        """The maker's address of what a list of a mirror's own names at the mirror."""
        root = (self.mirror or "").rstrip("/")
        return self.downloads.rstrip("/") + url.removeprefix(root) if self._mirrored(url) else url

    def _mirrored(self, url: str) -> bool:
        return self.mirror is not None and url.startswith(self.mirror.rstrip("/") + "/")

    def _of_maker(self, url: str) -> bool:
        return any(_host(url) == domain or _host(url).endswith(f".{domain}") for domain in self.domains)

    def _on_loopback(self, url: str) -> bool:
        return _host(url) in _HERE and _host(self.feed) in _HERE


def _safe(url: str) -> bool:
    return bool(_PLAIN.fullmatch(url)) and "/../" not in url and "/./" not in url


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
