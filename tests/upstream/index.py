"""Package indexes on loopback: simple pages, PyTorch's layout with a second origin, and flat pages.

By hand: `python -m tests.upstream.index --simple FOLDER --pytorch cpu=FOLDER --port-file FILE`.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from .acts import Act
from .exchange import Request, Response
from .origins import Origins
from .server import Upstream, not_found, stand
from .wheels import core_metadata

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Section:
    """One index below `prefix`, made from what is in `folder` at the moment of a request.

    `hashes`: links carry `#sha256=`; `metadata`: METADATA is served beside each wheel and announced;
    `python`: links carry Requires-Python; `json`: pages also as JSON where a client accepts it;
    `elsewhere`: links are absolute and point to the second origin;
    `stored`: files lie beside `prefix`, below packages/ and their hash, as the general index and its mirrors have them.
    """

    prefix: str
    folder: Path
    layout: Literal["simple", "flat"] = "simple"
    hashes: bool = True
    metadata: bool = True
    python: bool = True
    json: bool = True
    elsewhere: bool = False
    stored: bool = False

    @property
    def packages(self) -> str:
        """The folder of the files of a `stored` section."""
        return self.prefix.rpartition("/")[0] + "/packages/"


def simple(folder: Path, prefix: str = "/simple", *, hashes: bool = True, metadata: bool = True) -> Section:
    """A general index: hashes, METADATA, Requires-Python, HTML and JSON."""
    return Section(prefix, folder, hashes=hashes, metadata=metadata)


def pytorch(folder: Path, variant: str = "cpu", *, hashes: bool = True, metadata: bool = True) -> Section:
    """PyTorch's index of one variant: HTML only, no Requires-Python, absolute links to a second origin."""
    return Section(
        f"/whl/{variant}", folder, hashes=hashes, metadata=metadata, python=False, json=False, elsewhere=True
    )


def flat(folder: Path, prefix: str = "/flat", *, hashes: bool = False) -> Section:
    """One page with all links, as `find-links` wants it."""
    return Section(prefix, folder, "flat", hashes=hashes, metadata=False, python=False, json=False)


class Index(Origins):
    """Serves sections from `with` to its end; files of an `elsewhere` section come from the origin `files`.

    >>> import tempfile
    >>> with Index(pytorch(Path(tempfile.mkdtemp()), "cpu")) as index:
    ...     index.address("/whl/cpu").endswith("/whl/cpu/")
    True
    """

    def __init__(self, *sections: Section, port: int = 0) -> None:
        self.sections = sections
        self.origin = Upstream(self._answer, port=port)
        self.files = Upstream(self._file)
        super().__init__(self.origin, self.files)

    def address(self, prefix: str = "/simple") -> str:
        """The URL to configure for a section."""
        return f"{self.url}{prefix}/"

    def fault(self, pattern: str, *acts: Act, times: int | None = 1, method: str | None = None) -> None:
        """`Upstream.fault` on both origins; each counts its own requests."""
        self.origin.fault(pattern, *acts, times=times, method=method)
        self.files.fault(pattern, *acts, times=times, method=method)

    def _answer(self, request: Request) -> Response:
        for section in self.sections:
            if section.stored and request.path.startswith(section.packages):
                return _content(section, request.path.rpartition("/")[2])
            if request.path == section.prefix:
                return Response(301, {"Location": f"{section.prefix}/"})
            if request.path.startswith(section.prefix + "/"):
                return self._within(section, request.path.removeprefix(section.prefix + "/"), request)
        return not_found()

    def _within(self, section: Section, rest: str, request: Request) -> Response:
        if _is_distribution(rest.removesuffix(".metadata")):
            return _content(section, rest)
        distributions = _distributions(section.folder)
        if rest == "":
            if section.layout == "flat":
                return self._page(section, "links", distributions, request)
            return _root(section, sorted({_project(file.name) for file in distributions}), request)
        name = _normal(rest.rstrip("/"))
        chosen = [file for file in distributions if _project(file.name) == name]
        if section.layout == "flat" or not chosen:
            return not_found()
        if rest != f"{name}/":
            return Response(301, {"Location": f"{section.prefix}/{name}/"})
        return self._page(section, name, chosen, request)

    def _page(self, section: Section, name: str, chosen: Iterable[Path], request: Request) -> Response:
        base = (self.files.url if section.elsewhere else "") + section.prefix
        if _wants_json(section, request):
            rows = [_json_row(section, base, file) for file in chosen]
            return _json_page({"name": name, "files": rows})
        return _html_page(f"Links for {name}", [_link(section, base, file) for file in chosen])

    def _file(self, request: Request) -> Response:
        for section in self.sections:
            if section.elsewhere and request.path.startswith(section.prefix + "/"):
                return _content(section, request.path.removeprefix(section.prefix + "/"))
        return not_found()


