"""Does a host answer, and with what we came for? A log-in page is no answer, nor is a mirror that sends us back."""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from html.parser import HTMLParser
from urllib.parse import urlsplit

from setup_llm_dev.documents.mirror_catalog import KindRow, MirrorRow
from setup_llm_dev.errors import Corrupt
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.resolver import Uv, find_uv
from setup_llm_dev.host.temporary import temporary
from setup_llm_dev.host.web.carriers import Kind
from setup_llm_dev.host.web.peek import Peek, peek
from setup_llm_dev.host.web.redirects import next_address
from setup_llm_dev.host.world import Host

_PAGE = 1 << 18  # enough of a page of an index to meet a file; whole ones have megabytes
_FILES = (".whl", ".tar.gz", ".zip")
_OTHER_INDEXES = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_WHEEL, _GZIP = b"PK\x03\x04", b"\x1f\x8b"


def official_answers(host: Host, surroundings: Surroundings, kind: Kind, row: KindRow, seconds: float) -> bool:
    """Whether the maker's own host gives what a run would ask of it."""
    if not row.official:
        return _default_index_answers(host, surroundings, seconds)
    return _LOOKS[kind](_Place(host, row.official, row, seconds, mirror=None))


def mirror_answers(host: Host, kind: Kind, row: KindRow, mirror: MirrorRow, seconds: float) -> bool:
    """Whether a mirror gives it, without sending us to the host that we can't reach."""
    look = _modelscope if mirror.api == "modelscope" else _LOOKS[kind]
    return look(_Place(host, mirror.url, row, seconds, mirror))


class _Place:
    """One root to look at, within its time."""

    def __init__(self, host: Host, root: str, row: KindRow, seconds: float, mirror: MirrorRow | None) -> None:
        self._host, self._seconds = host, seconds
        self._origins = row.origins if mirror is not None else ()
        self._root, self._probe = root.rstrip("/"), row.probe
        self.flat = mirror is not None and mirror.form == "flat"

    def page(self, path: str | None = None) -> Peek | None:
        """What the root has at the probe's path, or at another one."""
        return self.at(f"{self._root}/{self._probe if path is None else path}", most=_PAGE)

    @property
    def variant(self) -> str:
        """The page of one variant, where all its files are on one."""
        return self._probe.split("/")[0] + "/"

    def beginning(self) -> Peek | None:
        """The first bytes of the file at the probe's path."""
        return self.file(f"{self._root}/{self._probe}")

    def file(self, url: str) -> Peek | None:
        """The first bytes of a file."""
        return self.at(url, most=4, first=4)

    def at(self, url: str, *, most: int, first: int | None = None) -> Peek | None:
        if urlsplit(url).hostname in self._origins:
            return None
        answer = peek(self._host, url, most=most, seconds=self._seconds, first=first)
        if answer is None or any(name.partition(":")[0] in self._origins for name in answer.hosts):
            return None
        return answer if answer.status in (200, 206) else None

    def root_lives(self) -> bool:
        """Whether its own host says anything: where we know of no file that every mirror keeps."""
        answer = peek(self._host, f"{self._root}/{self._probe}", most=1, seconds=self._seconds)
        return answer is not None and answer.status in (200, 403, 404) and len(set(answer.hosts)) == 1


def _index(place: _Place, magic: tuple[bytes, ...]) -> bool:
    """A page that names files, one of which begins as such files do."""
    answer = place.page(place.variant if place.flat else None)
    if answer is None:
        return False
    url = first_file(answer)
    found = place.file(url) if url else None
    return found is not None and found.body.startswith(magic)


def _packages(place: _Place) -> bool:
    return _index(place, (_WHEEL, _GZIP))


def _torch(place: _Place) -> bool:
    return _index(place, (_WHEEL,))


def _hub(place: _Place) -> bool:
    answer = place.page()
    return isinstance(_object(answer).get("id"), str)


def _modelscope(place: _Place) -> bool:
    """Any object of its API will do: that it has a model that we ask for is another question."""
    return {"Code", "Success"} <= _object(place.page("api/v1/models/AI-ModelScope/bert-base-uncased")).keys()


def _jetbrains(place: _Place) -> bool:
    answer = place.beginning()
    return answer is not None and answer.body.startswith(_GZIP)


_LOOKS: dict[Kind, Callable[[_Place], bool]] = {
    "pypi": _packages,
    "torch": _torch,
    "hub": _hub,
    "modelscope": _modelscope,
    "jetbrains_downloads": _jetbrains,
    "python": _Place.root_lives,
}


def _default_index_answers(host: Host, surroundings: Surroundings, seconds: float) -> bool:
    """uv knows its default index, so uv is asked; a small resolution meets both its pages and its files."""
    environment = Uv(host, surroundings).environment()
    asked = {name: value for name, value in environment.items() if name not in _OTHER_INDEXES}
    asked |= {"UV_HTTP_TIMEOUT": str(max(1, round(seconds))), "UV_HTTP_RETRIES": "0"}
    with temporary() as folder:
        (folder / "wish.in").write_text("pip\n", encoding="utf-8")
        done = host.programs.run(
            (find_uv(), "pip", "compile", "wish.in", "--no-deps", "--no-config", "--refresh", "--no-python-downloads",
             "--only-binary", ":all:", "--python", sys.executable, "--no-header", "--no-progress"),
            environment=asked, cwd=folder, timeout=seconds + 1, tied=True,
        )  # fmt: skip
    return done.ok


def _object(answer: Peek | None) -> dict[str, object]:
    try:
        found = json.loads(answer.body) if answer is not None else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class _Files(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") if tag == "a" else None
        with suppress(ValueError):  # a link to no address
            if href and urlsplit(href).path.endswith(_FILES):
                self.found.append(href)


def first_file(page: Peek) -> str | None:
    """The address of the first file that a page of an index names.

    None where there is none, and where no redirect would be followed: a weaker scheme, this machine or its network.
    """
    parser = _Files()
    parser.feed(page.body.decode("utf-8", "replace"))
    try:
        return next_address(page.url, parser.found[0]) if parser.found else None
    except Corrupt:
        return None
