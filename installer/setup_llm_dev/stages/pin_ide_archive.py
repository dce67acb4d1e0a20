"""pin, a PyCharm given as a file: its hash is compared, and it says itself what it is."""

import re
from pathlib import Path, PurePath

from setup_llm_dev.documents.ide_catalog import IdeCatalog
from setup_llm_dev.documents.ide_version import fits, line_of, read_version
from setup_llm_dev.documents.lock import ArchiveIdeLock
from setup_llm_dev.documents.lock_rules import first_problem
from setup_llm_dev.documents.product_info import FILE, ProductInfo, read_product_info
from setup_llm_dev.errors import Corrupt, Refused, SystemRefused, UsageError
from setup_llm_dev.messages import message
from setup_llm_dev.stages.request import Request

_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


def archive_lock(request: Request, catalog: IdeCatalog, archive: PurePath, told: str | None) -> ArchiveIdeLock:
    """The archive at `archive`, vouched for by the hash that the user told (64 hex digits), else by our catalogue.

    Raises UsageError (2): no such file, no hash; Refused (3): another product, version or platform; Corrupt (5).
    """
    path = request.host.files.resolve(archive)
    expected = _expected(told)
    if not request.host.files.is_file(path):
        raise UsageError(
            message("--pycharm-archive: {path} is no file", path=str(archive)),
            hint=message("name the PyCharm archive (.tar.gz) as it was downloaded"),
        )
    found, size = _hash(request, path)
    if expected is None and not catalog.knows(found):
        raise _nobody_vouches(path, found)
    if expected not in (None, found):
        raise Corrupt(
            message("{path} has the sha256 {found}, not {expected}", path=str(path), found=found,
                    expected=expected or ""),
            hint=message("nothing of it was used; fetch the archive anew"),
        )  # fmt: skip
    info = _product(request, path)
    version = read_version(info.version)
    assert version is not None  # noqa: S101 - `_product` has read it
    lock = ArchiveIdeLock(
        version=info.version,
        build=info.build,
        settings_name=info.settings_name or f"PyCharm{'CE' if info.code == 'PC' else ''}{line_of(version)}",
        file_name=path.name,
        url=path.as_uri(),
        sha256=found,
        size=size,
        evidence="catalogue" if expected is None else "user",
    )
    problem = first_problem(lock)
    if problem is not None:
        raise Refused(
            message("{path} can't be used: {why}", path=str(path), why=problem),
            hint=message("give the .tar.gz of PyCharm for Linux, under a plain name"),
        )
    return lock


def _expected(told: str | None) -> str | None:
    if told is None:
        return None
    words = told.split()  # a whole line of a checksum file will do
    if not words or not _SHA256.fullmatch(words[0]):
        raise UsageError(
            message("--pycharm-sha256: {told} is no sha256", told=told[:100]),
            hint=message("64 hex digits, as in the .sha256 file beside the archive on JetBrains' download page"),
        )
    return words[0].lower()


def _hash(request: Request, path: Path) -> tuple[str, int]:
    try:
        size = path.stat().st_size
        request.say(message("reading {path} ({megabytes} MB)", path=str(path), megabytes=size // 1_000_000))
        return request.host.files.sha256(path), size
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> SystemRefused:
    return SystemRefused(message("{path} can't be read: {why}", path=str(path), why=error.strerror or str(error)))


def _nobody_vouches(path: Path, found: str) -> UsageError:
    return UsageError(
        message("nobody vouches for {path}: its sha256 is {found}, which we don't know", path=str(path), found=found),
        hint=message(
            "compare it with JetBrains' .sha256 file for that version; if it is the same, add --pycharm-sha256 {found}",
            found=found,
        ),
    )


def _product(request: Request, path: Path) -> ProductInfo:
    """What the archive says it is, once that is a PyCharm for this machine of a version that the recipe means."""
    from setup_llm_dev.host.archives.peek import peek  # here, since few give an archive

    try:
        told = peek(path, FILE, request.host.cancel)
    except OSError as error:
        raise _unreadable(path, error) from error
    info = read_product_info((told or b"").decode("utf-8", "replace"))
    version = read_version(info.version) if info else None
    if info is None or version is None:
        raise Refused(
            message("{path} is no PyCharm: its {file} does not say so", path=str(path), file=FILE),
            hint=message("give the .tar.gz of PyCharm for Linux"),
        )
    if info.launch("linux", request.machine.arch) is None or request.machine.os != "linux":
        raise Refused(
            message("{path} is not for this machine ({os} {arch})", path=str(path), os=request.machine.os,
                    arch=request.machine.arch),
            hint=message("only archives for Linux are unpacked, and only for the processor that runs them"),
        )  # fmt: skip
    if not fits(request.recipe.ide.version, version):
        raise Refused(
            message("{path} is PyCharm {version}, but the recipe wants {wish}", path=str(path), version=info.version,
                    wish=request.recipe.ide.version),
            hint=message("give another archive, or change ide.version in the recipe"),
        )  # fmt: skip
    return info
