"""A PyCharm-like tar.gz: the layout, the names and the documents of the real one, in bytes that never change.

>>> archive = pycharm_archive("2026.3.1", "263.8665.41")
>>> archive == pycharm_archive("2026.3.1", "263.8665.41")
True
"""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_STUB = "plugins/python/helpers/typeshed/stubs/package-{number:03}/package_{number:03}/deeply/nested/{name}.pyi"
_LONG = "a_module_whose_name_is_so_long_that_the_path_does_not_fit_into_the_hundred_bytes_of_an_old_header"
_JAR = 4 << 20
_PIECE = 1 << 18

# Says what it was started with, in the file that PYCHARM_WITNESS names: arguments, a line of dashes, environment.
LAUNCHER = b"""#!/bin/sh
witness="${PYCHARM_WITNESS:-}"
if [ -n "$witness" ]; then
    { printf '%s\\n' "$0" "$@" ---; env; } > "$witness.part" && mv "$witness.part" "$witness"
fi
[ -z "${PYCHARM_LINGER:-}" ] || exec sleep "$PYCHARM_LINGER"
exit 0
"""
VMOPTIONS = b"-Xms256m\n-Xmx2048m\n-XX:ReservedCodeCacheSize=512m\n-XX:+UseG1GC\n-ea\n-Dsun.io.useCanonCaches=false\n"
PROPERTIES = b"# idea.config.path=${user.home}/.PyCharm/config\nidea.max.intellisense.filesize=2500\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64"/></svg>\n'
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fccfc0500f00048501"
    "80a9b18df80000000049454e44ae426082"
)


def pycharm_archive(version: str, build: str, **options: Any) -> bytes:
    """The archive as bytes; see `write_archive` for the options."""
    stream = io.BytesIO()
    write_archive(stream, version, build, **options)
    return stream.getvalue()


def write_archive(
    stream: IO[bytes],
    version: str,
    build: str,
    *,
    root: str | None = None,
    arches: tuple[str, ...] = ("amd64", "aarch64"),
    launcher: bytes = LAUNCHER,
    bulk: int = 0,
    stubs: int = 12,
    level: int = 1,
    without: tuple[str, ...] = (),
    **info: Any,
) -> None:
    """Write a tar.gz to `stream`, in constant memory.

    root: the one folder at the top (`pycharm-VERSION`). arches: of the entries of `launch`. launcher: the bytes of
    bin/pycharm, such as a real program's where a test looks for the process. bulk: bytes of jars, of which a half
    can be compressed. stubs: how many small files. level: gzip's. without: paths left out. Whatever else is named
    goes into product-info.json (`productCode="PC"`).
    """
    top = root or f"pycharm-{version}"
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=level, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 20) as tar,
    ):
        document = product_info(version, build, arches=arches, **info)
        folders = {top}
        tar.addfile(_member(top, tarfile.DIRTYPE, 0o755))
        for path, content, mode in _files(build, document, launcher, stubs):
            if path not in without:
                _add_folders(tar, folders, f"{top}/{path}")
                _add(tar, f"{top}/{path}", content, mode)
        _add_jars(tar, folders, top, bulk)


def product_info(
    version: str, build: str, *, arches: tuple[str, ...] = ("amd64", "aarch64"), **changed: Any
) -> dict[str, Any]:
    """The plain value of product-info.json."""
    line = ".".join(version.split(".")[:2])
    return {
        "name": "PyCharm",
        "version": version,
        "buildNumber": build,
        "productCode": "PY",
        "envVarBaseName": "PYCHARM",
        "dataDirectoryName": f"PyCharm{line}",
        "svgIconPath": "bin/pycharm.svg",
        "productVendor": "JetBrains",
        "launch": [_launch(arch) for arch in arches],
        "bundledPlugins": ["com.intellij", "Pythonid", "PythonCore"],
        "modules": ["com.intellij.modules.platform", "com.intellij.modules.python"],
        "layout": [],
        **changed,
    }


def _launch(arch: str) -> dict[str, Any]:
    return {
        "os": "Linux",
        "arch": arch,
        "launcherPath": "bin/pycharm",
        "javaExecutablePath": "jbr/bin/java",
        "vmOptionsFilePath": "bin/pycharm64.vmoptions",
        "startupWmClass": "jetbrains-pycharm",
        "bootClassPathJarNames": ["platform-loader.jar", "util-8.jar", "app.jar"],
        "additionalJvmArguments": ["-Didea.vendor.name=JetBrains", "-Didea.paths.selector=PyCharm"],
        "mainClass": "com.intellij.idea.Main",
        "customCommands": [
            {"commands": ["thinClient", "thinClient-headless", "installFrontendPlugins"], "mainClass": "x.Main"},
            {"commands": ["stdioMcpServer"], "mainClass": "x.Main"},
        ],
    }


