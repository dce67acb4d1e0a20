"""The small answers of a model hub: JSON, descriptions, refusals with their codes, headers of files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from .exchange import Request, Response
from .repositories import Commit, Repository, RepositoryFile


class Refused(Exception):
    """Raised where the hub says no; `response` carries the X-Error-Code that a client goes by."""

    def __init__(self, status: int, code: str | None, reason: str) -> None:
        super().__init__(reason)
        headers = {"X-Error-Message": reason} | ({"X-Error-Code": code} if code else {})
        self.response = json_answer({"error": reason}, status=status, headers=headers)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent the request: nobody, somebody known, or somebody who has accepted the licences too."""

    known: bool
    licensed: bool


def info(repository: Repository, commit: Commit) -> dict[str, Any]:
    """What the API says of a repository at a commit."""
    name = repository.name.removeprefix("datasets/")
    return {
        "_id": commit.id[:24],
        "id": name,
        "modelId": name,
        "sha": commit.id,
        "private": repository.private,
        "gated": "manual" if repository.gated else False,
        "disabled": False,
        "tags": [],
        "siblings": [{"rfilename": path} for path in sorted(commit.files)],
    }


def whoami(caller: Caller) -> Response:
    """Who the token belongs to; 401 without one."""
    if not caller.known:
        raise Refused(401, None, "Invalid username or password.")
    token = {"displayName": "tests", "role": "read"}
    auth = {"type": "access_token", "accessToken": token}
    return json_answer({"type": "user", "name": "tester", "orgs": [], "auth": auth})


def wanted_paths(request: Request) -> list[str]:
    """The paths of a `paths-info` request: the stock client sends a form, other programs JSON."""
    if request.headers.get("content-type", "").startswith("application/json"):
        return [str(path) for path in json.loads(request.body)["paths"]]
    return parse_qs(request.body.decode()).get("paths", [])


def content_headers(file: RepositoryFile) -> dict[str, str]:
    """ETag and type of a file."""
    text = file.path.endswith((".json", ".txt", ".md"))
    return {"ETag": f'"{file.etag}"', "Content-Type": "text/plain" if text else "application/octet-stream"}


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Any value as JSON."""
    return Response(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value).encode())
