"""ModelScope on loopback: listings with sha256, and files by a query, on its own and on a second origin.

By hand: `python -m tests.upstream.modelscope --repository OWNER/NAME=FOLDER --port-file FILE`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .acts import Act
from .exchange import Request, Response
from .hub_answers import json_answer
from .origins import Origins
from .repositories import LARGE, Commit, Repository, RepositoryFile, Tree
from .server import Upstream, not_found, stand

_ADDRESS = re.compile(r"/api/v1/models/(?P<repository>[^/]+/[^/]+)(?P<rest>(?:/.*)?)")
_MISSING = 10010205001  # its own number for «does not exist»


class ModelScope(Origins):
    """Serves repositories (`owner/name` to a folder or `{path: content}`), from `with` to its end.

    Files over `large` bytes, and those that git keeps as pointers, are redirected to a second origin. Ids in `closed`
    want a log-in. With `partial_as_200` a range is answered as the real one does: its bytes and Content-Range, status
    200.
    """

    def __init__(
        self,
        repositories: Mapping[str, Tree],
        *,
        closed: Collection[str] = (),
        large: int = LARGE,
        partial_as_200: bool = False,
        port: int = 0,
    ) -> None:
        self._closed, self._large, self._partial_as_200 = frozenset(closed), large, partial_as_200
        self.repositories: dict[str, Repository] = {}
        self._blobs: dict[str, RepositoryFile] = {}
        for name, tree in repositories.items():
            self.repositories[name] = Repository(name)
            self.push(name, tree)
        self.origin = Upstream(self._answer, port=port)
        self.cdn = Upstream(self._blob)
        super().__init__(self.origin, self.cdn)

    def push(self, repository: str, tree: Tree, *, branch: str = "master") -> str:
        """Move a branch to a new commit with these files; returns the commit's id of 40 hex digits."""
        held = self.repositories[repository]
        commit = held.push(branch, tree, large=self._large)
        self._blobs |= {file.sha256: file for file in held.commits[commit].files.values()}
        return commit

    def fault(self, pattern: str, *acts: Act, times: int | None = 1, method: str | None = None) -> None:
        """`Upstream.fault` of its own origin; bytes of large files are under `cdn`."""
        self.origin.fault(pattern, *acts, times=times, method=method)

    def _answer(self, request: Request) -> Response:
        match = _ADDRESS.fullmatch(request.path)
        if match is None:
            return not_found()
        repository = self.repositories.get(match["repository"])
        if repository is None:
            return _no(404, _MISSING, "模型不存在")
        if repository.name in self._closed:
            return _no(403, 403, "user not logged in")
        if match["rest"] == "":
            return _yes({"Path": repository.name.split("/")[0], "Name": repository.name.split("/")[1]})
        commit = repository.at(request.query.get("Revision", "master"))
        if commit is None:
            return _no(404, _MISSING, "revision does not exist")
        if match["rest"] == "/repo/files":
            return _yes({"Files": _rows(commit, recursive=request.query.get("Recursive") == "True"), "IsVisual": False})
        return self._file(commit, request) if match["rest"] == "/repo" else not_found()

    def _file(self, commit: Commit, request: Request) -> Response:
        file = commit.files.get(request.query.get("FilePath", ""))
        if file is None:
            return _no(404, _MISSING, "file does not exist")
        if file.large:
            return Response(302, {"Location": f"{self.cdn.url}/{file.sha256}"})
        return self._bytes(file, request)

    def _blob(self, request: Request) -> Response:
        file = self._blobs.get(request.path.lstrip("/"))
        return self._bytes(file, request) if file is not None else not_found()

    def _bytes(self, file: RepositoryFile, request: Request) -> Response:
        headers = {"ETag": f'"{file.sha256}"', "Content-Type": "application/octet-stream"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if asked is None or not self._partial_as_200:
            return Response(headers=headers, body=file.content, ranges=True)
        body = file.content if isinstance(file.content, bytes) else file.content.read_bytes()
        start, stop = int(asked[1]), min(len(body), int(asked[2] or len(body) - 1) + 1)
        part = {"Content-Range": f"bytes {start}-{stop - 1}/{len(body)}"}
        return Response(headers=headers | part, body=body[start:stop])


def _rows(commit: Commit, *, recursive: bool) -> list[dict[str, Any]]:
    """As the real listing has them, folders included."""
    rows = []
    for row in commit.listing("", recursive=recursive):
        file = commit.files.get(row["path"])
        rows.append({
            "CommitMessage": "upload", "CommittedDate": 1726842501, "CommitterName": "tests", "InCheck": False,
            "IsLFS": file.large if file else False, "Mode": "33188" if file else "16384",
            "Name": row["path"].rpartition("/")[2], "Path": row["path"], "Revision": commit.id,
            "Sha256": file.sha256 if file else "", "Size": file.size if file else 0,
            "Type": "blob" if file else "tree",
        })  # fmt: skip
    return rows


def _yes(data: dict[str, Any]) -> Response:
    return json_answer({"Code": 200, "Data": data, "Message": "success", "RequestId": "tests", "Success": True})


def _no(status: int, code: int, why: str) -> Response:
    answer = {"Code": code, "Data": None, "Message": why, "RequestId": "tests", "Success": False}
    return json_answer(answer, status=status)


def main() -> None:
    """Serve the folders named on the command line until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.upstream.modelscope", description="ModelScope.")
    parser.add_argument("--repository", action="append", default=[], metavar="OWNER/NAME=FOLDER")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    options = parser.parse_args()
    named = (text.partition("=") for text in options.repository)
    stand(ModelScope({name: Path(folder) for name, _, folder in named}, port=options.port), options.port_file)


if __name__ == "__main__":
    main()