def _content(section: Section, name: str) -> Response:
    file = section.folder / Path(name.removesuffix(".metadata")).name
    if not file.is_file():
        return not_found()
    if name.endswith(".metadata"):
        return Response(body=core_metadata(file)) if section.metadata else not_found()
    headers = {"Content-Type": "application/octet-stream", "ETag": f'"{_sha256(file)}"'}
    return Response(headers=headers, body=file, ranges=True)


def _root(section: Section, names: list[str], request: Request) -> Response:
    if _wants_json(section, request):
        return _json_page({"projects": [{"name": name} for name in names]})
    return _html_page("Simple index", [f'<a href="{section.prefix}/{name}/">{name}</a>' for name in names])


def _wants_json(section: Section, request: Request) -> bool:
    return section.json and JSON_TYPE in request.headers.get("accept", "")


def _link(section: Section, base: str, file: Path) -> str:
    row = _json_row(section, base, file)
    fragment = f"#sha256={row['hashes']['sha256']}" if row["hashes"] else ""
    attributes = f'href="{row["url"]}{fragment}"'
    if "core-metadata" in row:
        digest = f"sha256={row['core-metadata']['sha256']}"
        attributes += f' data-core-metadata="{digest}" data-dist-info-metadata="{digest}"'
    if "requires-python" in row:
        attributes += f' data-requires-python="{html.escape(row["requires-python"])}"'
    return f"<a {attributes}>{html.escape(file.name)}</a>"


def _json_row(section: Section, base: str, file: Path) -> dict[str, Any]:
    """What a page says of a file; `+` is written `%2B` in addresses."""
    url = f"{_stored_below(section, file) if section.stored else f'{base}/'}{quote(file.name)}"
    row: dict[str, Any] = {"filename": file.name, "url": url, "hashes": {}}
    if section.hashes:
        row["hashes"] = {"sha256": _sha256(file)}
    if file.suffix != ".whl":
        return row
    metadata = core_metadata(file)
    if section.metadata:
        row["core-metadata"] = {"sha256": hashlib.sha256(metadata).hexdigest()}
    python = re.search(rb"^Requires-Python: (.+)$", metadata, re.M)
    if section.python and python:
        row["requires-python"] = python[1].decode()
    return row


def _stored_below(section: Section, file: Path) -> str:
    """Two digits, two, and sixty: of another hash in the world, but any will do."""
    digest = _sha256(file)
    return f"{section.packages}{digest[:2]}/{digest[2:4]}/{digest[4:]}/"


def _html_page(title: str, links: Iterable[str]) -> Response:
    version = '<meta name="pypi:repository-version" content="1.0">'
    head = f"<!DOCTYPE html>\n<html><head>{version}<title>{title}</title>"
    body = "".join(f"{link}<br>\n" for link in links)
    return Response(headers={"Content-Type": HTML_TYPE}, body=f"{head}</head><body>\n{body}</body></html>\n".encode())


def _json_page(content: dict[str, Any]) -> Response:
    page = {"meta": {"api-version": "1.0"}, **content}
    return Response(headers={"Content-Type": JSON_TYPE}, body=json.dumps(page).encode())


def _distributions(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if _is_distribution(file.name))


def _is_distribution(name: str) -> bool:
    return "/" not in name and name.endswith((".whl", ".tar.gz"))


def _project(file_name: str) -> str:
    is_wheel = file_name.endswith(".whl")
    return _normal(file_name.split("-")[0] if is_wheel else file_name.rpartition("-")[0])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _sha256(file: Path) -> str:
    state = file.stat()
    return _hashed(file, state.st_mtime_ns, state.st_size)


@cache
def _hashed(file: Path, changed: int, size: int) -> str:
    """Big wheels are hashed once, not on every page; `changed` and `size` tell a replaced file apart."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> None:
    """Serve the folders named on the command line until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.upstream.index", description="A package index.")
    parser.add_argument("--simple", type=Path, metavar="FOLDER", help="at /simple/")
    parser.add_argument("--flat", type=Path, metavar="FOLDER", help="at /flat/")
    parser.add_argument("--pytorch", action="append", default=[], metavar="VARIANT=FOLDER", help="at /whl/VARIANT/")
    parser.add_argument("--no-hashes", dest="hashes", action="store_false")
    parser.add_argument("--no-metadata", dest="metadata", action="store_false")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    options = parser.parse_args()
    extras = {"hashes": options.hashes, "metadata": options.metadata}
    sections = [simple(options.simple, **extras)] if options.simple else []
    sections += [flat(options.flat, hashes=options.hashes)] if options.flat else []
    for variant, _, folder in (text.partition("=") for text in options.pytorch):
        sections.append(pytorch(Path(folder), variant, **extras))
    stand(Index(*sections, port=options.port), options.port_file)


if __name__ == "__main__":
    main()
