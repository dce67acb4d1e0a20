"""The child process that talks to the hub: one JSON job on standard input, JSON lines on standard output."""

import errno
import json
import os
import ssl
import sys
from typing import Any


def main() -> None:
    use_system_certificates()
    job = json.load(sys.stdin)
    try:
        answer = _resolve(job) if job["action"] == "resolve" else _probe(job)
    except Exception as error:
        answer = _failure(error)
    _tell(answer)


def use_system_certificates() -> None:
    """Before huggingface_hub makes its client: a company's own authority is in the system's store, not in certifi."""
    if not os.environ.get("SSL_CERT_FILE"):
        import truststore

        truststore.inject_into_ssl()


def _resolve(job: dict[str, Any]) -> dict[str, Any]:
    """Commit and whole tree. One file is asked for, too: a gated repository shows its tree to everybody."""
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
            "git_sha1": item.blob_id,
            "xet_hash": item.xet_hash,
        }
        for item in tree
        if isinstance(item, RepoFile)
    ]
    if files:
        _probe(job | {"revision": info.sha, "path": files[0]["path"]})
    return {"commit": info.sha, "files": files}


def _probe(job: dict[str, Any]) -> dict[str, Any]:
    """Ask whether one file may be had, by the headers alone."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(job["repository"], job["path"], revision=job["revision"], endpoint=job["endpoint"])
    get_hf_file_metadata(url, token=job["token"] or False, timeout=20, endpoint=job["endpoint"])
    return {"may": True}


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
    if status == 401 or (status == 403 and "token" in text.lower()):
        return {"error": "token", "text": text, "status": status}
    if status == 429:
        return {"error": "rate", "text": text, "status": status}
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
