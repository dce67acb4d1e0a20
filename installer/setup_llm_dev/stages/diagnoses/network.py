"""The network: every host that the recipe needs is asked at once, briefly, and the clock compared with theirs."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from setup_llm_dev.documents.diagnosis import Answer, Entry, ProbedHost
from setup_llm_dev.documents.machine import Level
from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.mirror_catalog import KindRow, MirrorCatalog, read_mirrors
from setup_llm_dev.errors import SetupError
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.configuration import Surroundings, read_surroundings
from setup_llm_dev.host.web.carriers import Kind
from setup_llm_dev.host.web.greeting import greet
from setup_llm_dev.host.web.peek import all_at_once
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.diagnoses.situation import Situation, Told
from setup_llm_dev.stages.mirror_probe import official_answers
from setup_llm_dev.stages.mirrors import kinds_of_run

SECONDS = 6.0
"""For all of them together, the look-ups of their names included."""
_ONE_SECONDS = 5.0
_CLOCK_SECONDS = 300  # certificates and signatures bear less than people think, and caches blur a minute or two
_WHAT: dict[Kind, Message] = {
    "pypi": message("the package index"),
    "torch": message("the index of PyTorch"),
    "hub": message("the hub of models"),
    "modelscope": message("ModelScope"),
    "jetbrains_downloads": message("JetBrains (PyCharm)"),
    "python": message("the Pythons of uv"),
}
Look = Callable[[bytes, str], bool]


class Place(NamedTuple):
    """One host to ask. url: None where only uv knows the address. looks_right: of a body and its media type."""

    kind: Kind
    url: str | None
    looks_right: Look


def look(situation: Situation) -> Iterator[Told]:
    surroundings = read_surroundings(situation.host, situation.layout.config)
    catalog = read_mirrors(manifests_folder() / "catalog")
    heard, dates = probed(situation.host, surroundings, catalog, list(places(situation, surroundings, catalog)))
    situation.hosts.extend(host for _, host in heard)
    advised = False
    for kind, host in heard:
        yield _entry(host, _level(kind, situation, surroundings), kind, surroundings, advise=not advised)
        advised = advised or host.answer != "answers"
    yield from clock(situation.host.now(), dates)


def probed(
    host: Host, surroundings: Surroundings, catalog: MirrorCatalog, places: list[Place], seconds: float = SECONDS
) -> tuple[list[tuple[Kind, ProbedHost]], list[datetime]]:
    """Each place with what it said within `seconds`, and the hosts' own dates."""
    heard: dict[Kind, ProbedHost] = {}
    dates: list[datetime] = []

    def ask(place: Place) -> bool:
        if place.url is None:
            heard[place.kind] = _asked_by_uv(host, surroundings, catalog.kinds[place.kind])
        else:
            heard[place.kind] = _asked(host, place, place.url, dates)
        return True

    all_at_once({place.kind: partial(ask, place) for place in places}, seconds, host.cancel)
    answers = dict(heard)  # a thread that comes too late changes nothing of what is told
    return [(place.kind, answers.get(place.kind) or _late(place, seconds)) for place in places], list(dates)


def clock(ours: datetime, theirs: list[datetime]) -> Iterator[Entry]:
    """Whether this machine's clock is off, by the host whose clock is nearest; pure."""
    if not theirs:
        return
    off = min((ours - other for other in theirs), key=abs)
    wrong = abs(off) > timedelta(seconds=_CLOCK_SECONDS)
    yield Entry(
        id="clock-off" if wrong else "clock-right", group="network",
        level="error" if abs(off) > timedelta(days=1) else "warning" if wrong else "ok",
        text=message("this machine's clock is off by {seconds} s", seconds=round(off.total_seconds())),
        cause=message("certificates look expired or not yet valid then") if wrong else None,
        hint=message("set the clock by the network") if wrong else None,
        commands=("sudo timedatectl set-ntp true",) if wrong else (),
        evidence=tuple(f"Date: {date.isoformat(timespec='seconds')}, here: {ours.isoformat(timespec='seconds')}"
                       for date in theirs[:1]),
        reference="network",
    )  # fmt: skip


def places(situation: Situation, surroundings: Surroundings, catalog: MirrorCatalog) -> Iterator[Place]:
    recipe = situation.recipe
    for kind in _kinds(situation):
        row = catalog.kinds.get(kind)
        match kind:
            case "pypi":
                index = surroundings.default_index
                yield Place(kind, f"{index.rstrip('/')}/pip/" if index else None, _is_listing)
            case "torch":
                build = next(build for build in situation.choices.builds if build.index)
                root, flat = surroundings.torch_places(build.variant, build.index)[0]
                yield Place(kind, root if flat else f"{root}/torch/", _is_listing)
            case "hub":
                name = recipe.model.source.partition(":")[2] if recipe.model else ""
                yield Place(kind, f"{surroundings.hub_endpoints[0].rstrip('/')}/api/models/{name}", _is_json)
            case "jetbrains_downloads" if row:
                root = surroundings.jetbrains_downloads or row.official
                yield Place(kind, f"{root.rstrip('/')}/{row.probe}", _is_no_page)
            case _ if row:
                yield Place(kind, f"{row.official.rstrip('/')}/{row.probe}", _is_json)


def _kinds(situation: Situation) -> list[Kind]:
    found = kinds_of_run(situation.recipe, situation.choices, situation.parts)
    return [kind for kind in _WHAT if kind in found]


