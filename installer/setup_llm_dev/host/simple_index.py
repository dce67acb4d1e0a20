"""Which wheels an index really offers: PEP 503 pages, PEP 691 documents, flat pages and folders.

The resolver could be asked instead, but it can't say apart «not offered» and «not reachable», and the report must.
"""

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.configuration import without_credentials
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
Wheel = tuple[Version, frozenset[Tag]]


def offered(host: Host, index: str, project: str, *, flat: bool, timeout: float = 5.0) -> tuple[Wheel, ...]:
    """Versions and tags of `project`'s wheels on `index`; raises Unreachable when it can't be asked."""
    names = _names(host, index, canonicalize_name(project), flat, timeout)
    wheels = []
    for name in names:
        try:
            found, version, _, tags = parse_wheel_filename(unquote(name))
        except (InvalidWheelFilename, ValueError):
            continue  # an index may list sdists and files with names of other times
        if found == canonicalize_name(project):
            wheels.append((version, tags))
    return tuple(wheels)


def local_folder(index: str) -> Path | None:
    """The folder that an index names, when it is one of this machine."""
    parts = urlsplit(index)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    if parts.scheme in ("http", "https"):
        return None
    return Path(index).expanduser()


def _names(host: Host, index: str, project: str, flat: bool, timeout: float) -> list[str]:
    folder = local_folder(index)
    if folder is not None and flat and folder.is_dir():
        return list(host.files.list_dir(folder))
    if folder is not None:
        page = folder if flat else folder / project / "index.html"
        text = host.files.read_text(page)
        return _hrefs(text) if text is not None else []
    url = index if flat else f"{index.rstrip('/')}/{project}/"
    try:
        answer = host.fetcher().get(url, accept=_ACCEPT, timeout=timeout)
    except Unreachable as error:
        if error.status in (404, 410):
            return []
        raise
    if "json" in answer.media_type:
        return [str(file.get("filename", "")) for file in json.loads(answer.body).get("files", [])]
    text = answer.body.decode("utf-8", "replace")
    names = _hrefs(text)
    if not names and "<form" in text.lower():
        shown = without_credentials(url)
        raise Unreachable(
            message("{url} answered with a web page that is no package index", url=shown),
            url=shown,
            hint=message("this network may want a log-in in the browser first"),
        )
    return names


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") if tag == "a" else None
        if href:
            self.names.append(urlsplit(href).path.rsplit("/", 1)[-1])


def _hrefs(text: str) -> list[str]:
    parser = _Links()
    parser.feed(text)
    return parser.names
