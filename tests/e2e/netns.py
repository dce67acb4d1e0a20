"""A world of its own: a network namespace where only some names exist, each at a loopback address with TLS.

`python -m tests.e2e.netns FOLDER -- COMMAND` is what runs in it: it sees FOLDER/hosts as /etc/hosts, no name server, no
route anywhere, and the machine's own files are untouched, since all of that is mounted in a mount namespace that ends
with the command.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent.parent
_MOUNTED = ("hosts", "resolv.conf", "nsswitch.conf")


@cache
def why_not() -> str | None:
    """Why this machine can't make such a world; None where it can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    for program in ("unshare", "mount", "openssl"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"


def addresses(names: Iterable[str]) -> dict[str, str]:
    """A loopback address of its own for each name."""
    return {name: f"127.77.0.{number}" for number, name in enumerate(sorted(set(names)), 1)}


@dataclass(frozen=True)
class Authority:
    """A certificate authority made for one test, and the certificate of all of its hosts."""

    certificate: Path  # what clients trust: SSL_CERT_FILE
    chain: Path  # what servers show
    key: Path


def authority(folder: Path, names: Iterable[str]) -> Authority:
    """Make one in `folder`; keys are of the smallest kind that clients accept."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Authority(folder / "ca.pem", folder / "chain.pem", folder / "key.pem")
    (folder / "names").write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in sorted(set(names))))
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    root, root_key = found.certificate, folder / "ca.key"
    signing = ("-addext", "keyUsage=critical,keyCertSign")
    about = ("-days", "2", "-subj", "/CN=authority of a test")
    _openssl("req", "-x509", *curve, *about, *signing, "-keyout", root_key, "-out", root)
    _openssl("req", *curve, "-subj", "/CN=hosts of a test", "-keyout", found.key, "-out", folder / "request")
    signed = ("-CA", root, "-CAkey", root_key, "-CAcreateserial", "-extfile", folder / "names")
    _openssl("x509", "-req", "-days", "2", "-in", folder / "request", *signed, "-out", found.chain)
    return found


def command(folder: Path, hosts: Mapping[str, str], *words: str | Path) -> list[str]:
    """The argv that runs `words` in a world where just these names exist; `folder` keeps what is mounted there."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in hosts.items())]
    (folder / "hosts").write_text("\n".join(lines) + "\n")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    (folder / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    return [*_unshare(), sys.executable, "-m", "tests.e2e.netns", str(folder), "--", *map(str, words)]


def run(folder: Path, hosts: Mapping[str, str], *words: str | Path, timeout: float = 60.0, **environment: str) -> str:
    """Run to the end, from the root of the checkout; standard output, or a failure with what was said."""
    built = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **environment}
    argv = command(folder, hosts, *words)
    done = subprocess.run(argv, cwd=ROOT, env=built, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Fronts:
    """TLS in front of plain loopback servers, inside such a world: each name's port 443 leads to a local port.

    A name without a port resolves, but nobody listens there: a host that is dead.
    """

    def __init__(self, shown: Authority, ports: Mapping[str, int]) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.chain, shown.key)
        self._listeners = [_Front(socket.gethostbyname(name), port, context) for name, port in ports.items()]

    def __enter__(self) -> Self:
        for listener in self._listeners:
            threading.Thread(target=listener.serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for listener in self._listeners:
            listener.stop()


class _Front:
    def __init__(self, address: str, port: int, context: ssl.SSLContext) -> None:
        self._port, self._context = port, context
        self._socket = socket.create_server((address, 443), backlog=64)

    def serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # a thread waits in accept
        self._socket.close()

    def _carry(self, client: socket.socket) -> None:
        """Bytes in both directions until one side ends; a client that does not trust us ends here."""
        with (
            contextlib.suppress(OSError),
            client,
            self._context.wrap_socket(client, server_side=True) as outer,
            socket.create_connection(("127.0.0.1", self._port)) as inner,
        ):
            back = threading.Thread(target=_pour, args=(inner, outer), daemon=True)
            back.start()
            _pour(outer, inner)
            back.join()


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _unshare() -> list[str]:
    """Whoever is not root becomes root of a user namespace."""
    return ["unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), "--net", "--mount"]


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def _inside(folder: Path, words: list[str]) -> None:
    """Become the command, in the world that `unshare` made for us."""
    for name in _MOUNTED:
        if Path("/etc", name).exists():
            subprocess.run(["mount", "--bind", folder / name, f"/etc/{name}"], check=True)
    _loopback_up()
    os.execvp(words[0], words)  # noqa: S606 - that is what it is for


def _loopback_up() -> None:
    """Without a program: SIOCSIFFLAGS with IFF_UP and IFF_RUNNING."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 0x1 | 0x40))


if __name__ == "__main__":
    _inside(Path(sys.argv[1]), sys.argv[3:])
