"""Choose: golden plans for recorded machines, and the rules one by one."""

import json

import msgspec
import pytest
from packaging.version import Version

from setup_llm_dev.documents.choices import Choices
from setup_llm_dev.documents.machine import Accelerator, Interpreter, Machine
from setup_llm_dev.documents.recipe import PythonWish, Recipe, TorchWish
from setup_llm_dev.errors import UsageError
from setup_llm_dev.messages import message
from setup_llm_dev.stages.assume import assume
from setup_llm_dev.stages.choose import choose
from tests.golden import MACHINES, PLANS, RECIPE, catalog, saved
from tests.plan_golden import plan_text, planned

CATALOG = catalog()
PYTHON = Interpreter(path="/usr/bin/python3.12", version="3.12.3", running=True)
LINUX = Machine(os="linux", arch="x86_64", libc="glibc 2.39", interpreters=(PYTHON,))


def chosen(gpu: str = "none", *, machine: Machine = LINUX, variant: str | None = None, torch: str = ">=2.6") -> Choices:
    recipe = Recipe(name="test", python=PythonWish(version=">=3.10"), torch=TorchWish(version=torch))
    return choose(assume(machine, f"gpu={gpu}"), recipe, CATALOG, variant=variant)


def first(choices: Choices) -> tuple[str, str]:
    return choices.builds[0].version, choices.builds[0].index.rpartition("/")[2]


def reasons(choices: Choices) -> dict[str, str]:
    return {refusal.candidate: str(refusal.reason) for refusal in choices.refusals}


@pytest.mark.parametrize("name", planned())
def test_golden_plan(name: str) -> None:
    assert plan_text(choose(saved(name), RECIPE, CATALOG)) == (PLANS / f"{name}.json").read_text("utf-8")


def test_no_golden_plan_without_its_machine() -> None:
    assert len(planned()) >= 13
    assert all((MACHINES / name / "machine.json").is_file() for name in planned())


@pytest.mark.parametrize(
    ("gpu", "version"),
    [
        ("none", "2.15.0+cpu"),
        ("nvidia:RTX 4090:580.95", "2.15.0+cu132"),
        ("nvidia:sm_90:575.57", "2.14.1+cu126"),  # CUDA 13 needs 580
        ("nvidia:sm_61:580.95", "2.14.1+cu126"),  # CUDA 13 has no code for Pascal
        ("nvidia:sm_120:570.86", "2.11.0+cu128"),  # neither CUDA 13 nor cu126
        ("nvidia:sm_120:560.10", "2.15.0+cpu"),  # the driver does not know Blackwell
        ("nvidia:sm_61:595.45", "2.15.0+cpu"),  # the driver knows Pascal no more
        ("nvidia:sm_37:470.1", "2.6.0+cu118"),  # Kepler
        ("nvidia:sm_140:700.1", "2.11.0+cu129"),  # compiled from PTX, which the default builds lack
        ("nvidia:No Such Card:580", "2.15.0+cpu"),
        ("amd:gfx1100", "2.14.1+rocm7.2"),
        ("intel:arc-b580", "2.14.1+xpu"),
    ],
)
def test_the_first_build(gpu: str, version: str) -> None:
    assert chosen(gpu).builds[0].version == version


def test_nothing_has_code_for_a_card_of_the_future() -> None:
    choices = chosen("nvidia:sm_140:700.1", torch=">=2.14")
    assert choices.builds[0].version == "2.15.0+cpu"
    assert "has no code for assumed GPU (sm_140)" in reasons(choices).values()


def test_jetson_orin_and_grace_on_arm() -> None:
    arm = msgspec.structs.replace(LINUX, arch="arm64")
    assert chosen("nvidia:sm_87:580.1", machine=arm).builds[0].version == "2.15.0+cu132"
    assert chosen("nvidia:sm_121:580.1", machine=arm).builds[0].version == "2.15.0+cu132"
    only_130 = chosen("nvidia:sm_87:580.1", machine=arm, torch=">=2.9,<2.12")
    assert only_130.builds[0].variant == "cpu"


def test_the_unlabelled_wheel_follows_the_labelled_one_of_its_release() -> None:
    builds = chosen("nvidia:sm_89:580").builds
    assert [b.version for b in builds[:2]] == ["2.15.0+cu132", "2.15.0"]
    assert builds[1].index == ""
    assert builds[1].variant == "cu132"


def test_cpu_on_linux_is_never_the_unlabelled_wheel() -> None:
    """There the wheel without a label brings CUDA, gigabytes of it."""
    assert all(build.label == "cpu" for build in chosen().builds)
    windows = msgspec.structs.replace(LINUX, os="windows", libc=None)
    assert {b.version for b in chosen(machine=windows).builds[:2]} == {"2.15.0+cpu", "2.15.0"}


