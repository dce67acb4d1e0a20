"""ModelScope: a revision becomes a list of files with their sha256, and each file an address.

Its API is its own and no hub library speaks it; two requests of it are enough. Shapes: the ModelScope client 0.5, and
answers that public projects keep in their tests.
"""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from setup_llm_dev.documents.lock import ModelFile, ModelScopeModelLock
from setup_llm_dev.documents.lock_rules import first_problem
from setup_llm_dev.documents.lock_values import wanted
from setup_llm_dev.documents.transfer import Source, Wanted
from setup_llm_dev.errors import Refused, SetupError, Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

DEFAULT_ENDPOINT = "https://modelscope.cn"
_BRANCH = "master"
_CAP = 3000  # a listing is silently cut there
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._+-]*")


@dataclass(frozen=True)
class ModelScope:
    """ModelScope at one endpoint. Only what anybody may read: it has no token here."""

    host: Host
    endpoint: str = DEFAULT_ENDPOINT

    def resolve(self, repository: str, revision: str) -> ModelScopeModelLock:
        """The files worth fetching at a branch, tag or commit; `main` is its default branch, called master there.

        Raises Unreachable (4), its status being HTTP's where it answered, and Refused (3).
        """
        named = _BRANCH if revision == "main" else revision
        rows = self._rows(repository, named)
        files = tuple(self._file(repository, row) for row in rows if _worth(row))
        if not any(file.path.endswith(".safetensors") for file in files):
            raise Refused(
                message("{repository} has no weights in safetensors format", repository=repository),
                hint=message("choose a model, or a revision of it, that has model.safetensors"),
            )
        lock = ModelScopeModelLock(
            source=f"modelscope:{repository}",
            repository=repository,
            revision=named,
            endpoint=without_credentials(self.endpoint),
            files=files,
            commits={row["Path"]: row["Revision"] for row in rows if _worth(row) and _commit(row)},
        )
        self._refuse_nonsense(lock)
        return lock

    def _refuse_nonsense(self, lock: ModelScopeModelLock) -> None:
        """Names and hashes become paths: of a hub that tells others than there can be, nothing is used."""
        problem = first_problem(lock)
        if problem is not None:
            shown = without_credentials(self.endpoint)
            raise Unreachable(
                message("ModelScope at {url} gave an answer that can't be right: {why}", url=shown, why=problem),
                url=shown,
                hint=message("nothing was fetched; check MODELSCOPE_ENDPOINT"),
            )

    def _rows(self, repository: str, revision: str) -> list[dict[str, Any]]:
        query = urlencode({"Revision": revision, "Recursive": "False"})  # nothing of a subfolder is wanted
        url = f"{_model(self.endpoint, repository)}/repo/files?{query}"
        try:
            body = self.host.fetcher().get(url, accept="application/json").body
        except Unreachable as error:
            raise self._explained(error, repository, revision) from error
        rows = _listed(body)
        if rows is None:
            shown = without_credentials(url)
            raise Unreachable(
                message("{url} answered with something that is no list of files", url=shown), url=shown,
                hint=message("this network may want a log-in in the browser first"),
            )  # fmt: skip
        if len(rows) >= _CAP:
            raise Refused(message("{repository} has more files than ModelScope lists", repository=repository))
        return rows

    def _file(self, repository: str, row: dict[str, Any]) -> ModelFile:
        sha256 = str(row.get("Sha256") or "").lower()
        if not re.fullmatch(r"[0-9a-f]{64}", sha256) or not isinstance(row.get("Size"), int) or row["Size"] < 0:
            raise Refused(
                message("ModelScope gives no hash for {file} of {repository}", file=row["Path"], repository=repository),
                hint=message("nothing is fetched that can't be verified; choose another model or revision"),
            )
        return ModelFile(path=row["Path"], size=row["Size"], sha256=sha256)

    def _explained(self, error: Unreachable, repository: str, revision: str) -> SetupError:
        url = f"{without_credentials(self.endpoint)}/models/{repository}"
        match error.status:
            case 404 if self._has(repository):
                return Unreachable(
                    message("{repository} has no revision {revision}", repository=repository, revision=revision),
                    url=url, status=404,
                    hint=message("name a branch, a tag or a commit of that model"),
                )  # fmt: skip
            case 404:
                return Unreachable(
                    message("ModelScope has no {repository}, or it is private", repository=repository),
                    url=url, status=404,
                    hint=message("check the name at {url}; ids differ from those of the Hugging Face hub", url=url),
                )  # fmt: skip
            case 401 | 403:
                return Unreachable(
                    message("ModelScope gives {repository} only to those who log in", repository=repository),
                    url=url, status=error.status,
                    hint=message("models behind a log-in can't be had from ModelScope; choose an open one"),
                )  # fmt: skip
            case 429:
                return Unreachable(
                    message("ModelScope asks for a pause: too many requests from this address"),
                    url=url, status=429, hint=message("wait a few minutes and run the same command again"),
                )  # fmt: skip
        return Unreachable(
            message("ModelScope can't be reached: {why}", why=error.message),
            url=error.url, status=error.status,
            hint=message("check the network, or set MODELSCOPE_ENDPOINT to a mirror of it"),
        )  # fmt: skip

    def _has(self, repository: str) -> bool:
        try:
            answer = json.loads(self.host.fetcher().get(_model(self.endpoint, repository), tries=1).body)
        except (Unreachable, ValueError, RecursionError):
            return False
        return isinstance(answer, dict) and bool(answer.get("Success"))


