"""AMD: cards by PCI id, chips by the compute driver's topology, names by amd-smi or the list of PCI ids."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

import msgspec

from setup_llm_dev.accelerators.amd_ids import OF_PROCESSORS, is_processor_graphics
from setup_llm_dev.accelerators.amd_sources import (
    Described,
    Node,
    in_words,
    parse_bank,
    parse_enumerator,
    parse_node,
    parse_smi,
)
from setup_llm_dev.accelerators.found import Found
from setup_llm_dev.accelerators.pci import DisplayDevice, marketing_name
from setup_llm_dev.documents.machine import Accelerator, Finding, Vendor
from setup_llm_dev.host.deadline import PROGRAM_SECONDS, Aside, asked
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

VENDOR: Vendor = "amd"
PCI = "1002"
_NODES = PurePath("/sys/class/kfd/kfd/topology/nodes")
_KFD = PurePath("/dev/kfd")
_ROCM = PurePath("/opt/rocm/bin")
_NOT_PROVED = message("no build of PyTorch is proved to run on the graphics of this processor")
_SMI = ("static", "--asic", "--vram", "--json")


@dataclass(frozen=True)
class _Told:
    """What every source said; a source that is not there said nothing (None)."""

    nodes: tuple[tuple[Node, int], ...]  # with the bytes on the card
    enumerated: tuple[str, ...] | None
    described: tuple[Described, ...] | None
    kfd: bool
    permitted: bool

    @property
    def evidence(self) -> tuple[str, ...]:
        state = "there" if self.permitted else "no permission"
        return tuple(
            filter(
                None,
                (
                    f"kfd: {in_words(node.chip for node, _ in self.nodes)}",
                    f"rocm_agent_enumerator: {in_words(self.enumerated)}" if self.enumerated is not None else "",
                    f"amd-smi: {in_words(d.chip for d in self.described)}" if self.described is not None else "",
                    f"/dev/kfd: {state if self.kfd else 'not there'}",
                ),
            )
        )


def probe(host: Host, devices: tuple[DisplayDevice, ...], inside: str | None) -> Found:
    """One entry per AMD card. Chips need the compute driver; its programs are asked only where it shows a GPU."""
    cards = tuple(device for device in devices if device.vendor == PCI)
    nodes = tuple(_nodes(host))
    if not cards and not nodes:
        return Found()
    told = _told(host, nodes)
    counting = any(not is_processor_graphics(None, card.device) for card in cards)
    problem, findings = _obstacle(told, cards, host.system.platform, inside) if counting or not cards else (None, ())
    gpus = _beside_discrete(tuple(_accelerators(host, cards, told, problem)))
    return Found(gpus, (*findings, *map(_of_processor, _unproved(gpus)), *_differences(told)))


def _nodes(host: Host) -> Iterator[tuple[Node, int]]:
    for number in sorted(host.files.list_dir(_NODES), key=lambda name: (len(name), name)):
        node = parse_node(host.files.read_text(_NODES / number / "properties") or "")
        if node is not None:
            banks = _NODES / number / "mem_banks"
            texts = (host.files.read_text(banks / bank / "properties") for bank in host.files.list_dir(banks))
            yield node, sum(parse_bank(text or "") for text in texts)


def _told(host: Host, nodes: tuple[tuple[Node, int], ...]) -> _Told:
    permitted, there = True, host.files.exists(_KFD)
    try:
        host.files.read_bytes(_KFD, 0)
    except PermissionError:
        permitted = False
    except OSError:
        there = there and host.files.is_file(_KFD)
    if not nodes:
        return _Told((), None, None, there, permitted)
    beside = Aside(lambda: _described(host))
    enumerated = _enumerated(host)
    described = beside.answer(time.monotonic() + PROGRAM_SECONDS, None)
    return _Told(nodes, enumerated, described, there, permitted)


def _enumerated(host: Host) -> tuple[str, ...] | None:
    program = _program(host, "rocm_agent_enumerator")
    answer = asked(host, program) if program else None
    return parse_enumerator(answer.stdout) if answer and answer.ok else None


def _described(host: Host) -> tuple[Described, ...] | None:
    program = _program(host, "amd-smi")
    answer = asked(host, program, *_SMI) if program else None
    return parse_smi(answer.stdout) or None if answer and answer.ok else None


def _program(host: Host, name: str) -> PurePath | None:
    if found := host.programs.find(name):
        return found
    return _ROCM / name if host.files.is_file(_ROCM / name) else None


def _beside_discrete(gpus: tuple[Accelerator, ...]) -> tuple[Accelerator, ...]:
    """Graphics of the processor beside a card of its own: nobody wants a build for both."""
    if not any(gpu.chip not in (None, *OF_PROCESSORS) for gpu in gpus):
        return gpus
    return tuple(msgspec.structs.replace(g, kind="igpu") if g.chip in OF_PROCESSORS else g for g in gpus)


def _unproved(gpus: tuple[Accelerator, ...]) -> tuple[Accelerator, ...]:
    return tuple(gpu for gpu in gpus if gpu.problem is _NOT_PROVED)


def _of_processor(gpu: Accelerator) -> Finding:
    return Finding(
        id="amd-igpu",
        text=message("{gpu}: no build of PyTorch is proved to run on the graphics of this processor", gpu=gpu.name),
        evidence=(f"{', '.join(gpu.seen_by)}: {gpu.pci}, chip {gpu.chip or 'unknown'}",),
        reference="rocm",
    )


def _accelerators(
    host: Host, cards: tuple[DisplayDevice, ...], told: _Told, problem: Message | None
) -> Iterator[Accelerator]:
    """A card and its node by the address; by order where the kernel told no address. Nodes without a card too."""
    left = list(told.nodes)
    for card in cards:
        node = _node_of(card, left)
        if node is not None:
            left.remove(node)
        yield _accelerator(host, card, node, told, problem)
    for node in left:
        yield _accelerator(host, None, node, told, problem)


def _node_of(card: DisplayDevice, left: list[tuple[Node, int]]) -> tuple[Node, int] | None:
    for node in left:
        if node[0].slot == card.slot:
            return node
    return next((node for node in left if node[0].slot is None and node[0].pci in (None, card.id)), None)


def _accelerator(
    host: Host, card: DisplayDevice | None, node: tuple[Node, int] | None, told: _Told, problem: Message | None
) -> Accelerator:
    pci = card.id if card else node[0].pci if node else None
    more = next((d for d in told.described or () if d.pci == pci), None)
    device = (pci or "").partition(":")[2]
    name = (more.name if more else None) or (card.name if card else None) or marketing_name(host, PCI, device)
    memory = (more.memory_bytes if more else None) or (node[1] if node else 0) or (card.memory_bytes if card else None)
    sources = ((card.source,) if card else ()) + (("kfd",) if node else ())
    chip = node[0].chip if node else None
    unproved = is_processor_graphics(chip, device)
    return Accelerator(
        vendor=VENDOR,
        name=name or (f"AMD graphics {pci}" if unproved else f"AMD GPU {pci}"),
        chip=chip,
        driver=_driver(host, card),
        memory_bytes=memory or None,
        problem=_NOT_PROVED if unproved else problem,
        pci=pci,
        kind="igpu" if unproved else "gpu",
        seen_by=(
            *sources,
            *(("rocm_agent_enumerator",) if chip in (told.enumerated or ()) else ()),
            *(("amd-smi",) if more else ()),
        ),
    )


def _driver(host: Host, card: DisplayDevice | None) -> str | None:
    """The kernel driver's own version; only the one that AMD packages itself has one."""
    if card is not None and card.source == "registry":
        return card.driver
    return (host.files.read_text(PurePath("/sys/module/amdgpu/version")) or "").strip() or None


