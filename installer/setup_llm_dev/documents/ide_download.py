"""One file of a release: its row in the list, and the maker's checksum file for it."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from setup_llm_dev.documents.feed import Release
from setup_llm_dev.documents.feed_words import is_page, kind_of, login_page, says, shown, unreadable
from setup_llm_dev.errors import Corrupt
from setup_llm_dev.messages import Message, message

_LARGEST = 16 << 30
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,150}")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True)
class Download:
    """A file of a release: `size` in bytes, None where it is not told; `key` says where it stands in the list."""

    key: str
    link: str
    name: str
    checksum_link: str
    size: int | None


def download(release: Release, keys: tuple[str, ...], url: str) -> Download | None:
    """The file under the first of `keys` that the release has; None where it has none of them.

    Raises Unreachable (4) naming the field where the row is not what such a row has to be.
    """
    for key in keys:
        row = release.downloads.get(key)
        if row is not None:
            return _download(f"{release.place}.downloads.{key}", row, url)
    return None


def read_checksum(body: bytes, name: str, url: str) -> str:
    """The sha256 (64 hex digits) in a checksum file of one line, `<hex> *<name>`, that names the file `name`.

    Raises Unreachable (4) for a web page, Corrupt (5) for anything else that is no such line.
    """
    if is_page(body):
        raise login_page(url)
    lines = body.decode("utf-8", "replace").splitlines()
    if len(lines) != 1:
        raise _no_checksum(url, message("it has {count} lines instead of one", count=len(lines)))
    digest, _, named = lines[0].strip().partition(" ")
    named = named.strip().removeprefix("*")
    if not _SHA256.fullmatch(digest):
        raise _no_checksum(url, message("its first word is no sha256"))
    if named != name:
        raise _no_checksum(url, message("it is about {other}, not about {name}", other=named[:200], name=name))
    return digest.lower()


# one row of a release -------------------------------------------------------------------------------------


def _download(place: str, row: Any, url: str) -> Download:
    if not isinstance(row, dict):
        raise unreadable(url, says(place, kind_of(row)))
    link = _link(row.get("link"), f"{place}.link", url)
    checksum = row.get("checksumLink")
    return Download(
        key=place,
        link=link,
        name=_name(link, f"{place}.link", url),
        checksum_link=f"{link}.sha256" if checksum is None else _link(checksum, f"{place}.checksumLink", url),
        size=_size(row.get("size"), f"{place}.size", url),
    )


def _link(value: Any, place: str, url: str) -> str:
    if not isinstance(value, str) or not value:
        raise unreadable(url, says(place, kind_of(value)))
    return value


def _name(link: str, place: str, url: str) -> str:
    try:
        name = unquote(urlsplit(link).path.rpartition("/")[2])
    except ValueError:
        name = ""
    if not _FILE_NAME.fullmatch(name):
        raise unreadable(url, says(place, shown(link)))
    return name


def _size(value: Any, place: str, url: str) -> int | None:
    """Bytes; some copies of the list spell them as texts."""
    if value is None:
        return None
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,15}", text) or not 0 < int(text) <= _LARGEST:
        raise unreadable(url, says(place, shown(value)))
    return int(text)


def _no_checksum(url: str, why: Message) -> Corrupt:
    return Corrupt(
        message("the checksum file {url} can't be used: {why}", url=url, why=why),
        hint=message("nothing was fetched; give the same command again later, or another --pycharm-archive"),
    )
