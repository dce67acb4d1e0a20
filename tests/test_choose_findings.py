"""What choose says of a GPU that it leaves unused: loud, true, and with what would help, asked of the rules again."""

import re

import msgspec
import pytest

from setup_llm_dev.documents.choices import Choices
from setup_llm_dev.documents.machine import Accelerator, Finding, Interpreter, Machine, Vendor
from setup_llm_dev.documents.recipe import PythonWish, Recipe, TorchWish
from setup_llm_dev.messages import message
from setup_llm_dev.stages.choose import choose
from tests.golden import catalog

CATALOG = catalog()
PYTHON = Interpreter(path="/usr/bin/python3.12", version="3.12.3", running=True)
LINUX = Machine(os="linux", arch="x86_64", libc="glibc 2.39", interpreters=(PYTHON,))
ON_PURPOSE = "to go on without it on purpose: --torch cpu"


def gpu(chip: str | None, driver: str | None = None, vendor: Vendor = "nvidia", **more: object) -> Accelerator:
    row = Accelerator(vendor=vendor, name=f"card {chip}", chip=chip, driver=driver)
    return msgspec.structs.replace(row, **more)


def chosen(*gpus: Accelerator, machine: Machine = LINUX, variant: str | None = None, torch: str = ">=2.6") -> Choices:
    recipe = Recipe(name="test", python=PythonWish(version=">=3.8"), torch=TorchWish(version=torch))
    return choose(msgspec.structs.replace(machine, accelerators=gpus), recipe, CATALOG, variant=variant)


def only(choices: Choices) -> Finding:
    (finding,) = choices.findings
    return finding


@pytest.mark.parametrize(
    ("card", "torch", "help_wanted"),
    [
        (gpu("sm_61", "595.1"), ">=2.6", "with a driver of the 580 branch it would be 2.14.1+cu126"),
        (gpu("sm_120", "560.1"), ">=2.15", "with driver 580 or newer it would be 2.15.0+cu132"),
        (
            gpu("sm_61", "580.95"),
            ">=2.15",
            "with torch 2.14.1 or older (the recipe wants >=2.15) it would be 2.14.1+cu126",
        ),
        (gpu("sm_120", "580.95"), "==2.6.*", "with torch 2.15.0 (the recipe wants ==2.6.*) it would be 2.15.0+cu132"),
        (
            gpu("sm_70", "410.1"),
            ">=2.15",
            "with driver 450.80.02 or newer and torch 2.6.0 or older (the recipe wants >=2.15) "
            "it would be 2.6.0+cu118; with driver 525.60.13 or newer and torch 2.14.1 or older "
            "(the recipe wants >=2.15) it would be 2.14.1+cu126",
        ),
    ],
)
def test_what_would_help(card: Accelerator, torch: str, help_wanted: str) -> None:
    finding = only(chosen(card, torch=torch))
    assert (finding.id, finding.level) == ("gpu-not-served", "error")
    assert str(finding.hint) == f"{help_wanted}; {ON_PURPOSE}"


def test_the_smallest_step_first_then_those_that_lead_further() -> None:
    hint = str(only(chosen(gpu("sm_89", "390.1"))).hint)
    assert re.findall(r"driver (\S+) or newer it would be (\S+)[;+]", hint) == [
        ("450.80.02", "2.6.0+cu118"), ("525.60.13", "2.14.1+cu126"), ("580", "2.15.0+cu132"),
    ]  # fmt: skip


def test_every_remedy_is_true() -> None:
    """Doing what a hint says gives the build that it promises."""
    for chip in ("sm_37", "sm_61", "sm_70", "sm_89", "sm_120"):
        for driver in ("390.1", "470.1", "560.1", "595.1"):
            for finding in chosen(gpu(chip, driver)).findings:
                promises = re.findall(r"with driver (\S+) or newer it would be (\S+?);", f"{finding.hint};")
                promises += [(f"{branch}.9", build) for branch, build in
                             re.findall(r"of the (\d+) branch it would be (\S+?);", f"{finding.hint};")]  # fmt: skip
                for other, build in promises:
                    assert chosen(gpu(chip, other)).builds[0].version == build, (chip, driver, other)


