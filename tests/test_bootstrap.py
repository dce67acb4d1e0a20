"""bootstrap.sh as people run it: real shells, a loopback package index with the real uv and our own wheel, bare PATHs.

bootstrap.ps1 needs Windows, which the tests don't have: its constants and its grammar are checked, nothing more.
"""

import argparse
import hashlib
import importlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from setup_llm_dev.__about__ import __version__
from setup_llm_dev.cli.parser import full_parser
from setup_llm_dev.documents.manifests import manifests_folder
from tests.e2e.machine import CLOSED, surroundings
from tests.oracle import changes, manifest
from tests.upstream.acts import Act
from tests.upstream.index import Index, simple

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "installer" / "bootstrap.sh"
WINDOWS = ROOT / "installer" / "bootstrap.ps1"
TEXT = SCRIPT.read_text(encoding="utf-8")
RELEASED = TEXT.replace("\nPUBLISHED=''\n", "\nPUBLISHED=1\n")
"""The script as it is from the first published version on: until then it asks no index for us by our name."""
MACHINE = {"x86_64": "X86_64", "aarch64": "AARCH64"}.get(platform.machine(), "")
NEEDED = ("cat", "chmod", "head", "id", "ls", "mkdir", "mktemp", "rm", "sed", "sha256sum", "tee", "tr", "uname")
"""The programs of a system with nothing on it; the shells are named by their paths."""
SHELLS = {"dash": ("dash",), "bash": ("bash", "--posix"), "busybox": ("busybox", "sh")}
PASSWORD = "canarypw9"
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)
"""Not a wrapper script that some tool put into PATH."""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not MACHINE, reason="the script is run on Linux, x86-64 and ARM, alone"
)


def constant(name: str) -> str:
    found = re.search(rf"^{name}=(?:'([^']*)'|(\S+))$", TEXT, re.MULTILINE)
    assert found, name
    return found[1] or found[2] or ""


UV = constant("UV_VERSION")
WHEEL_TAG, WHEEL_SHA256 = constant(f"UV_LINUX_{MACHINE}").split() if MACHINE else ("", "")
WHEEL = f"uv-{UV}-py3-none-{WHEEL_TAG}.whl"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Ground:
    """`wheels`: uv, our own wheel built from here, and all that it needs; `index` serves them."""

    wheels: Path
    index: Index
    cache: Path


