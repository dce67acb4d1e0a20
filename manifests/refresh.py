"""The robot of the catalogue: asks the makers for what it lacks and writes it down, comments and order kept.

    python manifests/refresh.py [--torch] [--models] [--ides] [--catalog FOLDER]

Without a word of what, all of it. It needs what setup-llm-dev itself needs, and reaches as far as this machine does:
what can't be reached stays as it is, which is said. Ends with 0 unless a file of the catalogue can't be understood.
Nothing is ever replaced by another hash: where a maker says something else than the catalogue, that is said and left
to a person.
"""

import argparse
import hashlib
import json
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from setup_llm_dev.documents.catalog import Catalog, ModelFacts, read_catalog
from setup_llm_dev.errors import SetupError, Unreachable
from setup_llm_dev.host.configuration import Surroundings, as_environment, read_surroundings
from setup_llm_dev.host.hubs.hub import wanted
from setup_llm_dev.host.resolver import Uv, find_uv
from setup_llm_dev.host.web.simple_index import links
from setup_llm_dev.host.world import Host, real_host, with_environment

HUB = "https://huggingface.co"
SMALL = 16 << 20  # files up to this are read to hash them; the hub tells the sha256 of larger ones
PLATFORMS = {"x86_64": "linux_x86_64", "aarch64": "linux_arm64", "win_amd64": "windows_x86_64",
             "win_arm64": "windows_arm64", "arm64": "macos_arm64"}  # fmt: skip


@dataclass
class Run:
    """The world, the catalogue as it is, and what happened to it."""

    host: Host
    folder: Path
    catalog: Catalog
    changes: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    reached: int = 0

    def ask(self, what: str, question: Callable[[], Any]) -> Any:
        """The answer, or None where nobody gave one: that is noted."""
        try:
            answer = question()
        except Unreachable as error:
            self.silent.append(f"{what}: {error}")
            return None
        self.reached += 1
        return answer


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    host = real_host()
    surroundings = read_surroundings(host, Path(options.catalog))
    host = with_environment(host, as_environment(surroundings, host.environment))
    try:
        run = Run(host, options.catalog, read_catalog(options.catalog))
        refresh(run, options)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    report(run)
    return 0


def refresh(run: Run, options: argparse.Namespace) -> None:
    """What was asked for, each part by itself."""
    every = not (options.torch or options.models or options.ides)
    if options.torch or every:
        _torch(run, options.torch_index or run.catalog.torch.index_root, default=not options.no_default_index)
    if options.models or every:
        _models(run, options.hub)
    if options.ides or every:
        _ides(run, options.feed)


def report(run: Run) -> None:
    for line in run.silent:
        print(f"not reached: {line}")
    for line in run.changes:
        print(line)
    if not run.changes:
        print("nothing reachable: unchanged" if not run.reached else "nothing new: unchanged")


# torch ----------------------------------------------------------------------------------------------------


def _torch(run: Run, root: str, *, default: bool) -> None:
    """The wheels of every release in the catalogue: from torch's own index, and from the package index."""
    found: dict[str, dict[str, str]] = {"pytorch": {}, "index": {}}
    for variant in run.catalog.torch.variants:
        page = f"{root.rstrip('/')}/{variant}"
        rows = run.ask(page, partial(links, run.host, page, "torch", flat=False))
        if rows is None and not found["pytorch"]:
            break  # the host does not answer: it won't for the other variants either
        told = ((row.name, row.sha256) for row in rows or ())
        found["pytorch"] |= _fitting(run.catalog, ((name, sha256) for name, sha256 in told if sha256))
    for release in run.catalog.torch.releases if default else ():
        for patch in release.patches:
            question = partial(_told_by_index, run.host, patch, release.pythons)
            rows = run.ask(f"torch {patch} on the package index", question)
            found["index"] |= _fitting(run.catalog, (rows or {}).items())
    _write_hashes(run, found)