def test_where_nothing_helps_that_is_said() -> None:
    hint = str(only(chosen(gpu("sm_35", "580.1"))).hint)
    assert hint == f"no other driver, release of torch or Python changes that; {ON_PURPOSE}"


def test_a_python_or_a_system_that_keeps_a_gpu_from_its_build() -> None:
    old_python = msgspec.structs.replace(LINUX, interpreters=(Interpreter(path="/p", version="3.8.20"),))
    finding = only(chosen(gpu("sm_120", "580.1"), machine=old_python, torch=">=2.4"))
    assert "with Python 3.15 it would be 2.15.0+cu132" in str(finding.hint)
    old_system = msgspec.structs.replace(LINUX, libc="glibc 2.17")
    finding = only(chosen(gpu("sm_120", "580.1"), machine=old_system))
    assert "with a newer release of the operating system it would be 2.15.0+cu132" in str(finding.hint)


def test_a_gpu_with_a_problem_needs_that_repaired() -> None:
    broken = gpu("sm_89", "580.1", problem=message("it is on fire"))
    finding = only(chosen(broken))
    assert "it is on fire" in str(finding.text)
    assert "with that repaired (see `setup-llm-dev doctor`) it would be 2.15.0+cu132" in str(finding.hint)


@pytest.mark.parametrize(
    ("chip", "helps"),
    [
        ("sm_61", "with a driver of the 580 branch it would be 2.14.1+cu126"),  # later ones drive it no more
        ("sm_86", "with driver 580 or newer it would be 2.15.0+cu132"),
        ("sm_120", "with driver 580 or newer it would be 2.15.0+cu132"),
    ],
)
def test_where_no_driver_is_there_the_way_to_the_best_build_is_told(chip: str, helps: str) -> None:
    """Not the oldest that would do: it is to be installed anyway."""
    hint = str(only(chosen(gpu(chip, None, problem=message("no driver is loaded")))).hint)
    assert hint == f"{helps}; {ON_PURPOSE}"


def test_until_it_is_repaired_the_repair_is_what_helps() -> None:
    """Nobody can tell which build would serve a card whose chip nobody knows."""
    problem = message("the device is not passed into this container")
    card = Accelerator(vendor="amd", name="a card", problem=problem)
    repair = Finding(id="kfd-missing", level="warning", text=problem, hint=message("pass it in"))
    machine = msgspec.structs.replace(LINUX, findings=(repair,))
    assert str(only(chosen(card, machine=machine)).hint) == f"pass it in; {ON_PURPOSE}"


def test_a_driver_is_never_installed_in_a_container() -> None:
    inside = msgspec.structs.replace(LINUX, environment="container")
    hint = str(only(chosen(gpu("sm_89", "470.1"), machine=inside, torch=">=2.15")).hint)
    assert hint.startswith("with driver 580 or newer on the host it would be 2.15.0+cu132; ")


@pytest.mark.parametrize(
    ("small", "large", "variant"), [(2, 24, "rocm"), (12, 24, "cu"), (12, 25, "rocm"), (None, 24, "cu")]
)
def test_of_two_vendors_the_one_with_far_more_memory_goes_first(small: int | None, large: int, variant: str) -> None:
    """A GT 1030 for the screen beside an RX 7900 XTX; the one that is left out is named either way."""
    nvidia = msgspec.structs.replace(gpu("sm_61", "580.1"), memory_bytes=small and small << 30)
    amd = Accelerator(vendor="amd", name="the AMD one", chip="gfx1100", memory_bytes=large << 30)
    choices = chosen(nvidia, amd)
    assert choices.builds[0].variant.startswith(variant)
    left = nvidia.name if variant == "rocm" else amd.name
    assert [(f.id, left in str(f.text)) for f in choices.findings] == [("gpu-left-out", True)]
    unserved = msgspec.structs.replace(amd, chip="gfx803")
    assert chosen(nvidia, unserved).builds[0].variant.startswith("cu"), "what no build serves has no memory to offer"


