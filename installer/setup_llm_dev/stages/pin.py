"""pin: from Choices to a Lock, by asking the indexes, the resolver and the hub."""

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from packaging import tags
from packaging.version import Version

from setup_llm_dev.__about__ import __version__
from setup_llm_dev.documents.choices import Build, Choices
from setup_llm_dev.documents.lock import Lock, PackagesLock, PythonLock, TorchLock
from setup_llm_dev.documents.machine import Interpreter
from setup_llm_dev.errors import Corrupt, Refused, Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.resolver import Unsatisfiable, Uv
from setup_llm_dev.host.temporary import temporary
from setup_llm_dev.host.web.simple_index import Wheel, links, offered
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.family import resolve_bound
from setup_llm_dev.stages.hashes import complete
from setup_llm_dev.stages.here import hash_catalogue
from setup_llm_dev.stages.ide import pinned_ide, refuse_unlockable
from setup_llm_dev.stages.mirrors import next_index, of_packages
from setup_llm_dev.stages.pin_model import pin_model
from setup_llm_dev.stages.project import TorchSource, bound, project_text, torch_sources
from setup_llm_dev.stages.pylock import read_pylock
from setup_llm_dev.stages.request import Request
from setup_llm_dev.stages.vouch import Contradicted, Vouching

_MOST_RESOLUTIONS = 6


@dataclass(frozen=True)
class Pinned:
    """The lock, the text of its PEP 751 file, and the interpreter that fits it here."""

    lock: Lock
    pylock: str
    interpreter: PurePath


def pin(request: Request, choices: Choices) -> Pinned:
    """The first choice that the configured sources really offer and that resolves.

    Raises Refused (3) when none does, Unreachable (4) when that is because sources did not answer, Corrupt (5) when
    mirrors say other hashes than who may say so.
    """
    try:
        return _pinned(request, choices)
    except Unreachable as error:
        other = next_index(request.surroundings, error.url)
        if other is None:
            raise
        request.say(message("{why}; the mirror {url} is used", why=error.message, url=other.default_index or ""))
        return pin(replace(request, surroundings=other), choices)


def _pinned(request: Request, choices: Choices) -> Pinned:
    build, source, interpreter, pylock, skipped = _resolve_first(request, choices)
    pylock, unhashed = complete(pylock, request.host, source, request.surroundings)
    model, gaps = (None, ()) if not request.with_model else pin_model(request, interpreter)
    ide, missing = (None, ()) if not request.with_ide else pinned_ide(request)
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
        ide=ide,
        gaps=(*gaps, *missing),
    )
    refuse_unlockable(lock)
    return Pinned(lock, pylock, Path(interpreter.path))


# torch and the packages -----------------------------------------------------------------------------------


def _resolve_first(request: Request, choices: Choices) -> tuple[Build, TorchSource, Interpreter, str, list[Message]]:
    asked = _Asked(request)
    vouching = Vouching(request.host, request.surroundings, hash_catalogue(), request.torch_root)
    by_path = {interpreter.path: interpreter for interpreter in request.machine.interpreters}
    skipped: list[Message] = []
    failure: Refused | Unreachable | Corrupt | None = None
    attempts = 0
    for build in choices.builds:
        for source in torch_sources(build, request.surroundings):
            for path in choices.interpreters:
                interpreter = by_path[path]
                if not _python_fits(build, interpreter) or not asked.offers(source, build, interpreter):
                    continue
                if not vouching.possible(build, source, _tags_of(interpreter)):
                    skipped.append(vouching.impossible(build))
                    continue
                request.say(_resolving(build, interpreter))
                try:
                    pylock = vouching.vouched(_resolve(request, build, source, interpreter), build, source)
                except Unreachable as error:
                    if not vouching.doubts(source) or of_packages(request.surroundings, error.url):
                        raise
                    failure = error
                    asked.give_up(source, error)
                    request.say(error.message)
                except (Unsatisfiable, Contradicted) as error:
                    _refuse_silent_indexes(request)
                    failure, attempts = error, attempts + 1
                    skipped.append(_did_not_resolve(build, interpreter, error))
                    if attempts >= _MOST_RESOLUTIONS:
                        raise
                else:
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

    def give_up(self, source: TorchSource, error: Unreachable) -> None:
        """It had a page, but not what the page names."""
        self._wheels[source] = ()
        self._unreachable[urlsplit(source.url).netloc] = error

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
                self._wheels[source] = offered(
                    self._request.host, source.url, "torch", flat=source.flat, brief=self._was_silent(source)
                )
            except Unreachable as error:
                self._unreachable[host_name] = error
                return ()
        return self._wheels[source]

    def _was_silent(self, source: TorchSource) -> bool:
        """The maker's own, after we turned to mirrors."""
        surroundings = self._request.surroundings
        return "torch" in surroundings.chosen and not surroundings.is_mirror(source.url, "torch")


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
    def resolve(named: frozenset[str]) -> str:
        text = project_text(request.recipe, build, source, request.surroundings, interpreter.version, named)
        with temporary() as folder:
            uv = Uv(request.host, request.surroundings)
            return uv.resolve(text, Path(interpreter.path), folder, request.recipe.name)

    if source.default:
        return resolve(frozenset())
    return resolve_bound(resolve, bound(request.recipe, build), request.host, source)


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


def _did_not_resolve(build: Build, interpreter: Interpreter, error: Refused | Corrupt) -> Message:
    return message(
        "torch {version} on Python {python}: {why}",
        version=build.version,
        python=interpreter.version,
        why=error.message,
    )
