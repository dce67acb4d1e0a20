"""A model hub on loopback: the API and the file addresses of the Hugging Face hub, on two origins.

Small files come from the hub's own origin; large ones (`*.safetensors` and the like, and whatever is over the
threshold) are redirected to a second origin, as the real hub does, which must never see a token.

By hand: `python -m tests.upstream.hub --repository org/name=FOLDER --port-file FILE`, then `HF_ENDPOINT=URL`.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from .acts import Act
from .exchange import Request, Response
from .hub_answers import Caller, Refused, content_headers, info, json_answer, wanted_paths, whoami
from .origins import Origins
from .repositories import LARGE, Commit, Content, Repository, RepositoryFile, Source, Tree
from .server import Upstream, not_found, stand

_ADDRESS = re.compile(
    r"/api/(?P<kind>models|datasets)/(?P<repo>[^/]+(?:/[^/]+)?)"
    r"/(?P<verb>revision|tree|paths-info|xet-read-token)/(?P<revision>[^/]+)(?:/(?P<path>.+))?"
)
_INFO = re.compile(r"/api/(?P<kind>models|datasets)/(?P<repo>[^/]+(?:/[^/]+)?)")
_RESOLVE = re.compile(r"/(?P<repo>.+?)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


class Hub(Origins):
    """Serves repositories, from `with` to its end; `url` is what `HF_ENDPOINT` wants.

    `repositories` maps ids (`name`, `org/name`, `datasets/org/name`) to a folder or `{path: content}` for the
    branch `main`, or to `{branch: folder or {path: content}}`. Ids in `gated` give files only to a token of
    `tokens`, ids in `private` give nothing without one; tokens of `unlicensed` are good but have accepted no
    licence; any other token is refused. Files over `large` bytes go to the second origin; trees come in pages
    of `page` rows; `xet` advertises a Xet store at that URL (which nobody serves here).
    """

    def __init__(
        self,
        repositories: Mapping[str, Source],
        *,
        gated: Collection[str] = (),
        private: Collection[str] = (),
        tokens: Collection[str] = (),
        unlicensed: Collection[str] = (),
        large: int = LARGE,
        page: int = 1000,
        xet: str | None = None,
        port: int = 0,
    ) -> None:
        self.repositories: dict[str, Repository] = {}
        self._tokens, self._unlicensed = frozenset(tokens), frozenset(unlicensed)
        self._large, self._page, self._xet = large, page, xet
        self._blobs: dict[str, RepositoryFile] = {}
        self._signatures = itertools.count(1)
        for name, source in repositories.items():
            self.repositories[name] = Repository(name, private=name in private, gated=name in gated)
            for branch, tree in _branches(source).items():
                self.push(name, tree, branch=branch)
        self.origin = Upstream(self._answer, port=port)
        self.cdn = Upstream(self._blob)
        super().__init__(self.origin, self.cdn)

    def push(self, repository: str, tree: Tree, *, branch: str = "main") -> str:
        """Move a branch to a new commit with these files; returns the commit's id of 40 hex digits."""
        held = self.repositories[repository]
        commit = held.push(branch, tree, large=self._large)
        self._blobs |= {file.sha256: file for file in held.commits[commit].files.values() if file.large}
        return commit

    def commit(self, repository: str, revision: str = "main") -> str:
        """The id of the commit that a branch, a tag or an id names; KeyError if none does."""
        commit = self.repositories[repository].at(revision)
        if commit is None:
            raise KeyError(revision)
        return commit.id

    def fault(self, pattern: str, *acts: Act, times: int | None = 1, method: str | None = None) -> None:
        """`Upstream.fault` of the hub's origin; large files are under `cdn`: `hub.cdn.fault("*", …)`."""
        self.origin.fault(pattern, *acts, times=times, method=method)

    def _answer(self, request: Request) -> Response:
        try:
            caller = self._caller(request)
            return self._route(request, caller)
        except Refused as refused:
            return refused.response

    def _caller(self, request: Request) -> Caller:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self._tokens | self._unlicensed:
            raise Refused(401, None, "Invalid credentials in Authorization header")
        return Caller(known=bool(token), licensed=token in self._tokens)

    def _route(self, request: Request, caller: Caller) -> Response:
        raw = request.raw_path
        if raw == "/api/agent-harnesses":
            return json_answer({"standardEnvVars": [], "harnesses": {}})
        if raw == "/api/whoami-v2":
            return whoami(caller)
        if match := _ADDRESS.fullmatch(raw):
            repository = self._repository(_key(match["kind"], match["repo"]), caller)
            return self._api(request, match, repository, _commit(repository, unquote(match["revision"])))
        if match := _INFO.fullmatch(raw):
            repository = self._repository(_key(match["kind"], match["repo"]), caller)
            return json_answer(info(repository, _commit(repository, "main")))
        if match := _RESOLVE.fullmatch(raw):
            repository = self._repository(match["repo"], caller)
            return self._resolve(repository, caller, unquote(match["revision"]), unquote(match["path"]))
        return not_found()

    def _api(self, request: Request, match: re.Match[str], repository: Repository, commit: Commit) -> Response:
        match match["verb"]:
            case "revision":
                return json_answer(info(repository, commit))
            case "tree":
                return self._tree(request, commit, unquote(match["path"] or ""))
            case "paths-info":
                rows = {row["path"]: row for row in commit.listing("", recursive=True)}
                return json_answer([rows[path] for path in wanted_paths(request) if path in rows])
            case _:
                return self._xet_token()

    def _repository(self, name: str, caller: Caller) -> Repository:
        """Missing and private look the same to whoever may not see it."""
        repository = self.repositories.get(name)
        if repository is None or (repository.private and not caller.licensed):
            raise Refused(404 if caller.known else 401, "RepoNotFound", "Repository not found")
        return repository

    def _tree(self, request: Request, commit: Commit, folder: str) -> Response:
        query = request.query
        rows = commit.listing(folder, recursive=query.get("recursive", "").lower() in ("true", "1"))
        if folder and not rows:
            raise Refused(404, "EntryNotFound", f"{folder} does not exist")
        start, size = int(query.get("cursor", 0)), min(self._page, int(query.get("limit", self._page)))
        headers = {}
        if start + size < len(rows):
            more = "&".join(f"{name}={quote(value)}" for name, value in query.items() if name != "cursor")
            headers["Link"] = f'<{self.url}{request.raw_path}?{more}&cursor={start + size}>; rel="next"'
        return json_answer([self._with_xet(row) for row in rows[start : start + size]], headers=headers)

    def _resolve(self, repository: Repository, caller: Caller, revision: str, path: str) -> Response:
        if repository.gated and not caller.licensed:
            raise Refused(403 if caller.known else 401, "GatedRepo", f"Access to {repository.name} is restricted")
        commit = _commit(repository, revision)
        file = commit.files.get(path)
        known = {"X-Repo-Commit": commit.id}
        if file is None:
            code = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            return json_answer({"error": "Entry not found"}, status=404, headers=known | code)
        if file.large:
            return self._redirected(repository, commit, file, known)
        return Response(headers=known | content_headers(file), body=file.content, ranges=True)

    def _redirected(
        self, repository: Repository, commit: Commit, file: RepositoryFile, known: dict[str, str]
    ) -> Response:
        headers = known | {
            "X-Linked-Etag": f'"{file.sha256}"',
            "X-Linked-Size": str(file.size),
            # a new signature each time: a test sees whether a client asked again for an expired address
            "Location": f"{self.cdn.url}/{file.sha256}?signature={next(self._signatures)}",
        }
        if self._xet:
            headers["X-Xet-Hash"] = file.sha256
            route = f"{self.url}/api/models/{repository.name}/xet-read-token/{commit.id}"
            headers["Link"] = f'<{route}>; rel="xet-auth"'
        return Response(302, headers)

    def _blob(self, request: Request) -> Response:
        file = self._blobs.get(request.path.lstrip("/"))
        if file is None:
            return not_found()
        return Response(headers=content_headers(file), body=file.content, ranges=True)

    def _with_xet(self, row: dict[str, Any]) -> dict[str, Any]:
        return row | {"xetHash": row["lfs"]["oid"]} if self._xet and "lfs" in row else row

    def _xet_token(self) -> Response:
        if self._xet is None:
            return not_found()
        token = {"casUrl": self._xet, "accessToken": "xet_for_tests", "exp": 4102444800}
        headers = ("X-Xet-Cas-Url", "X-Xet-Access-Token", "X-Xet-Token-Expiration")
        return json_answer(token, headers=dict(zip(headers, map(str, token.values()), strict=True)))


