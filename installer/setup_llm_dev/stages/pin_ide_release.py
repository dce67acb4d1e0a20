"""pin, a release of PyCharm: from the maker's list, with the hash that the maker or our catalogue vouches for."""

from datetime import date
from typing import Literal

from setup_llm_dev.documents.feed import Release, fitting
from setup_llm_dev.documents.ide_catalog import IdeBuild, IdeCatalog, IdeFile
from setup_llm_dev.documents.ide_download import Download, download
from setup_llm_dev.documents.ide_origins import Origins
from setup_llm_dev.documents.ide_version import LATEST
from setup_llm_dev.documents.lock import ArchiveIdeLock
from setup_llm_dev.errors import Corrupt, Refused, Unreachable
from setup_llm_dev.host.addresses import without_credentials
from setup_llm_dev.host.ide.feed import checksum, releases
from setup_llm_dev.messages import message
from setup_llm_dev.stages.request import Request

Found = tuple[Release, Download]
Known = tuple[IdeBuild, IdeFile]


def release_lock(request: Request, catalog: IdeCatalog, platform: str) -> ArchiveIdeLock:
    """The release that the recipe means for a platform (`linux_x86_64`).

    Where the list or the checksum file can't be had, a build of the catalogue whose hash is known and that some host
    carries. Raises Refused (3) where no release fits, Unreachable (4), Corrupt (5) where two hashes of a file disagree.
    """
    return _Release(request, catalog, platform).lock()


