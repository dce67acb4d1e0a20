"""nginx as a normal process with a configuration of its own: a server that is no client's bottleneck."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_PACING_RATE = 47  # SO_MAX_PACING_RATE of asm-generic/socket.h; what is accepted inherits it
_CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid "{folder}/pid";
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    client_body_temp_path "{folder}/body";
    proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi";
    uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";
    server {{ listen {address}:{port}; root "{files}"; }}
}}
"""


def program() -> str | None:
    """Where nginx is; administrators' folders are not on everybody's PATH."""
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin")))


class Nginx:
    """Serves the folder `files` from `with` to its end; `folder` is for its own files.

    rate: bytes a second of each connection, held by the kernel (nginx's own limit is one of each request, and lets
    the first second pass: whoever asks for small ranges never meets it).
    """

    def __init__(self, folder: Path, files: Path, *, address: str = "127.0.0.1", rate: int | None = None) -> None:
        self._folder = folder
        self._files = files
        self._address = address
        self._socket = socket.create_server((address, 0), backlog=128)
        self.url = f"http://{address}:{self._socket.getsockname()[1]}"
        if rate is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, _PACING_RATE, rate)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        configuration = self._folder / "nginx.conf"
        text = _CONFIGURATION.format(
            user="user root root;" if os.geteuid() == 0 else "",  # else nobody's, who can't look into our folders
            folder=self._folder,
            address=self._address,
            port=self._socket.getsockname()[1],
            files=self._files,
        )
        configuration.write_text(text)
        descriptor = self._socket.fileno()
        self._process = subprocess.Popen(
            [program() or "nginx", "-e", "stderr", "-p", str(self._folder), "-c", str(configuration)],
            pass_fds=[descriptor],
            env={"PATH": os.defpath, "NGINX": f"{descriptor};"},  # it takes over sockets that are named there
            stderr=(self._folder / "errors").open("wb"),
        )
        time.sleep(0.3)  # whoever comes earlier waits in the socket's queue
        if self._process.poll() is not None:
            raise RuntimeError(f"nginx ended: {(self._folder / 'errors').read_text()[-2000:]}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)
        self._socket.close()
