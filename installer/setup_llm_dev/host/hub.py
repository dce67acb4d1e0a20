"""The Hugging Face hub: a revision becomes a commit and a list of files with hashes; the files come down.

huggingface_hub runs in a child process of its own: it can be stopped at once, its settings (read once, at import)
are ours, and its memory is not. The token goes in on standard input, never in argv or the environment.
"""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from setup_llm_dev.documents.lock import HubModelLock, ModelFile
from setup_llm_dev.errors import Corrupt, Refused, SetupError, SystemRefused, Unreachable
from setup_llm_dev.host.configuration import cleaned, without_credentials
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

DEFAULT_ENDPOINT = "https://huggingface.co"
# Data only: what can run code when it is loaded (pickles, Python files) is not fetched.
_SUFFIXES = (".safetensors", ".json", ".txt", ".model", ".jinja")
_PASSED = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
           "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HF_HUB_ETAG_TIMEOUT",
           "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_DISABLE_SYMLINKS", "USERPROFILE", "LOCALAPPDATA")  # fmt: skip
_RESOLVE_SECONDS = 90.0
_DAY = 86400.0
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Hub:
    """The hub at one endpoint, as this user sees it."""

    host: Host
    endpoint: str
    cache: PurePath

    def resolve(self, repository: str, revision: str) -> HubModelLock:
        """The commit behind a revision and the files worth fetching; raises Unreachable (4), Refused (3)."""
        answer = self._ask({"action": "resolve", "repository": repository, "revision": revision}, None)
        files = tuple(
            ModelFile(path=f["path"], size=f["size"], sha256=f["sha256"], git_sha1=f["git_sha1"])
            for f in answer["files"]
            if wanted(f["path"])
        )
        if not any(file.path.endswith(".safetensors") for file in files):
            raise Refused(
                message("{repository} has no weights in safetensors format", repository=repository),
                hint=message("choose a model, or a revision of it, that has model.safetensors"),
            )
        return HubModelLock(
            source=f"hf:{repository}",
            repository=repository,
            revision=revision,
            commit=answer["commit"],
            endpoint=without_credentials(self.endpoint),
            files=files,
        )

    def download(self, model: HubModelLock, on_progress: OnProgress | None = None) -> Path:
        """Fetch the files of a locked model into the user's cache; returns the snapshot folder."""
        job = {
            "action": "download",
            "repository": model.repository,
            "revision": model.commit,
            "files": [file.path for file in model.files],
        }
        return Path(self._ask(job, on_progress)["snapshot"])

    def _ask(self, job: dict[str, Any], on_progress: OnProgress | None) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []

        def listen(line: str) -> None:
            try:
                answer = json.loads(line)
            except ValueError:
                return
            if "progress" in answer and on_progress is not None:
                on_progress(*answer["progress"])
            elif "progress" not in answer:
                answers.append(answer)

        secret = {"endpoint": self.endpoint, "cache": str(self.cache), "token": self._token()}
        done = self.host.programs.run(
            (sys.executable, "-I", "-m", "setup_llm_dev.host.hub_child"),
            environment=self._environment(),
            timeout=_RESOLVE_SECONDS if job["action"] == "resolve" else _DAY,
            stdin=json.dumps(job | secret).encode(),
            on_line=listen,
            tied=True,
        )
        if not answers:
            why = done.stderr.strip().splitlines()[-1:] or ["no answer"]
            raise self._error({"error": "unreachable", "text": why[0]}, job)
        if "error" in answers[-1]:
            raise self._error(answers[-1], job)
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
            # A dead Xet back end costs minutes without falling back to HTTP (measured).
            "HF_HUB_DISABLE_XET": "1",
        }
        return passed | ours

    def _token(self) -> str | None:
        """The user's token: HF_TOKEN, else the file that `hf auth login` wrote."""
        environment = self.host.environment
        token = environment.get("HF_TOKEN") or environment.get("HUGGING_FACE_HUB_TOKEN")
        if not token:
            place = environment.get("HF_TOKEN_PATH") or str(self.cache.parent / "token")
            token = self.host.files.read_text(Path(place))
        return token.strip() or None if token else None

    def _error(self, answer: dict[str, Any], job: dict[str, Any]) -> SetupError:
        repository, url = job["repository"], f"{without_credentials(self.endpoint)}/{job['repository']}"
        why = cleaned(str(answer["text"]))
        match answer["error"]:
            case "gated":
                return Unreachable(
                    message("{repository} is gated: its licence must be accepted first", repository=repository),
                    url=url, status=answer.get("status"),
                    hint=message("open {url} in a browser, accept, then set HF_TOKEN", url=url),
                )  # fmt: skip
            case "missing":
                return Unreachable(
                    message("the hub has no {repository}, or it is private", repository=repository),
                    url=url, status=404,
                    hint=message("check the name; for a private model set HF_TOKEN"),
                )  # fmt: skip
            case "revision":
                return Unreachable(
                    message("{repository} has no revision {revision}", repository=repository,
                            revision=job["revision"]),
                    url=url, status=404,
                    hint=message("name a branch, a tag or a commit of that model"),
                )  # fmt: skip
            case "certificate":
                from setup_llm_dev.host.fetch import untrusted  # here, since few need it and it brings all of HTTP

                return untrusted(without_credentials(self.endpoint))
            case "disk":
                return SystemRefused(message("the model could not be written: {why}", why=why))
            case "size":
                return Corrupt(message("a file of {repository} is damaged: {why}", repository=repository,
                                       why=why))  # fmt: skip
        return Unreachable(
            message("the hub can't be reached at {url}: {why}", url=without_credentials(self.endpoint),
                    why=_in_words(why)),
            url=url, status=answer.get("status"),
            hint=message("check the network, or set HF_ENDPOINT to a mirror of the hub"),
        )  # fmt: skip


def _in_words(text: str) -> Message:
    """The system's own words for a name that nobody knows differ by system and say little."""
    if re.search(r"Name or service not known|name resolution|nodename nor servname|getaddrinfo failed", text):
        return message("its name can't be resolved")
    if "Connection refused" in text or "Errno 111" in text:
        return message("nothing answers there")
    return message("{text}", text=text)


def wanted(path: str) -> bool:
    """Weights as safetensors, configuration, tokenizer; nothing in subfolders (exports for other frameworks)."""
    return (
        "/" not in path
        and not path.startswith(".")
        and path.endswith(_SUFFIXES)
        and not path.endswith(".bin.index.json")
        and path.lower() not in ("readme.txt", "license.txt")
    )
