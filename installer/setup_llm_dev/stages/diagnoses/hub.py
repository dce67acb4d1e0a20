"""The model: whether the hub wants a token for it, and whether the token that is here will do."""

import json
from collections.abc import Iterator
from pathlib import Path, PurePath

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.errors import SetupError
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.configuration import read_surroundings
from setup_llm_dev.host.web.carriers import HUB
from setup_llm_dev.host.web.greeting import Greeting, greet
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.diagnoses.situation import Situation, Told

_SECONDS = 5.0
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_NO = ("", "0", "no", "false", "off")


def look(situation: Situation) -> Iterator[Told]:
    model, host = situation.recipe.model, situation.host
    if model is None or "model" not in situation.parts or not model.source.startswith("hf:"):
        return
    name = model.source.removeprefix("hf:")
    endpoint = read_surroundings(host, situation.layout.config).hub_endpoints[0].rstrip("/")
    token, place = token_of(host, situation.layout.hub_cache)
    try:
        told = greet(host, f"{endpoint}/api/models/{name}", seconds=_SECONDS)
        if not _wants_a_token(told):
            return
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # The description of a gated model is public; what is gated are its files.
        url = f"{endpoint}/{name}/resolve/{model.revision}/config.json"
        answer = greet(host, url, seconds=_SECONDS, headers=headers)
    except SetupError:
        return  # the network's own findings say so
    yield from judged(name, without_credentials(endpoint), answer.status, place)


def offline(situation: Situation) -> Iterator[Told]:
    """Variables that forbid the hub's libraries the network; needs none itself."""
    for name in _OFFLINE:
        value = situation.host.environment.get(name, "")
        if value.lower() not in _NO:
            yield Entry(
                id="hub-offline", group="network", level="info",
                text=message("{name} is set: libraries in your own shell won't fetch models", name=name),
                hint=message("unset it where they should; setup-llm-dev itself fetches the recipe's model"),
                commands=(f"unset {name}",), evidence=(f"{name}={value}",), reference="model",
            )  # fmt: skip


def judged(model: str, endpoint: str, status: int, place: str | None) -> Iterator[Entry]:
    """What the answer for a file of a gated or private model means; pure. place: where a token was found, if any."""
    page = f"{endpoint if endpoint != HUB else HUB}/{model}"
    if status < 400:
        text = message("the model {model} wants a token, and yours will do", model=model)
        yield Entry(id="hub-token-fits", group="network", level="ok", text=text, evidence=(place or "",))
    elif place is None:
        yield Entry(
            id="hub-token-missing", group="network", level="error",
            text=message("the model {model} is gated or private, and there is no token", model=model),
            hint=message("ask for access on {page}, make a token there, and log in (or set HF_TOKEN)", page=page),
            commands=("hf auth login",), evidence=(f"{page}: {status} without a token",), reference="model",
        )  # fmt: skip
    else:
        refused = status == 401
        yield Entry(
            id="hub-token-refused", group="network", level="error",
            text=message("the hub does not accept your token for {model}", model=model),
            cause=message("it is expired or mistyped") if refused
            else message("your account has not been granted access, or the token may not read gated models"),
            hint=message("look at {page}, and make a new token that may read it", page=page),
            commands=("hf auth login",), evidence=(f"{page}: {status} with the token of {place}",), reference="model",
        )  # fmt: skip


def token_of(host: Host, cache: PurePath) -> tuple[str | None, str | None]:
    """The user's token, and where it was found; both None where there is none. The token is never shown."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if value := host.environment.get(name, "").strip():
            return value, name
    path = Path(host.environment.get("HF_TOKEN_PATH") or str(cache.parent / "token"))
    text = (host.files.read_text(path) or "").strip()
    return (text, str(path)) if text else (None, None)


def _wants_a_token(told: Greeting) -> bool:
    """Gated: it says so. Private, or not there at all: 401."""
    if told.status in (401, 403):
        return True
    try:
        answer = json.loads(told.body)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("gated") in ("auto", "manual", True)
