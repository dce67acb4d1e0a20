"""A greeting: the first answer of a host, with the time it took and the time of day that it believes it is."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.world import Host

_MOST = 1 << 17


@dataclass(frozen=True)
class Greeting:
    """`seconds` until the answer began, the look-up of the name included; `date` is the host's clock, if it told it.

    body: at most 128 KiB. url: what answered in the end, after redirects.
    """

    status: int
    seconds: float
    url: str
    date: datetime | None
    media_type: str
    body: bytes


def greet(host: Host, url: str, *, seconds: float, headers: Mapping[str, str] | None = None) -> Greeting:
    """One question, one try. Raises Unreachable (4) saying which of name, connection, certificate, proxy, time it was.

    The look-up of a name can't be bounded from inside: whoever must not wait asks in a thread.
    """
    import requests  # here, since few need it and it brings all of HTTP

    from setup_llm_dev.host.web.http_session import Session, in_words

    shown = without_credentials(url)
    began = time.monotonic()
    try:
        with (
            Session(host.environment) as session,
            session.get(url, headers={"Accept-Encoding": "identity", **(headers or {})}, timeout=(seconds, seconds),
                        stream=True) as answer,
        ):  # fmt: skip
            took = time.monotonic() - began
            body = next(answer.iter_content(_MOST), b"")
            told = answer.headers
            date = _date(told.get("Date"), told.get("Age"))
            return Greeting(answer.status_code, took, answer.url, date, told.get("Content-Type", ""), body)
    except requests.RequestException as error:
        raise in_words(error, shown, host.environment) from error


def _date(text: str | None, age: str | None) -> datetime | None:
    """A cache on the way keeps the date of the original answer, and says how old that is."""
    if text is None:
        return None
    try:
        told = parsedate_to_datetime(text)
    except ValueError:
        return None
    if told.tzinfo is None:
        return None
    return told.astimezone(UTC) + timedelta(seconds=int(age) if age and age.isdecimal() else 0)
