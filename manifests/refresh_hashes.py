"""The hashes of torch's wheels: from torch's own index, and from the package index."""

import re
import tomllib
from collections.abc import Iterable

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version
from refresh_run import Run, write_dated

from setup_llm_dev.documents.catalog import Catalog

PLATFORMS = {"x86_64": "linux_x86_64", "aarch64": "linux_arm64", "win_amd64": "windows_x86_64",
             "win_arm64": "windows_arm64", "arm64": "macos_arm64"}  # fmt: skip


def fitting(catalog: Catalog, rows: Iterable[tuple[str, str]]) -> dict[str, str]:
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


def write_hashes(run: Run, found: dict[str, dict[str, str]]) -> None:
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
    write_dated(run, path, text)


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
