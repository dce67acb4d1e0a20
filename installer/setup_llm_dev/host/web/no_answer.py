"""Answers that bring no bytes, in words: a login page, redirects without end, a pause that is too long."""

from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.web.http_session import host_of
from setup_llm_dev.messages import message


def login_page(url: str) -> Unreachable:
    """A web page came where a file was asked for."""
    return Unreachable(
        message("this network answered with a login page ({url})", url=url),
        url=url,
        hint=message("open a page in the browser, log in there, then run the same command again"),
    )


def ring(chain: list[str]) -> Unreachable:
    """Too many redirects; `chain` has them in order, with credentials."""
    first = without_credentials(chain[0])
    way = " → ".join(without_credentials(one) for one in chain[1:4])
    return Unreachable(message("{url} redirects without end: {way} …", url=first, way=way), url=first)


def too_long(url: str, status: int, seconds: float) -> Unreachable:
    """A server wants a longer pause than we make."""
    minutes = int(seconds // 60) + 1
    text = message(
        "{url} answered {status} and wants us back in {minutes} minutes", url=url, status=status, minutes=minutes
    )
    return Unreachable(
        text,
        url=url,
        status=status,
        hint=message("{host} limits how often it is asked; run the same command again later", host=host_of(url)),
    )
