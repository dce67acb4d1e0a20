"""JetBrains on loopback: the list of releases, the download host with its checksum files, and where it redirects to.

Three origins, as in the world: the list; the download host, which answers checksum files itself and redirects
everything else; and the one that has the bytes, with ranges. The list filters by code and type (and knows `latest`);
whatever else it is asked for it ignores, as the real one does.

By hand: `python -m tests.upstream.jetbrains --release 2026.3.1=263.8665.41 --port-file FILE`, then
`SETUP_LLM_DEV_MIRRORS_JETBRAINS_FEED=URL/products/releases`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from .acts import Act
from .exchange import Exchange, Request, Response
from .ide_archive import pycharm_archive
from .origins import Origins
from .server import Upstream, not_found, stand

# In the order of a real answer, with what follows the version in the name of the file.
KEYS = {
    "linuxARM64": "-aarch64.tar.gz",
    "linux": ".tar.gz",
    "thirdPartyLibrariesJson": "-third-party-libraries.json",
    "windows": ".exe",
    "windowsZip": ".win.zip",
    "windowsARM64": "-aarch64.exe",
    "mac": ".dmg",
    "macM1": "-aarch64.dmg",
}
_ARCH = {"linux": "amd64", "linuxARM64": "aarch64"}
_UNIFIED_SINCE = (2025, 3)  # of the names of the files


class JetBrains(Origins):
    """Serves what was published, from `with` to its end; `feed_url` is the address of the list.

    `products` (code to releases, newest first) and `files` (path to content) are open to tests, which write into
    them what no maker should. `answer_code`: the list answers under this code, whatever was asked. `redirects`: a
    download is redirected to the second origin, else served by the first.
    """

    def __init__(self, *, answer_code: str | None = None, redirects: bool = True, port: int = 0) -> None:
        self.products: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, bytes | Path] = {}
        self._answer_code = answer_code
        self._redirects = redirects
        self.feed = Upstream(self._list, port=port)
        self.downloads = Upstream(self._download)
        self.cdn = Upstream(self.carry)
        super().__init__(self.feed, self.downloads, self.cdn)

    @property
    def feed_url(self) -> str:
        """Of the list, without a query."""
        return f"{self.feed.url}/products/releases"

    @property
    def downloads_url(self) -> str:
        """The root of the download host, without a slash at the end."""
        return self.downloads.url

    def archive(
        self, version: str, build: str, *, code: str = "PCP", date: str | None = "2026-11-10", **options: Any
    ) -> dict[str, Any]:
        """Publish a release with generated archives for Linux on both processors; `options` are the generator's.

        Returns its row, which tests may change. No version of the tool's own catalogue: its hashes are known.
        """
        made = {key: pycharm_archive(version, build, **{"arches": (arch,)} | options) for key, arch in _ARCH.items()}
        return self.publish(version, build, made, code=code, date=date)

    def publish(
        self,
        version: str,
        build: str | None,
        contents: Mapping[str, bytes | Path] | None = None,
        *,
        code: str = "PCP",
        date: str | None = "2026-11-10",
        type_: str = "release",
    ) -> dict[str, Any]:
        """Put a release before all others of its product; of the keys without contents a few bytes are served."""
        downloads = {}
        for key, ending in KEYS.items():
            path = f"/python/{_stem(code, version)}{ending}"
            downloads[key] = self._put(path, (contents or {}).get(key, f"{key} {version}\n".encode()))
        row = {
            "date": date,
            "type": type_,
            "downloads": downloads,
            "patches": self._patches(build),
            "notesLink": "https://www.jetbrains.com/pycharm/whatsnew/",
            "licenseRequired": code == "PCP",
            "version": version,
            "majorVersion": ".".join(version.split(".")[:2]),
            "build": build,
            "whatsnew": "<h3>What is new</h3>" + "<p>A list of things that were mended.</p>" * 60,
            "uninstallFeedbackLinks": dict.fromkeys(KEYS, "https://www.jetbrains.com/pycharm/uninstall/"),
            "printableReleaseType": None,
        }
        self.products.setdefault(code, []).insert(0, row)
        return row

    def path(self, row: Mapping[str, Any], key: str = "linux") -> str:
        """The path of a release's file on either download origin."""
        return str(row["downloads"][key]["link"]).removeprefix(self.downloads_url)

    def sha256(self, row: Mapping[str, Any], key: str = "linux") -> str:
        """The true hash of a release's file."""
        return _sha256(self.files[self.path(row, key)])

    def carry(self, request: Request) -> Response:
        """The bytes, with ranges: what the second origin answers, and what a faithful mirror would."""
        content = self.files.get(request.path)
        if content is None:
            return not_found()
        etag = f'"{_sha256(content)[:32]}"'
        return Response(headers={"ETag": etag, "Content-Type": _type(request.path)}, body=content, ranges=True)

    def fault(self, pattern: str, *acts: Act, times: int | None = 1, method: str | None = None) -> None:
        """`Upstream.fault` of whoever has such paths: the list below `/products`, else the origin with the bytes.

        Faults of the download host itself: `jetbrains.downloads.fault("*.sha256", …)`.
        """
        origin = self.feed if pattern.startswith("/products") else self.cdn
        origin.fault(pattern, *acts, times=times, method=method)

    def asked(self, pattern: str = "*", method: str | None = None) -> tuple[Exchange, ...]:
        """The exchanges of all origins whose path matches a glob."""
        return tuple(x for origin in self.all for x in origin.asked(pattern, method))

    def served(self, pattern: str = "*") -> int:
        """Body bytes handed to the network by the origin that has the bytes (by the first, without redirects)."""
        return (self.cdn if self._redirects else self.downloads).served(pattern)

    # the list -----------------------------------------------------------------------------------------------

    def _list(self, request: Request) -> Response:
        if request.path not in ("/products/releases", "/products"):
            return not_found()
        fields = parse_qs(request.target.partition("?")[2], keep_blank_values=True)
        codes = [code.upper() for value in fields.get("code", []) for code in value.split(",")]
        kinds = [kind for value in fields.get("type", fields.get("release.type", [])) for kind in value.split(",")]
        found = {
            self._answer_code or code: [row for row in rows if row.get("type", "release") in (kinds or ["release"])]
            for code, rows in self.products.items()
            if code in codes or self._answer_code
        }
        if "latest" in fields and fields["latest"] != ["false"]:
            found = {code: rows[:1] for code, rows in found.items()}
        answer = found if request.path == "/products/releases" else [_product(code, found[code]) for code in found]
        return Response(200, {"Content-Type": "application/json;charset=UTF-8"}, json.dumps(answer).encode())

    def _put(self, path: str, content: bytes | Path) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        self.files[path] = content
        self.files[f"{path}.sha256"] = f"{_sha256(content)} *{name}".encode()
        link = f"{self.downloads_url}{path}"
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        return {"link": link, "size": size, "checksumLink": f"{link}.sha256"}

    def _patches(self, build: str | None) -> dict[str, Any]:
        if build is None:
            return {}
        rows = {}
        for key in ("win", "mac", "unix"):
            link = f"{self.downloads_url}/python/PY-{build[:3]}.1.1-{build}-patch-{key}.jar"
            checksum = f"{link}.sha256"
            rows[key] = [{"fromBuild": f"{build[:3]}.1.1", "link": link, "size": 25446054, "checksumLink": checksum}]
        return rows

    # the download host --------------------------------------------------------------------------------------

    def _download(self, request: Request) -> Response:
        if not self._redirects or request.path.endswith(".sha256"):
            return self.carry(request)
        if request.path not in self.files:
            return not_found()
        return Response(302, {"Location": f"{self.cdn.url}{request.target}"})


