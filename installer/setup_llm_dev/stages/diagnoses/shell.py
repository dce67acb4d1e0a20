"""The user's surroundings: variables that hide a GPU or put other libraries in front of torch's own."""

import re
from collections.abc import Iterator
from pathlib import PurePath

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.diagnoses.situation import Situation, Told
from setup_llm_dev.stages.judge import usable

_CUDA = re.compile(r"lib(cudart|cublas|cudnn|nvJitLink|nccl)\b.*\.so")
_DRIVER_LIBRARY = re.compile(r"libcuda\.so(\.|$)")
_HIDING = {"nvidia": "CUDA_VISIBLE_DEVICES", "amd": "HIP_VISIBLE_DEVICES", "intel": "ONEAPI_DEVICE_SELECTOR"}
_NONE = re.compile(r"\s*(-1|NoDevFiles|none)?\s*", re.IGNORECASE)
_PIP = ("PIP_TARGET", "PIP_USER", "PIP_PREFIX")


def look(situation: Situation) -> Iterator[Told]:
    host = situation.host
    yield from _conda(host)
    yield from _compatibility_library(host)
    yield from _preload(host)
    yield from _hidden(situation)
    yield from _pip_elsewhere(host)


def _conda(host: Host) -> Iterator[Entry]:
    """An active conda environment with a CUDA of its own: its folders come before others for what it starts."""
    prefix = host.environment.get("CONDA_PREFIX", "")
    if not prefix:
        return
    folder = PurePath(prefix) / "lib"
    names = [name for name in host.files.list_dir(folder) if _CUDA.match(name)]
    if names:
        yield Entry(
            id="conda-cuda", group="environment", level="warning",
            text=message("the active conda environment brings a CUDA of its own: {folder}", folder=str(folder)),
            cause=message("programs started from it may load its libraries instead of torch's"),
            hint=message("leave it before you work here"), commands=("conda deactivate",),
            evidence=(f"CONDA_PREFIX={prefix}", f"{folder}: {', '.join(names[:3])}"), reference="environment",
        )  # fmt: skip


def _compatibility_library(host: Host) -> Iterator[Entry]:
    """A libcuda of NVIDIA's compatibility package in front of the driver's: error 804 on consumer cards."""
    for entry in host.environment.get("LD_LIBRARY_PATH", "").split(":"):
        if not entry.startswith("/") or entry.startswith("/usr/lib"):
            continue
        if any(map(_DRIVER_LIBRARY.match, host.files.list_dir(PurePath(entry)))):
            yield Entry(
                id="cuda-compat", group="environment", level="warning",
                text=message("LD_LIBRARY_PATH puts another libcuda in front of the driver's: {folder}", folder=entry),
                cause=message("NVIDIA's compatibility package works on data-centre cards only (error 804 elsewhere)"),
                hint=message("take that folder out of LD_LIBRARY_PATH"), evidence=(f"{entry}: libcuda.so",),
                reference="environment",
            )  # fmt: skip


def _preload(host: Host) -> Iterator[Entry]:
    if value := host.environment.get("LD_PRELOAD"):
        yield Entry(
            id="ld-preload", group="environment", level="info",
            text=message("LD_PRELOAD is set; it is ignored here"),
            hint=message("unset it if torch behaves strangely in your own shell"), evidence=(f"LD_PRELOAD={value}",),
        )  # fmt: skip


def _hidden(situation: Situation) -> Iterator[Entry]:
    for vendor in dict.fromkeys(gpu.vendor for gpu in usable(situation.machine)):
        name = _HIDING.get(vendor, "")
        value = situation.host.environment.get(name)
        if value is not None and _NONE.fullmatch(value):
            yield Entry(
                id="gpu-hidden", group="environment", level="warning",
                text=message("{name} hides every GPU from programs of this shell", name=name),
                hint=message("unset it; setup-llm-dev itself ignores it"), commands=(f"unset {name}",),
                evidence=(f"{name}={value!r}",), reference="environment",
            )  # fmt: skip


def _pip_elsewhere(host: Host) -> Iterator[Entry]:
    names = [name for name in _PIP if host.environment.get(name) not in (None, "", "0", "no", "false")]
    for name in names:
        text: Message = message("{name} sends what you install with pip to another place than the environment",
                                name=name)  # fmt: skip
        yield Entry(
            id="pip-elsewhere", group="environment", level="warning", text=text,
            hint=message("unset it; setup-llm-dev itself ignores it"), commands=(f"unset {name}",),
            evidence=(f"{name}={host.environment[name]}",), reference="environment",
        )  # fmt: skip
