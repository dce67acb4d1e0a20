"""The environment that is set up: which torch really lies there, whether it suits card and lock, what was changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from setup_llm_dev.accelerators.registry import vendor_of
from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.documents.machine import Accelerator
from setup_llm_dev.documents.torch_catalog import Offer
from setup_llm_dev.host.installed import site_packages
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.diagnoses.situation import Situation, Told
from setup_llm_dev.stages.judge import usable
from setup_llm_dev.stages.offered import driver_os
from setup_llm_dev.steps.packages import differing
from setup_llm_dev.steps.variant import read_version

_COMPANIONS = ("torchvision", "torchaudio")
_SHOWN = 5
_METAL = ("mps", "cpu")  # a macOS wheel holds both and names neither


@dataclass(frozen=True)
class Installed:
    """A package by its own version.py: `2.13.0`, `cpu`; `file` is where that was read."""

    name: str
    release: str
    variant: str
    file: PurePath


def look(situation: Situation) -> Iterator[Told]:
    folder = situation.environment
    if folder is None:
        return
    if not _has_python(situation.host, folder):
        yield _python_gone(folder, situation)
        return
    torch = installed(situation.host, folder, "torch")
    if torch is None:
        yield _no_torch(folder, situation)
        return
    found = [*_against_lock(torch, situation), *_against_gpus(torch, situation), *_pairs(torch, folder, situation)]
    yield from found
    yield from _changed_files(folder, situation)
    if not found:
        text = message("torch {release} for {variant} is installed as it should be", release=torch.release,
                       variant=torch.variant)  # fmt: skip
        yield Entry(id="torch-installed", group="environment", level="ok", text=text, evidence=_read(torch))


def installed(host: Host, environment: PurePath, name: str) -> Installed | None:
    """What a package of an environment says of itself in version.py; its metadata can't tell the variant."""
    folder = site_packages(Path(environment))
    file = folder / name / "version.py" if folder else None
    text = host.files.read_text(file) if file else None
    if file is None or text is None:
        return None
    release, variant = read_version(text)
    return Installed(name, release, variant, file)


def _has_python(host: Host, folder: PurePath) -> bool:
    return any(host.files.is_file(folder / name) for name in ("bin/python", "Scripts/python.exe"))


def _python_gone(folder: PurePath, situation: Situation) -> Entry:
    return Entry(
        id="environment-broken", group="environment", level="error",
        text=message("the environment {folder} has no Python any more", folder=str(folder)),
        cause=message("the Python that it was made with was removed or replaced"),
        hint=message("make it anew; a new environment is put in its place"),
        commands=(situation.again,), evidence=(f"{folder}: neither bin/python nor Scripts/python.exe leads to a file",),
        reference="environment",
    )  # fmt: skip


def _no_torch(folder: PurePath, situation: Situation) -> Entry:
    return Entry(
        id="torch-missing", group="environment", level="error",
        text=message("torch is not installed in {folder}", folder=str(folder)),
        cause=message("it was uninstalled, or its files were removed"),
        hint=message("make the environment anew"), commands=(situation.again,),
        evidence=("torch/version.py: not there",), reference="environment",
    )  # fmt: skip


def _against_lock(torch: Installed, situation: Situation) -> Iterator[Entry]:
    """A later install that brought another torch."""
    lock = situation.lock
    if lock is None:
        return
    release = lock.torch.version.partition("+")[0]
    if torch.release == release and _same(torch.variant, lock.torch.variant):
        return
    yield Entry(
        id="torch-replaced", group="environment", level="error",
        text=message("torch was replaced: {found} for {variant} is installed, {wanted} for {locked} was",
                     found=torch.release, variant=torch.variant, wanted=release, locked=lock.torch.variant),
        cause=message("a later `pip install` or `uv sync` took another build"),
        hint=message("make the environment anew from the lock; install more with its own pip, whose constraints "
                     "keep torch"),
        commands=(situation.again,),
        evidence=(*_read(torch), f"{situation.layout.lock_file}: {lock.torch.version} ({lock.torch.variant})"),
        reference="environment",
    )  # fmt: skip


def _against_gpus(torch: Installed, situation: Situation) -> Iterator[Entry]:
    gpus = [gpu for gpu in usable(situation.machine) if gpu.problem is None]
    vendor = vendor_of(torch.variant)
    if vendor is None:
        yield from _on_the_processor(torch, gpus, situation)
        return
    offer = _offer(torch, situation)
    for gpu in (gpu for gpu in gpus if gpu.vendor == vendor.VENDOR):
        if offer is None:
            continue
        if refusal := vendor.fit(gpu, offer, situation.catalog.torch):
            yield _no_kernels(torch, gpu, offer, str(refusal.reason), situation)


