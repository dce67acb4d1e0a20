"""uv: what it is given, what it must not be given, and its answers in our words."""

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_llm_dev.documents.pylock import locked_wheels
from setup_llm_dev.errors import SetupError
from setup_llm_dev.host.configuration import Surroundings, read_surroundings
from setup_llm_dev.host.resolver import Unsatisfiable, Uv, find_uv
from setup_llm_dev.stages.project import TorchSource, model_project_text, project_text
from setup_llm_dev.stages.pylock import read_pylock
from tests.ground import CANARY, Guard, build_of, scratch_host, small_recipe, with_password
from tests.test_run import POLLUTED
from tests.upstream.index import Index, simple
from tests.upstream.server import Upstream
from tests.upstream.wheels import build_wheel


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    build_wheel(tmp_path / "w", "tiny", "1.0", requires=["other"])
    build_wheel(tmp_path / "w", "tiny", "2.0a1")
    build_wheel(tmp_path / "w", "other", "3.0")
    with Index(simple(tmp_path / "w")) as running:
        yield running


def uv_in(home: Path, **environment: str) -> Uv:
    host = scratch_host(home / "home", environment)
    return Uv(host, read_surroundings(host, home / "config"))


def resolved(uv: Uv, folder: Path, name: str = "tiny", *, alone: bool = False) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    text = uv.resolve(model_project_text(name, uv.surroundings), Path(sys.executable), folder, "x", alone=alone)
    return {wheel.name: wheel.version for wheel in locked_wheels(text)}


def test_the_uv_that_came_with_us_is_the_one_that_runs() -> None:
    assert find_uv().parent == Path(sys.executable).parent


def test_resolving_alone_leaves_out_what_a_package_depends_on(index: Index, tmp_path: Path) -> None:
    uv = uv_in(tmp_path, PIP_INDEX_URL=index.address())
    assert resolved(uv, tmp_path / "p") == {"tiny": "1.0", "other": "3.0"}
    assert resolved(uv, tmp_path / "p", alone=True) == {"tiny": "1.0"}