def _product(code: str, releases: list[dict[str, Any]]) -> dict[str, Any]:
    """A row of the other form of the list."""
    return {
        "code": code,
        "name": "PyCharm",
        "releases": releases,
        "intellijProductCode": "PY" if code == "PCP" else "PC",
        "alternativeCodes": ["PYA"],
        "salesCode": "PC" if code == "PCP" else None,
        "link": "https://www.jetbrains.com/pycharm/",
        "description": None,
        "types": [],
        "categories": ["IDE"],
        "forSale": code == "PCP",
        "productFamilyName": "PyCharm",
        "distributions": {"linux": {"name": "Linux", "extension": "tar.gz"}},
    }


def _stem(code: str, version: str) -> str:
    """The names as they were before there was one product, and as they are since."""
    if tuple(map(int, version.split(".")[:2])) >= _UNIFIED_SINCE:
        return f"pycharm-{version}"
    return f"pycharm-{'professional' if code == 'PCP' else 'community'}-{version}"


def _sha256(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _type(path: str) -> str:
    return "text/plain" if path.endswith(".sha256") else "application/octet-stream"


def main() -> None:
    """Serve generated releases until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.upstream.jetbrains", description="JetBrains on loopback.")
    parser.add_argument("--release", action="append", required=True, metavar="VERSION=BUILD", help="oldest first")
    parser.add_argument("--bulk", type=int, default=0, help="bytes of jars in each archive")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    options = parser.parse_args()
    jetbrains = JetBrains(port=options.port)
    for version, _, build in (text.partition("=") for text in options.release):
        jetbrains.archive(version, build, bulk=options.bulk)
    stand(jetbrains, options.port_file)


if __name__ == "__main__":
    main()