def test_gpu_builds_stand_before_cpu_builds_and_releases_go_down() -> None:
    builds = chosen("nvidia:sm_89:580").builds
    first_cpu = next(i for i, b in enumerate(builds) if b.variant == "cpu")
    assert all(b.variant == "cpu" for b in builds[first_cpu:])
    releases = [Version(b.release) for b in builds[first_cpu:]]
    assert releases == sorted(releases, reverse=True)


def test_what_is_only_announced_stands_behind_what_was_seen() -> None:
    builds = chosen("nvidia:sm_89:580").builds
    versions = [b.version for b in builds]
    assert versions.index("2.15.0+cu134") > versions.index("2.14.1+cu130")
    assert "not yet seen" in str(next(b.why for b in builds if b.variant == "cu134"))


def test_refusals_name_floor_and_found_driver_and_a_way_out() -> None:
    refusal = next(r for r in chosen("nvidia:sm_90:575.57.08").refusals if r.candidate.startswith("cu132"))
    assert refusal.candidate == "cu132, cu130, cu134"
    assert str(refusal.reason) == "needs driver 580 or newer, found 575.57.08"
    assert "580" in str(refusal.hint)


def test_a_driver_that_is_too_old_for_everything_leaves_the_cpu_and_says_so() -> None:
    choices = chosen("nvidia:sm_89:390.10")
    assert {b.variant for b in choices.builds} == {"cpu"}
    assert "needs driver 580 or newer, found 390.10" in str(choices.builds[0].why)


def test_in_wsl_the_driver_number_is_one_of_windows() -> None:
    wsl = msgspec.structs.replace(LINUX, environment="wsl")
    assert chosen("nvidia:sm_86:527.0").builds[0].variant != "cpu"
    assert chosen("nvidia:sm_86:527.0", machine=wsl, torch=">=2.8").builds[0].variant == "cpu"


def test_a_gpu_with_a_problem_is_not_used() -> None:
    broken = Accelerator(vendor="nvidia", name="GPU", chip="sm_89", driver="580", problem=message("it is on fire"))
    choices = choose(msgspec.structs.replace(LINUX, accelerators=(broken,)), RECIPE, CATALOG)
    assert choices.builds[0].variant == "cpu"
    assert "it is on fire" in str(choices.builds[0].why)


def test_builds_that_serve_every_gpu_come_first() -> None:
    cards = tuple(
        Accelerator(vendor="nvidia", name=name, chip=chip, driver="580.95")
        for name, chip in (("new", "sm_89"), ("old", "sm_61"))
    )
    builds = choose(msgspec.structs.replace(LINUX, accelerators=cards), RECIPE, CATALOG).builds
    assert builds[0].version == "2.14.1+cu126"
    partly = next(b for b in builds if b.variant == "cu132")
    assert "does not run on old" in str(partly.why)


def test_macos_has_one_form() -> None:
    mac = msgspec.structs.replace(LINUX, os="macos", arch="arm64", libc=None, distribution="macOS 26.1")
    builds = chosen("apple:m3", machine=mac).builds
    assert {(b.variant, b.label, b.index) for b in builds} == {("mps", "", "")}
    assert "the CPU" in str(chosen("none", machine=mac).builds[0].why)
    old = msgspec.structs.replace(mac, distribution="macOS 13.6")
    assert chosen("apple:m1", machine=old).builds[0].version == "2.11.0"
    refused = chosen("apple:m3", machine=mac, variant="cpu")
    assert refused.builds == ()
    assert str(refused.refusals[0].hint) == "published for it are mps"


@pytest.mark.parametrize(
    ("os", "arch", "libc"),
    [("linux", "x86_64", "musl 1.2.5"), ("macos", "x86_64", None), ("windows", "arm64", None)],
)
def test_where_nothing_is_published_nothing_is_built(os: str, arch: str, libc: str | None) -> None:
    machine = msgspec.structs.replace(LINUX, os=os, arch=arch, libc=libc)
    choices = choose(machine, RECIPE, CATALOG)
    assert choices.builds == ()
    assert "torch" in reasons(choices)


def test_an_old_glibc_keeps_to_old_releases() -> None:
    old = msgspec.structs.replace(LINUX, libc="glibc 2.17")
    assert {b.release for b in chosen(machine=old).builds} == {"2.6.0"}


@pytest.mark.parametrize("variant", ["cpu", "cu126", "rocm7.2", "xpu"])
def test_a_variant_that_is_asked_for_is_honoured_whatever_the_hardware(variant: str) -> None:
    choices = chosen("none", variant=variant)
    assert {b.variant for b in choices.builds} == {variant}
    assert first(choices)[1] == variant
    assert str(choices.builds[0].why).startswith("asked for")


