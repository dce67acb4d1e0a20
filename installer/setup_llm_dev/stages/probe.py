"""A short look at what could not be had the last time: does its host answer now?"""

import socket
from functools import partial
from urllib.parse import urlsplit

from setup_llm_dev.documents.lock import Gap
from setup_llm_dev.host.configuration import has_proxy
from setup_llm_dev.host.web.peek import all_at_once
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.compose import Plan

_SECONDS = 0.5
"""For everything, the look-up of the name included, which nothing but a deadline from outside can bound."""
_CONNECT_SECONDS = 0.25


def reachable_again(host: Host, plan: Plan) -> tuple[Message, ...]:
    """A sentence for each locked gap whose host takes connections again; the lock stays as it is until --upgrade.

    Raises Interrupted.
    """
    gaps = tuple(gap for gap in plan.lock.gaps if gap.url and gap in plan.gaps)
    answering = _answering(host, gaps)
    return tuple(
        message(
            "the host of “{what}” answers again; to complete it: {command}",
            what=gap.what,
            command=gap.command or "--upgrade",
        )
        for number, gap in enumerate(gaps)
        if number in answering
    )


def answers(host: Host, gap: Gap) -> bool:
    """Whether the host of a gap takes connections; False behind a proxy, where only a whole request would tell.

    Takes half a second at most. Raises Interrupted.
    """
    return bool(_answering(host, (gap,)))


def _answering(host: Host, gaps: tuple[Gap, ...]) -> frozenset[int]:
    """Their numbers."""
    host.cancel.raise_if_set()
    if not gaps or has_proxy(host.environment):
        return frozenset()
    questions = {number: partial(_connects, gap.url or "") for number, gap in enumerate(gaps)}
    return all_at_once(questions, _SECONDS, host.cancel)


def _connects(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    with socket.create_connection((parts.hostname or "", port), _CONNECT_SECONDS):
        return True
