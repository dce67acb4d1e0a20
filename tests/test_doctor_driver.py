"""The driver step: commands by card and distribution, Secure Boot, who may run them, and running them for real."""

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pytest

from setup_llm_dev.accelerators import nvidia_fit
from setup_llm_dev.cli.install_driver import install_driver
from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.session import Session
from setup_llm_dev.documents.driver_catalog import Command, blanks, filled
from setup_llm_dev.documents.machine import Accelerator, Finding, Machine
from setup_llm_dev.errors import Refused, SystemRefused
from setup_llm_dev.host.recorded import RecordedFiles, RecordedPrograms, recorded_host
from setup_llm_dev.host.run import Completed, Programs
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.diagnoses.driver import driver_findings, secure_boot
from setup_llm_dev.stages.diagnoses.driver_step import DriverStep, NoStep, as_line, driver_step, needs_driver
from setup_llm_dev.stages.doctor_driver import afterwards, driver_to_install, install, refuse_without_root
from setup_llm_dev.stages.options import Options
from tests.doctoring import DRIVERS, RTX, recipe_for
from tests.golden import MACHINES, catalog, detected
from tests.ground import layout_in, scratch_host

TORCH = catalog().torch
LOST = message("the card is there, but no NVIDIA driver is loaded")
CARDS = {
    "GTX 1080": Accelerator(vendor="nvidia", name="GeForce GTX 1080", chip="sm_61", problem=LOST),
    "RTX 4090": Accelerator(vendor="nvidia", name="GeForce RTX 4090", chip="sm_89", problem=LOST),
    "RTX 5090": Accelerator(vendor="nvidia", name="GeForce RTX 5090", chip="sm_120", problem=LOST),
}
NO_DRIVER = Finding(id="driver-not-loaded", level="error", text=LOST)


def fresh(distribution: str, *cards: str, environment: str | None = None, arch: str = "x86_64") -> Machine:
    """A machine without a driver."""
    return Machine(
        os="linux", arch=arch, distribution=distribution, libc="glibc 2.39", environment=environment,
        accelerators=tuple(CARDS[card] for card in cards), findings=(NO_DRIVER,),
    )  # fmt: skip


def step_for(machine: Machine) -> DriverStep | NoStep:
    return driver_step(machine, TORCH, DRIVERS, recipe_for(machine).torch.version)


def lines(machine: Machine) -> list[str]:
    step = step_for(machine)
    assert isinstance(step, DriverStep), step
    return [as_line(command) for command in step.commands]


@pytest.mark.parametrize(("distribution", "card", "words"), [
    ("Ubuntu 24.04.3 LTS", "RTX 5090", ("sudo ubuntu-drivers install",)),
    ("Ubuntu 24.04.3 LTS", "GTX 1080", ("sudo ubuntu-drivers install nvidia:580",)),
    ("Linux Mint 22.1", "RTX 4090", ("sudo ubuntu-drivers install",)),
    ("Debian GNU/Linux 13 (trixie)", "GTX 1080", ("contrib non-free", "nvidia-driver")),
    ("Debian GNU/Linux 13 (trixie)", "RTX 5090", ("repos/debian13/x86_64/cuda-keyring", "nvidia-open")),
    ("Fedora Linux 43 (Workstation Edition)", "RTX 4090", ("nonfree-release-43.noarch", "akmod-nvidia ")),
    ("Fedora Linux 43 (Workstation Edition)", "GTX 1080", ("akmod-nvidia-580xx",)),
    ("Rocky Linux 9.5 (Blue Onyx)", "RTX 4090", ("rhel9/x86_64/cuda-rhel9.repo", "nvidia-driver:open-dkms")),
    ("Red Hat Enterprise Linux 9.4 (Plow)", "GTX 1080", ("nvidia-driver:580-dkms", "cuda-drivers")),
    ("AlmaLinux 10.0 (Purple Lion)", "RTX 5090", ("rhel10/x86_64/cuda-rhel10.repo", "nvidia-open")),
    ("openSUSE Leap 15.6", "RTX 4090", ("sudo zypper", "nvidia-open")),
    ("Arch Linux", "RTX 5090", ("sudo pacman -Syu --noconfirm --needed nvidia-open",)),
])  # fmt: skip
def test_each_distribution_has_its_own_commands(distribution: str, card: str, words: tuple[str, ...]) -> None:
    said = "\n".join(lines(fresh(distribution, card)))
    for word in words:
        assert word in f"{said} ", said
    assert "{" not in said
    assert all("sudo " in line for line in said.splitlines())


