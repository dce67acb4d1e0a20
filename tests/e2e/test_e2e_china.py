"""Behind the firewall: a namespace where only mirrors in China answer, each under its real name and with TLS."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import netns
from tests.e2e.china import NAMES

pytestmark = pytest.mark.skipif(netns.why_not() is not None, reason=str(netns.why_not()))


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> netns.Authority:
    return netns.authority(tmp_path_factory.mktemp("trust"), NAMES)


def state() -> tuple[str, list[str]]:
    """What must be the same afterwards: the machine's files, and what is mounted on them."""
    files = b"".join(Path("/etc", name).read_bytes() for name in ("hosts", "resolv.conf", "nsswitch.conf"))
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return hashlib.sha256(files).hexdigest(), [line for line in mounts if line.split()[4].startswith("/etc")]


def test_nothing_of_the_world_inside_is_seen_outside(tmp_path: Path) -> None:
    before = state()
    seen = netns.run(tmp_path, {"mirror.example": "127.77.0.1"}, "cat", "/etc/hosts", "/proc/self/mountinfo")
    assert "127.77.0.1 mirror.example" in seen
    assert " /etc/hosts " in seen
    assert state() == before
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_the_outside_does_not_exist_in_there(tmp_path: Path) -> None:
    script = (
        "import socket\n"
        "for name in ('download.pytorch.org', 'mirror.example'):\n"
        "    try: print(name, socket.gethostbyname(name))\n"
        "    except OSError as error: print(name, type(error).__name__)\n"
        "try: socket.create_connection(('192.0.2.1', 443), 5)\n"
        "except OSError as error: print(error.strerror)\n"
    )
    seen = netns.run(tmp_path, {"mirror.example": "127.77.0.1"}, sys.executable, "-c", script)
    assert seen.splitlines() == [
        "download.pytorch.org gaierror",
        "mirror.example 127.77.0.1",
        "Network is unreachable",
    ]


SERVE = """
import sys, subprocess
from pathlib import Path
from setup_llm_dev.host.world import real_host
from tests.e2e.netns import Authority, Fronts
from tests.upstream.server import Upstream, files
folder = Path(sys.argv[1])
shown = Authority(folder / "ca.pem", folder / "chain.pem", folder / "key.pem")
with Upstream(files({"/hello": b"from a mirror"})) as server, Fronts(shown, {"mirrors.aliyun.com": server.port}):
    url = "https://mirrors.aliyun.com/hello"
    print(real_host().fetcher().get(url).body.decode())
    for words in (["--cacert", str(shown.certificate), url], [url], ["https://modelscope.cn/"]):
        done = subprocess.run(["/usr/bin/env", "-i", "curl", "-sS", "--max-time", "10", *words], capture_output=True)
        print(done.returncode, done.stdout.decode())
"""


def test_a_mirror_answers_there_under_its_real_name_with_tls(tmp_path: Path, trust: netns.Authority) -> None:
    """The tool's own client, and curl with and without the authority (60: not trusted); a dead host refuses (7)."""
    folder = trust.certificate.parent
    seen = netns.run(
        tmp_path, netns.addresses(NAMES), sys.executable, "-c", SERVE, folder, SSL_CERT_FILE=str(trust.certificate)
    )
    assert seen.splitlines() == ["from a mirror", "0 from a mirror", "60 ", "7 "]


def test_the_catalogues_mirrors_are_chosen_as_they_behave(tmp_path: Path, trust: netns.Authority) -> None:
    """Dead: TUNA, and all makers. Sends back: Nanjing. Breaks off: Aliyun's wheels. The others are faithful."""
    seen = netns.run(
        tmp_path / "etc", netns.addresses(NAMES), sys.executable, "-m", "tests.e2e.china", trust.certificate.parent,
        SSL_CERT_FILE=str(trust.certificate), HOME=str(tmp_path), UV_CACHE_DIR=str(tmp_path / "uv"),
    )  # fmt: skip
    found = json.loads(seen)
    assert found["pypi"] == "https://mirrors.aliyun.com/pypi/simple"
    assert found["torch"] == ["https://mirror.sjtu.edu.cn/pytorch-wheels", False]
    assert found["hub"] == "https://hf-mirror.com"
    assert found["jetbrains"] == "https://download.jetbrains.com.cn"
    assert found["spares"] == []
    turns = [sentence for sentence in found["said"] if not sentence.startswith("asking ")]
    assert len(turns) == 5, "each turn, and whose word the packages are"


def test_an_end_inside_ends_what_is_outside(tmp_path: Path) -> None:
    argv = netns.command(tmp_path, {}, "sh", "-c", "exit 37")
    assert subprocess.run(argv, cwd=netns.ROOT, capture_output=True).returncode == 37
