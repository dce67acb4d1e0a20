"""What tests of the transfer engine share: a body, a server that serves it in a scripted way, and a short patience."""

import hashlib
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from setup_llm_dev.documents.transfer import DownloadFacts, Limits, Source, Wanted
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.fetch import Fetcher
from setup_llm_dev.host.files import Files
from tests.upstream.exchange import Request, Response
from tests.upstream.server import Upstream

MIB = 1 << 20
CHUNK = 8 * MIB
SHORT = Limits(backoff_seconds=0.01, idle_seconds=1.0, connect_seconds=5.0, floor_seconds=1.5)
PATIENT = replace(SHORT, idle_seconds=20.0, floor_seconds=60.0)
ONE = replace(PATIENT, connections=1)
"""Where bytes are counted: on a busy machine one connection takes over what another seems too slow for."""


def body_of(size: int, seed: int = 1) -> bytes:
    """Bytes that repeat nowhere; the same for the same arguments."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - no secret


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def serving(
    bodies: Mapping[str, bytes | Path], headers: Callable[[], Mapping[str, str]] | None = None, *, ranges: bool = True
) -> Upstream:
    """A server of these paths; `headers` are asked for with each answer. Without them there is a strong ETag."""

    def answer(request: Request) -> Response:
        told = headers() if headers is not None else {"ETag": f'"{request.path}"'}
        body = bodies.get(request.path)  # after the headers, which may have changed it
        if body is None:
            return Response(404)
        return Response(headers={"Content-Type": "application/octet-stream", **told}, body=body, ranges=ranges)

    return Upstream(answer)


class Place:
    """A scratch folder with a target and its partial files."""

    def __init__(self, folder: Path) -> None:
        self.target = folder / "out" / "file"
        self.partials = folder / "partials"

    @property
    def left(self) -> list[str]:
        """Names of partial files and logs."""
        return sorted(os.listdir(self.partials)) if self.partials.exists() else []

    def fetch(
        self,
        body: bytes,
        *urls: str | Source,
        limits: Limits = SHORT,
        known: bool = True,
        environment: Mapping[str, str] | None = None,
        cancel: Cancel | None = None,
        **more: object,
    ) -> DownloadFacts:
        """Download with the hash of `body`; `known`: its size, too."""
        sources = tuple(url if isinstance(url, Source) else Source(url) for url in urls)
        wanted = Wanted("file", sources, len(body) if known else None, sha256(body))
        fetcher = Fetcher(environment or {}, cancel or Cancel(), Files(), limits)
        return fetcher.download(wanted, self.target, partials=self.partials, **more)  # type: ignore[arg-type]

    def holds(self, body: bytes) -> bool:
        """Whether the target is right and nothing else is left."""
        return self.target.read_bytes() == body and self.left == []
