"""pin, a model of the hub: from the hub, from a mirror of it that is vouched for, or its bytes from ModelScope."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

import msgspec

from setup_llm_dev.documents.catalog import ModelFacts
from setup_llm_dev.documents.lock import HubModelLock, ModelScopeModelLock
from setup_llm_dev.documents.recipe import ModelWish
from setup_llm_dev.errors import SetupError, Unreachable
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.hubs.hub import Hub
from setup_llm_dev.host.hubs.modelscope import DEFAULT_ENDPOINT, ModelScope
from setup_llm_dev.host.web.carriers import HUB
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.vouch import catalogue_model, same_bytes, unverified, vouched_model


@dataclass(frozen=True)
class FoundModel:
    """`also`: ids of other hubs (`modelscope:OWNER/NAME`) with the same bytes. notes: what the report must say."""

    lock: HubModelLock
    also: tuple[str, ...] = ()
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True)
class ModelFinder:
    """Whom to ask for models, and what is known of them."""

    host: Host
    surroundings: Surroundings
    cache: PurePath  # the user's hub cache
    say: Callable[[Message], None]

    def find(self, wish: ModelWish, facts: ModelFacts | None) -> FoundModel:
        """The model of a recipe's `hf:` source.

        Endpoints are asked in order: of the user's own the first answer counts, and of a mirror of ours only one that
        the catalogue agrees with. Raises Unreachable (4), that of the first endpoint, where nobody has it; Refused (3).
        """
        failure: Unreachable | None = None
        for endpoint in () if self.surroundings.modelscope_instead else self.surroundings.hub_endpoints:
            try:
                return self._at(endpoint, wish, facts)
            except Unreachable as error:
                if error.status is not None and "hub" not in self.surroundings.chosen:
                    raise  # a hub that answered «no» (gated, missing): that is the user's to mend
                failure = failure or error
        found = self._at_modelscope(wish, facts)
        if found is not None:
            return found
        raise failure or _nowhere(wish)

    def find_on_modelscope(self, wish: ModelWish) -> ModelScopeModelLock:
        """The model of a recipe's `modelscope:` source. Raises Unreachable (4), Refused (3)."""
        name = wish.source.partition(":")[2]
        self.say(message("asking ModelScope for {model}", model=name))
        return ModelScope(self.host, self._modelscope).resolve(name, wish.revision)

    @property
    def _modelscope(self) -> str:
        return self.surroundings.modelscope or DEFAULT_ENDPOINT

    def _at(self, endpoint: str, wish: ModelWish, facts: ModelFacts | None) -> FoundModel:
        """A branch may have moved on since the catalogue was written, so a mirror of ours is asked for its commit."""
        name = wish.source.partition(":")[2]
        ours = "hub" in self.surroundings.chosen and endpoint != HUB
        pinned = facts.commit if ours and facts is not None and wish.revision == "main" else None
        self.say(message("asking the hub for {model}", model=name))
        lock = Hub(self.host, endpoint.rstrip("/"), self.cache, trusted=not ours).resolve(name, pinned or wish.revision)
        lock = vouched_model(msgspec.structs.replace(lock, revision=wish.revision), self.surroundings, facts)
        doubt = unverified(lock, self.surroundings, facts)
        twin = facts.modelscope if ours and doubt is None and facts is not None else None
        return FoundModel(lock, (f"modelscope:{twin}",) if twin else (), (doubt,) if doubt else ())

    def _at_modelscope(self, wish: ModelWish, facts: ModelFacts | None) -> FoundModel | None:
        """Only what the catalogue knows every byte of, so that it is the same model, in the same cache."""
        lock = catalogue_model(facts, wish.revision, HUB)
        if lock is None or facts is None or facts.modelscope is None or self.surroundings.preset == "none":
            return None
        self.say(message("asking ModelScope for {model}", model=facts.modelscope))
        try:
            other = ModelScope(self.host, self._modelscope).resolve(facts.modelscope, "main")
        except SetupError as error:
            self.say(error.message)
            return None
        if not same_bytes(lock, facts, other):
            self.say(message("ModelScope has other files of {model} than the catalogue knows", model=facts.source))
            return None
        note = message("{model} comes from ModelScope: the same bytes, by the catalogue's hashes", model=facts.source)
        self.say(note)
        return FoundModel(lock, (f"modelscope:{facts.modelscope}",), (note,))


def _nowhere(wish: ModelWish) -> Unreachable:
    return Unreachable(
        message("neither the hub nor a mirror of it answers, and nobody else has {model}", model=wish.source),
        url=HUB,
        hint=message("check the network, or set HF_ENDPOINT to a mirror of the hub"),
    )
