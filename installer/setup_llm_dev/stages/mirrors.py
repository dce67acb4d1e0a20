"""Which hosts a run will use: the makers' own, or the mirrors of the preset where those don't answer."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from setup_llm_dev.documents.choices import Choices
from setup_llm_dev.documents.mirror_catalog import MirrorCatalog, MirrorRow
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.web.carriers import KINDS, Kind, Mirror
from setup_llm_dev.host.web.peek import all_at_once
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.mirror_probe import mirror_answers, official_answers

Say = Callable[[Message], None]
_SLACK = 2.0  # a look asks twice, for a page and a file, and uv needs a moment to start


def choose_mirrors(
    host: Host,
    surroundings: Surroundings,
    catalog: MirrorCatalog,
    say: Say,
    *,
    kinds: Iterable[Kind] = KINDS,
) -> Surroundings:
    """The surroundings with a mirror for each of `kinds` whose official host does not answer but whose mirror does.

    Asks nobody for what the user configured, and nobody at all with the preset `none`; with `cn` only the mirrors.
    Takes at most twice the catalogue's seconds and a little. Raises Interrupted.
    """
    wanted = frozenset(kinds)
    free = tuple(k for k in KINDS if k in wanted & catalog.kinds.keys() and _free(surroundings, k))
    if surroundings.preset == "none" or not free:
        return surroundings
    surroundings = replace(surroundings, known=_known(catalog))
    say(_asking(surroundings, free))
    silent = free if surroundings.preset == "cn" else _silent(host, surroundings, catalog, free)
    chosen = surroundings
    answering = _answering(host, catalog, silent, say)
    for kind in silent:
        if kind in answering:
            chosen = _turned(chosen, kind, answering[kind], say)
        else:
            say(_nobody(surroundings, kind, catalog))
    return chosen


def next_index(surroundings: Surroundings, url: str) -> Surroundings | None:
    """With the next mirror of the package index in place of the one that `url` is of; None where there is no other."""
    spare = next((mirror for mirror in surroundings.spares if mirror.kind == "pypi"), None)
    if spare is None or not of_packages(surroundings, url):
        return None
    rest = tuple(mirror for mirror in surroundings.spares if mirror != spare)
    return replace(surroundings, default_index=spare.url, spares=rest)


def of_packages(surroundings: Surroundings, url: str) -> bool:
    """Whether an address is one of the default package index, its files beside `simple` included."""
    root = (surroundings.default_index or "").rstrip("/").removesuffix("/simple")
    return bool(root) and url.startswith(f"{root}/")


def kinds_of_run(recipe: Recipe, choices: Choices, parts: frozenset[str]) -> frozenset[Kind]:
    """What a run that pins will need of hosts."""
    needed: set[Kind] = {"pypi"}
    if any(build.index for build in choices.builds):
        needed.add("torch")
    if "ide" in parts:
        needed.add("jetbrains_downloads")
    if recipe.model is not None and "model" in parts:
        scheme = recipe.model.source.partition(":")[0]
        needed |= {"hub"} if scheme == "hf" else {"modelscope"} if scheme == "modelscope" else set()
    return frozenset(needed)


def _known(catalog: MirrorCatalog) -> tuple[Mirror, ...]:
    return tuple(_mirror(kind, row) for kind in KINDS if kind in catalog.kinds for row in catalog.kinds[kind].mirrors)


def _mirror(kind: Kind, row: MirrorRow) -> Mirror:
    return Mirror(kind, row.url, flat=row.form == "flat")


def _free(surroundings: Surroundings, kind: Kind) -> bool:
    return not surroundings.configured(kind) and kind not in surroundings.kept


def _silent(
    host: Host, surroundings: Surroundings, catalog: MirrorCatalog, kinds: tuple[Kind, ...]
) -> tuple[Kind, ...]:
    questions = {
        kind: partial(official_answers, host, surroundings, kind, catalog.kinds[kind], catalog.seconds)
        for kind in kinds
    }
    answering = all_at_once(questions, catalog.seconds + _SLACK, host.cancel)
    return tuple(kind for kind in kinds if kind not in answering)


def _answering(
    host: Host, catalog: MirrorCatalog, kinds: tuple[Kind, ...], say: Say
) -> dict[Kind, tuple[MirrorRow, ...]]:
    """The mirrors that answer, of each kind that has one, in the catalogue's order; who is asked is said."""
    asked = dict.fromkeys(_host_of(row) for kind in kinds for row in catalog.kinds[kind].mirrors)
    if asked:
        say(message("asking these mirrors: {hosts}", hosts=", ".join(asked)))
    questions = {
        (kind, row): partial(mirror_answers, host, kind, catalog.kinds[kind], row, catalog.seconds)
        for kind in kinds
        for row in catalog.kinds[kind].mirrors
    }
    answering = all_at_once(questions, catalog.seconds + _SLACK, host.cancel)
    by_kind = {kind: tuple(r for r in catalog.kinds[kind].mirrors if (kind, r) in answering) for kind in kinds}
    return {kind: rows for kind, rows in by_kind.items() if rows}


