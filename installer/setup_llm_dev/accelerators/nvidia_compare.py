"""NVIDIA: the words of all sources side by side: which GPUs there are, where the words differ, what is wrong."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from setup_llm_dev.accelerators import nvidia_failures as failures
from setup_llm_dev.accelerators.found import Found
from setup_llm_dev.accelerators.nvidia_failures import Failure, failure_of, told_inside
from setup_llm_dev.accelerators.nvidia_signs import Signs
from setup_llm_dev.accelerators.nvidia_sources import Answer, Card
from setup_llm_dev.documents.machine import Accelerator, Finding, Kind
from setup_llm_dev.messages import Message, message

_EMPTY_MIG = message("MIG is on, but the card is not divided into instances: nothing can run on it")


def judged(nvml: Answer | None, smi: Answer | None, signs: Signs) -> Found:
    """GPUs and findings from all that was said; GPUs with `problem` where nobody answers for them."""
    answers = tuple(answer for answer in (nvml, smi) if answer is not None)
    speaking = tuple(answer for answer in answers if answer.cards)
    if not speaking:
        return _unusable(answers, signs)
    evidence = (*(answer.evidence for answer in answers), *signs.evidence)
    first = speaking[0]
    cards = tuple(_completed(card, i, speaking[1:]) for i, card in enumerate(first.cards))
    sources = tuple(answer.source for answer in speaking)
    gpus = tuple(_accelerator(card, first.driver or signs.driver, sources, signs) for card in cards)
    findings = (
        *_differences(speaking, signs, evidence),
        *_silent_source(answers, signs, evidence),
        *_uvm(signs, evidence),
        *_divided(gpus),
        *_not_driven(gpus, signs, evidence),
    )
    return Found(gpus, findings)


def _completed(card: Card, index: int, others: tuple[Answer, ...]) -> Card:
    """What one source does not tell, from the next one that tells of as many GPUs."""
    for other in others:
        if index < len(other.cards):
            more = other.cards[index]
            card = replace(
                card,
                name=card.name or more.name,
                capability=card.capability or more.capability,
                memory_bytes=card.memory_bytes if card.memory_bytes is not None else more.memory_bytes,
            )
    return card


def _accelerator(card: Card, driver: str | None, sources: tuple[str, ...], signs: Signs) -> Accelerator:
    kind: Kind = "mig" if card.instances is not None else "vgpu" if card.shared else "gpu"
    ids = {device.id for device in signs.cards}
    pci = card.pci or (next(iter(ids)) if len(ids) == 1 and len(signs.cards) == 1 else None)
    return Accelerator(
        vendor="nvidia",
        name=card.name or "NVIDIA GPU",
        chip=card.chip or (signs.tegra.chip if signs.tegra else None),
        driver=driver,
        memory_bytes=card.instance_bytes if kind == "mig" else card.memory_bytes,
        problem=_EMPTY_MIG if card.instances == () else None,
        pci=pci,
        kind=kind,
        instances=card.instances or (),
        seen_by=(*sources, *(device.source for device in signs.cards[:1])),
    )


def _differences(speaking: tuple[Answer, ...], signs: Signs, evidence: tuple[str, ...]) -> Iterator[Finding]:
    """Numbers of GPUs, names, capabilities, memory, drivers: where two sources say two things."""
    what: list[Message] = []
    if len({len(answer.cards) for answer in speaking}) > 1:
        what.append(message("how many GPUs there are"))
    elif len(speaking) > 1:
        pairs = list(zip(*(answer.cards for answer in speaking), strict=True))
        for word, key in _KEYS:
            if any(_two_words([getattr(card, key) for card in pair]) for pair in pairs):
                what.append(word)
    kernel = () if signs.wsl else (signs.module, signs.loaded, signs.registry)
    if _two_words([*(answer.driver for answer in speaking), *kernel]):
        what.append(message("the driver's version"))
    for word in what:
        yield Finding(
            id="sources-differ",
            level="warning",
            text=message("NVIDIA's sources differ: {what}", what=word),
            cause=message("the driver was updated while it runs, or a part of it is another version's"),
            hint=message("restart the machine, then look again"),
            evidence=evidence,
            reference="driver",
        )


_KEYS = (
    (message("the name of a GPU"), "name"),
    (message("the compute capability of a GPU"), "capability"),
    (message("the memory of a GPU"), "memory_bytes"),
)


def _two_words(words: list[object]) -> bool:
    """Memory counts in MiB there and in bytes here, so that a MiB is no difference."""
    told = {word // (1 << 21) if isinstance(word, int) else word for word in words if word is not None}
    return len(told) > 1 and not _neighbours(told)


def _neighbours(told: set[object]) -> bool:
    numbers = [word for word in told if isinstance(word, int)]
    return len(numbers) == len(told) and max(numbers) - min(numbers) <= 1


def _silent_source(answers: tuple[Answer, ...], signs: Signs, evidence: tuple[str, ...]) -> Iterator[Finding]:
    """One source answers and the other fails: told, since the next program may ask the other."""
    for answer in answers:
        if answer.cards or _without_library(answer) or signs.tegra:
            continue  # half of NVML is not there on a Jetson, and need not be
        failure = told_inside(_failure(answer, signs), signs.inside)
        yield Finding(
            id=failure.id,
            level="warning",
            text=message("{source} fails, while another source answers", source=answer.source),
            cause=failure.text,
            hint=failure.hint,
            evidence=evidence,
            reference="driver",
        )


def _uvm(signs: Signs, evidence: tuple[str, ...]) -> Iterator[Finding]:
    if signs.uvm or not signs.control or signs.wsl or signs.tegra:
        return
    if signs.can_make_nodes and signs.inside is None:
        return
    in_container = signs.inside is not None
    yield Finding(
        id="nvidia-uvm-missing",
        level="warning",
        text=message("/dev/nvidia-uvm is missing: nvidia-smi works without it, CUDA does not"),
        hint=message("start the container with `--gpus all`, or with a CDI device")
        if in_container
        else message("load it: `sudo modprobe nvidia_uvm`; after waking from sleep load it anew"),
        evidence=("/dev/nvidia-uvm: not there", *evidence),
        reference="driver",
    )


def _divided(gpus: tuple[Accelerator, ...]) -> Iterator[Finding]:
    for gpu in gpus:
        told = f"{gpu.name}: {', '.join(gpu.instances) or 'no instances'}"
        if gpu.problem is not None:
            yield Finding(
                id="mig-empty",
                level="error",
                text=gpu.problem,
                hint=message("make instances with `nvidia-smi mig -cgi … -C`, or switch it off: `nvidia-smi -mig 0`"),
                evidence=(told,),
                reference="driver",
            )
        elif gpu.kind == "mig":
            yield Finding(
                id="mig",
                text=message("{gpu} is divided by MIG: a process sees one instance", gpu=gpu.name),
                hint=message("choose one with CUDA_VISIBLE_DEVICES=MIG-…, as `nvidia-smi -L` names it"),
                evidence=(told,),
                reference="driver",
            )
        elif gpu.kind == "vgpu":
            yield Finding(
                id="vgpu",
                text=message("{gpu} is a share of a host's GPU: CUDA needs one of series Q or C", gpu=gpu.name),
                evidence=(told,),
                reference="driver",
            )


def _not_driven(gpus: tuple[Accelerator, ...], signs: Signs, evidence: tuple[str, ...]) -> Iterator[Finding]:
    """Cards of the bus that nobody answers for; a container sees the bus of its host, so there it means nothing."""
    cards = [card for card in signs.cards if card.source == "pci"]
    if signs.inside == "container" or len(cards) <= len(gpus):
        return
    driven = Counter(gpu.pci for gpu in gpus)
    left = [card for card in cards if card.bound not in (None, "nvidia")] or [c for c in cards if c.id not in driven]
    for card in left or cards[len(gpus) :]:
        name = card.name or f"NVIDIA GPU {card.id}"
        yield Finding(
            id="card-not-driven",
            level="warning",
            text=message("{gpu} is there, but the driver does not answer for it", gpu=name),
            cause=message("another kernel driver has it: {driver}", driver=card.bound)
            if card.bound not in (None, "nvidia")
            else message("the driver does not support it, or it does not work"),
            hint=message("nothing, if it is meant for a virtual machine; else look for the card in `dmesg`"),
            evidence=evidence,
            reference="driver",
        )


def _unusable(answers: tuple[Answer, ...], signs: Signs) -> Found:
    """An entry a card, with what stands in the way of using it."""
    failure = _obstacle(answers, signs)
    if failure is None:
        return Found()
    failure = told_inside(failure, signs.inside)
    names = signs.models or tuple(card.name or f"NVIDIA GPU {card.id}" for card in signs.cards)
    if signs.tegra:
        names = (signs.tegra.model,)
    ids = [card.id for card in signs.cards]
    gpus = tuple(
        Accelerator(
            vendor="nvidia",
            name=name,
            chip=signs.tegra.chip if signs.tegra else None,
            driver=signs.driver,
            problem=failure.text,
            pci=ids[i] if i < len(ids) else None,
            seen_by=_seen_by(signs),
        )
        for i, name in enumerate(names or ("NVIDIA GPU",))
    )
    evidence = (*(answer.evidence for answer in answers), *signs.evidence)
    return Found(gpus, (failure.finding(evidence),))


def _seen_by(signs: Signs) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(card.source for card in signs.cards), *(("sysfs",) if signs.driver else ()))))


def _obstacle(answers: tuple[Answer, ...], signs: Signs) -> Failure | None:
    """The first that explains it: no permission, no device, no driver, what the sources failed with."""
    if not signs.permitted:
        return failures.NO_PERMISSION
    telling = [answer for answer in answers if not _without_library(answer)]
    if signs.tegra and not telling:
        return failures.NO_NVML_ON_JETSON
    if signs.wsl or signs.windows or signs.tegra:
        if not telling and not signs.cards:
            return None  # /dev/dxg is there for GPUs of all vendors
        return _most_telling(telling, signs) if telling else failures.NO_LIBRARY
    if not signs.control:
        if signs.driver is None:
            return failures.NOT_LOADED if signs.cards else None
        return failures.NO_DEVICE if signs.inside else failures.NO_NODES
    if not telling:
        return failures.NO_LIBRARY if answers else failures.SILENT
    return _most_telling(telling, signs)


def _without_library(answer: Answer) -> bool:
    """A Python that does not find the driver's library says nothing of the driver: nvidia-smi may find it."""
    return answer.source == "nvml" and answer.code == 12


def _most_telling(answers: list[Answer], signs: Signs) -> Failure:
    """A cause with a repair of its own, before silence, before “something is wrong”, before “no GPU”."""
    failing = [_failure(answer, signs) for answer in answers if answer.failed] or [_failure(answers[0], signs)]
    return min(failing, key=lambda failure: _VAGUE.index(failure.id) if failure.id in _VAGUE else -1)


_VAGUE = ("gpu-no-answer", "gpu-unreadable", "gpu-tool-failed")


def _failure(answer: Answer, signs: Signs) -> Failure:
    return failure_of(answer, in_container=signs.inside in ("container", "colab", "kaggle"))
