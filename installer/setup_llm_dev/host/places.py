"""Where a computer keeps Pythons and PyCharms: what a platform module tells the searches."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

IdeKind = Literal["ours", "toolbox", "snap", "folder"]


@dataclass(frozen=True)
class IdeFolder:
    """A folder that holds IDE folders, and who looks after those: us, the Toolbox App, snap, or a person."""

    path: PurePath
    kind: IdeKind = "folder"


@dataclass(frozen=True)
class Places:
    """Folders to look in, which need not exist.

    interpreters: folders that hold `python3.X` (or `python.exe`) themselves. nests: folders of installations,
    each with an interpreter at `inside` below it. `settings` holds one configuration folder per IDE version.
    programs: for commands of the user's own. applications: for what appears in the user's menus.
    """

    interpreters: tuple[PurePath, ...]
    nests: tuple[PurePath, ...]
    inside: PurePath
    ides: tuple[IdeFolder, ...]
    settings: PurePath
    programs: PurePath
    applications: PurePath
