"""The options that put another machine, or other GPUs, in the place of what is found here."""

import argparse
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.documents.machine import Machine

_DATA = PurePath(".local", "share", "setup-llm-dev")  # of a recorded machine only its free space counts


def add_machine(group: argparse._ActionsContainer, _: Callable[[Message], str]) -> None:
    group.add_argument("--machine", metavar="FILE", help=_(message("a saved Machine, or a recording, instead of this")))
    group.add_argument(
        "--assume",
        metavar="gpu=…",
        action="append",
        help=_(message("gpu=none or gpu=VENDOR:CHIP:DRIVER instead of what is found; once for each GPU")),
    )


def saved_machine(path: str | None) -> "Machine | None":
    """The Machine of a file (`machine/1`), or what detection makes of a recording's folder. Raises UsageError."""
    if path is None:
        return None
    place = Path(path).expanduser()
    if place.name == "recording.toml":
        place = place.parent
    return _replayed(place) if (place / "recording.toml").is_file() else _of_file(place, path)


def _replayed(folder: Path) -> "Machine":
    from setup_llm_dev.host.recorded import recorded_host
    from setup_llm_dev.stages.detect import detect

    host = recorded_host(folder)
    return detect(host, data=host.home / _DATA)


def _of_file(place: Path, named: str) -> "Machine":
    import json

    import msgspec

    from setup_llm_dev.documents.codec import from_stored
    from setup_llm_dev.documents.machine import Machine

    try:
        return from_stored(json.loads(place.read_text(encoding="utf-8")), Machine)
    except OSError as error:
        raise UsageError(message("{file}: {why}", file=named, why=error.strerror or str(error))) from error
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError(
            message("{file} is not a Machine: {why}", file=named, why=str(error)),
            hint=message("make one with `setup-llm-dev detect --json`, or a recording with `detect --record DIR`"),
        ) from error
