"""Asking JetBrains: the list of releases, and the checksum file of one download."""

from setup_llm_dev.documents.feed import Feed, read_feed
from setup_llm_dev.documents.feed_words import login_page
from setup_llm_dev.documents.ide_download import read_checksum
from setup_llm_dev.documents.ide_origins import Origins
from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

_CODES = "PCP,PCC"
_LIST_LIMIT = 32 << 20  # every release there ever was, with its notes, is about two
_CHECKSUM_LIMIT = 64 << 10


def releases(host: Host, feed_url: str, *, latest: bool = False) -> Feed:
    """Every release of PyCharm that the list at `feed_url` has, or the latest of each product.

    Raises Unreachable (4): no answer, a login page, or no such list.
    """
    query = f"code={_CODES}{'&latest=true' if latest else ''}&type=release"
    url = f"{feed_url}{'&' if '?' in feed_url else '?'}{query}"
    answer = host.fetcher().get(url, accept="application/json", limit=_LIST_LIMIT)
    shown = without_credentials(feed_url)
    if "html" in answer.media_type.lower():
        raise login_page(shown)
    return read_feed(answer.body, shown)


def checksum(host: Host, url: str, *, name: str, origins: Origins) -> str:
    """The sha256 that the maker tells of the file `name`; asked at the maker's own hosts alone.

    Raises Unreachable (4), also where a redirect leads away from the maker; Corrupt (5) for a file of another shape.
    """
    _refuse_stranger(url, origins)
    answer = host.fetcher().get(url, limit=_CHECKSUM_LIMIT)
    if "html" in answer.media_type.lower():
        raise login_page(url)
    _refuse_stranger(answer.url.partition("?")[0], origins)
    return read_checksum(answer.body, name, url)


def _refuse_stranger(url: str, origins: Origins) -> None:
    if not origins.official(url):
        shown = without_credentials(url)
        raise Unreachable(
            message("{url} is not JetBrains' own host, so its hashes are not trusted", url=shown),
            url=shown,
            hint=message("a mirror may serve the download itself; the hash must come from JetBrains"),
        )