def test_old_cards_keep_the_last_branch_that_drives_them() -> None:
    for distribution in ("Ubuntu 24.04.3 LTS", "Fedora Linux 43 (Workstation Edition)", "Rocky Linux 9.5 (Blue Onyx)"):
        old, new = step_for(fresh(distribution, "GTX 1080")), step_for(fresh(distribution, "RTX 5090"))
        assert isinstance(old, DriverStep)
        assert isinstance(new, DriverStep)
        assert (old.branch, new.branch) == (580, None)


def test_the_branch_that_a_way_gives_drives_its_cards_and_starts_a_build() -> None:
    """The data of the two catalogues against one another."""
    for row in DRIVERS.distributions:
        for way in row.ways:
            for limit in TORCH.driver_branches:
                overlaps = way.sm[0] <= limit.sm[1] and limit.sm[0] <= way.sm[1]
                if overlaps and limit.last is not None:
                    assert way.gives is not None, (row.name, way.sm)
                    assert not limit.too_new(way.gives), (row.name, way.sm)
            if way.gives is not None:
                assert way.gives >= 525, "the floor of CUDA 12, below which nothing of the recipe starts"


def test_the_data_say_where_they_come_from() -> None:
    names = [name for row in DRIVERS.distributions for name in row.names]
    assert len(DRIVERS.distributions) >= 7
    assert {"Ubuntu", "Debian GNU/Linux", "Fedora Linux", "openSUSE Leap", "Arch Linux"} <= set(names)
    for row in DRIVERS.distributions:
        for way in row.ways:
            assert way.seen
            assert way.date <= DRIVERS.collected
            values = blanks("Debian GNU/Linux 13 (trixie)", "x86_64")
            for command in (*way.commands, *way.enrol):
                assert filled(command, values).run[0] == command.run[0], "the program is never a blank"
                assert command.run[0] not in ("sh", "bash", "sudo", "curl")


@pytest.mark.parametrize(("machine", "word"), [
    (fresh("Ubuntu 24.04.3 LTS", "RTX 4090", environment="wsl"), "Windows"),
    (fresh("Ubuntu 24.04.3 LTS", "RTX 4090", environment="container"), "host"),
    (fresh("Ubuntu 22.04.5 LTS", "RTX 4090", environment="colab"), "host"),
    (fresh("Alpine Linux v3.20", "RTX 4090"), "nvidia.com/drivers"),
    (fresh("Ubuntu 24.04.3 LTS", "GTX 1080", "RTX 5090"), "closed kernel modules"),
    (fresh("Debian GNU/Linux 11 (bullseye)", "RTX 4090"), "nvidia.com/drivers"),
])  # fmt: skip
def test_where_no_driver_may_be_installed_it_is_refused_with_the_right_place(machine: Machine, word: str) -> None:
    step = step_for(machine)
    assert isinstance(step, NoStep)
    assert word in str(step.hint)
    with pytest.raises(Refused) as refused:
        driver_to_install(machine, recipe_for(machine), catalog(), DRIVERS)
    assert refused.value.exit_code == 3


def test_nothing_is_installed_where_the_driver_is_fine() -> None:
    for name in ("ubuntu-h100", "ubuntu-rtx4090-525", "debian-cpu", "ubuntu-v100-580", "smi-18-mismatch"):
        machine = detected(name)
        assert driver_to_install(machine, recipe_for(machine), catalog(), DRIVERS) is None, name


