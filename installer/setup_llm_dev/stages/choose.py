"""Choose: rank the builds of PyTorch that fit a machine, and say of every other one why it does not."""

import difflib
from collections.abc import Iterable

import msgspec
from packaging.version import Version

from setup_llm_dev.accelerators.registry import FITS, vendor_of
from setup_llm_dev.documents.catalog import Catalog
from setup_llm_dev.documents.choices import Build, Choices, Refusal
from setup_llm_dev.documents.machine import Interpreter, Machine
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.documents.torch_catalog import TorchCatalog, specifiers
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.judge import UNLABELLED_ONLY, Fit, judged, usable
from setup_llm_dev.stages.offered import is_newer_cuda, offers_for
from setup_llm_dev.stages.refusals import grouped, no_interpreter, unpublished, variant_of
from setup_llm_dev.stages.remedies import Situation
from setup_llm_dev.stages.unserved import unserved

AUTO = "auto"
_FAMILIES = {"cu": "cu", "nvidia": "cu", "rocm": "rocm", "amd": "rocm", "hip": "rocm", "xpu": "xpu", "intel": "xpu"}


def choose(machine: Machine, recipe: Recipe, catalog: Catalog, *, variant: str | None = None) -> Choices:
    """The builds for `machine` that satisfy `recipe`, best first, with the interpreters in the order to try.

    GPU builds come before CPU builds; among them those whose facts are certain, those that serve more of the GPUs,
    then newer releases, then higher toolkits. `variant` (or the recipe's, unless `auto`) is honoured even where the
    hardware speaks against it; `why` says so then. Nothing fits, or no installed Python does: no builds, and the
    refusals say why. A GPU that the
    first build leaves unused is a finding. Pure. Raises UsageError for a variant that can't be meant.
    """
    torch = catalog.torch
    asked = asked_variant(variant or recipe.torch.variant, torch)
    interpreters = _interpreters(machine, recipe)
    features = tuple(dict.fromkeys(_feature(i.version) for i in interpreters))
    situation = Situation(machine=machine, wanted=recipe.torch.version, features=features, asked=asked)
    offers = offers_for(machine, torch, situation.wanted, asked)
    fits, refusals = judged(offers, machine, torch, features, forced=asked is not None)
    explained = _explained(fits, machine, refusals) if interpreters else []
    return Choices(
        builds=tuple(build for fit in explained for build in _builds(fit, torch.index_root)),
        interpreters=tuple(i.path for i in interpreters),
        refusals=(
            *no_interpreter(machine, recipe, interpreters),
            *grouped(refusals, offers),
            *unpublished(machine, recipe, torch, offers, asked),
        ),
        findings=unserved(situation, torch, fits),
    )


def asked_variant(variant: str, torch: TorchCatalog) -> str | None:
    """None for `auto`. A CUDA that is newer than the catalogue may be asked for: the index has the last word."""
    if variant == AUTO or variant in torch.variants or is_newer_cuda(variant, torch):
        return None if variant == AUTO else variant
    raise UsageError(
        message("there is no build of PyTorch named {variant}", variant=variant), hint=_meant(variant, torch)
    )


def _meant(word: str, torch: TorchCatalog) -> Message:
    """Makers' names stand for the builds of that maker, never for the one whose letters happen to be near."""
    lower = word.lower()
    family = next((prefix for name, prefix in _FAMILIES.items() if lower.startswith(name)), None)
    version = "".join(c for c in lower if c.isdecimal() or c == ".")
    if family is not None and not version:
        builds = ", ".join(name for name in torch.variants if name.startswith(family))
        return message("name one of {builds}, or {auto} for the one that fits this machine", builds=builds, auto=AUTO)
    wanted = lower if family is None else family + (version.replace(".", "") if family == "cu" else version)
    if near := difflib.get_close_matches(wanted, (AUTO, *torch.variants), n=1):
        return message("did you mean {near}?", near=near[0])
    return message("known are {variants}", variants=", ".join((AUTO, *torch.variants)))


def _interpreters(machine: Machine, recipe: Recipe) -> tuple[Interpreter, ...]:
    """The running one first, then the newest."""
    wanted = specifiers(recipe.python.version)
    fitting = [i for i in machine.interpreters if i.problem is None and i.has_venv and i.version in wanted]
    fitting.sort(key=lambda i: Version(i.version), reverse=True)
    return tuple(sorted(fitting, key=lambda i: not i.running))


def _explained(fits: tuple[Fit, ...], machine: Machine, refusals: tuple[Refusal, ...]) -> list[Fit]:
    """With what is in doubt; a CPU build on a machine with a GPU says what is wrong with the GPU builds."""
    on_gpu = any(vendor_of(fit.offer.variant) for fit in fits)
    if usable(machine) and not on_gpu:
        return [_because(_with_doubt(fit), machine, refusals) for fit in fits]
    return [_with_doubt(fit) for fit in fits]


def _because(fit: Fit, machine: Machine, refusals: tuple[Refusal, ...]) -> Fit:
    """What is wrong with the GPU builds of its release, or of any."""
    vendors = {a.vendor for a in usable(machine)}
    ours = [r for r in refusals if (v := vendor_of(variant_of(r))) is not None and v.VENDOR in vendors]
    same = [r for r in ours if r.candidate.startswith(f"{fit.offer.release}+")]
    for refusal in (*same, *ours):
        why = message("no GPU build fits: {variant}: {why}", variant=refusal.candidate, why=refusal.reason)
        return msgspec.structs.replace(fit, why=why)
    names = ", ".join(v.NAME for v in FITS if v.VENDOR in vendors)
    facts = {"vendor": names, "platform": f"{machine.os} {machine.arch}"}
    why = message("no build for {vendor} GPUs is published for {platform} in these releases", **facts)
    return msgspec.structs.replace(fit, why=why)


def _with_doubt(fit: Fit) -> Fit:
    if fit.offer.certain:
        return fit
    if not fit.offer.listed:
        why = message("{why}; it is not in the catalogue: the index has the last word", why=fit.why)
    elif fit.offer.doubt == 2:
        why = message("{why}; announced, not yet seen published: the index has the last word", why=fit.why)
    else:
        why = message("{why}; what it has code for is concluded from other releases", why=fit.why)
    return msgspec.structs.replace(fit, why=why)


def _builds(fit: Fit, index_root: str) -> Iterable[Build]:
    """The labelled wheel of the variant's index, then the unlabelled one where that is known to be it."""
    offer = fit.offer
    shape = Build(
        release=offer.release, variant=offer.variant, label="", index="", pythons=fit.pythons, why=fit.why,
        companions=offer.companions,
    )  # fmt: skip
    if offer.variant != UNLABELLED_ONLY:
        labelled = {"label": offer.variant, "index": f"{index_root}/{offer.variant}"}
        yield msgspec.structs.replace(shape, **labelled)
    if offer.on_pypi:
        yield shape


def _feature(version: str) -> str:
    return ".".join(version.split(".")[:2])