def wanted_files(lock: ModelScopeModelLock, endpoint: str | None = None) -> tuple[Wanted, ...]:
    """What the transfer engine is asked for, in the lock's order; `endpoint` instead of the lock's own.

    First at the commit that a file was last changed in, where nobody can move it; then at the branch.
    """
    return tuple(_wanted(lock, file, endpoint or lock.endpoint) for file in lock.files)


def file_url(endpoint: str, repository: str, revision: str, path: str) -> str:
    """Where ModelScope gives the bytes of a file. It honours ranges, but answers them with 200 and a Content-Range."""
    return f"{_model(endpoint, repository)}/repo?{urlencode({'Revision': revision, 'FilePath': path})}"


def sources_elsewhere(also: tuple[str, ...], path: str, endpoint: str | None = None) -> tuple[Source, ...]:
    """Addresses for a file of a hub's model that other hubs have too, by ids such as `modelscope:OWNER/NAME`."""
    names = (name for scheme, _, name in (one.partition(":") for one in also) if scheme == "modelscope")
    return tuple(Source(file_url(endpoint or DEFAULT_ENDPOINT, name, _BRANCH, path)) for name in names)


def _wanted(lock: ModelScopeModelLock, file: ModelFile, endpoint: str) -> Wanted:
    revisions = dict.fromkeys((lock.commits.get(file.path, lock.revision), lock.revision))
    sources = tuple(Source(file_url(endpoint, lock.repository, revision, file.path)) for revision in revisions)
    return Wanted(file.path, sources, size=file.size, sha256=file.sha256)


def _model(endpoint: str, repository: str) -> str:
    return f"{endpoint.rstrip('/')}/api/v1/models/{quote(repository)}"


def _listed(body: bytes) -> list[dict[str, Any]] | None:
    try:
        answer = json.loads(body)
        rows = answer["Data"]["Files"] if answer["Code"] == 200 else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = isinstance(rows, list) and all(isinstance(row, dict) and isinstance(row.get("Path"), str) for row in rows)
    return rows if sound else None


def _worth(row: dict[str, Any]) -> bool:
    """Files, not folders; of those what the hub's rule allows; and no name that a file system could read otherwise."""
    path = row["Path"]
    return row.get("Type") != "tree" and wanted(path) and _SAFE.fullmatch(path) is not None


def _commit(row: dict[str, Any]) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}", str(row.get("Revision"))) is not None
