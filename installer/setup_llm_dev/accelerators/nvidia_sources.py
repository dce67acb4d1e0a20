"""NVIDIA: what each source says, as pure functions from its text to values."""

import json
import re
from dataclasses import dataclass, replace

MIB = 1024 * 1024
_DRIVER = re.compile(r"\d{3,4}\.\d{1,3}(?:\.\d{1,3})?")
_BRACKETS = re.compile(r"\[.*\]|N/A|")  # [N/A], [Not Supported], [Unknown Error], [GPU is lost]
_VGPU = re.compile(r"-\d+(?:-\d+)?[ABCQ](?:ME)?$")  # GRID T4-8Q, NVIDIA A40-48Q, GRID A100D-1-10C
_MIG_LINE = re.compile(r"^\s+MIG (\S+)\s+Device", re.MULTILINE)
_GPU_LINE = re.compile(r"^GPU \d+:", re.MULTILINE)
CAN_DO_MIG = re.compile(r"\b(A100|A30|H100|H200|H20|H800|A800|GH200|B100|B200|B300|GB200|GB300|RTX PRO [56]000)\b")


@dataclass(frozen=True)
class Card:
    """A GPU as one source tells of it; what it does not tell is None. `instances` is None where MIG is off."""

    name: str | None = None
    capability: str | None = None  # 8.9
    memory_bytes: int | None = None
    pci: str | None = None
    instances: tuple[str, ...] | None = None
    instance_bytes: int | None = None  # of the largest
    shared: bool = False  # a vGPU

    @property
    def chip(self) -> str | None:
        return f"sm_{self.capability.replace('.', '')}" if self.capability else None


@dataclass(frozen=True)
class Answer:
    """What a source said: GPUs and driver, or the `code` that it failed with and its `words`.

    `code` is NVML's or the exit code, 0 for an answer that can't be read, None for no failure.
    """

    source: str
    cards: tuple[Card, ...] = ()
    driver: str | None = None
    code: int | None = None
    words: str = ""
    timed_out: bool = False

    @property
    def failed(self) -> bool:
        return self.timed_out or self.code is not None

    @property
    def evidence(self) -> str:
        """One line: who said what."""
        if not self.cards:
            return f"{self.source}: {self.words or 'no GPU'}"
        told = "; ".join(", ".join(filter(None, (c.name, c.chip, _mib(c.memory_bytes)))) for c in self.cards)
        return f"{self.source}: driver {self.driver or 'unknown'}; {told}"


def parse_nvml(text: str) -> Answer | None:
    """The JSON that our child prints; None when that is not what it is.

    >>> parse_nvml('{"error": 18, "text": "Driver/library version mismatch"}').code
    18
    """
    try:
        told = json.loads(text)
        if "error" in told:
            return Answer("nvml", code=int(told["error"]), words=str(told.get("text", "")))
        return Answer("nvml", tuple(map(_nvml_card, told["gpus"])), known(told.get("driver")))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def _nvml_card(told: dict[str, object]) -> Card:
    capability, memory, mig = told.get("capability"), told.get("memory"), told.get("mig")
    name = known(told.get("name"))
    parts = [m for m in mig if isinstance(m, dict)] if isinstance(mig, list) else None
    sizes = [m["memory"] for m in parts or () if isinstance(m.get("memory"), int)]
    return Card(
        name=name,
        capability="{}.{}".format(*capability) if isinstance(capability, list) else None,
        memory_bytes=memory if isinstance(memory, int) else None,
        pci=str(told["pci"]).lower() if told.get("pci") else None,
        instances=tuple(str(m["name"]) for m in parts) if parts is not None else None,
        instance_bytes=max(sizes, default=None),
        shared=bool(told.get("vgpu")) or is_share(name),
    )