def _files(build: str, info: dict[str, Any], launcher: bytes, stubs: int) -> Iterator[tuple[str, bytes | str, int]]:
    """Path below the top, content (a link's target as text), mode; in the order of the real one, documents first."""
    script = LAUNCHER
    yield "build.txt", f"PY-{build}".encode(), 0o644
    yield "product-info.json", json.dumps(info, indent=2).encode() + b"\n", 0o644
    yield "Install-Linux-tar.txt", b"PyCharm\n\nINSTALLATION INSTRUCTIONS\n", 0o644
    yield "bin/pycharm", launcher, 0o755
    yield "bin/pycharm.sh", script, 0o755
    for name in ("inspect.sh", "format.sh", "ltedit.sh", "remote-dev-server.sh"):
        yield f"bin/{name}", script, 0o755
    yield "bin/fsnotifier", b"\x7fELF" + bytes(64), 0o755
    yield "bin/pycharm64.vmoptions", VMOPTIONS, 0o644
    yield "bin/idea.properties", PROPERTIES, 0o644
    yield "bin/pycharm.svg", SVG, 0o644
    yield "bin/pycharm.png", PNG, 0o644
    yield "jbr/bin/java", b"#!/bin/sh\nexit 0\n", 0o755
    yield "jbr/lib/libjvm.so", b"\x7fELF" + bytes(4096), 0o644
    yield "jbr/lib/server/libjvm.so", "../libjvm.so", 0o777
    yield "jbr/release", b'IMPLEMENTOR="JetBrains s.r.o."\n', 0o644
    yield "lib/app.jar", _jar(1, 4096), 0o644
    yield "lib/platform-loader.jar", _jar(2, 2048), 0o644
    yield "lib/util-8.jar", _jar(3, 2048), 0o644
    yield "license/third-party-libraries.json", b"[]\n", 0o644
    yield "modules/module-descriptors.dat", _jar(4, 1024), 0o644
    yield "plugins/python/lib/python.jar", _jar(5, 2048), 0o644
    yield "plugins/python/helpers/pydev/pydevd.py", b"# the debugger's side in the program\n", 0o644
    yield "plugins/python/helpers/typeshed/stdlib/os/__init__.pyi", b"name: str\n", 0o644
    yield f"plugins/python/helpers/typeshed/stubs/{_LONG}/__init__.pyi", b"x: int\n", 0o644
    for number in range(stubs):
        yield _STUB.format(number=number % 997, name=f"m{number}"), b"def f(x: int) -> int: ...\n" * 8, 0o644


def _add_jars(tar: tarfile.TarFile, folders: set[str], top: str, bulk: int) -> None:
    for number, start in enumerate(range(0, bulk, _JAR)):
        path = f"{top}/plugins/bulk-{number // 16}/lib/part-{number}.jar"
        size = min(_JAR, bulk - start)
        _add_folders(tar, folders, path)
        tar.addfile(_member(path, tarfile.REGTYPE, 0o644, size), io.BytesIO(_jar(number + 100, size)))


def _jar(seed: int, size: int) -> bytes:
    """Pieces that can't be compressed, as jars are deflated already, in turn with pieces that can."""
    source = random.Random(seed)  # noqa: S311 - bytes for a test
    pieces = []
    for start in range(0, size, _PIECE):
        length = min(_PIECE, size - start)
        chance = source.randbytes(length - length // 2)
        pieces.append(chance + (chance[:256] * (length // 512 + 1))[: length // 2])
    return b"".join(pieces)


def _add_folders(tar: tarfile.TarFile, known: set[str], path: str) -> None:
    for folder in reversed([str(parent) for parent in Path(path).parents][:-1]):
        if folder not in known:
            known.add(folder)
            tar.addfile(_member(folder, tarfile.DIRTYPE, 0o755))


def _add(tar: tarfile.TarFile, path: str, content: bytes | str, mode: int) -> None:
    if isinstance(content, str):
        link = _member(path, tarfile.SYMTYPE, mode)
        link.linkname = content
        tar.addfile(link)
    else:
        tar.addfile(_member(path, tarfile.REGTYPE, mode, len(content)), io.BytesIO(content))


def _member(path: str, kind: bytes, mode: int, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size = kind, mode, size
    member.mtime = 1_760_000_000
    return member
