"""Addresses that somebody wrote down: judged where they are read, and shown without what is secret in them."""

import re
from urllib.parse import urlsplit, urlunsplit

from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import Message, message

WEB = ("https", "http")
WITH_FILES = (*WEB, "file")


def refuse_no_address(url: str, place: str, schemes: tuple[str, ...] = WEB) -> None:
    """Raises UsageError (2) naming `place`, a variable or a file with its key, where `url` has no scheme or no host."""
    if (why := _problem(url, schemes)) is not None:
        # Without a scheme, nothing tells a user name from a host: what stands before an @ is never told.
        told = without_credentials(url).partition("?")[0].rpartition("@")[2]
        raise UsageError(
            message("{place}: “{url}” is no address: {why}", place=place, url=told, why=why),
            hint=message("write the whole address there, such as {example}", example="https://HOST/PATH"),
        )


def _problem(url: str, schemes: tuple[str, ...]) -> Message | None:
    """The parser's own words are not told: they may hold the password."""
    if re.search(r"[\s\x00-\x1f]", url):
        return message("there is a space in it")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return message("its host or its port can't be read")
    if "://" not in url or parts.scheme not in schemes:
        return message("it must begin with one of {beginnings}", beginnings=", ".join(f"{name}://" for name in schemes))
    return message("it names no host") if not host and parts.scheme != "file" else None


def without_credentials(url: str) -> str:
    """The URL as it may be shown: no user name, no password, no query."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that don't match
        return cleaned(url)
    if not parts.scheme or parts.scheme == "file":
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def cleaned(text: str) -> str:
    """Somebody else's words without the credentials in their URLs."""
    return re.sub(r"(\w+://)[^/\s@]+@", r"\1", text)
