"""pin, the IDE's part: an archive that was given, a PyCharm that is here already, or a release of the maker's."""

from pathlib import PurePath

from packaging.version import Version

from setup_llm_dev.documents.ide_catalog import IdeCatalog
from setup_llm_dev.documents.ide_version import LATEST, fits, line_of, read_version
from setup_llm_dev.documents.lock import Gap, IdeLock, InstalledIdeLock
from setup_llm_dev.documents.lock_values import home_problem, settings_name_problem
from setup_llm_dev.documents.machine import Ide, Machine
from setup_llm_dev.errors import Refused, Unreachable, UsageError
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.pin_ide_archive import archive_lock
from setup_llm_dev.stages.pin_ide_release import release_lock
from setup_llm_dev.stages.request import Request

OLDEST = Version("2024.3")  # what an installed one has to be for `latest`: earlier ones don't know today's Pythons
PAGE = "https://www.jetbrains.com/pycharm/download/"
_UNPACKED = ("linux_x86_64", "linux_arm64")


def pin_ide(request: Request, catalog: IdeCatalog) -> tuple[IdeLock | None, tuple[Gap, ...]]:
    """The PyCharm that the recipe means, or None and a gap where it can't be had.

    Raises UsageError (2) for an archive without a known hash, Refused (3) where no release or platform fits,
    Unreachable (4) where the recipe requires an IDE that can't be had, Corrupt (5) for a hash that is not the one told.
    """
    gaps = _plugins(request)
    if request.ide_archive is not None:
        return archive_lock(request, catalog, request.ide_archive, request.ide_sha256), gaps
    if request.ide_sha256 is not None:
        raise UsageError(
            message("--pycharm-sha256 means nothing without --pycharm-archive"),
            hint=message("give both, or neither"),
        )
    installed = installed_fitting(request.machine, request.recipe.ide.version)
    if installed is not None and not request.newest_ide:
        _tell_newer(request, catalog, installed)
        return installed, gaps
    lock, missing = _released(request, catalog, installed)
    return lock, (*gaps, *missing)


# what is here already -------------------------------------------------------------------------------------


def installed_fitting(machine: Machine, wish: str) -> InstalledIdeLock | None:
    """The newest PyCharm of this machine that the wish means; of equal ones somebody else's rather than ours."""
    fitting = [
        (version, ide.kind != "ours", -number, ide)
        for number, ide in enumerate(machine.ides)
        if (version := read_version(ide.version)) and fits(wish, version) and (wish != LATEST or version >= OLDEST)
        if home_problem(ide.home) is None
    ]
    if not fitting:
        return None
    version, _, _, ide = max(fitting, key=lambda found: found[:3])
    return InstalledIdeLock(
        version=ide.version, home=ide.home, settings_name=_settings_name(ide, version), build=ide.build
    )


def _settings_name(ide: Ide, version: Version) -> str:
    told = PurePath(ide.settings).name if ide.settings else ""
    return f"PyCharm{line_of(version)}" if settings_name_problem(told) else told


def _tell_newer(request: Request, catalog: IdeCatalog, installed: InstalledIdeLock) -> None:
    """Only what is known without asking anybody."""
    known = catalog.fitting(request.recipe.ide.version)
    if known and known[0].release > Version(installed.version):
        text = message(
            "PyCharm {version} at {home} is used as it is; {newer} exists: its own updater gets it",
            version=installed.version, home=installed.home, newer=known[0].version,
        )  # fmt: skip
        request.say(text)


# what the maker offers ------------------------------------------------------------------------------------


def _released(
    request: Request, catalog: IdeCatalog, installed: InstalledIdeLock | None
) -> tuple[IdeLock | None, tuple[Gap, ...]]:
    """A release newer than what is here, else what is here, else a gap."""
    platform = f"{request.machine.os}_{request.machine.arch}"
    if platform not in _UNPACKED:
        return (installed, ()) if installed else (None, (_not_for(request),))
    try:
        found = release_lock(request, catalog, platform)
    except Unreachable as error:
        if installed is None and request.recipe.ide.required:
            raise Unreachable(
                message("PyCharm is required, but could not be had: {why}", why=error.message),
                url=error.url, status=error.status, hint=error.hint or _by_hand(),
            ) from error  # fmt: skip
        return installed, (_unreached(request, error, installed),)
    if installed is not None and Version(installed.version) >= Version(found.version):
        return installed, ()
    return found, ()


def _unreached(request: Request, error: Unreachable, installed: InstalledIdeLock | None) -> Gap:
    if installed is not None:
        why = message(
            "whether there is a newer PyCharm could not be asked ({why}); {version} is used as it is",
            why=error.message, version=installed.version,
        )  # fmt: skip
    else:
        why = message("PyCharm could not be had ({why}); {advice}", why=error.message, advice=_by_hand())
    return Gap(what="ide", why=why, url=error.url or None, command=_again(request))


def _by_hand() -> Message:
    return message(
        "fetch its .tar.gz on another computer and give it with --pycharm-archive FILE --pycharm-sha256 HEX, "
        "or install PyCharm yourself: it will be found"
    )


def _not_for(request: Request) -> Gap:
    """This version unpacks archives for Linux; Refused (3) where the recipe can't do without."""
    why = message(
        "this version installs PyCharm on Linux only (x86_64, arm64), not on {os} {arch}; install it yourself from "
        "{url}, and it will be found",
        os=request.machine.os, arch=request.machine.arch, url=PAGE,
    )  # fmt: skip
    if request.recipe.ide.required:
        raise Refused(why)
    return Gap(what="ide", why=why, url=PAGE, command=request.again)


def _plugins(request: Request) -> tuple[Gap, ...]:
    wanted = request.recipe.ide.plugins
    if not wanted:
        return ()
    why = message(
        "plugins are not installed by this version; install them in PyCharm, under Settings, Plugins: {plugins}",
        plugins=", ".join(wanted),
    )
    return (Gap(what="plugins", why=why),)


def _again(request: Request) -> str:
    return f"{request.again} --upgrade"
