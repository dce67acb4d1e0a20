"""The models of the catalogue: commit, files and hashes, as their hub tells them."""

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

from refresh_run import Run, plain, read_json, write_dated

from setup_llm_dev.documents.catalog import ModelFacts
from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.hubs.hub import wanted
from setup_llm_dev.host.world import Host

SMALL = 16 << 20  # files up to this are read to hash them; the hub tells the sha256 of larger ones


def refresh_models(run: Run, hub: str) -> None:
    path = run.folder / "models.toml"
    text = path.read_text(encoding="utf-8")
    for facts in run.catalog.models.models:
        scheme, _, name = facts.source.partition(":")
        if scheme != "hf":
            continue
        told = run.ask(facts.source, partial(_told_by_hub, run.host, hub, name, facts))
        if told is None:
            continue
        commit, files = told
        if not _differs(run, facts, commit, files):
            text = _with_model(text, facts, commit, files)
            if commit != facts.commit or len(files) != len(facts.files):
                run.changes.append(f"{path.name}: {facts.source}: {len(files)} files of commit {commit[:12]}")
    write_dated(run, path, text)


@dataclass(frozen=True)
class HubFile:
    name: str
    size: int
    sha256: str
    git_sha1: str


def _told_by_hub(host: Host, hub: str, name: str, facts: ModelFacts) -> tuple[str, tuple[HubFile, ...]]:
    """The files worth having at the commit of the catalogue, or at the newest where it names none."""
    commit = facts.commit or read_json(host, f"{hub}/api/models/{name}/revision/main")["sha"]
    tree = read_json(host, f"{hub}/api/models/{name}/tree/{commit}?recursive=true&expand=false")
    rows = [row for row in tree if row["type"] == "file" and wanted(row["path"])]
    return commit, tuple(_hub_file(host, f"{hub}/{name}/resolve/{commit}", row) for row in rows)


def _hub_file(host: Host, place: str, row: dict[str, Any]) -> HubFile:
    sha256 = row.get("lfs", {}).get("oid")
    if sha256 is None:
        body = host.fetcher().get(f"{place}/{row['path']}", limit=SMALL).body
        blob = hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
        if (len(body), blob) != (row["size"], row["oid"]):
            raise Unreachable(plain(f"{row['path']} is not what the tree says"))
        sha256 = hashlib.sha256(body).hexdigest()
    return HubFile(row["path"], row["size"], sha256, row["oid"])


def _differs(run: Run, facts: ModelFacts, commit: str, files: tuple[HubFile, ...]) -> bool:
    """Another hash for the same commit is no news but an alarm."""
    known = {file.name: file.sha256 for file in facts.files} if facts.commit == commit else {}
    wrong = [file.name for file in files if known.get(file.name, file.sha256) != file.sha256]
    for name in wrong:
        run.changes.append(f"models.toml: {facts.source}: the hub says another hash for {name}; left as it is")
    return bool(wrong)


def _with_model(text: str, facts: ModelFacts, commit: str, files: tuple[HubFile, ...]) -> str:
    """The text with commit, evidence and files of one model; its other lines and their comments stay."""
    start = text.index(f'source = "{facts.source}"')
    end = next((m.start() for m in re.finditer(r"^\[\[models\]\]", text, re.MULTILINE) if m.start() > start), len(text))
    head = text[start:end].partition("[[models.files]]")[0].rstrip()
    size = sum(file.size for file in files)
    for key, value in (("commit", f'"{commit}"'), ("evidence", '"hub"'), ("download_bytes", str(size))):
        head = _with_key(head, key, value)
    body = "".join(
        f'\n[[models.files]]\nname = "{f.name}"\nbytes = {f.size}\nsha256 = "{f.sha256}"\ngit_sha1 = "{f.git_sha1}"\n'
        for f in sorted(files, key=lambda f: f.name)
    )
    return f"{text[:start]}{head}\n{body}{chr(10) if end < len(text) else ''}{text[end:]}"


def _with_key(head: str, key: str, value: str) -> str:
    found = re.search(rf"^{key} = (?P<value>\S+)", head, re.MULTILINE)
    if found is None:
        return f"{head}\n{key} = {value}"
    if found["value"].replace("_", "") == value:
        return head
    return head[: found.start("value")] + value + head[found.end("value") :]
