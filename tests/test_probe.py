"""The short look at a host that was silent the last time: it is short, whatever the network does."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from setup_llm_dev.documents.lock import Gap
from setup_llm_dev.errors import Interrupted
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.messages import message
from setup_llm_dev.stages.probe import answers
from tests.ground import SOURCE, scratch_host

SILENT_SERVER = "127.0.0.153"
PATIENCE = 25
"""Seconds. The resolver would wait a minute; the look takes half a second, and Python needs a moment to start."""
SCRIPT = """
import sys
from pathlib import Path
from setup_llm_dev.documents.lock import Gap
from setup_llm_dev.host.world import real_host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.probe import answers
print(answers(real_host(), Gap(what="ide", why=message("a test"), url="https://download.example/x")))
"""


def gap(url: str) -> Gap:
    return Gap(what="ide", why=message("a test"), url=url)


def test_a_host_that_takes_connections_answers_and_a_closed_port_does_not(tmp_path: Path) -> None:
    host = scratch_host(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert answers(host, gap(f"http://127.0.0.1:{port}/x"))
        assert not answers(scratch_host(tmp_path, {"https_proxy": "http://h"}), gap(f"http://127.0.0.1:{port}/x"))
    assert not answers(host, gap(f"http://127.0.0.1:{port}/x"))
    assert not answers(host, gap("http:///nothing"))


def test_a_signal_ends_it(tmp_path: Path) -> None:
    cancel = Cancel()
    cancel.set()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, pytest.raises(Interrupted):
        answers(scratch_host(tmp_path, cancel=cancel), gap(f"http://127.0.0.1:{server.getsockname()[1]}/"))


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can set up a name server of its own"
)
def test_a_name_server_that_never_answers_does_not_hold_it_up(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text(f"nameserver {SILENT_SERVER}\noptions timeout:30 attempts:2\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: files dns\n")
    mount = "; ".join(f"mount --bind {tmp_path / name} /etc/{name}" for name in ("resolv.conf", "nsswitch.conf"))
    words = ["unshare", "-m", "sh", "-ec", f'{mount}; exec "$@"', "sh", sys.executable, "-c", SCRIPT]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((SILENT_SERVER, 53))
        environment = {"PATH": os.defpath, "PYTHONPATH": str(SOURCE), "HOME": str(tmp_path)}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        if "unshare" in done.stderr or "mount" in done.stderr:
            pytest.skip("this machine gives nobody a mount namespace of their own")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "False"
        silent.settimeout(1)
        assert b"download" in silent.recv(512), "the name server was really asked"