def _on_the_processor(torch: Installed, gpus: list[Accelerator], situation: Situation) -> Iterator[Entry]:
    """A CPU build although a build for the GPU would fit, and nobody asked for it."""
    best = next(iter(situation.choices.builds), None)
    lock = situation.lock
    if best is None or best.variant in _METAL or not gpus or torch.variant != "cpu":
        return
    if lock is not None and lock.torch.variant == "cpu" and lock.torch.why.template == "asked for":
        return
    locked = lock is not None and lock.torch.variant == "cpu"
    yield Entry(
        id="cpu-build-on-gpu", group="environment", level="error",
        text=message("torch {release} there is the CPU build, but {gpu} could be used", release=torch.release,
                     gpu=gpus[0].name),
        cause=message("it was set up before the GPU could be used") if locked
        else message("it came from an index whose plain wheel is the CPU build"),
        hint=message("set it up anew; {build} would be taken", build=best.version),
        commands=(f"{situation.again} --upgrade",),
        evidence=_read(torch), reference="build",
    )  # fmt: skip


def _no_kernels(torch: Installed, gpu: Accelerator, offer: Offer, reason: str, situation: Situation) -> Entry:
    architectures = " ".join(f"sm_{sm}" for sm in offer.published.sm)
    return Entry(
        id="torch-lacks-code", group="environment", level="error",
        text=message("torch {build} there does not run on {gpu}: it {reason}", build=offer.name, gpu=gpu.name,
                     reason=reason),
        cause=message("`torch.cuda.is_available()` may still say True; the first kernel fails"),
        hint=message("set it up anew: a build that runs on it is taken"),
        commands=(f"{situation.again} --upgrade",),
        evidence=(*_read(torch), f"manifests/catalog/torch.toml: {offer.name} has code for {architectures or '?'}",
                  f"{gpu.name}: {gpu.chip}, driver {gpu.driver}"),
        reference="build",
    )  # fmt: skip


def _pairs(torch: Installed, folder: PurePath, situation: Situation) -> Iterator[Entry]:
    """Packages that are compiled against one torch."""
    offer = _offer(torch, situation)
    for name in _COMPANIONS:
        other = installed(situation.host, folder, name)
        if other is None:
            continue
        wanted = _wanted(offer, name) if offer else None
        wrong_release = wanted is not None and not wanted.specifier.contains(other.release, prereleases=True)
        if wrong_release or not _same(other.variant, torch.variant):
            yield _broken_pair(torch, other, str(wanted) if wanted else name, situation)


def _wanted(offer: Offer, name: str) -> Requirement | None:
    try:
        return next((r for r in map(Requirement, offer.companions) if r.name == name), None)
    except InvalidRequirement:
        return None


def _broken_pair(torch: Installed, other: Installed, wanted: str, situation: Situation) -> Entry:
    return Entry(
        id="torch-pair-broken", group="environment", level="error",
        text=message("{name} {version} ({variant}) does not belong to torch {release} ({torch})", name=other.name,
                     version=other.release, variant=other.variant, release=torch.release, torch=torch.variant),
        cause=message("one of the pair was installed alone; `operator torchvision::nms does not exist` and the like "
                      "come of it"),
        hint=message("install the pair together, of one variant: {wanted}", wanted=wanted),
        commands=(f"{situation.again} --upgrade",),
        evidence=(*_read(torch), *_read(other)), reference="environment",
    )  # fmt: skip


def _changed_files(folder: PurePath, situation: Situation) -> Iterator[Entry]:
    """Files that are not as they were installed, if it is an environment of ours; by size, time and inode first."""
    differences = differing(situation.host, folder) or ()
    if differences:
        yield Entry(
            id="files-changed", group="environment", level="warning",
            text=message("installed files were changed since: {count}", count=len(differences)),
            cause=message("a package was upgraded or edited by hand, or an update of the disk lost them"),
            hint=message("see each with `setup-llm-dev status`; a run puts a fresh environment in its place"),
            commands=(situation.again,),
            evidence=tuple(f"{d.path}: {d.what}" for d in differences[:_SHOWN]), reference="environment",
        )  # fmt: skip


def _offer(torch: Installed, situation: Situation) -> Offer | None:
    """The catalogue's row of what is installed."""
    machine = situation.machine
    every = situation.catalog.torch.offers(f"{machine.os}_{machine.arch}", driver_os(machine))
    return next((o for o in every if _equal(o.release, torch.release) and o.variant == torch.variant), None)


def _equal(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


def _same(found: str, wanted: str) -> bool:
    return found == wanted or {found, wanted} == set(_METAL)


def _read(package: Installed) -> tuple[str, ...]:
    return (f"{package.file}: {package.release} ({package.variant})",)
