"""Releases of the IDE that the catalogue lacks are named; their rows are written by hand, with their evidence."""

import tomllib
from collections.abc import Iterator
from functools import partial
from typing import Any

from packaging.version import Version
from refresh_run import Run, read_json


def refresh_ides(run: Run, feed: str | None) -> None:
    """New releases of the maker's list are named; their rows are written by hand, with their evidence."""
    path = run.folder / "ides.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    address = feed or table.get("feed")
    if not address:
        return
    answer = run.ask(address, lambda: read_json(run.host, f"{address}?code=PCP&type=release"))
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
