"""Detect: look at this computer, change nothing, start as few programs as possible."""

import re
from pathlib import PurePath

import msgspec

from setup_llm_dev.accelerators.registry import VENDORS
from setup_llm_dev.documents.machine import Finding, Machine
from setup_llm_dev.host.ide.installations import find_ides
from setup_llm_dev.host.interpreters import find_interpreters
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.platforms.registry import current_platform

_CUDA_LIBRARY = re.compile(r"lib(cudart|cublas|cudnn|nvJitLink|nccl)\b.*\.so")


def detect(host: Host, *, data: PurePath, interpreters: bool = True, ides: bool = True) -> Machine:
    """The Machine that `host` is; `data` is our data folder, whose free space counts.

    Without `interpreters` no Python is started, which is most of the time it takes. Raises Refused on a
    system that we don't know.
    """
    platform = current_platform(host.system)
    places = platform.places(host.home, host.environment, data)
    facts = platform.probe(host)
    return msgspec.structs.replace(
        facts,
        disk_free_bytes=host.files.free_bytes(data),
        accelerators=tuple(found for vendor in VENDORS for found in vendor.probe(host)),
        interpreters=find_interpreters(host, places, facts.arch) if interpreters else (),
        ides=find_ides(host, places) if ides else (),
        findings=(*facts.findings, *_findings(host)),
    )


def _findings(host: Host) -> tuple[Finding, ...]:
    """Of the user's environment. Our own children don't inherit it, the user's later programs do."""
    found = []
    if folder := _folder_with_cuda(host):
        found.append(
            Finding(
                id="ld-library-path",
                text=message("LD_LIBRARY_PATH holds another CUDA in {folder}; it is ignored here", folder=folder),
                hint=message("take it out of LD_LIBRARY_PATH before you use PyTorch: import torch can fail with it"),
            )
        )
    if host.environment.get("PYTHONPATH"):
        found.append(
            Finding(
                id="pythonpath",
                text=message("PYTHONPATH is set; it is ignored here"),
                hint=message("unset it where modules of other Pythons must not be seen"),
            )
        )
    return tuple(found)


def _folder_with_cuda(host: Host) -> str | None:
    for entry in host.environment.get("LD_LIBRARY_PATH", "").split(":"):
        if entry.startswith("/") and any(map(_CUDA_LIBRARY.match, host.files.list_dir(PurePath(entry)))):
            return entry
    return None
