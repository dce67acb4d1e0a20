"""Which wheels an index really offers: PEP 503 pages, PEP 691 documents, flat pages and folders.

The resolver could be asked instead, but it can't say apart «not offered» and «not reachable», and the report must.
"""

import contextlib
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import url2pathname

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_FILES = (".whl", ".tar.gz", ".zip")
Wheel = tuple[Version, frozenset[Tag]]


@dataclass(frozen=True)
class Link:
    """A file on an index: its name, and the sha256 (64 hex digits) that the index tells, if it tells one."""

    name: str
    sha256: str | None = None


def offered(host: Host, index: str, project: str, *, flat: bool, brief: bool = False) -> tuple[Wheel, ...]:
    """Versions and tags of `project`'s wheels on `index`; raises Unreachable when it can't be asked."""
    wheels = []
    for link in links(host, index, project, flat=flat, brief=brief):
        try:
            found, version, _, tags = parse_wheel_filename(link.name)
        except (InvalidWheelFilename, ValueError):
            continue  # an index may list sdists and files with names of other times
        if found == canonicalize_name(project):
            wheels.append((version, tags))
    return tuple(wheels)


def links(host: Host, index: str, project: str, *, flat: bool, brief: bool = False) -> tuple[Link, ...]:
    """Every file that the page of `project` names (a flat page names files of other projects too).

    brief: ask once, and not for long, whom nothing was heard of a moment ago.
    """
    return tuple(_read(host, index, canonicalize_name(project), flat, brief))


def local_folder(index: str) -> Path | None:
    """The folder that an index names, when it is one of this machine."""
    parts = urlsplit(index)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    if parts.scheme in ("http", "https"):
        return None
    return Path(index).expanduser()


def _read(host: Host, index: str, project: str, flat: bool, brief: bool) -> list[Link]:
    folder = local_folder(index)
    if folder is not None and flat and folder.is_dir():
        return [Link(name) for name in host.files.list_dir(folder)]
    if folder is not None:
        page = folder if flat else folder / project / "index.html"
        text = host.files.read_text(page)
        return _hrefs(text) if text is not None else []
    url = index if flat else f"{index.rstrip('/')}/{project}/"
    try:
        timeout, tries = (3.0, 1) if brief else (5.0, 2)
        answer = host.fetcher().get(url, accept=_ACCEPT, timeout=timeout, tries=tries)
    except Unreachable as error:
        if error.status in (404, 410):
            return []
        raise
    if "json" in answer.media_type:
        return _rows(answer.body, url)
    text = answer.body.decode("utf-8", "replace")
    found = _hrefs(text)
    if not any(link.name.endswith(_FILES) for link in found) and "<form" in text.lower():
        raise _no_index(url, message("this network may want a log-in in the browser first"))
    return found


def _rows(body: bytes, url: str) -> list[Link]:
    """PEP 691; an answer that is no such document is no index, whatever it calls itself."""
    try:
        files = json.loads(body).get("files", [])
        return [Link(str(file["filename"]), _sha256(file.get("hashes", {}).get("sha256"))) for file in files]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _no_index(url, None) from error


def _no_index(url: str, hint: Message | None) -> Unreachable:
    shown = without_credentials(url)
    return Unreachable(
        message("{url} answered with a web page that is no package index", url=shown), url=shown, hint=hint
    )


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Link] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") if tag == "a" else None
        with contextlib.suppress(ValueError):  # an address that is none leads to no file
            self._take(urlsplit(href or ""))

    def _take(self, parts: SplitResult) -> None:
        if parts.path:
            name = unquote(parts.path.rsplit("/", 1)[-1])
            self.found.append(Link(name, _sha256(parts.fragment.removeprefix("sha256="))))


def _hrefs(text: str) -> list[Link]:
    """The links of a page, up to where it is no HTML any more."""
    parser = _Links()
    with contextlib.suppress(AssertionError):  # what Python's parser says of a marked section that it does not know
        parser.feed(text)
    return parser.found


def _sha256(text: object) -> str | None:
    """64 hex digits, or None for anything else: another algorithm, a hash of the wrong length."""
    return text.lower() if isinstance(text, str) and re.fullmatch(r"[0-9A-Fa-f]{64}", text) else None