def _turned(surroundings: Surroundings, kind: Kind, rows: tuple[MirrorRow, ...], say: Say) -> Surroundings:
    first, *others = rows
    said = _said(surroundings, kind, first)
    for text in said:
        say(text)
    spares = tuple(_mirror(kind, row) for row in others if row.api == "hub")
    return replace(
        _used(surroundings, kind, first),
        chosen=surroundings.chosen | {kind},
        spares=(*surroundings.spares, *spares),
        used=(*surroundings.used, *said),
    )


def _used(surroundings: Surroundings, kind: Kind, row: MirrorRow) -> Surroundings:
    match kind:
        case "pypi":
            return replace(surroundings, default_index=row.url)
        case "torch":
            return replace(surroundings, torch_root=row.url, torch_flat=row.form == "flat")
        case "hub" if row.api == "modelscope":
            return replace(surroundings, modelscope=row.url, modelscope_instead=True)
        case "hub":
            return replace(surroundings, hub_endpoint=row.url)
        case "jetbrains_downloads":
            return replace(surroundings, jetbrains_downloads=row.url)
        case "python":
            return replace(surroundings, python_mirror=row.url)
        case "modelscope":
            return replace(surroundings, modelscope=row.url)


_WHAT: dict[Kind, Message] = {
    "pypi": message("the default package index"),
    "torch": message("the index of PyTorch"),
    "hub": message("the hub of models"),
    "jetbrains_downloads": message("the download host of JetBrains"),
    "python": message("the download host of uv's Pythons"),
    "modelscope": message("ModelScope"),
}


def _asking(surroundings: Surroundings, kinds: tuple[Kind, ...]) -> Message:
    """These looks take some seconds where a network swallows what it is asked."""
    names = tuple(_WHAT[kind] for kind in kinds)
    whom = names[0]
    for name in names[1:]:
        whom = message("{list}, {name}", list=whom, name=name)
    if surroundings.preset == "cn":
        return message("asking the mirrors of: {whom}", whom=whom)
    return message("asking whether these answer: {whom}", whom=whom)


def _host_of(row: MirrorRow) -> str:
    return urlsplit(row.url).netloc


def _nobody(surroundings: Surroundings, kind: Kind, catalog: MirrorCatalog) -> Message:
    hosts = ", ".join(dict.fromkeys(_host_of(row) for row in catalog.kinds[kind].mirrors))
    if not hosts:
        return message("{what} does not answer, and no mirror of it is known", what=_WHAT[kind])
    if surroundings.preset == "cn":
        return message("{what}: no mirror of it answers ({hosts})", what=_WHAT[kind], hosts=hosts)
    return message("{what} does not answer, nor does a mirror of it ({hosts})", what=_WHAT[kind], hosts=hosts)


def _said(surroundings: Surroundings, kind: Kind, row: MirrorRow) -> tuple[Message, ...]:
    if surroundings.preset == "cn":
        turn = message("{what}: the mirror {url} is asked first (preset cn)", what=_WHAT[kind], url=row.url)
    else:
        turn = message("{what} does not answer; the mirror {url} is used", what=_WHAT[kind], url=row.url)
    if kind != "pypi":
        return (turn,)
    # Nobody else can be asked: no catalogue holds the hashes of all packages.
    return (turn, message("the hashes of packages are that mirror's word alone; the lock keeps them from here on"))