def _asked(host: Host, place: Place, url: str, dates: list[datetime]) -> ProbedHost:
    shown = without_credentials(url)
    probe = ProbedHost(what=str(_WHAT[place.kind]), host=urlsplit(shown).netloc, url=shown, answer="answers")
    try:
        # Of a file that is large, only the beginning is read; a server that ignores the range sends no more than that.
        headers = {"Range": "bytes=0-3"} if place.kind == "jetbrains_downloads" else {}
        told = greet(host, url, seconds=_ONE_SECONDS, headers=headers)
    except SetupError as error:
        return msgspec.structs.replace(probe, answer="silent", why=error.message)
    if told.date is not None:
        dates.append(told.date)
    answer, why = _judged(told.status, told.body, told.media_type, place)
    return msgspec.structs.replace(probe, answer=answer, seconds=round(told.seconds, 2), why=why)


def _judged(status: int, body: bytes, media_type: str, place: Place) -> tuple[Answer, Message | None]:
    if status in (401, 403, 407) and place.kind != "hub":
        return "refuses", message("it answers {status}: a proxy or the host itself wants a name and a password",
                                  status=status)  # fmt: skip
    if status >= 400:
        # The hub says 401 of what it does not want to name: that it lives is all that counts here.
        return ("answers", None) if status in (401, 403, 404) else ("refuses", _status(status))
    if not place.looks_right(body, media_type):
        return "refuses", message("it answers with another page than it should: a log-in page, perhaps")
    return "answers", None


def _status(status: int) -> Message:
    return message("it answers {status}", status=status)


def _asked_by_uv(host: Host, surroundings: Surroundings, row: KindRow) -> ProbedHost:
    """uv knows its default index, and its settings may name another: it is asked itself, with a small resolution."""
    probe = ProbedHost(what=str(_WHAT["pypi"]), host="uv's default index", url="", answer="answers")
    began = monotonic()
    try:
        fine = official_answers(host, surroundings, "pypi", row, _ONE_SECONDS)
    except SetupError as error:
        return msgspec.structs.replace(probe, answer="silent", why=error.message)
    if fine:
        return msgspec.structs.replace(probe, seconds=round(monotonic() - began, 2))
    return msgspec.structs.replace(probe, answer="silent", why=message("uv can't resolve a package with it"))


def _late(place: Place, seconds: float) -> ProbedHost:
    shown = without_credentials(place.url or "")
    return ProbedHost(
        what=str(_WHAT[place.kind]), host=urlsplit(shown).netloc or "uv's default index", url=shown, answer="silent",
        why=message("no answer within {seconds} s, the look-up of its name included", seconds=round(seconds)),
    )  # fmt: skip


def _level(kind: Kind, situation: Situation, surroundings: Surroundings) -> Level:
    """What it means if this host is silent: an error where nothing else has its bytes."""
    recipe = situation.recipe
    if situation.environment is not None:
        return "info"  # what is set up works without it
    match kind:
        case "hub" | "modelscope":
            return "warning" if recipe.model and recipe.model.fallback else "error"
        case "jetbrains_downloads":
            return "error" if recipe.ide.required else "warning"
        case "torch":
            beside = surroundings.find_links or any(not build.index for build in situation.choices.builds)
            return "warning" if beside or surroundings.preset != "none" else "error"
    return "error"


_MEANS: dict[Kind, Message] = {
    "hub": message("the recipe's stand-in model is used instead, unless the model is in the cache already"),
    "jetbrains_downloads": message("the project is set up without PyCharm; a later run adds it"),
    "torch": message("a run takes wheels that your own configuration names, or turns to a mirror that answers"),
}


def _entry(host: ProbedHost, level: Level, kind: Kind, surroundings: Surroundings, *, advise: bool) -> Entry:
    """advise: whether to say what helps against silence in general, which once is enough for."""
    if host.answer == "answers":
        return Entry(
            id="host-answers", group="network", level="ok",
            text=message("{what}: {host} answers in {seconds} s", what=_WHAT[kind], host=host.host,
                         seconds=f"{host.seconds or 0:.2f}"),
            evidence=(host.url,) if host.url else (),
        )  # fmt: skip
    text = message("{what}: {host} can't be reached", what=_WHAT[kind], host=host.host)
    if host.answer == "refuses":
        text = message("{what}: {host} does not answer as it should", what=_WHAT[kind], host=host.host)
    return Entry(
        id=f"host-{host.answer}", group="network", level=level, text=text, cause=_shortly(host.why),
        hint=_what_to_do(kind, level, surroundings, advise=advise),
        evidence=(host.url,) if host.url else (), reference="network",
    )  # fmt: skip


def _what_to_do(kind: Kind, level: Level, surroundings: Surroundings, *, advise: bool) -> Message | None:
    if surroundings.configured(kind):
        return message("it is the address that you configured: correct it there")
    if level == "info":
        return message("what is set up works without it; only an upgrade, or what is still missing, needs it")
    means = _MEANS.get(kind) if level == "warning" else None
    if not advise:
        return means
    general = message("behind a company's proxy set HTTPS_PROXY, and SSL_CERT_FILE to its certificate")
    return message("{means}. {general}", means=means, general=general) if means else general


_SHORT = {  # the same causes without host and address, which stand beside them
    "the name {host} can't be resolved ({url})": message("its name can't be resolved"),
    "{host} did not answer in time ({url})": message("it did not answer in time"),
    "no connection to {host} ({url})": message("no connection could be made"),
    "the certificate of {host} is not trusted here ({url})": message("its certificate is not trusted here"),
}


def _shortly(why: Message | None) -> Message | None:
    return _SHORT.get(why.template, why) if why is not None else None


def _is_listing(body: bytes, media_type: str) -> bool:
    return b"href" in body or "simple" in media_type


def _is_json(body: bytes, media_type: str) -> bool:
    """The beginning of an object at least: a long answer is cut."""
    return "html" not in media_type.lower() and body.lstrip().startswith(b"{")


def _is_no_page(body: bytes, media_type: str) -> bool:
    return "html" not in media_type.lower()