def test_a_driver_that_is_too_old_or_too_new_is_a_reason() -> None:
    for chip, driver, needed in (("sm_120", "550.54", True), ("sm_61", "590.10", True), ("sm_61", "580.95", False)):
        gpu = replace_gpu(RTX, chip, driver)
        machine = Machine(os="linux", arch="x86_64", libc="glibc 2.39", accelerators=(gpu,))
        assert needs_driver(machine, TORCH, ">=2.6") is needed, (chip, driver)
        assert nvidia_fit.capability_of(gpu, TORCH) == int(chip[3:])


def replace_gpu(gpu: Accelerator, chip: str, driver: str) -> Accelerator:
    return Accelerator(vendor="nvidia", name=gpu.name, chip=chip, driver=driver)


@pytest.mark.parametrize(("value", "on"), [(b"\x06\x00\x00\x00\x01", True), (b"\x06\x00\x00\x00\x00", False)])
def test_secure_boot_is_read_from_the_firmware(value: bytes, on: bool, tmp_path: Path) -> None:
    name = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    files = RecordedFiles({name: value.decode("latin-1")}, {}, 0)
    assert secure_boot(replace(scratch_host(tmp_path), files=files)) is on
    assert secure_boot(replace(scratch_host(tmp_path), files=RecordedFiles({}, {}, 0))) is None


def test_secure_boot_decides_whether_a_key_is_enrolled() -> None:
    machine = fresh("Fedora Linux 43 (Workstation Edition)", "RTX 4090")
    said = {}
    for state in (True, False, None):
        (entry,) = driver_findings(machine, TORCH, DRIVERS, ">=2.6", secure_boot=state)
        said[state] = entry
    assert any("mokutil --import" in command for command in said[True].commands)
    assert "Enroll MOK" in str(said[True].hint)
    assert not any("mokutil" in command for command in said[False].commands)
    assert "mokutil --sb-state" in str(said[None].hint)
    assert all(entry.commands[-1] == "sudo reboot" for entry in said.values())


def test_without_root_the_commands_are_told_and_nothing_runs() -> None:
    step = step_for(fresh("Ubuntu 24.04.3 LTS", "RTX 4090"))
    assert isinstance(step, DriverStep)
    with pytest.raises(Refused) as refused:
        refuse_without_root(step, root=False)
    assert "sudo ubuntu-drivers install" in str(refused.value.hint)
    refuse_without_root(step, root=True)


FAKE = """#!/bin/sh
printf '%s' "$(basename "$0")" >> "$LOG"; for word in "$@"; do printf ' %s' "$word" >> "$LOG"; done
printf ' [%s] [%s] [%s]\\n' "$(cat)" "$DEBIAN_FRONTEND" "$https_proxy" >> "$LOG"
echo "working on $1"
exit {code}
"""


def fake_world(folder: Path, codes: Mapping[str, int], **environment: str) -> tuple[Host, Path]:
    """A scratch root whose package managers write down how they were called."""
    log, programs = folder / "called.log", folder / "bin"
    programs.mkdir(parents=True)
    for name, code in codes.items():
        place = programs / name
        place.write_text(FAKE.replace("{code}", str(code)).replace('"$LOG"', f"'{log}'"), encoding="utf-8")
        place.chmod(0o755)
    built = {"PATH": str(programs), "HOME": str(folder), **environment}
    host = scratch_host(folder, built)
    return replace(host, programs=Programs(built, host.cancel)), log


def test_the_commands_run_one_after_the_other_with_nothing_to_answer(tmp_path: Path) -> None:
    host, log = fake_world(tmp_path, {"wget": 0, "dpkg": 0, "apt-get": 0}, https_proxy="http://proxy.example:3128")
    step = step_for(fresh("Debian GNU/Linux 13 (trixie)", "RTX 5090"))
    assert isinstance(step, DriverStep)
    said: list[Message] = []
    install(host, step, said.append)
    called = log.read_text("utf-8").splitlines()
    assert called[0] == "apt-get update [] [noninteractive] [http://proxy.example:3128]"
    assert [line.split()[0] for line in called[1:]] == ["apt-get", "wget", "dpkg", "apt-get", "apt-get"]
    assert any("working on update" in str(sentence) for sentence in said)


