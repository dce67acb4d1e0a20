"""The Hugging Face hub: a revision becomes a commit and a list of files with hashes; the files come down.

huggingface_hub names commit, tree and errors, in a child process of its own: it can be stopped at once, its settings
(read once, at import) are ours, and its memory is not. The token goes in on standard input, never in argv or the
environment. The bytes come through our own engine, which resumes and hashes: the stock client does neither (measured).
Xet is not used: a dead back end costs the stock client minutes without falling back to HTTP (measured).
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

import msgspec

from setup_llm_dev.documents.codec import from_stored
from setup_llm_dev.documents.lock import HubModelLock, ModelFile
from setup_llm_dev.documents.lock_rules import first_problem
from setup_llm_dev.documents.lock_values import wanted
from setup_llm_dev.documents.transfer import Source, Wanted
from setup_llm_dev.errors import Refused, SetupError, Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.hubs.cache import HubCache
from setup_llm_dev.host.hubs.refusals import hub_error, kind_of_status
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

DEFAULT_ENDPOINT = "https://huggingface.co"
_PASSED = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
           "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HF_HUB_ETAG_TIMEOUT",
           "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_DISABLE_SYMLINKS", "USERPROFILE", "LOCALAPPDATA")  # fmt: skip
_RESOLVE_SECONDS = 90.0
OnProgress = Callable[[int, int | None], None]
Spare = Callable[[ModelFile], tuple[Source, ...]]


@dataclass(frozen=True)
class Hub:
    """The hub at one endpoint, as this user sees it."""

    host: Host
    endpoint: str
    cache: PurePath
    trusted: bool = True  # whether the user's token may go there: never to a mirror that we chose

    def resolve(self, repository: str, revision: str) -> HubModelLock:
        """The commit behind a revision and the files worth fetching; raises Unreachable (4), Refused (3)."""
        answer = self._ask({"action": "resolve", "repository": repository, "revision": revision})
        told = self._told(answer, repository, revision)
        files = tuple(file for file in told.unfetched if wanted(file.path))
        if not any(file.path.endswith(".safetensors") for file in files):
            raise Refused(
                message("{repository} has no weights in safetensors format", repository=repository),
                hint=message("choose a model, or a revision of it, that has model.safetensors"),
            )
        rest = tuple(file for file in told.unfetched if file not in files)
        return self._sound(msgspec.structs.replace(told, files=files, unfetched=rest))

    def download(
        self, model: HubModelLock, on_progress: OnProgress | None = None, spare: Spare = lambda _file: ()
    ) -> Path:
        """Fetch the files of a locked model into the user's cache, each hashed before it has a name there.

        spare: where else a file may come from, should this endpoint fail. Returns the snapshot folder. Raises
        Unreachable (4; what came is kept), Corrupt (5), SystemRefused (6).
        """
        place = HubCache(self.host.files, self.cache, model)
        token = self._token()
        items = tuple((self._wanted(model, file, token, spare), place.blob(file)) for file in model.files)
        try:
            self.host.fetcher().download_all(items, partials=place.partials, progress=on_progress)
        except Unreachable as error:
            raise self._explained(model, error) from error
        for file in model.files:
            place.link(file)
        place.drop_partials()
        return Path(place.snapshot)

    def _told(self, answer: dict[str, Any], repository: str, revision: str) -> HubModelLock:
        """The answer as a lock that fetches nothing yet; its types are right."""
        plain = {"kind": "hub", "source": f"hf:{repository}", "repository": repository, "revision": revision,
                 "commit": answer.get("commit"), "endpoint": without_credentials(self.endpoint), "files": (),
                 "unfetched": answer.get("files"), "unfetched_known": True}  # fmt: skip
        try:
            return from_stored(plain, HubModelLock)
        except msgspec.ValidationError as error:
            raise self._nonsense(message("{text}", text=str(error))) from error

    def _sound(self, model: HubModelLock) -> HubModelLock:
        """Names and hashes become paths: of a hub that tells others than there can be, nothing is used."""
        problem = first_problem(model)
        if problem is not None:
            raise self._nonsense(problem)
        return model

    def _nonsense(self, why: Message) -> Unreachable:
        shown = without_credentials(self.endpoint)
        return Unreachable(
            message("the hub at {url} gave an answer that can't be right: {why}", url=shown, why=why),
            url=shown,
            hint=message("nothing was fetched; check HF_ENDPOINT, or ask another mirror of the hub"),
        )

    def _wanted(self, model: HubModelLock, file: ModelFile, token: str | None, spare: Spare) -> Wanted:
        sources = (Source(file_url(self.endpoint, model, file), token), *spare(file))
        sha1 = None if file.sha256 else file.git_sha1
        return Wanted(file.path, sources, size=file.size, sha256=file.sha256, git_sha1=sha1)

    def _explained(self, model: HubModelLock, error: Unreachable) -> SetupError:
        """A bare status means little: huggingface_hub knows what the hub said along with it."""
        kind = kind_of_status(error.status)
        if kind is None:
            return error
        try:
            self._ask({"action": "probe", "repository": model.repository, "revision": model.commit,
                       "path": model.files[0].path})  # fmt: skip
        except SetupError as said:
            if isinstance(said, Unreachable) and said.status is not None:
                return said
        answer = {"error": kind, "text": str(error), "status": error.status}
        return hub_error(answer, self.endpoint, model.repository, model.commit)

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []

        def listen(line: str) -> None:
            try:
                answers.append(json.loads(line))
            except ValueError:
                return

        secret = {"endpoint": self.endpoint, "cache": str(self.cache), "token": self._token()}
        done = self.host.programs.run(
            (sys.executable, "-I", "-m", "setup_llm_dev.host.hubs.child"),
            environment=self._environment(),
            timeout=_RESOLVE_SECONDS,
            stdin=json.dumps(job | secret).encode(),
            on_line=listen,
            tied=True,
        )
        if not answers:
            why = done.stderr.strip().splitlines()[-1:] or ["no answer"]
            answers.append({"error": "unreachable", "text": why[0]})
        if "error" in answers[-1]:
            raise hub_error(answers[-1], self.endpoint, job["repository"], job["revision"])
        return answers[-1]

    def _environment(self) -> dict[str, str]:
        passed = {n: v for n, v in self.host.environment.items() if n in _PASSED}
        ours = {
            "HOME": str(self.host.home),
            "HF_HOME": str(self.cache.parent),
            "HF_ENDPOINT": without_credentials(self.endpoint),
            "HF_HUB_CACHE": str(self.cache),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
            "HF_HUB_DISABLE_XET": "1",
        }
        return passed | ours

    def _token(self) -> str | None:
        """The user's token: HF_TOKEN, else the file that `hf auth login` wrote."""
        if not self.trusted:
            return None
        environment = self.host.environment
        token = environment.get("HF_TOKEN") or environment.get("HUGGING_FACE_HUB_TOKEN")
        if not token:
            place = environment.get("HF_TOKEN_PATH") or str(self.cache.parent / "token")
            token = self.host.files.read_text(Path(place))
        return token.strip() or None if token else None


def file_url(endpoint: str, model: HubModelLock, file: ModelFile) -> str:
    """Where a hub, or a mirror of it, gives a file of a locked model."""
    return f"{endpoint.rstrip('/')}/{model.repository}/resolve/{model.commit}/{quote(file.path)}"
