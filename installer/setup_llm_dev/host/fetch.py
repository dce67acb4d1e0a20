"""The one door to the network: small documents read whole, and large files through the transfer engine."""

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

import requests

from setup_llm_dev.documents.transfer import DownloadFacts, Limits, Wanted
from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.transfer.engine import Progress, Transfer
from setup_llm_dev.host.transfer.job import Follow, Job
from setup_llm_dev.host.transfer.words import counted, cut_off
from setup_llm_dev.host.web.answers import Asker
from setup_llm_dev.host.web.cutting import cut_by
from setup_llm_dev.host.web.http_session import Session, SessionByHand, hint_for, in_words, refused_by, untrusted
from setup_llm_dev.messages import message

__all__ = ["Answer", "Fetcher", "hint_for", "in_words", "untrusted"]

PAGE_LIMIT = 64 << 20
_TRIES = 2
_RETRIED = {408, 429, 500, 502, 503, 504}


class Fetcher:
    """Small documents over HTTP, and large files, which resume across runs and appear once their hash is right."""

    def __init__(
        self, environment: Mapping[str, str], cancel: Cancel, files: Files, limits: Limits | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._environment = environment
        self._cancel = cancel
        self._files = files
        self._session = Session(environment)

    def get(
        self, url: str, *, accept: str = "*/*", timeout: float = 10.0, tries: int = _TRIES, limit: int = PAGE_LIMIT
    ) -> "Answer":
        """The whole body, at most `limit` bytes.

        Raises Unreachable (4) after `tries`, naming URL and cause, and Interrupted.
        """
        failure: Unreachable | None = None
        for attempt in range(tries):
            if attempt and self._cancel.wait(0.5 * 2**attempt):
                self._cancel.raise_if_set()
            try:
                return cut_by(self._cancel, lambda: self._once(url, accept, timeout, limit))
            except _Again as again:
                failure = again.error
        assert failure is not None  # noqa: S101 - tries is at least one
        raise counted(failure, tries)

    def download(
        self,
        wanted: Wanted,
        target: PurePath,
        *,
        partials: PurePath,
        progress: Progress | None = None,
        follow: Follow | None = None,
        deadline: float | None = None,
    ) -> DownloadFacts:
        """Fetch one large file to `target`, which appears in one rename once the hash of the whole is right.

        partials: a folder on the same file system, where bytes wait for the next run if this one ends early.
        progress: called with (bytes that are there, all bytes if known) several times a second.
        follow: takes a stream of the bytes from 0 while they come, in a thread of its own; its end comes only once
        the hash was right. If bytes that it took turn out to be wrong, its read fails, and it is called again.
        deadline: seconds for all of it. Raises Unreachable (4), Corrupt (5), SystemRefused (6), Interrupted, and
        what `follow` raises.
        """
        lock = threading.RLock()
        clock = time.monotonic
        job = Job(wanted, target, partials, lock, self._files, self._limits, clock, follow)
        return self._transfer([job], lock, progress, deadline)[0]

    def download_all(
        self,
        items: Sequence[tuple[Wanted, PurePath]],
        *,
        partials: PurePath,
        progress: Progress | None = None,
        deadline: float | None = None,
    ) -> tuple[DownloadFacts, ...]:
        """`download` of many, over one budget of connections; ends with the first that can't be had.

        Facts in the order of the items; of several with one target the first counts.
        """
        lock = threading.RLock()
        by_target = {Path(target): wanted for wanted, target in reversed(items)}
        jobs = {
            target: Job(wanted, target, partials, lock, self._files, self._limits, time.monotonic)
            for target, wanted in by_target.items()
        }
        ordered = [jobs[target] for target in dict.fromkeys(Path(target) for _, target in items)]
        facts = dict(zip(ordered, self._transfer(ordered, lock, progress, deadline), strict=True))
        return tuple(facts[jobs[Path(target)]] for _, target in items)

    def _transfer(
        self, jobs: Sequence[Job], lock: threading.RLock, progress: Progress | None, deadline: float | None
    ) -> tuple[DownloadFacts, ...]:
        with SessionByHand(self._environment) as session:
            asker = Asker(session, self._limits)
            return Transfer(jobs, lock, asker, self._files, self._cancel, self._limits, progress, deadline).run()

    def sha256(self, url: str, timeout: float = 30.0) -> str:
        """Hex digest of the bytes at `url`, which are not kept. Raises Unreachable (4), Interrupted."""
        return cut_by(self._cancel, lambda: self._sha256(url, timeout))

    def size(self, url: str, timeout: float = 5.0) -> int | None:
        """Content-Length by HEAD, None where it is not told. Raises Interrupted."""
        return cut_by(self._cancel, lambda: self._size(url, timeout))

    def sizes(self, urls: tuple[str, ...]) -> tuple[int | None, ...]:
        """`size` of many, eight at a time. Raises Interrupted."""
        with ThreadPoolExecutor(8) as pool:
            return tuple(pool.map(self.size, urls))

    def _sha256(self, url: str, timeout: float) -> str:
        shown = without_credentials(url)
        digest, size = hashlib.sha256(), 0
        try:
            with self._session.get(
                url, headers={"Accept-Encoding": "identity"}, timeout=timeout, stream=True
            ) as answer:
                if not answer.ok:
                    raise refused_by(answer.status_code, shown)
                for part in answer.iter_content(1 << 20):
                    self._cancel.raise_if_set()
                    digest.update(part)
                    size += len(part)
        except requests.RequestException as error:
            raise in_words(error, shown, self._environment) from error
        expected = answer.headers.get("Content-Length", "")
        if expected.isdigit() and size != int(expected):
            raise cut_off(shown)
        return digest.hexdigest()

    def _size(self, url: str, timeout: float) -> int | None:
        try:
            answer = self._session.head(url, timeout=timeout, allow_redirects=True)
        except requests.RequestException:
            return None
        length = answer.headers.get("Content-Length", "")
        return int(length) if answer.ok and length.isdigit() else None

    def _once(self, url: str, accept: str, timeout: float, limit: int) -> "Answer":
        shown = without_credentials(url)
        try:
            with self._session.get(
                url,
                headers={"Accept": accept, "Accept-Encoding": "identity"},
                timeout=(timeout, timeout),
                stream=True,
            ) as answer:
                if answer.status_code in _RETRIED:
                    raise _Again(refused_by(answer.status_code, shown))
                if not answer.ok:
                    raise refused_by(answer.status_code, shown)
                return Answer(_body(answer, shown, limit), answer.headers.get("Content-Type", ""), answer.url)
        except requests.RequestException as error:
            raise _Again(in_words(error, shown, self._environment)) from error


class Answer:
    """A body with its media type and the URL it finally came from."""

    def __init__(self, body: bytes, media_type: str, url: str) -> None:
        self.body = body
        self.media_type = media_type
        self.url = url


class _Again(Exception):
    def __init__(self, error: Unreachable) -> None:
        super().__init__(str(error))
        self.error = error


def _body(answer: requests.Response, url: str, limit: int) -> bytes:
    parts, size = [], 0
    expected = answer.headers.get("Content-Length", "")
    for part in answer.iter_content(1 << 16):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise Unreachable(message("{url} sends more than we accept for a page", url=url), url=url)
    if expected.isdigit() and "Content-Encoding" not in answer.headers and size != int(expected):
        raise _Again(cut_off(url))
    return b"".join(parts)