def test_cpu_on_purpose_is_no_finding() -> None:
    assert chosen(gpu("sm_61", "595.1"), variant="cpu").findings == ()
    assert chosen(gpu("sm_89", "580.1")).findings == ()
    assert chosen().findings == ()


def test_an_asked_variant_that_does_not_serve_the_gpu_is_told() -> None:
    finding = only(chosen(gpu("sm_120", "580.1"), variant="cu126"))
    assert finding.level == "error"
    assert "with no cu126 asked for it would be 2.15.0+cu132" in str(finding.hint)


def test_processor_graphics_without_builds_are_no_finding() -> None:
    choices = chosen(gpu(None, None, "intel", kind="igpu"))
    assert choices.findings == ()
    assert str(choices.builds[0].why) == "no GPU was found"


def test_of_two_vendors_one_is_chosen_and_the_other_named() -> None:
    choices = chosen(gpu("gfx1100", None, "amd"), gpu("sm_89", "580.1"))
    assert choices.builds[0].version == "2.15.0+cu132"
    finding = only(choices)
    assert (finding.id, finding.level) == ("gpu-left-out", "warning")
    assert str(finding.hint) == "for it alone 2.14.1+rocm7.2 would fit: --torch rocm7.2"
    other_way = chosen(gpu("gfx1100", None, "amd"), gpu("sm_35", "470.1"))
    assert other_way.builds[0].version == "2.14.1+rocm7.2"
    assert [(f.id, f.level) for f in other_way.findings] == [("gpu-not-served", "warning")]


def test_two_generations_without_a_build_for_both() -> None:
    choices = chosen(gpu("sm_61", "580.1", memory_bytes=8), gpu("sm_120", "580.1", memory_bytes=24))
    assert choices.builds[0].version == "2.15.0+cu132"
    assert only(choices).id == "gpu-left-out"
    more = chosen(gpu("sm_70", "580.1", memory_bytes=32), gpu("sm_120", "580.1", memory_bytes=8), torch=">=2.12")
    assert more.builds[0].version == "2.14.1+cu126", "the one with more memory"


def test_a_gpu_that_keeps_the_others_at_an_older_release_is_named() -> None:
    finding = only(chosen(gpu("sm_61", "580.1"), gpu("sm_89", "580.1")))
    assert (finding.id, finding.level) == ("gpu-holds-back", "info")
    assert str(finding.text) == "because of card sm_61 it is 2.14.1+cu126; without it, it would be 2.15.0+cu132"
    assert str(finding.hint) == "to leave it out: --assume gpu=nvidia:sm_89:580.1"


def test_builds_of_others_are_named_where_torch_has_none() -> None:
    windows = msgspec.structs.replace(LINUX, os="windows", libc=None)
    finding = only(chosen(gpu("gfx1100", None, "amd"), machine=windows))
    assert "AMD publishes builds of its own: https://" in str(finding.hint)
    jetson = msgspec.structs.replace(LINUX, arch="arm64", board="jetson")
    finding = only(chosen(gpu("sm_87", "540.4"), machine=jetson))
    assert "with driver 580 or newer it would be 2.15.0+cu132" in str(finding.hint)
    assert "NVIDIA publishes builds of its own" in str(finding.hint)


def test_a_newer_cuda_than_the_catalogue_knows_is_taken_when_its_majors_floor_is_met() -> None:
    choices = chosen(gpu("sm_89", "580.1"), variant="cu136")
    assert choices.builds[0].version == "2.15.0+cu136"
    assert choices.builds[0].index.endswith("/cu136")
    assert "the index has the last word" in str(choices.builds[0].why)
    refused = chosen(gpu("sm_89", "575.1"), variant="cu136")
    assert refused.builds == ()
    assert str(refused.refusals[0].reason) == "needs driver 580 or newer, found 575.1"


def test_a_build_brings_its_companions() -> None:
    assert chosen(gpu("sm_89", "580.1")).builds[0].companions == ("torchvision==0.29.2", "triton~=3.9.0")
    old = chosen(gpu("sm_61", "470.1")).builds[0]
    assert old.companions == ("torchaudio==2.6.0", "torchvision==0.21.0", "triton==3.2.0")
