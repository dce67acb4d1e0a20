"""NVIDIA: what the codes of nvidia-smi and NVML mean, in words, and what helps."""

import re
from typing import NamedTuple

from setup_llm_dev.accelerators.nvidia_sources import Answer
from setup_llm_dev.documents.machine import Finding, Level
from setup_llm_dev.messages import Message, message


class Failure(NamedTuple):
    """Why the GPUs can't be asked: a finding's id, what it is, and what to do."""

    id: str
    text: Message
    hint: Message | None = None
    level: Level = "error"

    def finding(self, evidence: tuple[str, ...], reference: str = "driver") -> Finding:
        return Finding(
            id=self.id, level=self.level, text=self.text, hint=self.hint, evidence=evidence, reference=reference
        )


NO_ANSWER = Failure(
    "gpu-no-answer",
    message("the driver does not answer in time: the state of the GPU is unknown"),
    message("restart the machine; if it hangs again, look for Xid errors in `dmesg`"),
)
UNREADABLE = Failure(
    "gpu-unreadable",
    message("nvidia-smi gives no answer that can be read: the state of the GPU is unknown"),
    message("run nvidia-smi yourself; install the driver again if its output is damaged"),
)
NOT_LOADED = Failure(
    "driver-not-loaded",
    message("the card is there, but no NVIDIA driver is loaded"),
    message("install the driver, or load it with `modprobe nvidia`; after an update of the kernel its module must be "
            "built anew, and with Secure Boot signed"),
)  # fmt: skip
MISMATCH = Failure(
    "driver-library-mismatch",
    message("the driver was updated, but the old one is still loaded: its library and its kernel module differ"),
    message("restart the machine"),
)
LOST = Failure(
    "gpu-lost",
    message("a GPU has fallen off the bus"),
    message("switch the machine off and on; if it happens again, check power, cables and cooling of the card"),
)
LOST_IN_CONTAINER = Failure(
    "gpu-lost",
    message("the container has lost its GPU: the driver answers with an unknown error"),
    message("make the container anew; `systemctl daemon-reload` on the host takes its devices away"),
)
NO_PERMISSION = Failure(
    "gpu-no-permission",
    message("the GPU's device files may not be opened by this user"),
    message("let this user read and write /dev/nvidia*: they normally have mode 0666"),
)
NO_LIBRARY = Failure(
    "nvml-missing",
    message("the driver's library libnvidia-ml is missing: only a part of the driver is installed"),
    message("install the whole driver, in the version of its kernel module"),
)
NO_DEVICE = Failure(
    "no-device-in-container",
    message("the driver is loaded, but no GPU device is passed into this container"),
    message("start the container with `--gpus all`, or with a CDI device"),
)
NO_NVML_ON_JETSON = Failure(
    "nvml-missing",
    message("this Jetson's system is older than JetPack 6 and does not tell of its driver"),
    message("take PyTorch from NVIDIA's own index for Jetson (pypi.jetson-ai-lab.io), or a later JetPack where there "
            "is one for the board"),
)  # fmt: skip
NO_NODES = Failure(
    "driver-not-loaded",
    message("the driver is loaded, but its device files are missing in /dev"),
    message("make them with `sudo nvidia-modprobe -c0 -u`; that program belongs to the driver"),
)
SILENT = Failure(
    "gpu-tool-failed",
    message("the driver is loaded, but it does not answer"),
    message("restart the machine"),
)

_ON_THE_HOST = {  # a container has the driver of its host: none is ever installed in it
    "driver-not-loaded": message("install the driver on the host, or load it there; then start the container with "
                                 "`--gpus all`, or with a CDI device"),
    "driver-library-mismatch": message("make the container anew; if that does not help, restart the host"),
    "nvml-missing": message("start the container with `--gpus all`, or with a CDI device: that brings the libraries "
                            "of the host's driver"),
    "gpu-no-answer": message("restart the host; if it hangs again, look for Xid errors in its `dmesg`"),
    "gpu-unreadable": message("run nvidia-smi on the host: the driver is repaired there, never in a container"),
    "gpu-tool-failed": message("run nvidia-smi on the host: the driver is repaired there, never in a container"),
}  # fmt: skip
_NOT_PASSED_IN = message("the driver's libraries are not passed into this container")
_HOSTED = message("start the notebook's session anew, with a GPU chosen for it")

_BY_CODE = {  # of NVML; nvidia-smi ends with the same numbers (its manual, “return value”)
    3: message("this GPU does not support what was asked"),
    6: message("the driver finds no GPU that it can drive"),
    8: message("a power cable of the card is not attached"),
    10: message("the driver has trouble with an interrupt of the GPU"),
    13: message("the driver's library does not have a function that was asked for"),
    14: message("the card's own configuration (infoROM) is damaged"),
    17: message("the operating system refused a call of the driver"),
    255: message("the driver reports an internal error"),
    999: message("the driver reports an unknown error"),
}
_CRASHED = {132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 137: "SIGKILL", 139: "SIGSEGV"}
_WORDS = (  # what is printed, where the code says less
    (re.compile(r"library version mismatch", re.IGNORECASE), MISMATCH),
    (re.compile(r"couldn't communicate with the NVIDIA driver|driver (is )?not loaded", re.IGNORECASE), NOT_LOADED),
    (re.compile(r"GPU is lost|fallen off the bus", re.IGNORECASE), LOST),
    (re.compile(r"insufficient permission", re.IGNORECASE), NO_PERMISSION),
    (re.compile(r"couldn't find libnvidia-ml|NVML shared library|libnvidia-ml\S*: cannot open", re.IGNORECASE),
     NO_LIBRARY),
)  # fmt: skip
_NAMED = {4: NO_PERMISSION, 9: NOT_LOADED, 12: NO_LIBRARY, 15: LOST, 18: MISMATCH}


def told_inside(failure: Failure, inside: str | None) -> Failure:
    """The same with what helps inside a container or a hosted notebook."""
    if inside in ("colab", "kaggle"):
        return failure._replace(hint=_HOSTED)
    if inside != "container":
        return failure
    text = _NOT_PASSED_IN if failure.id == "nvml-missing" else failure.text
    return failure._replace(text=text, hint=_ON_THE_HOST.get(failure.id, failure.hint))


def failure_of(answer: Answer, *, in_container: bool = False) -> Failure:
    """What a failed answer means, and an answer of no GPU at all."""
    if answer.timed_out:
        return NO_ANSWER
    code, words = 6 if answer.code is None else answer.code, answer.words
    for pattern, failure in _WORDS:
        if pattern.search(words):
            return failure
    if code in _NAMED:
        return _NAMED[code]
    if in_container and (code == 999 or "Unknown Error" in words):
        return LOST_IN_CONTAINER
    if code == 0:
        return UNREADABLE
    program = "nvidia-smi" if answer.source == "nvidia-smi" else "the driver's library (NVML)"
    return Failure("gpu-tool-failed", _in_words(128 - code if code < 0 else code, program), _what_to_do(code))


def _in_words(code: int, program: str) -> Message:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code in (126, 127):
        return message("{program} can't be started: a library is missing, or it is damaged", program=program)
    if code in _CRASHED:
        return message("{program} crashed ({signal})", program=program, signal=_CRASHED[code])
    return message("{program} ended with the unknown code {code}", program=program, code=code)


def _what_to_do(code: int) -> Message:
    if code == 6:
        return message("see whether the driver still supports this card, and whether `dmesg` names it")
    if code in (126, 127) or code in _CRASHED or code < 0:
        return message("install the driver again")
    return message("restart the machine; if it stays, install the driver again")
