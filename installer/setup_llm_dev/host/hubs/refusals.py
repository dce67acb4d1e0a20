"""What the hub says when it says no: each answer its own sentence and the next action."""

import re
from collections.abc import Mapping
from typing import Any

from setup_llm_dev.errors import Corrupt, SetupError, SystemRefused, Unreachable
from setup_llm_dev.host.addresses import cleaned, without_credentials
from setup_llm_dev.messages import Message, message

_OF_STATUS = {401: "token", 403: "gated", 404: "missing", 410: "missing", 429: "rate"}
_STATUS_OF = {"missing": 404, "revision": 404, "rate": 429}


def hub_error(answer: Mapping[str, Any], endpoint: str, repository: str, revision: str) -> SetupError:
    """From the kind of failure that the child tells (see child.py)."""
    kind, why, status = answer["error"], cleaned(str(answer.get("text", ""))), answer.get("status")
    shown = without_credentials(endpoint)
    url = f"{shown}/{repository}"
    match kind:
        case "certificate":
            from setup_llm_dev.host.fetch import untrusted  # here, since few need it and it brings all of HTTP

            return untrusted(shown)
        case "disk":
            return SystemRefused(message("the model could not be written: {why}", why=why))
        case "size":
            return Corrupt(message("a file of {repository} is damaged: {why}", repository=repository, why=why))
    text, hint = _refusal(kind, shown, repository, revision) or (
        message("the hub can't be reached at {url}: {why}", url=shown, why=_in_words(why)),
        message("check the network, or set HF_ENDPOINT to a mirror of the hub"),
    )
    return Unreachable(text, url=url, status=_STATUS_OF.get(kind, status), hint=hint)


def _refusal(kind: str, endpoint: str, repository: str, revision: str) -> tuple[Message, Message] | None:
    """What a hub that did answer says no to, and the next action; None for every other kind."""
    match kind:
        case "gated":
            return (
                message("{repository} is gated: its licence must be accepted first", repository=repository),
                message("open {url} in a browser, accept, then set HF_TOKEN", url=f"{endpoint}/{repository}"),
            )
        case "token":
            return (
                message("the hub does not accept the token for {repository}", repository=repository),
                message(
                    "make a new one at {url}, then set HF_TOKEN or run `hf auth login`",
                    url=f"{endpoint}/settings/tokens",
                ),
            )
        case "missing":
            return (
                message("the hub has no {repository}, or it is private", repository=repository),
                message("check the name; for a private model set HF_TOKEN"),
            )
        case "revision":
            return (
                message("{repository} has no revision {revision}", repository=repository, revision=revision),
                message("name a branch, a tag or a commit of that model"),
            )
        case "rate":
            return (
                message("the hub asks for a pause: too many requests from this address"),
                message("wait five minutes and run the same command again; a token (HF_TOKEN) raises the limit"),
            )
    return None


def kind_of_status(status: int | None) -> str | None:
    """Which of the kinds above a bare status is, where the hub did not say it in words."""
    return _OF_STATUS.get(status or 0)


def _in_words(text: str) -> Message:
    """The system's own words for a name that nobody knows differ by system and say little."""
    if re.search(r"Name or service not known|name resolution|nodename nor servname|getaddrinfo failed", text):
        return message("its name can't be resolved")
    if "Connection refused" in text or "Errno 111" in text:
        return message("nothing answers there")
    return message("{text}", text=text)