def test_a_recipe_may_ask_for_a_variant_and_the_argument_wins() -> None:
    recipe = Recipe(name="test", torch=TorchWish(variant="cu130"))
    assert choose(LINUX, recipe, CATALOG).builds[0].version == "2.14.1+cu130"
    assert choose(LINUX, recipe, CATALOG, variant="cpu").builds[0].version == "2.15.0+cpu"
    assert choose(LINUX, recipe, CATALOG, variant="auto").builds[0].version == "2.15.0+cpu"


@pytest.mark.parametrize(("wrong", "near"), [("cu1300", "cu130"), ("cpuu", "cpu"), ("rocm7.3", "rocm7.2"),
                                              ("cuda13.0", "cu130"), ("nvidia-cu130", "cu130")])  # fmt: skip
def test_an_unknown_variant_is_wrong_use_with_the_nearest_name(wrong: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(variant=wrong)
    assert str(caught.value.hint) == f"did you mean {near}?"


@pytest.mark.parametrize(
    ("word", "build"), [("cuda", "cu130"), ("CUDA", "cu130"), ("nvidia", "cu130"), ("amd", "rocm7.2")]
)
def test_the_name_of_a_maker_leads_to_its_builds(word: str, build: str) -> None:
    """Not to `cpu`, whose letters happen to be near."""
    with pytest.raises(UsageError) as caught:
        chosen(variant=word)
    named = str(caught.value.hint)
    assert build in named
    assert "cpu" not in named
    assert "auto" in named


def test_the_recipe_limits_releases() -> None:
    assert {b.release for b in chosen(torch="==2.13.*").builds} == {"2.13.0"}
    choices = chosen(torch=">=2.12", variant="cu128")
    assert choices.builds == ()
    assert str(choices.refusals[0].hint) == "the newest release with cu128 is 2.11.0"
    assert chosen(torch=">=9").builds == ()


def test_interpreters_running_first_then_newest_unusable_ones_left_out() -> None:
    machine = msgspec.structs.replace(
        LINUX,
        interpreters=(
            Interpreter(path="/a", version="3.9.18"),
            Interpreter(path="/b", version="3.11.9"),
            Interpreter(path="/c", version="3.12.1", running=True),
            Interpreter(path="/d", version="3.13.0", problem=message("broken")),
            Interpreter(path="/e", version="3.13.2"),
            Interpreter(path="/f", version="3.14.0", has_venv=False),
        ),
    )
    assert chosen(machine=machine).interpreters == ("/c", "/e", "/b")


def test_releases_without_wheels_for_an_installed_python_are_refused() -> None:
    old = msgspec.structs.replace(LINUX, interpreters=(Interpreter(path="/a", version="3.10.4"),))
    choices = chosen(machine=old)
    assert choices.builds[0].version == "2.14.1+cpu"
    assert any("needs Python 3.11 to 3.15, found 3.10" in reason for reason in reasons(choices).values())


def test_no_python_is_a_refusal_of_its_own() -> None:
    choices = chosen(machine=msgspec.structs.replace(LINUX, interpreters=()))
    assert choices.interpreters == ()
    assert "python" in reasons(choices)


@pytest.mark.parametrize(
    "text",
    [
        "gpu",
        "gpu=",
        "cpu=none",
        "gpu=nvidia",
        "gpu=nvidia:sm_89",
        "gpu=nvidia:sm_89:new",
        "gpu=nvidea:sm_89:580",
    ],
)
def test_assume_refuses_what_it_does_not_understand(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        assume(LINUX, text)
    assert "nvidia" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "chip", "driver"),
    [
        ("gpu=nvidia:8.9:580.1", "sm_89", "580.1"),
        ("gpu=nvidia:sm_120:580", "sm_120", "580"),
        ("gpu=amd:gfx1100", "gfx1100", None),
        ("gpu=nvidia:RTX 3060:580", None, "580"),
    ],
)
def test_assume_puts_one_gpu_in_place_of_all(text: str, chip: str | None, driver: str | None) -> None:
    (gpu,) = assume(LINUX, text).accelerators
    assert (gpu.chip, gpu.driver) == (chip, driver)
    assert assume(LINUX, "gpu=none").accelerators == ()


def test_choices_can_be_saved() -> None:
    from setup_llm_dev.documents.codec import from_stored, to_stored

    choices = chosen("nvidia:sm_61:580.95")
    assert from_stored(json.loads(json.dumps(to_stored(choices))), Choices) == choices