def _branches(source: Source) -> Mapping[str, Tree]:
    """Folders and mappings as values are branches; bytes and files are the contents of `main`."""
    if isinstance(source, Path):
        return {"main": source}
    trees: dict[str, Tree] = {}
    contents: dict[str, Content] = {}
    for name, part in source.items():
        if isinstance(part, Mapping) or (isinstance(part, Path) and part.is_dir()):
            trees[name] = part
        else:
            contents[name] = part
    return trees or {"main": contents}


def _key(kind: str, repo: str) -> str:
    return repo if kind == "models" else f"{kind}/{repo}"


def _commit(repository: Repository, revision: str) -> Commit:
    commit = repository.at(revision)
    if commit is None:
        raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return commit


def main() -> None:
    """Serve the folders named on the command line until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.upstream.hub", description="A model hub on loopback.")
    parser.add_argument("--repository", action="append", required=True, metavar="ID=FOLDER")
    parser.add_argument("--gated", action="append", default=[], metavar="ID")
    parser.add_argument("--token", action="append", default=[], help="a token that may read gated repositories")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    options = parser.parse_args()
    folders = {name: Path(folder) for name, _, folder in (text.partition("=") for text in options.repository)}
    stand(Hub(folders, gated=options.gated, tokens=options.token, port=options.port), options.port_file)


if __name__ == "__main__":
    main()
