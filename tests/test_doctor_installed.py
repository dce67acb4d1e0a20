"""doctor on what is installed: environments that are broken for real, one wheel's words swapped for another's."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from setup_llm_dev.documents.diagnosis import Entry
from setup_llm_dev.documents.machine import Accelerator
from setup_llm_dev.stages.diagnoses import installed, project
from setup_llm_dev.stages.diagnoses.situation import Situation
from tests.conftest import Provisioned
from tests.doctoring import RTX, entries, here, locked
from tests.ground import SOURCE

NEW = Accelerator(vendor="nvidia", name="GeForce RTX 5090", chip="sm_120", driver="580.95.05")
OLD = Accelerator(vendor="nvidia", name="GeForce GTX 1080", chip="sm_61", driver="580.95.05")


def environment(folder: Path, **packages: str) -> Path:
    """An environment as far as it is looked at: a Python, and each package's version.py."""
    site = folder / "lib" / "python3.12" / "site-packages"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(shutil.which("true") or "/bin/true")
    for name, text in packages.items():
        (site / name).mkdir(parents=True)
        (site / name / "version.py").write_text(text, encoding="utf-8")
    site.mkdir(parents=True, exist_ok=True)
    return folder


def words(version: str, cuda: str | None = None) -> str:
    """As torch's own build writes it."""
    return f"__all__ = ['__version__', 'cuda']\n__version__ = '{version}'\ncuda = {cuda!r}\nhip = None\n"


def found(about: Situation, folder: Path) -> dict[str, Entry]:
    return entries(installed.look, replace(about, environment=folder))


def test_a_sound_environment_has_nothing_to_mend(tmp_path: Path) -> None:
    folder = environment(tmp_path / "env", torch=words("2.15.0+cu132", "13.2"), torchvision=words("0.29.2+cu132"))
    about = locked(here(tmp_path / "home", RTX), "2.15.0+cu132", "cu132")
    assert set(found(about, folder)) == {"torch-installed"}


def test_a_cpu_wheel_beside_a_gpu_is_an_error(tmp_path: Path) -> None:
    folder = environment(tmp_path / "env", torch=words("2.15.0+cpu"))
    told = found(here(tmp_path / "home", RTX), folder)
    assert told["cpu-build-on-gpu"].level == "error"
    assert "2.15.0+cu132" in str(told["cpu-build-on-gpu"].hint)
    assert told["cpu-build-on-gpu"].commands == ("setup-llm-dev apply --upgrade",)
    assert "torch/version.py: 2.15.0 (cpu)" in told["cpu-build-on-gpu"].evidence[0]


def test_a_cpu_wheel_that_was_asked_for_is_none(tmp_path: Path) -> None:
    folder = environment(tmp_path / "env", torch=words("2.15.0+cpu"))
    about = locked(here(tmp_path / "home", RTX), "2.15.0+cpu", "cpu", why="asked for")
    assert set(found(about, folder)) == {"torch-installed"}
    assert "cpu-build-on-gpu" in found(locked(about, "2.15.0+cpu", "cpu"), folder)


def test_without_a_gpu_the_cpu_wheel_is_right(tmp_path: Path) -> None:
    folder = environment(tmp_path / "env", torch=words("2.15.0+cpu"))
    assert set(found(here(tmp_path / "home"), folder)) == {"torch-installed"}


@pytest.mark.parametrize("later", [words("2.15.0", "13.2"), words("2.14.1+cu126", "12.6"), words("2.13.0+cpu")])
def test_a_later_install_that_replaced_torch_is_told(later: str, tmp_path: Path) -> None:
    folder = environment(tmp_path / "env", torch=later)
    about = locked(here(tmp_path / "home", RTX), "2.14.1+cu130", "cu130")
    told = found(about, folder)["torch-replaced"]
    assert told.level == "error"
    assert "2.14.1" in str(told.text)
    assert len(told.evidence) == 2


def test_a_wheel_without_label_is_the_variant_that_it_names_inside(tmp_path: Path) -> None:
    folder = environment(tmp_path / "env", torch=words("2.14.1", "13.0"))
    about = locked(here(tmp_path / "home", RTX), "2.14.1", "cu130")
    assert "torch-replaced" not in found(about, folder)


