"""Unserved: a finding for each GPU that the first build leaves unused, or that keeps the others at an older release."""

import msgspec

from setup_llm_dev.accelerators.registry import FITS, vendor_of
from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Accelerator, Finding, Machine
from setup_llm_dev.documents.torch_catalog import TorchCatalog
from setup_llm_dev.documents.torch_rows import version
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.judge import Fit, usable
from setup_llm_dev.stages.remedies import Situation, remedies


def unserved(situation: Situation, torch: TorchCatalog, fits: tuple[Fit, ...]) -> tuple[Finding, ...]:
    """Errors where the CPU is all that is left, warnings for GPUs beside others; none where the CPU was asked for.

    `fits`: what was found for the situation, best first.
    """
    if not fits or (situation.asked and vendor_of(situation.asked) is None):
        return ()
    best = fits[0]
    left = dict.fromkeys(gpu for gpu in usable(situation.machine) if gpu not in best.serves)
    return (
        *(_left(gpu, situation, torch, best) for gpu in left),
        *(() if left else _holding_back(situation, torch, best)),
    )


def _left(gpu: Accelerator, situation: Situation, torch: TorchCatalog, best: Fit) -> Finding:
    alone = msgspec.structs.replace(situation, machine=with_only(situation.machine, (gpu,)))
    fit, refusals = alone.best_for(gpu, torch)
    if fit is not None and best.serves:
        return Finding(
            id="gpu-left-out",
            level="warning",
            text=message(
                "{gpu} is left out: {build} serves {others}",
                gpu=gpu.name, build=best.offer.name, others=", ".join(dict.fromkeys(g.name for g in best.serves)),
            ),
            hint=message("for it alone {build} would fit: --torch {variant}", build=fit.offer.name,
                         variant=fit.offer.variant),
        )  # fmt: skip
    return _not_served(gpu, alone, torch, refusals, fallback=not best.serves)


def _not_served(
    gpu: Accelerator, alone: Situation, torch: TorchCatalog, refusals: tuple[Refusal, ...], *, fallback: bool
) -> Finding:
    helping = remedies(alone, torch) or _repairs(gpu, alone.machine)
    helping = helping or [message("no other driver, release of torch or Python changes that")]
    reason = gpu.problem or (refusals[0].reason if refusals else _nothing_published(gpu, alone.machine))
    return Finding(
        id="gpu-not-served",
        level="error" if fallback else "warning",
        text=message("{gpu} will not be used: {reason}", gpu=gpu.name, reason=reason),
        cause=message("{build}: {reason}", build=refusals[0].candidate, reason=refusals[0].reason)
        if refusals
        else None,
        hint=_joined([*helping, *_elsewhere(gpu, alone.machine, torch), *_on_purpose(fallback)]),
        evidence=tuple(dict.fromkeys(f"{r.candidate}: {r.reason}" for r in refusals[:3])),
    )


def _nothing_published(gpu: Accelerator, machine: Machine) -> Message:
    name = next(vendor.NAME for vendor in FITS if gpu.vendor == vendor.VENDOR)
    facts = {"vendor": name, "platform": f"{machine.os} {machine.arch}"}
    return message("no build for {vendor} GPUs is published for {platform} in these releases", **facts)


def _repairs(gpu: Accelerator, machine: Machine) -> list[Message]:
    """What detection says against the problem: until that is repaired, nobody can tell which build would serve it."""
    same = (found for found in machine.findings if gpu.problem is not None and str(found.text) == str(gpu.problem))
    return [found.hint for found in same if found.hint is not None][:1]


def _elsewhere(gpu: Accelerator, machine: Machine, torch: TorchCatalog) -> list[Message]:
    """Builds of other publishers, which this tool does not install."""
    return [
        message("{who} publishes builds of its own: {index}", who=row.who, index=row.index)
        for row in torch.elsewhere
        if row.vendor == gpu.vendor and row.platform == f"{machine.os}_{machine.arch}" and row.board == machine.board
    ]


def _on_purpose(needed: bool) -> list[Message]:
    return [message("to go on without it on purpose: --torch cpu")] if needed else []


def _joined(clauses: list[Message]) -> Message:
    whole = clauses[0]
    for clause in clauses[1:]:
        whole = message("{one}; {other}", one=whole, other=clause)
    return whole


def _holding_back(situation: Situation, torch: TorchCatalog, best: Fit) -> list[Finding]:
    """GPUs without which the others could have a newer release."""
    found = []
    for chip in dict.fromkeys((gpu.chip, gpu.name) for gpu in best.serves):
        others = tuple(gpu for gpu in best.serves if (gpu.chip, gpu.name) != chip)
        if not others:
            continue
        fit, _ = msgspec.structs.replace(situation, machine=with_only(situation.machine, others)).best_for(None, torch)
        if fit and fit.offer.certain and version(fit.offer.release) > version(best.offer.release):
            found.append(_holds_back(chip[1], others[0], best, fit))
    return found


def _holds_back(name: str, other: Accelerator, best: Fit, without: Fit) -> Finding:
    words = ":".join(filter(None, (other.vendor, other.chip or other.name, other.driver)))
    return Finding(
        id="gpu-holds-back",
        text=message(
            "because of {gpu} it is {build}; without it, it would be {newer}",
            gpu=name, build=best.offer.name, newer=without.offer.name,
        ),
        hint=message("to leave it out: --assume gpu={words}", words=words),
    )  # fmt: skip


def with_only(machine: Machine, gpus: tuple[Accelerator, ...]) -> Machine:
    return msgspec.structs.replace(machine, accelerators=gpus)
