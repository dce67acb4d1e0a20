"""JetBrains' list of releases, read so that any key may be missing and none is believed."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from packaging.version import Version

from setup_llm_dev.documents.feed_words import is_page, kind_of, login_page, says, shown, unreadable
from setup_llm_dev.documents.ide_version import fits, line_of, read_version
from setup_llm_dev.errors import Unreachable
from setup_llm_dev.messages import Message, message

UNIFIED = ("PCP", "PY")  # the list's code, and the product's own
COMMUNITY = ("PCC", "PC")  # frozen; for whoever wants a release of its time
_OTHERS = ("PCE", "PE")  # the edition for schools
_FUTURE = timedelta(days=1)  # a maker east of us is allowed to be there already
_MAJOR = re.compile(r"20[0-9]{2}\.[0-9]{1,3}")
_BUILD = re.compile(r"(?:[A-Z]{2}-)?([0-9]{3}(?:\.[0-9]{1,8}){1,3})")


@dataclass(frozen=True)
class Release:
    """One release; `place` says where it stands in the list, `build` is without the product's code.

    downloads: the list's own rows by key, read by `download` once it is known which of them is wanted.
    """

    place: str
    community: bool
    text: str
    version: Version
    major: str
    build: str | None
    day: date | None
    downloads: Mapping[str, Any]

    @property
    def settings_name(self) -> str:
        """The folder of its settings."""
        return f"PyCharm{'CE' if self.community else ''}{self.major}"


@dataclass(frozen=True)
class Feed:
    """What could be read, and in sentences what could not; `url` is the list's address as it may be shown."""

    url: str
    releases: tuple[Release, ...]
    problems: tuple[Message, ...] = ()


def read_feed(body: bytes, url: str) -> Feed:
    """Releases of PyCharm from a map of products or a list of them, under whatever code it answers.

    Raises Unreachable (4), naming the field, where it is no such list or holds no PyCharm.
    """
    products = tuple(_products(_json(body, url), url))
    rows = [(code, place, row) for code, placed in products for place, row in placed]
    releases: list[Release] = []
    problems: list[Message] = []
    for code, place, row in rows:
        if not _is_pycharm(code, row) or not _is_release(row):
            continue
        found = _release(code, place, row)
        if isinstance(found, Message):
            problems.append(found)
        else:
            releases.append(found)
    if not releases:
        raise _nothing(url, tuple(code for code, _ in products), problems)
    return Feed(url, tuple(releases), tuple(problems))


def fitting(feed: Feed, wish: str, today: date) -> tuple[tuple[Release, ...], tuple[Message, ...]]:
    """What a recipe's wish means, the best first, each once; and what was passed over, in sentences.

    The service filters by product and type alone, whatever it is asked for. The unified product goes before Community.
    """
    wanted = [release for release in feed.releases if fits(wish, release.version)]
    future = [release for release in wanted if release.day and release.day > today + _FUTURE]
    kept = {(r.community, r.version): r for r in reversed(wanted) if r not in future}
    ordered = sorted(kept.values(), key=lambda r: (not r.community, r.version), reverse=True)
    return tuple(ordered), tuple(_dated(release) for release in future[:3])


# the list ------------------------------------------------------------------------------------------------


def _json(body: bytes, url: str) -> Any:
    if is_page(body):
        raise login_page(url)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise unreadable(url, message("it is no JSON")) from error


def _products(plain: Any, url: str) -> Iterator[tuple[str, list[tuple[str, Mapping[str, Any]]]]]:
    """Code, and the releases that are objects, each with its place."""
    match plain:
        case dict():
            pairs = [(str(code), str(code), rows) for code, rows in plain.items()]
        case list():
            pairs = [_listed(product, number, url) for number, product in enumerate(plain)]
        case _:
            raise unreadable(url, message("it is {what}", what=kind_of(plain)))
    for code, place, rows in pairs:
        if not isinstance(rows, list):
            raise unreadable(url, says(place, kind_of(rows)))
        placed = [(f"{place}[{number}]", row) for number, row in enumerate(rows)]
        for where, row in placed:
            if not isinstance(row, dict):
                raise unreadable(url, says(where, kind_of(row)))
        yield code.upper(), placed


def _listed(product: Any, number: int, url: str) -> tuple[str, str, Any]:
    """A product of the other form, `{code, intellijProductCode, releases}`."""
    if not isinstance(product, dict):
        raise unreadable(url, says(f"[{number}]", kind_of(product)))
    code = product.get("code") or product.get("intellijProductCode") or ""
    return str(code), f"[{number}].releases", product.get("releases") or []


def _is_pycharm(code: str, row: Mapping[str, Any]) -> bool:
    """By its code, or under another code by the name of a file: the service answers under codes of its choice."""
    if code in (*UNIFIED, *COMMUNITY, *_OTHERS):
        return code not in _OTHERS
    return any(name.startswith("pycharm-") and "-edu" not in name for name in _file_names(row))


def _is_release(row: Mapping[str, Any]) -> bool:
    """No preview, whatever was asked for; the type is left out where only releases come."""
    return str(row.get("type") or "release").lower() == "release"


def _release(code: str, place: str, row: Mapping[str, Any]) -> Release | Message:
    version = read_version(row.get("version"))
    if version is None:
        return says(f"{place}.version", shown(row.get("version")))
    downloads = row.get("downloads")
    if not isinstance(downloads, dict | None):
        return says(f"{place}.downloads", kind_of(downloads))
    major = row.get("majorVersion")
    build = _BUILD.fullmatch(str(row.get("build")))
    return Release(
        place=place,
        community=code in COMMUNITY or any("pycharm-community" in name for name in _file_names(row)),
        text=str(row["version"]),
        version=version,
        major=major if isinstance(major, str) and _MAJOR.fullmatch(major) else line_of(version),
        build=build[1] if build else None,
        day=_day(row.get("date")),
        downloads=downloads or {},
    )


def _file_names(row: Mapping[str, Any]) -> Iterator[str]:
    downloads = row.get("downloads")
    for each in downloads.values() if isinstance(downloads, dict) else ():
        link = each.get("link") if isinstance(each, dict) else None
        if isinstance(link, str):
            yield link.rpartition("/")[2].lower()


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


# words ----------------------------------------------------------------------------------------------------


def _nothing(url: str, codes: tuple[str, ...], problems: list[Message]) -> Unreachable:
    if problems:
        return Unreachable(
            message("no release of PyCharm at {url} can be read: {why}", url=url, why=problems[0]), url=url
        )
    named = ", ".join(codes[:8]) or "-"
    return Unreachable(
        message("the list of releases at {url} has no release of PyCharm; its products: {codes}", url=url, codes=named),
        url=url,
    )  # fmt: skip


def _dated(release: Release) -> Message:
    return message(
        "PyCharm {version} is dated {day}, in the future: left out", version=release.text, day=str(release.day)
    )
