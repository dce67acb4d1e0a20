"""How an answer that is no list of releases is said: which field, and what stands there instead."""

from typing import Any

from setup_llm_dev.errors import Unreachable
from setup_llm_dev.messages import Message, message


def login_page(url: str) -> Unreachable:
    """Somebody between us and the host answered."""
    return Unreachable(
        message("this network answered with a login page instead of {url}", url=url),
        url=url,
        hint=message("log in to the network in a browser, then give the same command again"),
    )


def is_page(body: bytes) -> bool:
    """Whether a body is markup, whatever its header calls it."""
    return body[:64].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def says(field: str, what: Message) -> Message:
    """`PCP[0].version is missing`."""
    return message("{field} is {what}", field=field, what=what)


def kind_of(value: Any) -> Message:
    """What stands there, by its kind."""
    match value:
        case None:
            return message("missing")
        case dict():
            return message("an object")
        case list():
            return message("a list")
        case str():
            return message("a text")
        case _:
            return message("a number")


def shown(value: Any) -> Message:
    """What stands there, cut to a line."""
    return kind_of(value) if value is None else message("“{value}”", value=str(value)[:100])


def unreadable(url: str, why: Message) -> Unreachable:
    """Not what the list of releases is."""
    return Unreachable(
        message("{url} answered with something that is no list of releases: {why}", url=url, why=why),
        url=url,
    )
