"""Folders that a step makes for its files: kept in its receipt, so that they go with them again, and no others do."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from setup_llm_dev.host.world import Host


def missing_folders(host: Host, places: Iterable[PurePath]) -> list[str]:
    """What has to be made for these files, the innermost first: for the receipt's `folders`, before the first write."""
    missing = {Path(folder) for place in places for folder in host.files.missing_parents(place)}
    return [str(folder) for folder in sorted(missing, key=lambda folder: (-len(folder.parts), folder))]


def drop_folders(host: Host, receipt: Mapping[str, Any]) -> None:
    """Those of a receipt that are empty. One that was there before stays, and so does a link in its place."""
    for folder in map(Path, receipt.get("folders", ())):
        if host.files.link_target(folder) is None:
            host.files.remove_empty_dir(folder)