@dataclass
class Bare:
    """A user with an empty home and a PATH of few programs."""

    root: Path
    ground: Ground
    shell: tuple[str, ...] = ("dash",)
    file: Path | None = None

    def __post_init__(self) -> None:
        for name in ("home", "tmp", "bin"):
            (self.root / name).mkdir(parents=True)
        self.have(*NEEDED, "curl", "unzip", "dash")
        (self.bin / "python3.11").symlink_to(BASE_PYTHON)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def program(self) -> Path:
        return self.home / ".local" / "bin" / "setup-llm-dev"

    def have(self, *names: str) -> None:
        for name in names:
            found = BASE_PYTHON if name == "python3" else shutil.which(name)
            if found is None:
                pytest.skip(f"there is no {name} on this machine")
            (self.bin / name).symlink_to(found)

    def lose(self, *names: str) -> None:
        for name in names:
            (self.bin / name).unlink()

    def write(self, name: str, text: str) -> None:
        """A program of the test's own in PATH."""
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(text, encoding="utf-8")
        (self.bin / name).chmod(0o755)

    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": str(self.bin),
            "TMPDIR": str(self.root / "tmp"),
            "UV_CACHE_DIR": str(self.ground.cache),
            "UV_PYTHON_DOWNLOADS": "never",
            "PIP_CONFIG_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
            "UV_DEFAULT_INDEX": self.ground.index.address("/simple"),
        }

    def run(self, *words: str | Path, script: str = RELEASED, without: tuple[str, ...] = (), **extra: str) -> Ended:
        """The script through a pipe, as `curl … | sh -s -- WORDS` does it, or as the `file`."""
        environment = {k: v for k, v in (self.environment() | extra).items() if k not in without}
        shell = [shutil.which(self.shell[0]) or self.shell[0], *self.shell[1:]]
        called = ["-s", "--"] if self.file is None else [str(self.file)]
        done = subprocess.run(
            [*shell, *called, *map(str, words)], input=script.encode(), env=environment, cwd=self.root,
            capture_output=True, timeout=300, start_new_session=True,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def untouched(self) -> None:
        assert manifest(self.home) == {}
        assert list((self.root / "tmp").iterdir()) == []


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    wheels = tmp_path_factory.mktemp("index")
    pip: list[str | Path] = [sys.executable, "-m", "pip"]
    chosen = ["--only-binary=:all:", "--platform", WHEEL_TAG.split(".")[0], f"uv=={UV}"]
    ours: list[str | Path] = ["wheel", "-q", "-w", wheels, ROOT]
    for words in (ours, ["download", "-q", "--no-deps", "-d", wheels, *chosen]):
        done = subprocess.run([*pip, *words], env={**os.environ, **surroundings()}, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no package index can be reached from here: {done.stderr.strip()[-200:]}")
    with Index(simple(wheels)) as index:
        yield Ground(wheels, index, tmp_path_factory.mktemp("uv-cache"))


@pytest.fixture
def bare(ground: Ground, tmp_path: Path) -> Iterator[Bare]:
    yield Bare(tmp_path / "machine", ground)
    ground.index.heal()


def asked(bare: Bare) -> list[str]:
    return [exchange.path for exchange in bare.ground.index.log]


# what it installs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shell", "fetcher", "zip_reader"), [
    ("dash", "curl", "unzip"), ("bash", "wget", "python3"), ("busybox", "busybox", "busybox"),
])  # fmt: skip
def test_from_nothing_to_the_program(bare: Bare, shell: str, fetcher: str, zip_reader: str) -> None:
    """And nothing else: no profile, no cache of ours, no temporary file; the second time nothing is fetched."""
    bare.shell = SHELLS[shell]
    bare.lose("curl", "unzip")
    if "busybox" in (fetcher, zip_reader):
        bare.have("busybox")
        bare.write("wget", f'#!{shutil.which("dash")}\nexec busybox wget "$@"\n')
    else:
        bare.have(fetcher, zip_reader)
    done = bare.run("--version")
    assert done.code == 0, done.err
    assert done.out == f"setup-llm-dev {__version__}\n"
    assert {path.name for path in bare.home.iterdir()} == {".local"}
    assert [path.name for path in bare.program.parent.iterdir()] == ["setup-llm-dev"]
    assert {path.name for path in (bare.home / ".local" / "share").iterdir()} == {"uv"}
    assert list((bare.root / "tmp").iterdir()) == []
    requests = len(asked(bare))
    again = bare.run("recipes", "list")
    assert again.code == 0, again.err
    assert "text-classification" in again.out
    assert len(asked(bare)) == requests


def test_its_words_and_its_exit_code_are_those_of_the_program(bare: Bare) -> None:
    assert bare.run("--no-run").out == ""
    done = bare.run("aply")
    assert done.code == 2
    assert "apply" in done.err


def test_a_dry_run_touches_nothing_and_asks_nobody(bare: Bare) -> None:
    requests = len(asked(bare))
    done = bare.run("--dry-run", "plan", "--pin")
    assert done.code == 0
    assert "setup-llm-dev plan --pin" in done.err
    assert WHEEL_SHA256 in done.err
    assert bare.ground.index.address("/simple").rstrip("/") in done.err
    bare.untouched()
    assert len(asked(bare)) == requests


def test_a_wheel_or_a_checkout_by_its_path(bare: Bare) -> None:
    wheel = next(bare.ground.wheels.glob("setup_llm_dev-*.whl"))
    done = bare.run("--from", wheel, "--version")
    assert (done.code, done.out) == (0, f"setup-llm-dev {__version__}\n"), done.err


