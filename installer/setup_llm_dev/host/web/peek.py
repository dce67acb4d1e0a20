"""A short look at an address: the first bytes that come back, and through which hosts they came."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from threading import Thread
from time import monotonic
from typing import TypeVar
from urllib.parse import urlsplit

from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.world import Host

T = TypeVar("T")
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Peek:
    """`hosts` (names with ports, lower case) are all that were asked, redirects included; `url` answered in the end."""

    status: int
    url: str
    hosts: tuple[str, ...]
    media_type: str
    body: bytes


def peek(host: Host, url: str, *, most: int, seconds: float, first: int | None = None) -> Peek | None:
    """At most `most` bytes, of the first `first` bytes of the file if that is given; None where nothing came in time.

    It follows redirects, for they tell where an address really leads. One try: whoever needs two is no help.
    """
    import requests  # here, since few need it and it brings all of HTTP

    from setup_llm_dev.host.web.http_session import Session

    headers = {"Accept": "text/html, application/json;q=0.9, */*;q=0.1", "Accept-Encoding": "identity"}
    if first is not None:
        headers["Range"] = f"bytes=0-{first - 1}"
    deadline = monotonic() + seconds
    try:
        with (
            Session(host.environment) as session,
            session.get(url, headers=headers, timeout=(seconds, seconds), stream=True) as answer,
        ):
            body = b""
            for part in answer.iter_content(1 << 13):
                body += part
                if len(body) >= most or monotonic() > deadline:
                    break
            asked = tuple(urlsplit(one.url).netloc.rpartition("@")[2].lower() for one in (*answer.history, answer))
            kind = answer.headers.get("Content-Type", "")
            return Peek(answer.status_code, answer.url, asked, kind, body[:most])
    except (requests.RequestException, Unreachable, ValueError):  # a redirect that we don't follow, or to no address
        return None


def all_at_once(questions: Mapping[T, Callable[[], bool]], seconds: float, cancel: Cancel) -> frozenset[T]:
    """Those that are answered with yes within `seconds`. Raises Interrupted.

    Nobody waits for the thread of a question that is still open then: a name server that does not answer can't be
    interrupted.
    """
    answers = {key: _started(question) for key, question in questions.items()}
    deadline = monotonic() + seconds
    done, waiting = wait(answers.values(), 0.0)
    while waiting and monotonic() < deadline:
        done, waiting = wait(answers.values(), min(_LOOK_SECONDS, max(0.0, deadline - monotonic())))
        cancel.raise_if_set()
    return frozenset(key for key, answer in answers.items() if answer in done and answer.result())


def _started(question: Callable[[], bool]) -> "Future[bool]":
    future: Future[bool] = Future()

    def answer() -> None:
        try:
            future.set_result(question())
        except Exception:
            future.set_result(False)  # what goes wrong in a look is no answer; the real request will say why

    Thread(target=answer, daemon=True).start()
    return future