def _obstacle(
    told: _Told, cards: tuple[DisplayDevice, ...], platform: str, inside: str | None
) -> tuple[Message | None, tuple[Finding, ...]]:
    """What keeps ROCm from a card that is there (Linux), as a problem of the cards and as a finding."""
    if platform != "linux":
        return None, ()
    if told.kfd and told.permitted:
        return None, ()
    if told.kfd:
        return _finding(
            "kfd-no-permission",
            message("/dev/kfd may not be opened by this user: ROCm needs it"),
            message("sudo usermod -aG render,video $USER, then log in anew"),
            told,
        )
    if inside == "container":
        text = message("no GPU device (/dev/kfd) is passed into this container")
        hint = message("start the container with `--device=/dev/kfd --device=/dev/dri --group-add render`")
    elif any(card.bound == "amdgpu" for card in cards):
        text = message("/dev/kfd is missing: the compute part of the driver does not serve this GPU")
        hint = message("look for kfd in `dmesg`; ROCm does not support every chip")
    else:
        text = message("the card is there, but its driver amdgpu is not loaded")
        hint = message("load it with `sudo modprobe amdgpu`, or install AMD's driver")
    return _finding("kfd-missing", text, hint, told)


def _finding(name: str, text: Message, hint: Message, told: _Told) -> tuple[Message, tuple[Finding, ...]]:
    finding = Finding(id=name, level="warning", text=text, hint=hint, evidence=told.evidence, reference="rocm")
    return text, (finding,)


def _differences(told: _Told) -> Iterator[Finding]:
    chips = Counter(node.chip for node, _ in told.nodes)
    others = (told.enumerated, tuple(d.chip for d in told.described) if told.described is not None else None)
    for other in others:
        if other is not None and None not in other and Counter(other) != chips:
            yield Finding(
                id="sources-differ",
                level="warning",
                text=message("AMD's sources differ: {what}", what=message("which chips there are")),
                cause=message("HSA_OVERRIDE_GFX_VERSION is set, or the programs of ROCm belong to another version"),
                evidence=told.evidence,
                reference="rocm",
            )
            return