def test_the_first_command_that_fails_ends_it(tmp_path: Path) -> None:
    host, log = fake_world(tmp_path, {"apt-get": 100, "ubuntu-drivers": 0})
    step = step_for(fresh("Ubuntu 24.04.3 LTS", "RTX 4090"))
    assert isinstance(step, DriverStep)
    with pytest.raises(SystemRefused) as failed:
        install(host, step, lambda _: None)
    assert "apt-get update" in str(failed.value)
    assert len(log.read_text("utf-8").splitlines()) == 1


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    host, _ = fake_world(tmp_path, {})
    step = step_for(fresh("Arch Linux", "RTX 5090"))
    assert isinstance(step, DriverStep)
    with pytest.raises(SystemRefused, match="pacman is not there"):
        install(host, step, lambda _: None)


def test_afterwards_comes_a_restart_and_with_secure_boot_a_key() -> None:
    step = step_for(fresh("Debian GNU/Linux 13 (trixie)", "RTX 5090"))
    assert isinstance(step, DriverStep)
    assert "mokutil --import" in str(afterwards(step, None).hint)
    assert "mokutil" not in str(afterwards(step, False).hint)
    assert afterwards(step, True).exit_code == 3


def test_a_way_of_the_aur_is_never_run_by_us() -> None:
    machine = fresh("Arch Linux", "GTX 1080")
    with pytest.raises(Refused, match="by hand"):
        driver_to_install(machine, recipe_for(machine), catalog(), DRIVERS)


class Both(RecordedPrograms):
    """The answers of a recording, and beside them real programs of a scratch root."""

    def __init__(self, recorded: RecordedPrograms, real: Programs, folder: Path) -> None:
        self.__dict__ |= recorded.__dict__
        self._real, self._folder = real, folder

    def find(self, name: str) -> Path | None:
        return self._real.find(name) or super().find(name)

    def run(self, argv: Sequence[str | PurePath], **settings: Any) -> Completed:
        ours = Path(argv[0]).is_relative_to(self._folder)
        return self._real.run(argv, **settings) if ours else super().run(argv, **settings)


def driverless(folder: Path) -> tuple[Session, Path]:
    """A recorded machine without a driver, whose package manager is a real program."""
    scratch, log = fake_world(folder, {"apt-get": 0, "ubuntu-drivers": 0})
    host = recorded_host(MACHINES / "smi-9-no-driver")
    assert isinstance(host.programs, RecordedPrograms)
    host = replace(host, programs=Both(host.programs, scratch.programs, folder))
    output = Output(stdout=io.StringIO(), stderr=io.StringIO())
    return Session(host, output, recipe_for(detected("smi-9-no-driver")), layout_in(folder), Options()), log


def test_nothing_is_installed_without_a_yes(tmp_path: Path) -> None:
    """Nobody is at the keyboard here; without the rights of root it ends even before the question."""
    session, log = driverless(tmp_path)
    with pytest.raises(Refused, match=r"only after a yes|rights of root"):
        install_driver(session, yes=False)
    assert not log.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may install a driver, and these tests ask nobody for rights")
def test_after_a_yes_the_commands_are_shown_and_run_and_a_restart_is_asked_for(tmp_path: Path) -> None:
    session, log = driverless(tmp_path)
    with pytest.raises(Refused, match="works after a restart"):
        install_driver(session, yes=True)
    assert [line.split()[0] for line in log.read_text("utf-8").splitlines()] == ["apt-get", "apt-get", "ubuntu-drivers"]
    said = session.output.stderr
    assert isinstance(said, io.StringIO)
    assert said.getvalue().index("these commands install a driver") < said.getvalue().index("working on update")


def test_what_a_command_reads_is_typed_as_an_echo() -> None:
    command = Command(run=("tee", "/etc/a b"), input="deb x\n")
    assert as_line(command) == "echo 'deb x' | sudo tee '/etc/a b'"
