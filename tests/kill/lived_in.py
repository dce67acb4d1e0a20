"""A home that somebody lives in: files with names near ours, and an IDE's settings with foreign interpreters."""

from pathlib import Path

from tests.e2e.toy import PYCHARM

SETTINGS = f".config/JetBrains/PyCharm{PYCHARM.rpartition('.')[0]}"
TABLE = f"{SETTINGS}/options/jdk.table.xml"
_TABLE = Path(__file__).parents[1] / "tables" / "pycharm-2026.2.xml"
_NEAR = (
    "Documents/thesis.txt", ".config/JetBrains/options.xml", ".local/share/other/data", "llm-dev/mine/a",
    ".local/bin/another",
)  # fmt: skip


def users_files(home: Path) -> None:
    """Files with names near ours."""
    for name in _NEAR:
        _put(home / name, f"bytes of {name}".encode())


def users_settings(home: Path) -> None:
    """What a PyCharm of that version leaves behind: a table with five interpreters, and other options."""
    _put(home / TABLE, _TABLE.read_bytes())
    _put(home / SETTINGS / "options" / "ide.general.xml", b"<application/>\n")


def _put(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    place.chmod(0o640)
