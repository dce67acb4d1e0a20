"""Record: detection on this computer, and all that it was told, as a folder that can be replayed anywhere."""

import platform
from pathlib import PurePath
from typing import Any

import tomli_w

from setup_llm_dev.documents.codec import to_plain
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.errors import Refused
from setup_llm_dev.host.recording import as_document, recording
from setup_llm_dev.host.redaction import Redaction, redaction_for
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.detect import detect

_HEAD = (
    "# A computer as `setup-llm-dev detect --record` saw it.\n"
    "# Names, numbers of single things and secrets are replaced: see for yourself.\n\n"
)


def record(host: Host, *, data: PurePath, folder: PurePath) -> Machine:
    """Detect, and write `recording.toml` and `machine.json` into `folder`. Returns the Machine as it was found.

    Raises Refused where there is a recording already, SystemRefused where it can't be written.
    """
    if host.files.exists(folder / "recording.toml"):
        raise Refused(
            message("{folder} holds a recording already", folder=str(folder)),
            hint=message("name a new folder"),
        )
    doors, kept = recording(host)
    machine = detect(doors, data=data)
    release = host.system.release if host.system.platform == "linux" else ""  # elsewhere nobody builds a kernel
    redaction = redaction_for(host.environment, host.home, platform.node(), release)
    told = as_document(host, kept, redaction)
    host.files.write(folder / "recording.toml", (_HEAD + tomli_w.dumps(told, multiline_strings=True)).encode())
    host.files.write(folder / "machine.json", machine_text(redacted(to_plain(machine), redaction)).encode())
    return machine


def machine_text(plain: Any) -> str:
    """As a person reads it."""
    import json

    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def redacted(plain: Any, redaction: Redaction) -> Any:
    """The same builtin values, every text in them redacted."""
    if isinstance(plain, str):
        return redaction.text(plain)
    if isinstance(plain, dict):
        return {key: redacted(value, redaction) for key, value in plain.items()}
    return [redacted(value, redaction) for value in plain] if isinstance(plain, list | tuple) else plain
