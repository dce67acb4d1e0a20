"""The child process that talks to the hub: one JSON job on standard input, JSON lines on standard output."""

import errno
import json
import os
import ssl
import sys
import threading
import time
from typing import Any


def main() -> None:
    use_system_certificates()
    job = json.load(sys.stdin)
    try:
        answer = _resolve(job) if job["action"] == "resolve" else _download(job)
    except Exception as error:
        answer = _failure(error)
    _tell(answer)


def use_system_certificates() -> None:
    """Before huggingface_hub makes its client: a company's own authority is in the system's store, not in certifi."""
    if not os.environ.get("SSL_CERT_FILE"):
        import truststore

        truststore.inject_into_ssl()


def _resolve(job: dict[str, Any]) -> dict[str, Any]:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=job["endpoint"], token=job["token"] or False, library_name="setup-llm-dev")
    info = api.model_info(job["repository"], revision=job["revision"], timeout=20)
    tree = api.list_repo_tree(job["repository"], recursive=True, revision=info.sha)
    files = [
        {
            "path": item.path,
            "size": item.size,
            "sha256": item.lfs.sha256 if item.lfs else None,
            "git_sha1": None if item.lfs else item.blob_id,
        }
        for item in tree
        if isinstance(item, RepoFile)
    ]
    return {"commit": info.sha, "files": files}


def _download(job: dict[str, Any]) -> dict[str, Any]:
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        job["repository"],
        revision=job["revision"],
        allow_patterns=job["files"],
        endpoint=job["endpoint"],
        cache_dir=job["cache"],
        token=job["token"] or False,
        tqdm_class=_progress_class(),
    )
    return {"snapshot": str(folder)}


def _progress_class() -> type:
    from tqdm.auto import tqdm

    counts = _Counts()

    class Progress(tqdm):  # type: ignore[misc]  # tqdm brings no types
        """Counts bytes over all files and draws nothing."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._bytes = kwargs.get("unit") == "B"
            kwargs.pop("name", None)
            kwargs["disable"] = False
            kwargs["file"] = _Nowhere()
            super().__init__(*args, **kwargs)

        def update(self, n: float | None = 1) -> bool | None:
            if self._bytes and n:
                counts.add(id(self), int(n), int(self.total or 0))
            return bool(super().update(n))

    return Progress


class _Nowhere:
    def write(self, _text: str) -> int:
        return 0

    def flush(self) -> None:
        pass


class _Counts:
    """Bytes done and expected, told at most ten times a second.

    huggingface_hub draws the same bytes as one bar or as two (fetched, put together): the one that is ahead counts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[int, int] = {}
        self._told = 0.0

    def add(self, bar: int, count: int, total: int) -> None:
        with self._lock:
            self._done[bar] = self._done.get(bar, 0) + count
            done = max(self._done.values())
            if time.monotonic() - self._told < 0.1 and done < total:
                return
            self._told = time.monotonic()
            _tell({"progress": [done, total]})


def _failure(error: Exception) -> dict[str, Any]:
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    if _is_certificate_error(error):
        return {"error": "certificate", "text": text}
    kinds: tuple[tuple[type[Exception], str], ...] = (
        # Not in the cache, and the hub could not be asked. First, since it is an EntryNotFoundError too.
        (errors.LocalEntryNotFoundError, "unreachable"),
        (errors.GatedRepoError, "gated"),
        (errors.RepositoryNotFoundError, "missing"),
        (errors.RevisionNotFoundError, "revision"),
        (errors.EntryNotFoundError, "revision"),
    )
    for kind, name in kinds:
        if isinstance(error, kind):
            return {"error": name, "text": text, "status": status}
    full = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
    if isinstance(error, OSError) and (error.errno in full or error.filename is not None):
        return {"error": "disk", "text": text}
    if "consistency check" in text or "file should be of size" in text.lower():
        return {"error": "size", "text": text}
    return {"error": "unreachable", "text": text, "status": status}


def _is_certificate_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