class _Release:
    """One search: the request, what ships with us, and whom to believe."""

    def __init__(self, request: Request, catalog: IdeCatalog, platform: str) -> None:
        surroundings = request.surroundings
        self._request = request
        self._catalog = catalog
        self._platform = platform
        self._wish = request.recipe.ide.version
        self._carriers = surroundings.carriers
        self._feed = surroundings.jetbrains_feed or catalog.feed
        self._origins = Origins(self._feed, catalog.downloads, catalog.domains, surroundings.jetbrains_downloads)

    def lock(self) -> ArchiveIdeLock:
        try:
            release, file = self._newest()
        except Unreachable as error:
            return self._known_instead(error)
        newer = self._withheld(release)
        return newer or self._locked(release, file)

    # the maker's list ---------------------------------------------------------------------------------------

    def _newest(self) -> Found:
        """The best release with a file for the platform; the whole list is asked where the short one has none."""
        self._request.say(message("asking {url} for PyCharm", url=without_credentials(self._feed)))
        if self._wish == LATEST:
            found = self._in_list(latest=True)
            if found is not None:
                return found
        found = self._in_list(latest=False)
        if found is None:
            raise self._nothing_fits()
        return found

    def _in_list(self, *, latest: bool) -> Found | None:
        feed = releases(self._request.host, self._feed, latest=latest)
        ordered, passed_over = fitting(feed, self._wish, self._today())
        for said in passed_over if not latest else ():
            self._request.say(said)
        for release in ordered:
            file = download(release, self._catalog.keys[self._platform], feed.url)
            if file is not None:
                self._refuse_strange_links(file)
                return release, file
        return None

    def _refuse_strange_links(self, file: Download) -> None:
        for key, link in ((f"{file.key}.link", file.link), (f"{file.key}.checksumLink", file.checksum_link)):
            why = self._origins.refused(link)
            if why is not None:
                shown = without_credentials(self._feed)
                raise Unreachable(
                    message("the list of releases at {url} is not used: {field}: {why}", url=shown, field=key,
                            why=why),
                    url=shown,
                )  # fmt: skip

    def _today(self) -> date:
        return self._request.host.now().date()

    def _nothing_fits(self) -> Refused:
        return Refused(
            message("no release of PyCharm {wish} has a file for {platform}", wish=self._wish,
                    platform=self._platform),
            hint=message("change ide.version in the recipe, or check the clock of this machine ({day})",
                         day=str(self._today())),
        )  # fmt: skip

    def _withheld(self, release: Release) -> ArchiveIdeLock | None:
        """The catalogue's newer build where the list is older than we are: somebody may replay an old one."""
        known = self._catalog.fitting(self._wish)
        if not known or known[0].release <= release.version:
            return None
        hashed = [
            pair for pair in self._catalog.hashed(self._wish, self._platform) if pair[0].release > release.version
        ]
        text = message(
            "the list of releases says that PyCharm {old} is the newest, but {new} is known since {day}: {taken} is "
            "taken",
            old=release.text, new=known[0].version, day=str(known[0].seen),
            taken=hashed[0][0].version if hashed else release.text,
        )  # fmt: skip
        self._request.say(text)
        return self._of_catalogue(*hashed[0]) if hashed else None

    # hashes -------------------------------------------------------------------------------------------------

    def _locked(self, release: Release, file: Download) -> ArchiveIdeLock:
        if self._maker_is_silent and self._known_hash(release) is not None:
            return self._unvouched(release, file, Unreachable(message("the download host of JetBrains is silent")))
        try:
            told = checksum(
                self._request.host,
                self._origins.at_maker(file.checksum_link),
                name=file.name,
                origins=self._origins,
            )
        except Unreachable as error:
            return self._unvouched(release, file, error)
        known = self._known_hash(release)
        if known not in (None, told):
            raise Corrupt(
                message(
                    "PyCharm {version}: the maker's checksum file says sha256 {told}, the catalogue that ships with "
                    "us says {known}",
                    version=release.text, told=told, known=known or "",
                ),
                hint=message("nothing was fetched; somebody may stand between you and JetBrains"),
            )  # fmt: skip
        return self._lock_of(release, file, told, "maker")

    def _known_hash(self, release: Release) -> str | None:
        """The catalogue's; it knows the unified product alone, and Community had the same numbers."""
        return None if release.community else self._catalog.sha256_of(release.version, self._platform)

    def _unvouched(self, release: Release, file: Download, error: Unreachable) -> ArchiveIdeLock:
        """The maker's word can't be had: only what we know the hash of will do."""
        known = self._known_hash(release)
        if known is None:
            return self._known_instead(error, release)
        self._request.say(
            message("the hash of PyCharm {version} is the catalogue's: {why}", version=release.text, why=error.message)
        )
        return self._lock_of(release, file, known, "catalogue")

    def _known_instead(self, error: Unreachable, release: Release | None = None) -> ArchiveIdeLock:
        """The newest build whose hash we know and that some host carries; raises `error` where there is none."""
        pairs = self._catalog.hashed(self._wish, self._platform)
        carried = self._carried(tuple(pairs))
        if carried is None:
            raise error
        build, file = carried
        self._request.say(
            message("PyCharm {version} is taken, since its hash is known here: {why}", version=build.version,
                    why=error.message)
            if release is None
            else message("PyCharm {version} is taken, since its hash is known here, and not {newer}: {why}",
                         version=build.version, newer=release.text, why=error.message)
        )  # fmt: skip
        return self._of_catalogue(build, file)

    def _carried(self, known: tuple[Known, ...]) -> Known | None:
        """The newest that some host has; the maker's is asked only for what is newer than the mirrors' newest."""
        mirrored = self._newest_at(known, maker=False)
        newer = known if mirrored is None else known[: known.index(mirrored)]
        if self._maker_is_silent or not newer:
            return mirrored
        return self._newest_at(newer, maker=True) or mirrored

    @property
    def _maker_is_silent(self) -> bool:
        """Whether we turned to mirrors because its download host did not answer; with the preset `cn` nobody asked."""
        surroundings = self._request.surroundings
        return "jetbrains_downloads" in surroundings.chosen and surroundings.preset != "cn"

    def _newest_at(self, known: tuple[Known, ...], *, maker: bool) -> Known | None:
        places = [(pair, self._catalog.url(pair[1])) for pair in known]
        asked = [(pair, url) for pair, own in places for url in self._carriers(own) if (url == own) is maker]
        sizes = self._request.host.fetcher().sizes(tuple(url for _, url in asked))
        return next((pair for (pair, _), size in zip(asked, sizes, strict=True) if size is not None), None)

    # locks --------------------------------------------------------------------------------------------------

    def _lock_of(
        self, release: Release, file: Download, sha256: str, evidence: Literal["maker", "catalogue"]
    ) -> ArchiveIdeLock:
        return ArchiveIdeLock(
            version=release.text,
            build=release.build,
            settings_name=release.settings_name,
            file_name=file.name,
            url=self._origins.at_maker(file.link),
            sha256=sha256,
            size=file.size,
            evidence=evidence,
        )

    def _of_catalogue(self, build: IdeBuild, file: IdeFile) -> ArchiveIdeLock:
        return ArchiveIdeLock(
            version=build.version,
            build=build.build,
            settings_name=f"PyCharm{build.major}",
            file_name=file.name,
            url=self._catalog.url(file),
            sha256=file.sha256 or "",
            size=file.size,
            evidence="catalogue",
        )
