"""The IDE of a stored lock, which anybody may have written: held against our catalogue and the maker's addresses."""

from packaging.version import Version

from setup_llm_dev.documents.ide_catalog import IdeCatalog
from setup_llm_dev.documents.ide_origins import Origins
from setup_llm_dev.documents.lock import ArchiveIdeLock
from setup_llm_dev.errors import Corrupt, UsageError
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.request import Request
from setup_llm_dev.steps.ide_tree import read_facts

_UNIFIED = Version("2025.3")  # since then there is one product; before, Community had the same numbers


def is_unpacked(request: Request, ide: ArchiveIdeLock) -> bool:
    """Whether what its archive held was unpacked here already."""
    facts = read_facts(request.host, request.layout.ides / f"pycharm-{ide.version}.json")
    return facts is not None and facts.archive_sha256 == ide.sha256


def refuse_unvouched(request: Request, catalog: IdeCatalog, ide: ArchiveIdeLock) -> None:
    """What pin would not have written, before a byte of it is fetched.

    Raises Corrupt (5) where our catalogue has another hash of that release, UsageError (2) for an address that is
    neither the maker's nor configured, and for a lock that claims our catalogue's word without having it. Of what was
    unpacked here already only the hash is asked, since nothing of it is fetched any more.
    """
    if ide.url.lower().startswith("file:"):
        return  # whose hash the user gave, see `stored_lock`
    known = _known_hash(request, catalog, ide)
    if known not in (None, ide.sha256):
        raise Corrupt(
            message("PyCharm {version}: the lock says sha256 {told}, the catalogue that ships with us says {known}",
                    version=ide.version, told=ide.sha256, known=known or ""),
            hint=message("nothing was fetched; ask whoever made {file}, or make a new lock with "
                         "`setup-llm-dev apply --upgrade`",
                         file=str(request.layout.lock_file)),
        )  # fmt: skip
    if is_unpacked(request, ide):
        return
    why = _origins(request, catalog).refused(ide.url)
    if why is not None:
        raise _unusable(request, "ide.url", why)
    if known is None and ide.evidence == "catalogue":
        why = message("the catalogue that ships with us does not know PyCharm {version}", version=ide.version)
        raise _unusable(request, "ide.evidence", why)
    if known is None:
        request.say(message("the hash of PyCharm {version} is the lock's word alone", version=ide.version))


def _known_hash(request: Request, catalog: IdeCatalog, ide: ArchiveIdeLock) -> str | None:
    version = Version(ide.version)
    if ide.settings_name.startswith("PyCharmCE") and version < _UNIFIED:
        return None
    return catalog.sha256_of(version, f"{request.machine.os}_{request.machine.arch}")


def _origins(request: Request, catalog: IdeCatalog) -> Origins:
    surroundings = request.surroundings
    feed = surroundings.jetbrains_feed or catalog.feed
    return Origins(feed, catalog.downloads, catalog.domains, surroundings.jetbrains_downloads)


def _unusable(request: Request, place: str, why: Message) -> UsageError:
    return UsageError(
        message("{file}: {place}: {why}", file=str(request.layout.lock_file), place=place, why=why),
        hint=message("make a new lock with `setup-llm-dev apply --upgrade`"),
    )
