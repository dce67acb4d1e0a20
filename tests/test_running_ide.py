"""Who is found running: real processes on Linux, recorded answers of the system for the others."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from setup_llm_dev.host.ide.running import running_from, running_ide
from setup_llm_dev.host.recorded import recorded_host
from setup_llm_dev.host.world import Host
from tests.golden import MACHINES
from tests.ground import scratch_host
from tests.upstream.ide_archive import product_info

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
IDLE = "import sys, time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return scratch_host(tmp_path / "home")


def an_ide(folder: Path, version: str = "2026.3.1") -> Path:
    """An installation whose launcher is a real program that waits."""
    (folder / "bin").mkdir(parents=True)
    (folder / "product-info.json").write_text(json.dumps(product_info(version, "263.1.1")))
    shutil.copy(str(shutil.which("sleep")), folder / "bin/pycharm")
    return folder


@contextmanager
def running(argv: Sequence[str | Path], home: Path) -> Iterator[int]:
    """A process of somebody whose home that is."""
    environment = {"HOME": str(home), "PATH": os.defpath}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment) as process:
        try:
            if argv[0] == sys.executable:
                assert process.stdout is not None
                process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def started_with(*options: str) -> tuple[str, ...]:
    """A process with these options in its command line, as a script of old starts Java."""
    return (sys.executable, "-c", IDLE, *options, "com.intellij.idea.Main")


@LINUX
def test_a_launcher_is_found_by_its_folder_and_by_the_settings_it_shares(host: Host, tmp_path: Path) -> None:
    mine, other = an_ide(tmp_path / "ide one"), an_ide(tmp_path / "Toolbox" / "pycharm")
    settings, others = (host.home / ".config" / "JetBrains" / f"PyCharm{line}" for line in ("2026.3", "2026.2"))
    assert running_ide(host, settings, mine) is None
    with running((other / "bin/pycharm", "600"), host.home) as process:
        found = running_ide(host, settings, mine)
        assert str(process) in str(found)
        assert str(other / "bin/pycharm") in str(found)
        assert running_ide(host, others, mine) is None
        assert running_ide(host, others, other) is not None
        assert running_from(host, other) is not None
        assert running_from(host, mine) is None
        (tmp_path / "link").symlink_to(other)
        assert running_from(host, tmp_path / "link") is not None
    assert running_ide(host, settings, mine) is None


@LINUX
def test_a_program_that_was_replaced_while_it_runs_is_found(host: Host, tmp_path: Path) -> None:
    home = an_ide(tmp_path / "ide")
    with running((home / "bin/pycharm", "600"), host.home):
        (home / "bin/pycharm").unlink()
        assert running_from(host, home) is not None
        assert "(deleted)" not in str(running_from(host, home))


@LINUX
def test_options_that_name_the_settings_decide(host: Host, tmp_path: Path) -> None:
    home, settings = tmp_path / "ide", host.home / ".config/JetBrains/PyCharm2026.3"
    selector = "-Didea.paths.selector=PyCharm2026.3"
    cases = {
        (selector,): True,
        ("-Didea.paths.selector=PyCharm2026.30",): False,
        (f"-Didea.config.path={settings}",): True,
        ("-Didea.config.path=${user.home}/.config/JetBrains/PyCharm2026.3",): True,
        (selector, "-Didea.config.path=/private"): False,
        ("-Didea.config.path=relative",): False,
        (selector.removeprefix("-D"),): False,
    }
    for options, expected in cases.items():
        with running(started_with(*options), host.home) as process:
            found = running_ide(host, settings, home)
            assert (found is not None) is expected, options
            assert found is None or str(process) in str(found)


@LINUX
def test_an_ide_of_another_home_has_settings_of_its_own(host: Host, tmp_path: Path) -> None:
    settings = host.home / ".config/JetBrains/PyCharm2026.3"
    options = started_with("-Didea.paths.selector=PyCharm2026.3")
    with running(options, tmp_path / "somebody else"):
        assert running_ide(host, settings, tmp_path / "ide") is None
    with running(options, host.home):
        assert running_ide(host, settings, tmp_path / "ide") is not None


def test_nobody_runs_on_a_recorded_machine() -> None:
    for folder in ("debian-cpu", "macos-m3", "windows-rtx3060"):
        if not (MACHINES / folder / "recording.toml").exists():
            continue
        host = recorded_host(MACHINES / folder)
        assert running_ide(host, host.home / "PyCharm2026.2", PurePosixPath("/opt/pycharm-2026.2.3")) is None


def recorded(tmp_path: Path, system: str, argv: list[str], stdout: str, files: dict[str, str]) -> Host:
    lines = [
        'home = "/Users/ann"',
        "[system]", f'platform = "{system}"', 'machine = "arm64"', 'release = "1"', 'executable = "/python"',
        "[files]", *(f"{json.dumps(path)} = {json.dumps(text)}" for path, text in files.items()),
        "[[programs]]", f"argv = {json.dumps(argv)}", f"stdout = {json.dumps(stdout)}",
    ]  # fmt: skip
    (tmp_path / "recording.toml").write_text("\n".join(lines))
    return recorded_host(tmp_path)


MAC = """  PID COMMAND
    1 /sbin/launchd
  812 /Applications/My Py/PyCharm.app/Contents/MacOS/pycharm /Users/ann/llm
"""


def test_macos_tells_by_the_bundle(tmp_path: Path) -> None:
    bundle = "/Applications/My Py/PyCharm.app"
    files = {f"{bundle}/Contents/Resources/product-info.json": json.dumps(product_info("2026.3.1", "263.1.1"))}
    host = recorded(tmp_path, "darwin", ["/bin/ps", "-axww", "-o", "pid=,command="], MAC, files)
    other = PurePosixPath("/Applications/Other.app")
    assert "812" in str(running_ide(host, PurePosixPath("/s/PyCharm2026.1"), PurePosixPath(bundle)))
    assert "812" in str(running_ide(host, PurePosixPath("/s/PyCharm2026.3"), other))
    assert running_ide(host, PurePosixPath("/s/PyCharm2026.1"), other) is None


def test_windows_tells_that_some_pycharm_runs(tmp_path: Path) -> None:
    argv = ["C:\\Windows\\System32\\tasklist.exe", "/FO", "CSV", "/NH"]
    told = '"System","4","Services","0","144 K"\n"pycharm64.exe","4711","Console","1","900.000 K"\n'
    host = recorded(tmp_path, "win32", argv, told, {})
    assert "4711" in str(running_ide(host, PureWindowsPath("C:/s/PyCharm2026.3"), PureWindowsPath("C:/ide")))
    host = recorded(tmp_path, "win32", argv, told.replace("pycharm64", "idea64"), {})
    assert running_ide(host, PureWindowsPath("C:/s/PyCharm2026.3"), PureWindowsPath("C:/ide")) is None
