"""A short look at what could not be had the last time: does its host answer now?"""

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from setup_llm_dev.documents.lock import Gap
from setup_llm_dev.host.configuration import has_proxy
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.compose import Plan

_SECONDS = 0.25


def reachable_again(host: Host, plan: Plan) -> tuple[Message, ...]:
    """A sentence for each locked gap whose host takes connections again; the lock stays as it is until --upgrade."""
    gaps = [gap for gap in plan.lock.gaps if gap.url and gap in plan.gaps]
    if not gaps:
        return ()
    with ThreadPoolExecutor(len(gaps)) as pool:
        told = list(pool.map(lambda gap: answers(host, gap), gaps))
    return tuple(
        message("the host of “{what}” answers again: {command}", what=gap.what, command=gap.command or "--upgrade")
        for gap, answer in zip(gaps, told, strict=True)
        if answer
    )


def answers(host: Host, gap: Gap) -> bool:
    """Whether the host of a gap takes connections; False behind a proxy, where only a whole request would tell."""
    if has_proxy(host.environment):
        return False
    parts = urlsplit(gap.url or "")
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        with socket.create_connection((parts.hostname or "", port), _SECONDS):
            return True
    except OSError:
        return False