def _told_by_index(host: Host, patch: str, pythons: tuple[str, ...]) -> dict[str, str]:
    """uv knows the default index: a resolution for all platforms at once lists every wheel with its hash."""
    lowest = min(pythons, key=Version)
    environment = {k: v for k, v in Uv(host, Surroundings()).environment().items() if not _names_an_index(k)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "wish.in").write_text(f"torch=={patch}\ntriton; sys_platform == 'linux'\n", encoding="utf-8")
        done = host.programs.run(
            (find_uv(), "pip", "compile", "wish.in", "--universal", "--no-config", "--python-version", lowest,
             "--generate-hashes", "--format", "pylock.toml", "--output-file", "pylock.toml", "--no-header", "--quiet"),
            environment=environment, cwd=folder, timeout=300.0,
        )  # fmt: skip
        if not done.ok:
            raise Unreachable(_plain(done.stderr.strip().splitlines()[0] if done.stderr.strip() else "no answer"))
        packages = tomllib.loads((folder / "pylock.toml").read_text(encoding="utf-8"))["packages"]
    family = (p for p in packages if p["name"] in ("torch", "triton"))
    return {_name(wheel["url"]): wheel["hashes"]["sha256"] for p in family for wheel in p.get("wheels", [])}


def _fitting(catalog: Catalog, rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Wheels that a choice could ask for: of a release here, one of its Pythons, a platform; none is free-threaded."""
    releases = {patch: release for release in catalog.torch.releases for patch in release.patches}
    found = {}
    for name, sha256 in rows:
        try:
            project, version, _, tags = parse_wheel_filename(name)
        except (InvalidWheelFilename, ValueError):
            continue
        tag = next(iter(tags))
        python = re.sub(r"^cp3", "3.", tag.interpreter)
        pythons = releases[version.public].pythons if version.public in releases else ()
        allowed = pythons if project == "torch" else _all_pythons(catalog)
        platform = next((p for end, p in PLATFORMS.items() if tag.platform.endswith(end)), None)
        if project in ("torch", "triton") and python in allowed and tag.abi in (tag.interpreter, "none") and platform:
            found[name] = sha256
    return found


def _all_pythons(catalog: Catalog) -> frozenset[str]:
    return frozenset(python for release in catalog.torch.releases for python in release.pythons)


def _write_hashes(run: Run, found: dict[str, dict[str, str]]) -> None:
    path = run.folder / "hashes.toml"
    text = path.read_text(encoding="utf-8")
    for table, rows in found.items():
        known = tomllib.loads(text).get(table, {})
        for name in sorted(rows.keys() & known.keys()):
            if rows[name] != known[name]:
                run.changes.append(f"{path.name}: [{table}] {name}: the maker now says {rows[name]}; left as it is")
        new = {name: rows[name] for name in rows.keys() - known.keys()}
        if new:
            text = _with_table(text, table, known | new)
            run.changes.append(f"{path.name}: [{table}] {len(new)} new")
    _write_dated(run, path, text)


def _with_table(text: str, table: str, rows: dict[str, str]) -> str:
    """The text with this table's rows in order; the comment above its head and all else stay."""
    body = "".join(f'"{name}" = "{rows[name]}"\n' for name in sorted(rows, key=_by_version))
    head = re.compile(rf"^\[{table}\][^\n]*\n", re.MULTILINE)
    found = head.search(text)
    if found is None:
        return f"{text.rstrip()}\n\n[{table}]\n{body}"
    rest = text[found.end() :]
    row = re.match(r'(?:"[^"\n]+" = "[0-9a-f]{64}"\n)*', rest)
    return text[: found.end()] + body + rest[row.end() if row else 0 :]


def _by_version(name: str) -> tuple[str, Version, str]:
    project, version, *_ = parse_wheel_filename(name)
    return project, version, name


def _names_an_index(variable: str) -> bool:
    return variable in ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


def _name(url: str) -> str:
    return url.rpartition("/")[2].replace("%2B", "+")


# models ---------------------------------------------------------------------------------------------------


def _models(run: Run, hub: str) -> None:
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
    _write_dated(run, path, text)


@dataclass(frozen=True)
class HubFile:
    name: str
    size: int
    sha256: str
    git_sha1: str


def _told_by_hub(host: Host, hub: str, name: str, facts: ModelFacts) -> tuple[str, tuple[HubFile, ...]]:
    """The files worth having at the commit of the catalogue, or at the newest where it names none."""
    commit = facts.commit or _json(host, f"{hub}/api/models/{name}/revision/main")["sha"]
    tree = _json(host, f"{hub}/api/models/{name}/tree/{commit}?recursive=true&expand=false")
    rows = [row for row in tree if row["type"] == "file" and wanted(row["path"])]
    return commit, tuple(_hub_file(host, f"{hub}/{name}/resolve/{commit}", row) for row in rows)


def _hub_file(host: Host, place: str, row: dict[str, Any]) -> HubFile:
    sha256 = row.get("lfs", {}).get("oid")
    if sha256 is None:
        body = host.fetcher().get(f"{place}/{row['path']}", limit=SMALL).body
        blob = hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
        if (len(body), blob) != (row["size"], row["oid"]):
            raise Unreachable(_plain(f"{row['path']} is not what the tree says"))
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


# IDEs -----------------------------------------------------------------------------------------------------


def _ides(run: Run, feed: str | None) -> None:
    """New releases of the maker's list are named; their rows are written by hand, with their evidence."""
    path = run.folder / "ides.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    address = feed or table.get("feed")
    if not address:
        return
    answer = run.ask(address, lambda: _json(run.host, f"{address}?code=PCP&type=release"))
    newest = max((Version(ide["version"]) for ide in table.get("ides", [])), default=Version("0"))
    for release in _releases(answer):
        if Version(release["version"]) > newest:
            run.changes.append(f"{path.name}: {release['version']} (build {release.get('build')}) is not in it")
            for line in _checksums(run, release):
                run.changes.append(f"  {line}")


def _releases(answer: Any) -> Iterator[dict[str, Any]]:
    lists = answer.values() if isinstance(answer, dict) else ()
    yield from (release for releases in lists for release in releases if isinstance(release, dict))


def _checksums(run: Run, release: dict[str, Any]) -> Iterator[str]:
    for key, file in sorted((release.get("downloads") or {}).items()):
        if url := file.get("checksumLink"):
            answer = run.ask(url, partial(run.host.fetcher().get, url, limit=1 << 16))
            if answer:
                yield f"{key}: {answer.body.decode('ascii', 'replace').strip()} ({file.get('size')} bytes)"


# all ------------------------------------------------------------------------------------------------------


def _write_dated(run: Run, path: Path, text: str) -> None:
    if text != path.read_text(encoding="utf-8"):
        today = datetime.now(UTC).date().isoformat()
        path.write_text(re.sub(r"^collected = \S+", f"collected = {today}", text, count=1, flags=re.MULTILINE), "utf-8")


def _json(host: Host, url: str) -> Any:
    body = host.fetcher().get(url, accept="application/json").body
    try:
        return json.loads(body)
    except ValueError as error:
        raise Unreachable(_plain(f"{url} answered with a page")) from error


def _plain(text: str) -> Any:
    from setup_llm_dev.messages import Message

    return Message("{text}", {"text": text})


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python manifests/refresh.py", description=__doc__.splitlines()[0])
    for part in ("torch", "models", "ides"):
        parser.add_argument(f"--{part}", action="store_true")
    parser.add_argument("--catalog", type=Path, default=Path(__file__).resolve().parent / "catalog")
    parser.add_argument("--torch-index", metavar="URL", help="instead of the official one")
    parser.add_argument("--no-default-index", action="store_true", help="leave out the package index")
    parser.add_argument("--hub", metavar="URL", default=HUB)
    parser.add_argument("--feed", metavar="URL")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