@pytest.mark.parametrize(("gpu", "torch", "lacks"), [
    (OLD, words("2.15.0+cu132", "13.2"), True), (OLD, words("2.14.1+cu126", "12.6"), False),
    (RTX, words("2.15.0+cu132", "13.2"), False),
    (NEW, words("2.6.0+cu124", "12.4"), True),
])  # fmt: skip
def test_a_card_without_code_in_the_installed_torch(gpu: Accelerator, torch: str, lacks: bool, tmp_path: Path) -> None:
    told = found(here(tmp_path / "home", gpu), environment(tmp_path / "env", torch=torch))
    assert ("torch-lacks-code" in told) is lacks
    if lacks:
        assert "has code for sm_" in told["torch-lacks-code"].evidence[1]


def test_a_driver_that_does_not_start_the_installed_build(tmp_path: Path) -> None:
    gpu = Accelerator(vendor="nvidia", name="RTX 4090", chip="sm_89", driver="550.54.14")
    told = found(here(tmp_path / "home", gpu), environment(tmp_path / "env", torch=words("2.15.0+cu132", "13.2")))
    assert "needs driver 580" in str(told["torch-lacks-code"].text)


@pytest.mark.parametrize("vision", [words("0.21.0+cu132"), words("0.29.2+cpu")])
def test_a_pair_that_does_not_belong_together(vision: str, tmp_path: Path) -> None:
    folder = environment(tmp_path / "env", torch=words("2.15.0+cu132", "13.2"), torchvision=vision)
    told = found(here(tmp_path / "home", RTX), folder)
    assert "torchvision" in str(told["torch-pair-broken"].hint)
    assert "nms" in str(told["torch-pair-broken"].cause)


def test_an_environment_whose_python_is_gone(tmp_path: Path) -> None:
    folder = environment(tmp_path / "env", torch=words("2.15.0+cpu"))
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").symlink_to(tmp_path / "no such python")
    assert set(found(here(tmp_path / "home"), folder)) == {"environment-broken"}


def test_torch_that_was_uninstalled(tmp_path: Path) -> None:
    assert set(found(here(tmp_path / "home"), environment(tmp_path / "env"))) == {"torch-missing"}


def test_a_link_that_leads_nowhere_and_a_lock_that_is_none(tmp_path: Path) -> None:
    about = here(tmp_path / "home")
    assert set(entries(project.look, about)) == {"not-set-up"}
    Path(about.layout.workspace).mkdir(parents=True)
    Path(about.layout.venv).symlink_to(tmp_path / "gone")
    Path(about.layout.lock_file).write_text("schema = 'lock/1'\n[torch\n", encoding="utf-8")
    told = entries(project.look, about)
    assert set(told) == {"environment-gone", "lock-damaged"}
    assert all(entry.level == "error" and entry.commands for entry in told.values())


@pytest.mark.provisioned
def test_a_real_environment_and_what_a_later_install_does_to_it(
    provisioned: Provisioned, folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """The environment that the tool itself made: first as it is, then with torch's own file replaced in a copy."""
    machine = provisioned.machine
    fine = machine.run("doctor", "--no-network", "--json", PYTHONPATH=str(SOURCE))
    assert not {"error"} & {f["level"] for f in fine.document()["findings"] if f["group"] == "environment"}
    copy = folder("doctor copy")
    shutil.copytree(machine.generation, copy, copy_function=os.link, symlinks=True)
    version = next(copy.glob("lib/python3.*/site-packages/torch/version.py"))
    text = version.read_text("utf-8")
    version.unlink()  # the copy is of hard links: the original keeps its bytes
    version.write_text(text.replace("+cpu", "+cu130"), encoding="utf-8")
    told = found(locked(here(tmp_path), "2.13.0+cpu", "cpu"), copy)
    assert "torch-replaced" in told
    assert "files-changed" in told
    assert any("version.py: changed" in line for line in told["files-changed"].evidence)
