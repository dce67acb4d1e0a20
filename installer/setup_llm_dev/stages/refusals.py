"""Refusals of `choose` for a reader: grouped by reason, and what was never on offer."""

import msgspec

from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.machine import Interpreter, Machine
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.documents.torch_catalog import Offer, TorchCatalog
from setup_llm_dev.documents.torch_rows import version
from setup_llm_dev.messages import message


def no_interpreter(machine: Machine, recipe: Recipe, usable: tuple[Interpreter, ...]) -> tuple[Refusal, ...]:
    if usable:
        return ()
    found = ", ".join(i.version for i in machine.interpreters if i.version) or "-"
    reason = message("no installed Python satisfies {wanted}; found {found}", wanted=recipe.python.version, found=found)
    hint = message("install one that does, or name it with --python PATH")
    return (Refusal(candidate="python", reason=reason, hint=hint),)


def grouped(refusals: tuple[Refusal, ...], offers: tuple[Offer, ...]) -> tuple[Refusal, ...]:
    """One refusal a reason, naming the variants, with their releases where only some of them are meant."""
    groups: dict[str, list[Refusal]] = {}
    for refusal in refusals:
        groups.setdefault(str(refusal.reason), []).append(refusal)
    return tuple(msgspec.structs.replace(g[0], candidate=_candidates(g, offers)) for g in groups.values())


def _candidates(group: list[Refusal], offers: tuple[Offer, ...]) -> str:
    named = []
    for variant in dict.fromkeys(map(variant_of, group)):
        releases = sorted((r.candidate.split("+")[0] for r in group if variant_of(r) == variant), key=version)
        every = sum(o.variant == variant for o in offers)
        span = releases[0] if len(releases) == 1 else f"{releases[0]} – {releases[-1]}"
        named.append(variant if len(releases) == every else f"{variant} ({span})")
    return ", ".join(named)


def unpublished(
    machine: Machine, recipe: Recipe, torch: TorchCatalog, offers: tuple[Offer, ...], asked: str | None
) -> tuple[Refusal, ...]:
    """What was never on offer: for this platform at all, or in the releases that the recipe wants."""
    if (machine.libc or "").startswith("musl"):
        hint = message("use a distribution with glibc, such as Debian, Ubuntu or Fedora")
        reason = message("is not published for musl, the C library here")
        return (Refusal(candidate="torch", reason=reason, hint=hint),)
    newest: dict[str, str] = {}
    for offer in sorted(torch.offers(f"{machine.os}_{machine.arch}", "linux"), key=lambda o: version(o.release)):
        newest[offer.variant] = offer.release
    wanted = () if asked not in (None, *torch.variants) else (asked,) if asked else torch.variants
    missing = [v for v in wanted if v not in newest]
    offered = {offer.variant for offer in offers}
    outside = [v for v in wanted if v in newest and v not in offered]
    return (
        *_not_for_platform(machine, missing, tuple(reversed(newest)), hinted=asked is not None),
        *_not_in_releases(recipe, outside, newest),
    )


def _not_for_platform(
    machine: Machine, missing: list[str], published: tuple[str, ...], *, hinted: bool
) -> tuple[Refusal, ...]:
    if not missing:
        return ()
    reason = message("is not published for {platform}", platform=f"{machine.os} {machine.arch}")
    if not published:
        return (Refusal(candidate="torch", reason=reason),)
    hint = message("published for it are {variants}", variants=", ".join(published)) if hinted else None
    return (Refusal(candidate=", ".join(missing), reason=reason, hint=hint),)


def _not_in_releases(recipe: Recipe, outside: list[str], newest: dict[str, str]) -> tuple[Refusal, ...]:
    if not outside:
        return ()
    reason = message("is not published in a release that satisfies {wanted}", wanted=recipe.torch.version)
    hint = message("the newest release with {variant} is {release}", variant=outside[0], release=newest[outside[0]])
    return (Refusal(candidate=", ".join(outside), reason=reason, hint=hint if len(outside) == 1 else None),)


def variant_of(refusal: Refusal) -> str:
    return refusal.candidate.partition("+")[2]
