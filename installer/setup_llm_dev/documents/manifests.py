"""Where the data of the tool lie: one function, because an editable install keeps them beside the source."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def manifests_folder() -> Path:
    """The folder with `catalog/` and `recipes/`: inside the package, else beside `installer/`.

    Wheels carry the folder inside the package; the build back end does not do that for editable installs.
    """
    inside = _PACKAGE / "manifests"
    return inside if inside.is_dir() else _PACKAGE.parent.parent / "manifests"