def test_a_polluted_environment_changes_nothing(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stray = tmp_path / "stray"
    stray.mkdir()
    (stray / "pyproject.toml").write_text('[tool.uv]\nindex-strategy = "unsafe-best-match"\nprerelease = "allow"\n')
    (stray / "h2.py").write_text("raise SystemExit('stray')\n")
    monkeypatch.chdir(stray)
    polluted = POLLUTED | {"UV_PRERELEASE": "allow", "UV_OFFLINE": "1", "UV_TORCH_BACKEND": "auto", "UV_NO_BINARY": "1"}
    uv = uv_in(tmp_path, **polluted, PIP_INDEX_URL=index.address())
    assert resolved(uv, tmp_path / "p") == {"tiny": "1.0", "other": "3.0"}
    environment = uv.environment()
    assert not set(POLLUTED.values()) & set(environment.values()) - {"C.UTF-8", "1"}
    assert not {"UV_PYTHON", "UV_INDEX_STRATEGY", "UV_PRERELEASE", "UV_OFFLINE", "HF_TOKEN"} & set(environment)


def test_a_settings_file_above_the_data_folder_is_not_read(index: Index, tmp_path: Path) -> None:
    """uv looks for a project in every folder above its own; ours ends that search."""
    (tmp_path / "uv.toml").write_text("nonsense-key = 1\n")
    uv = uv_in(tmp_path, PIP_INDEX_URL=index.address())
    text = uv.resolve(model_project_text("other", uv.surroundings), Path(sys.executable), _made(tmp_path / "p"), "x")
    lock = tmp_path / "pylock.toml"
    lock.write_text(text)
    uv.install_into(lock, tmp_path / "target", Path(sys.executable))
    assert (tmp_path / "target" / "other.py").is_file()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_uvs_own_settings_of_the_user_are_honoured(index: Index, tmp_path: Path) -> None:
    """A default index named to uv itself; pip's is then not taken."""
    uv = uv_in(tmp_path, UV_DEFAULT_INDEX=index.address(), PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert resolved(uv, tmp_path / "p") == {"tiny": "1.0", "other": "3.0"}


def test_pips_certificate_and_proxy_reach_uv_unless_it_has_its_own(tmp_path: Path) -> None:
    pip = {"PIP_CERT": "/c.pem", "PIP_CLIENT_CERT": "/k.pem", "PIP_PROXY": "http://proxy:1"}
    environment = uv_in(tmp_path, **pip).environment()
    assert environment["SSL_CERT_FILE"] == "/c.pem"
    assert environment["SSL_CLIENT_CERT"] == "/k.pem"
    assert environment["HTTPS_PROXY"] == environment["HTTP_PROXY"] == "http://proxy:1"
    pem = tmp_path / "own.pem"
    pem.write_text(_certificate())
    own = uv_in(tmp_path, **pip, SSL_CERT_FILE=str(pem), https_proxy="http://own:1").environment()
    assert (own["SSL_CERT_FILE"], own["https_proxy"]) == (str(pem), "http://own:1")
    assert "HTTPS_PROXY" not in own


def _certificate() -> str:
    """Any certificate that is well formed."""
    authorities = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not authorities:
        pytest.skip("this machine trusts nobody, so there is no certificate to take")
    return ssl.DER_cert_to_PEM_cert(authorities[0])


def test_no_generated_project_lets_two_indexes_compete_for_torch() -> None:
    surroundings = Surroundings(default_index="http://default", extra_indexes=("http://extra",), find_links=("/links",))
    build = build_of("2.13.0+cpu", "http://torch")
    text = project_text(small_recipe("tiny"), build, TorchSource("http://torch"), surroundings, "3.12.1")
    assert "torch==2.13.0+cpu" in text
    assert 'torch = { index = "torch-family" }' in text or '[tool.uv.sources.torch]\nindex = "torch-family"' in text
    assert "explicit = true" in text
    assert "unsafe" not in text
    assert "==3.12.*" in text
    default = project_text(small_recipe(), build, TorchSource("", default=True), surroundings, "3.12.1")
    assert "http://extra" not in default
    assert "/links" not in default


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_password_is_in_no_command_line_and_no_environment_of_uv(index: Index, tmp_path: Path) -> None:
    seen: list[str] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.002):
            pids = subprocess.run(["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True, text=True)
            for pid in pids.stdout.split():
                for name in ("cmdline", "environ"):
                    try:
                        text = Path(f"/proc/{pid}/{name}").read_bytes()
                    except OSError:
                        continue
                    if b"uv" in text:
                        seen.append(name)
                    if CANARY.encode() in text:
                        seen.append("leaked")

    with Upstream(Guard(index)) as guarded:
        uv = uv_in(tmp_path, PIP_INDEX_URL=with_password(f"{guarded.url}/simple"))
        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        for turn in range(5):
            assert resolved(uv, tmp_path / f"p{turn}")
        stop.set()
        thread.join()
    assert "cmdline" in seen
    assert "leaked" not in seen


def test_an_unsatisfiable_wish_is_said_in_one_line(index: Index, tmp_path: Path) -> None:
    uv = uv_in(tmp_path, PIP_INDEX_URL=index.address())
    with pytest.raises(Unsatisfiable) as error:
        resolved(uv, tmp_path / "p", "tiny>5")
    assert "\n" not in str(error.value)
    assert "tiny>5" in str(error.value)
    assert not str(error.value).startswith("error")


def test_a_refused_password_is_4_or_3_but_never_shown(index: Index, tmp_path: Path) -> None:
    with Upstream(Guard(index, "another")) as guarded:
        uv = uv_in(tmp_path, PIP_INDEX_URL=with_password(f"{guarded.url}/simple"), UV_HTTP_RETRIES="0")
        with pytest.raises(SetupError) as error:
            resolved(uv, tmp_path / "p")
    assert error.value.exit_code in (3, 4)
    assert CANARY not in f"{error.value} {error.value.hint}"


def test_sizes_come_from_the_disk_or_by_asking(index: Index, tmp_path: Path) -> None:
    (wheel,) = (tmp_path / "w").glob("other-*.whl")
    for url in (wheel.as_uri(), f"{index.address()}{wheel.name}"):
        text = (
            'lock-version = "1.0"\ncreated-by = "t"\n[[packages]]\nname = "other"\nversion = "3.0"\n'
            f'wheels = [{{ url = "{url}", hashes = {{ sha256 = "{"0" * 64}" }} }}]\n'
        )
        facts = read_pylock(text, scratch_host(tmp_path / "home"))
        assert facts.download_bytes == wheel.stat().st_size
        assert facts.unpacked_bytes is not None
        assert facts.count == 1
