"""Layouts of the three platforms, all made here, and the libraries' own answers for the running one."""

import json
import subprocess
import sys
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from setup_llm_dev.errors import Refused, UsageError
from setup_llm_dev.host.world import System
from setup_llm_dev.platforms.registry import current_platform, platform_of

ANN = PurePosixPath("/home/ann")
WINDOWS = {"LOCALAPPDATA": "C:\\Users\\ann\\AppData\\Local"}


def test_linux_defaults_and_overrides() -> None:
    layout = platform_of("linux").layout(home=ANN, environment={}, recipe="r", data=None, workspace=None)
    assert layout.data == ANN / ".local/share/setup-llm-dev"
    assert layout.config == ANN / ".config/setup-llm-dev"
    assert layout.workspace == ANN / "llm-dev/r"
    assert layout.hub_cache == ANN / ".cache/huggingface/hub"
    named = {"SETUP_LLM_DEV_HOME": "~/mine", "XDG_CONFIG_HOME": "relative", "HF_HOME": "/big/hf"}
    layout = platform_of("linux").layout(home=ANN, environment=named, recipe="r", workspace=PurePath("/w"))
    assert (layout.data, layout.workspace) == (ANN / "mine", PurePath("/w"))
    assert layout.config == ANN / ".config/setup-llm-dev", "a relative XDG path is to be ignored"
    assert layout.hub_cache == PurePosixPath("/big/hf/hub")
    argument = platform_of("linux").layout(home=ANN, environment=named, recipe="r", data=PurePath("/d"))
    assert argument.data == PurePath("/d")


def test_a_relative_folder_in_a_variable_is_an_error_on_every_platform() -> None:
    homes = {"linux": ANN, "macos": PurePosixPath("/Users/ann"), "windows": PureWindowsPath("C:\\Users\\ann")}
    for name in ("SETUP_LLM_DEV_HOME", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "UV_CACHE_DIR"):
        for system, home in homes.items():
            with pytest.raises(UsageError) as error:
                platform_of(system).layout(home=home, environment={name: "a/b"}, recipe="r")
            assert name in str(error.value)
    relative = {f"XDG_{name}_HOME": "a/b" for name in ("DATA", "CONFIG", "CACHE")}
    layout = platform_of("linux").layout(home=ANN, environment=relative, recipe="r")
    assert layout == platform_of("linux").layout(home=ANN, environment={}, recipe="r")


def test_macos_and_windows_are_laid_out_here_too() -> None:
    mac = platform_of("macos").layout(home=PurePosixPath("/Users/ann"), environment={}, recipe="r")
    assert mac.data == PurePosixPath("/Users/ann/Library/Application Support/setup-llm-dev")
    home = PureWindowsPath("C:\\Users\\ann")
    windows = platform_of("windows").layout(home=home, environment=WINDOWS, recipe="r")
    assert windows.data == PureWindowsPath("C:\\Users\\ann\\AppData\\Local\\setup-llm-dev")
    assert windows.python_in(windows.venv) == home / "llm-dev" / "r" / ".venv" / "Scripts" / "python.exe"
    assert windows.hub_cache == home / ".cache" / "huggingface" / "hub"


@pytest.mark.parametrize("extra", [{}, {"XDG_DATA_HOME": "/x/data", "XDG_CONFIG_HOME": "/x/config"}])
def test_the_running_platform_agrees_with_platformdirs(extra: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import json, platformdirs as p; name = ('setup-llm-dev', False); "
        "print(json.dumps([p.user_data_dir(*name), p.user_config_dir(*name)]))"
    )
    environment = {"HOME": str(tmp_path), **extra}
    layout = current_platform(System()).layout(home=tmp_path, environment=environment, recipe="r")
    assert [str(layout.data), str(layout.config)] == _asked(script, environment)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"XDG_CACHE_HOME": "/x/cache"},
        {"HF_HOME": "~/hf"},
        {"HF_HOME": "/x/hf", "HF_HUB_CACHE": "/x/hub"},
        {"HUGGINGFACE_HUB_CACHE": "/x/old-name"},
    ],
)
def test_the_hub_cache_agrees_with_huggingface_hub(extra: dict[str, str], tmp_path: Path) -> None:
    script = "import json; from huggingface_hub import constants as c; print(json.dumps(c.HF_HUB_CACHE))"
    environment = {"HOME": str(tmp_path), **extra}
    layout = current_platform(System()).layout(home=tmp_path, environment=environment, recipe="r")
    assert str(layout.hub_cache) == _asked(script, environment)


def _asked(script: str, environment: dict[str, str]) -> object:
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def test_unknown_platforms_are_refused() -> None:
    with pytest.raises(Refused):
        platform_of("plan9")
    with pytest.raises(Refused):
        current_platform(System(platform="plan9"))