def parse_query(text: str, *, with_capability: bool) -> Answer:
    """The CSV of `--query-gpu`: name, (capability,) driver, memory in MiB. No line that fits: an unreadable answer.

    >>> parse_query("NVIDIA GeForce RTX 4090, 8.9, 580.95.05, 24564\\n", with_capability=True).cards[0].chip
    'sm_89'
    """
    cards, drivers = [], []
    for line in text.splitlines():
        if (told := _query_line(line, with_capability)) is not None:
            cards.append(told[0])
            drivers.append(told[1])
    if not cards:
        words = "an empty answer" if not text.strip() else "an answer that can't be read"
        return Answer("nvidia-smi", code=0, words=words)
    return Answer("nvidia-smi", tuple(cards), next(filter(None, drivers), None))


def _query_line(line: str, with_capability: bool) -> tuple[Card, str | None] | None:
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != 3 + with_capability:
        return None
    name, *rest, driver, memory = fields
    capability = rest[0] if rest else ""
    fits = (
        (_BRACKETS.fullmatch(driver) or _DRIVER.fullmatch(driver))
        and (_BRACKETS.fullmatch(capability) or re.fullmatch(r"\d{1,2}\.\d", capability))
        and (_BRACKETS.fullmatch(memory) or memory.isdecimal())
        and name.isprintable()
    )
    if not fits:
        return None
    card = Card(
        name=known(name),
        capability=known(capability),
        memory_bytes=int(memory) * MIB if memory.isdecimal() else None,
        shared=is_share(name),
    )
    return card, known(driver)


def parse_listing(text: str) -> tuple[tuple[str, ...] | None, ...]:
    """The MIG profiles of each GPU of `nvidia-smi -L`, None for one that lists none.

    >>> parse_listing("GPU 0: NVIDIA H100 (UUID: …)\\n  MIG 1g.10gb     Device  0: (UUID: …)\\n")
    (('1g.10gb',),)
    """
    starts = [told.start() for told in _GPU_LINE.finditer(text)]
    blocks = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=False)]  # none: none
    return tuple(tuple(_MIG_LINE.findall(block)) or None for block in blocks)


def with_instances(answer: Answer, listing: str) -> Answer:
    """The answer with the MIG instances that a listing of as many GPUs tells of."""
    told = parse_listing(listing)
    if len(told) != len(answer.cards):
        return answer
    cards = tuple(replace(card, instances=found) for card, found in zip(answer.cards, told, strict=True))
    return replace(answer, cards=cards)


def parse_kernel(text: str) -> str | None:
    """The version of the loaded kernel module, in the wording of open and of proprietary modules.

    >>> parse_kernel("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\\n")
    '580.95.05'
    """
    told = re.search(rf"(?<![\d.]){_DRIVER.pattern}(?![\d.])", text)
    return told[0] if told else None


def parse_flavour(text: str) -> str | None:
    """`open` or `proprietary`, by the wording of /proc/driver/nvidia/version."""
    if "Kernel Module" not in text:
        return None
    return "open" if "Open Kernel Module" in text else "proprietary"


def parse_information(text: str) -> str | None:
    """The name in /proc/driver/nvidia/gpus/SLOT/information, which is there while nvidia-smi is not."""
    told = re.search(r"^Model:\s*(\S.*?)\s*$", text, re.MULTILINE)
    return known(told[1]) if told else None


def windows_driver(version: str) -> str | None:
    """NVIDIA's number in the one that Windows gives a driver: its last five digits.

    >>> windows_driver("32.0.15.8129")
    '581.29'
    """
    parts = version.split(".")
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        return None
    digits = (parts[2] + parts[3].zfill(4))[-5:]
    return f"{digits[:3]}.{digits[3:]}" if len(digits) == 5 else None


def is_share(name: str | None) -> bool:
    """Whether a name is that of a vGPU: it ends with its frame buffer and its licence."""
    return bool(name and _VGPU.search(name))


def known(value: object) -> str | None:
    """The text, or None for what stands where nothing is known."""
    text = value.strip() if isinstance(value, str) else ""
    return None if _BRACKETS.fullmatch(text) or text.startswith("Unknown") else text


def _mib(size: int | None) -> str | None:
    return f"{size // MIB} MiB" if size is not None else None