def test_a_hash_of_the_program_that_somebody_named_is_checked(bare: Bare) -> None:
    wheel = next(bare.ground.wheels.glob("setup_llm_dev-*.whl"))
    wrong = bare.run("--no-run", SETUP_LLM_DEV_SHA256="0" * 64)
    assert wrong.code == 5
    bare.untouched()
    right = bare.run("--no-run", SETUP_LLM_DEV_SHA256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert right.code == 0, right.err


def test_the_users_own_uv_is_used(bare: Bare) -> None:
    import uv

    (bare.bin / "uv").symlink_to(uv.find_uv_bin())
    requests = asked(bare)
    assert bare.run("--no-run").code == 0
    assert f"/simple/{WHEEL}" not in asked(bare)[len(requests) :]


def test_a_foreign_program_of_that_name_stays(bare: Bare) -> None:
    bare.program.parent.mkdir(parents=True)
    bare.program.write_text("#!/bin/sh\necho mine\n")
    before = manifest(bare.program.parent)
    assert bare.run("--no-run").code == 3
    assert changes(before, manifest(bare.program.parent)) == []


def test_uninstall_takes_the_program_too(bare: Bare) -> None:
    (bare.home / "mine.txt").write_text("mine")
    assert bare.run("--no-run").code == 0
    assert bare.run("--uninstall", "--dry-run").code == 0
    assert bare.program.exists()
    done = bare.run("--uninstall", "-y")
    assert done.code == 0, done.err
    assert "uv tool uninstall" not in done.out, "the script does that itself"
    assert done.err.count("you are root") <= 1
    left = {path for path, entry in manifest(bare.home).items() if entry.kind != "folder"}
    assert "mine.txt" in left
    assert not [path for path in left if "setup-llm-dev" in path]
    assert bare.run("--uninstall").code == 0


def test_uninstall_without_a_yes_leaves_the_program(bare: Bare) -> None:
    """Something is set up, and nobody can be asked."""
    assert bare.run("--no-run").code == 0
    lock = bare.home / ".local" / "share" / "setup-llm-dev" / "locks" / "pylock.0123456789ab.toml"
    lock.parent.mkdir(parents=True)
    lock.write_text("")
    assert bare.run("--uninstall").code == 3
    assert bare.program.exists()
    assert lock.exists()


# what can go wrong ----------------------------------------------------------------------------------------------------


def test_other_bytes_than_those_of_the_script_are_thrown_away(bare: Bare, tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    data = bytearray((bare.ground.wheels / WHEEL).read_bytes())
    data[len(data) // 2] ^= 1
    (evil / WHEEL).write_bytes(data)
    with Index(simple(evil)) as index:
        done = bare.run(UV_DEFAULT_INDEX=index.address("/simple"))
    assert done.code == 5, done.err
    assert WHEEL_SHA256 in done.err
    bare.untouched()


def test_an_index_that_can_not_be_reached(bare: Bare) -> None:
    for fetcher in ("curl", "wget"):
        if fetcher == "wget":
            bare.lose("curl")
            bare.have("wget")
        done = bare.run(UV_DEFAULT_INDEX=f"{CLOSED}/simple")
        assert done.code == 4, done.err
        assert f"{CLOSED}/simple" in done.err
        assert "UV_DEFAULT_INDEX" in done.err
        bare.untouched()


def elsewhere(public: str, *mirrors: str) -> str:
    """The script with other addresses, as if the hosts of this test were the public ones."""
    text = re.sub(r"^PUBLIC_INDEX=.*$", f"PUBLIC_INDEX='{public}'", RELEASED, flags=re.MULTILINE)
    text = re.sub(r"^INDEX_MIRRORS='[^']*'$", f"INDEX_MIRRORS='{' '.join(mirrors)}'", text, flags=re.MULTILINE)
    return re.sub(r"^PATIENCE=5\b", "PATIENCE=1", text, flags=re.MULTILINE)


def test_mirrors_are_asked_where_the_public_index_is_silent_and_one_that_lies_is_passed_by(
    bare: Bare, tmp_path: Path
) -> None:
    lies = tmp_path / "lies"
    lies.mkdir()
    (lies / WHEEL).write_bytes((bare.ground.wheels / WHEEL).read_bytes()[:-1] + b"x")
    with Index(simple(lies)) as silent, Index(simple(lies)) as liar:
        silent.fault("*", Act(stall_after=0), times=None)
        urls = [f"{index.url}/simple" for index in (silent, liar, bare.ground.index)]
        done = bare.run("--version", script=elsewhere(*urls), without=("UV_DEFAULT_INDEX",))
        assert done.code == 0, done.err
        assert f"{urls[0]} does not answer" in done.err
        assert "thrown away" in done.err
        assert f"fetching {urls[2]}/{WHEEL}" in done.err
        none = bare.run(script=elsewhere(*urls), without=("UV_DEFAULT_INDEX",), SETUP_LLM_DEV_MIRRORS_PRESET="none",
                        HOME=str(bare.root))  # fmt: skip
        assert none.code == 4


def test_cut_short_anywhere_it_does_nothing(bare: Bare) -> None:
    """Every sixteenth, the end of every line, and every byte of the last two lines."""
    requests = len(asked(bare))
    data = RELEASED.encode()
    cuts = {len(data) * part // 16 for part in range(16)} | {m.end() for m in re.finditer(rb"\n", data)}
    cuts |= set(range(len(data) - 40, len(data) - 2))
    for shell in SHELLS.values():
        if shutil.which(shell[0]) is None:
            continue
        bare.shell = shell
        chosen = sorted(cut for cut in cuts if cut < len(data) - 1)
        for cut in chosen if shell[0] == "dash" else chosen[-45:]:
            done = bare.run("--no-run", script=data[:cut].decode("utf-8", "ignore"))
            assert "installing" not in done.err, cut
    bare.untouched()
    assert len(asked(bare)) == requests


@pytest.mark.parametrize(("lost", "named"), [(("curl",), "curl"), (("unzip",), "unzip"), (("sha256sum",), "sha256sum")])
def test_a_missing_program_is_named_before_anything_is_fetched(bare: Bare, lost: tuple[str], named: str) -> None:
    bare.lose(*lost)
    bare.write("apt-get", "#!/bin/false\n")
    requests = len(asked(bare))
    done = bare.run()
    assert done.code == 6
    assert f"apt-get install {named}" in done.err
    assert len(asked(bare)) == requests
    bare.untouched()


def test_without_any_python_uv_asks_the_named_mirror_for_one(bare: Bare) -> None:
    bare.lose("python3.11")
    done = bare.run(
        UV_PYTHON_DOWNLOADS="automatic", UV_PYTHON_INSTALL_MIRROR=f"{CLOSED}/pythons", UV_PYTHON_INSTALL_DIR=str(
            bare.root / "pythons"), UV_HTTP_RETRIES="0",
    )  # fmt: skip
    assert done.code == 4, done.err
    assert f"{CLOSED}/pythons" in done.err
    assert not bare.program.exists()


def test_without_python_in_path_one_of_uvs_own_serves(bare: Bare) -> None:
    """A Python that uv fetched earlier: its folder is found by its name."""
    bare.lose("python3.11")
    version = ".".join(map(str, sys.version_info[:3]))
    pythons = bare.root / "pythons"
    libc = "gnu" if platform.libc_ver()[0] == "glibc" else "musl"
    one = pythons / f"cpython-{version}-linux-{platform.machine()}-{libc}"
    (one / "bin").mkdir(parents=True)
    (one / "bin" / f"python3.{sys.version_info[1]}").symlink_to(BASE_PYTHON)
    done = bare.run("--version", UV_PYTHON_INSTALL_DIR=str(pythons))
    assert done.code == 0, done.err


@pytest.mark.parametrize(("words", "variables", "code"), [
    (("--from",), {}, 2), (("--from", "/no/such/thing"), {}, 2), ((), {"HOME": ""}, 3), ((), {"HOME": "here"}, 3),
])  # fmt: skip
def test_wrong_use_is_said_and_nothing_is_touched(
    bare: Bare, words: tuple[str, ...], variables: Mapping[str, str], code: int
) -> None:
    done = bare.run(*words, script=TEXT, without=(), **variables)
    assert done.code == code
    assert done.err.splitlines()[-1].startswith("error: ")
    bare.untouched()


@pytest.mark.parametrize(("words", "told"), [
    (("--form", "."), "unknown option: --form"),
    (("--unistall",), "unknown option: --unistall"),
    (("--dryrun", "plan"), "unknown option: --dryrun"),
    (("aply", "--dry-run"), "--dry-run is an option of this script"),
    (("--home", "/x", "--from", "."), "--from is an option of this script"),
    (("--from=", "x"), "there is no x"),
    (("--from", "elsewhere"), "elsewhere is neither a checkout"),
    (("--from", "other-1.0-py3-none-any.whl"), "is neither a checkout"),
    ((), "no version of setup-llm-dev has been published yet"),
    (("plan",), "--from FOLDER"),
    (("--dry-run",), "no version of setup-llm-dev has been published yet"),
])  # fmt: skip
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_slip_of_the_pen_is_2_before_anybody_is_asked(
    bare: Bare, words: tuple[str, ...], told: str, shell: str
) -> None:
    bare.shell = SHELLS[shell]
    (bare.root / "elsewhere").mkdir()
    (bare.root / "other-1.0-py3-none-any.whl").touch()
    requests = len(asked(bare))
    done = bare.run(*words, script=TEXT)
    assert done.code == 2
    assert told in done.err
    assert len(asked(bare)) == requests
    bare.untouched()


@pytest.mark.parametrize(
    "words", [("--yes",), ("-q", "apply"), ("--torch=cpu", "plan"), ("--", "--dry-run"), ("plan", "-h")]
)
def test_what_is_for_the_program_goes_to_it(bare: Bare, words: tuple[str, ...]) -> None:
    done = bare.run("--dry-run", *words)
    assert done.code == 0, done.err
    assert f"setup-llm-dev {' '.join(word for word in words if word != '--')}" in done.err


def test_the_options_of_the_program_are_those_that_it_has() -> None:
    known = {name for command in ("apply", "plan") for action in _options_of(command) for name in action.option_strings}
    assert set(constant("ITS_OPTIONS").split()) == known - {"-h", "--help"} - {"--pin"}


def _options_of(command: str) -> list[argparse.Action]:
    commands = next(a for a in full_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return list(commands.choices[command]._actions)


def test_a_script_that_lies_in_a_checkout_installs_from_it(bare: Bare, tmp_path: Path) -> None:
    checkout = tmp_path / "a checkout"
    (checkout / "installer").mkdir(parents=True)
    (checkout / "pyproject.toml").write_text('[project]\nname = "setup-llm-dev"\n')
    script = checkout / "installer" / "bootstrap.sh"
    script.write_text(TEXT)
    bare.file = script
    for shell in ("dash", "bash", "busybox"):
        if shutil.which(shell):
            bare.shell = SHELLS[shell]
            done = bare.run("--dry-run")
            assert done.code == 0, done.err
            assert f"installing {checkout} for" in done.err
    (checkout / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert bare.run("--dry-run").code == 2


def test_a_wheel_whose_hash_somebody_named_may_come_from_their_index(bare: Bare) -> None:
    wheel = next(bare.ground.wheels.glob("setup_llm_dev-*.whl"))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    done = bare.run("--no-run", script=TEXT, SETUP_LLM_DEV_SHA256=digest)
    assert done.code == 0, done.err


def test_an_empty_path_is_told_in_one_sentence(bare: Bare) -> None:
    done = bare.run("--dry-run", PATH=str(bare.home))
    assert done.code == 6
    assert done.err.startswith("error: not found in PATH")
    assert "sed" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(("system", "machine", "wheel"), [
    ("Darwin", "arm64", "macosx_11_0_arm64"), ("Darwin", "x86_64", "macosx_10_12_x86_64"),
    ("Linux", "aarch64", "aarch64"), ("Linux", "mips", None), ("FreeBSD", "amd64", None),
])  # fmt: skip
def test_the_right_build_for_each_machine(bare: Bare, system: str, machine: str, wheel: str | None) -> None:
    bare.write("uname", f"#!{shutil.which('dash')}\ncase $1 in -s) echo {system};; *) echo {machine};; esac\n")
    done = bare.run("--dry-run")
    assert done.code == (0 if wheel else 3)
    assert (wheel or f"{system} on {machine}") in done.err


# settings -------------------------------------------------------------------------------------------------------------


def test_the_index_is_the_one_that_somebody_wrote_down(bare: Bare) -> None:
    """In the order in which setup-llm-dev itself takes them: each next one is passed by those before it."""
    pip = bare.home / ".config" / "pip" / "pip.conf"
    own = bare.home / ".config" / "setup-llm-dev" / "config.toml"
    for place in (pip, own):
        place.parent.mkdir(parents=True)
    steps: list[Callable[[], object]] = [
        lambda: pip.write_text("[list]\nindex-url = https://no\n[global]\ntimeout = 9\nindex-url = https://a/simple\n"),
        lambda: {"PIP_INDEX_URL": "https://b/simple"},
        lambda: {"UV_DEFAULT_INDEX": "corp=https://user:secret@c/simple/"},
        lambda: own.write_text('[mirrors]\nhub = "x"\npypi = "https://d/simple"\n'),
        lambda: {"SETUP_LLM_DEV_MIRRORS_PYPI": "https://e/simple"},
    ]
    variables: dict[str, str] = {}
    for step, name in zip(steps, "abcde", strict=True):
        answer = step()
        variables |= answer if isinstance(answer, dict) else {}
        unset = {"UV_DEFAULT_INDEX", "PIP_CONFIG_FILE"} - variables.keys()
        done = bare.run("--dry-run", without=tuple(unset), **variables)
        assert re.search(r"from: +https://(\S+)", done.err)[1] == f"{name}/simple", name  # type: ignore[index]
        assert "secret" not in done.err


def test_a_password_is_not_in_the_arguments_of_any_program(bare: Bare) -> None:
    curl = shutil.which("curl")
    bare.write("curl", f'#!{shutil.which("dash")}\nprintf "%s\\n" "$@" >>{bare.root}/argv\nexec {curl} "$@"\n')
    url = bare.ground.index.address("/simple").replace("://", f"://user:{PASSWORD}@")
    done = bare.run("--no-run", UV_DEFAULT_INDEX=url)
    assert done.code == 0, done.err
    assert PASSWORD not in (bare.root / "argv").read_text()
    assert PASSWORD not in done.err
    sent = [exchange.request.headers.get("authorization", "") for exchange in bare.ground.index.log]
    assert any(word.startswith("Basic") for word in sent), "the files of that index were asked with it"


def test_in_chinese_where_the_language_is(bare: Bare) -> None:
    done = bare.run("--dry-run", LANG="zh_CN.UTF-8")
    assert "只为当前用户安装" in done.err
    assert bare.run("--help", LANG="zh_CN.UTF-8").err.startswith("用法")


# the scripts themselves -----------------------------------------------------------------------------------------------


def test_the_version_and_the_mirrors_are_those_of_the_rest() -> None:
    assert constant("VERSION") == __version__
    mirrors = tomllib.loads((manifests_folder() / "catalog" / "mirrors.toml").read_text(encoding="utf-8"))["kinds"]
    for name, kind in (("INDEX_MIRRORS", "pypi"), ("PYTHON_MIRRORS", "python")):
        assert constant(name).split() == [mirror["url"] for mirror in mirrors[kind]["mirrors"]]


def test_the_hash_is_that_of_the_real_file(ground: Ground) -> None:
    assert hashlib.sha256((ground.wheels / WHEEL).read_bytes()).hexdigest() == WHEEL_SHA256


def test_shellcheck_has_nothing_to_say() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", "-s", "sh", SCRIPT], capture_output=True, text=True)
    assert done.stdout == ""


def test_the_script_for_windows_names_the_same_things() -> None:
    text = WINDOWS.read_text(encoding="ascii")
    for name in ("VERSION", "UV_VERSION"):
        assert f"'{constant(name)}'" in text
    named = re.search(r"\$Script:ItsOptions = @\(([^)]*)\)", text)
    assert named and re.findall(r"'([^']+)'", named[1]) == constant("ITS_OPTIONS").split()
    assert f"$Script:Published = {'$true' if constant('PUBLISHED') else '$false'}" in text
    for mirror in (constant("INDEX_MIRRORS") + " " + constant("PYTHON_MIRRORS")).split():
        assert f"'{mirror}'" in text


def test_the_script_for_windows_is_well_formed() -> None:
    if importlib.util.find_spec("tree_sitter_powershell") is None:
        pytest.skip("the grammar of PowerShell (tree-sitter-powershell) is not installed")
    tree_sitter = importlib.import_module("tree_sitter")
    grammar = importlib.import_module("tree_sitter_powershell")
    tree = tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(WINDOWS.read_bytes())
    assert not tree.root_node.has_error
