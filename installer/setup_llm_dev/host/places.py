"""Where a computer keeps Pythons and PyCharms: what a platform module tells the searches."""

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True)
class Places:
    """Folders to look in, which need not exist.

    interpreters: folders that hold `python3.X` (or `python.exe`) themselves. nests: folders of installations,
    each with an interpreter at `inside` below it. ides: folders that hold IDE folders; `settings` holds one
    configuration folder per IDE version.
    """

    interpreters: tuple[PurePath, ...]
    nests: tuple[PurePath, ...]
    inside: PurePath
    ides: tuple[PurePath, ...]
    settings: PurePath
