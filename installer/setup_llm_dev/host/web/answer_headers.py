"""What the headers of an answer say: validators, pauses, lengths."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """What If-Range may hold: a strong ETag, or a date of change that the server's own clock makes a strong one."""
    etag = headers.get("ETag", "").strip()
    if etag:
        return etag if re.fullmatch(r'"[^"\r\n]*"', etag) else None
    changed, sent = _date(headers.get("Last-Modified", "")), _date(headers.get("Date", ""))
    if changed is None or sent is None or sent - changed < 60:  # RFC 9110, 8.8.2.2
        return None
    return headers["Last-Modified"].strip()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from either form of the header; None where there is none that means anything."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,12}", text):
        return float(text)
    until = _date(text)
    if until is None:
        return None
    return max(0.0, until - (_date(headers.get("Date", "")) or time.time()))


def header_text(header: str) -> str:
    """Header bytes come as Latin-1, whatever they are; addresses in them are UTF-8 where not plain."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def number(text: str) -> int | None:
    """Digits and nothing else, None for anything that is no length."""
    return int(text) if re.fullmatch(r"\d{1,18}", text.strip()) else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
