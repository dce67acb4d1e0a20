"""Ground to stand on: a real host in a scratch home, small real documents, and the Python that runs the tests."""

import base64
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from packaging.tags import sys_tags

from setup_llm_dev.documents.choices import Build, Choices
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.machine import Interpreter, Machine
from setup_llm_dev.documents.recipe import ModelWish, PackagesWish, Recipe
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.fetch import Fetcher
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.run import Programs
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

from .upstream.exchange import Request, Response
from .upstream.index import Index

SOURCE = Path(__file__).resolve().parent.parent / "installer"
FEATURE = f"{sys.version_info[0]}.{sys.version_info[1]}"
TAG = str(next(sys_tags()))
CANARY = "canarypw8"


def scratch_host(home: Path, environment: Mapping[str, str] | None = None, cancel: Cancel | None = None) -> Host:
    """This machine, but with `home` and nothing of the environment of whoever runs the tests."""
    home.mkdir(parents=True, exist_ok=True)
    built = {
        "PATH": os.defpath,
        "PIP_CONFIG_FILE": os.devnull,
        "UV_CACHE_DIR": str(home / "uv-cache"),
        **(environment or {}),
    }
    token = cancel or Cancel()
    files = Files()
    fetcher = Fetcher(built, token, files)
    return Host(Programs(built, token), files, built, home, token, lambda: fetcher)


def this_interpreter() -> Interpreter:
    version = ".".join(map(str, sys.version_info[:3]))
    return Interpreter(path=sys.executable, version=version, platform=sysconfig.get_platform(), running=True)


def this_machine() -> Machine:
    return Machine(os="linux", arch="x86_64", interpreters=(this_interpreter(),))


def layout_in(home: Path) -> Layout:
    return Layout(
        data=home / "data",
        config=home / "config",
        workspace=home / "work",
        hub_cache=home / "hub" / "hub",
    )


def build_of(version: str, index: str, *, label: str | None = None) -> Build:
    """`build_of("2.13.0+cpu", url)`; an empty label stands for an unlabelled wheel of that variant."""
    release, _, variant = version.partition("+")
    return Build(
        release=release,
        variant=variant,
        label=variant if label is None else label,
        index=index,
        pythons=(FEATURE,),
        why=message("because a test says so"),
    )


def choices_of(*builds: Build) -> Choices:
    return Choices(builds=builds, interpreters=(sys.executable,))


def small_recipe(*requires: str, model: ModelWish | None = None) -> Recipe:
    return Recipe(name="small", packages=PackagesWish(requires=requires), model=model)


class Guard:
    """An answer that wants a user name and a password before it gives what `index` gives."""

    def __init__(self, index: Index, password: str = CANARY) -> None:
        self._index = index
        self._wanted = "Basic " + base64.b64encode(f"user:{password}".encode()).decode()

    def __call__(self, request: Request) -> Response:
        if request.headers.get("authorization") != self._wanted:
            return Response(401, {"WWW-Authenticate": 'Basic realm="wheels"'})
        return self._index._answer(request)


def with_password(url: str, password: str = CANARY) -> str:
    return url.replace("://", f"://user:{password}@")


def tool(*words: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process, in `home`, and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "setup_llm_dev", *words],
        env=tool_environment(home, **environment),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
    )


def tool_environment(home: Path, **environment: str) -> dict[str, str]:
    home.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(home),
        "PATH": os.defpath,
        "PIP_CONFIG_FILE": os.devnull,
        "LANG": "C.UTF-8",
        "SETUP_LLM_DEV_HOME": str(home / "data"),
        **environment,
    }
