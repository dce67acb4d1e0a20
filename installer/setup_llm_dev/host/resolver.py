"""uv: resolving with hashes, and installing from a lock."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit

import tomli_w

from setup_llm_dev.errors import Corrupt, Refused, SetupError, SystemRefused, Unreachable
from setup_llm_dev.host.addresses import cleaned, without_credentials
from setup_llm_dev.host.configuration import Surroundings, as_environment
from setup_llm_dev.host.run import Completed
from setup_llm_dev.host.temporary import temporary
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

# uv's own variables are the user's word, but for those that would change what we asked for.
_HONOURED = re.compile(
    r"UV_(CACHE_DIR|INDEX|DEFAULT_INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|HTTP_TIMEOUT|HTTP_CONNECT_TIMEOUT|"
    r"HTTP_RETRIES|CONCURRENT_\w+|NATIVE_TLS|SYSTEM_CERTS|KEYRING_PROVIDER|INSECURE_HOST|"
    r"EXCLUDE_NEWER|LOCK_TIMEOUT|INDEX_\w+_(USERNAME|PASSWORD))"
)
_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
            "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "NETRC", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
            "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "PROGRAMDATA")  # fmt: skip
_HOUR = 3600.0
_CHATTER = ("Resolved", "Using Python", "warning:", "Downloading ", "Downloaded ", "Prepared ")


class Unsatisfiable(Refused):
    """The resolver proved that these requirements can't be met from these sources."""


@dataclass(frozen=True)
class Uv:
    """The uv that came with us, with the user's network settings and caches."""

    host: Host
    surroundings: Surroundings

    def resolve(self, project: str, interpreter: PurePath, folder: Path, name: str, *, alone: bool = False) -> str:
        """A PEP 751 lock, as text, of the generated pyproject `project` for one interpreter.

        `alone`: without what the named packages depend on. Raises Unsatisfiable (3), Unreachable (4).
        """
        (folder / "pyproject.toml").write_text(project, encoding="utf-8")
        out = folder / f"pylock.{name}.toml"
        done = self._run(
            "pip", "compile", folder / "pyproject.toml", "--output-file", out, "--format", "pylock.toml",
            "--generate-hashes", "--only-binary", ":all:", "--python", interpreter, "--no-python-downloads",
            "--no-header", "--no-annotate", *(("--no-deps",) if alone else ()),
            cwd=folder,
        )  # fmt: skip
        if not done.ok:
            raise _resolution_error(done)
        return out.read_text(encoding="utf-8")

    def sync(
        self,
        pylock: PurePath,
        python: PurePath,
        on_line: Callable[[str], None] | None = None,
        *,
        offline: bool = False,
    ) -> None:
        """Make the environment of `python` hold exactly what the lock names, each file checked by its hash.

        `offline`: from uv's cache alone, which fails where something is missing in it.
        """
        where = ("--python", str(python), *(("--offline",) if offline else ()))
        self._install("sync", pylock, where, Path(python).parent.parent, on_line)

    def install_into(self, pylock: PurePath, folder: PurePath, python: PurePath) -> None:
        """Unpack the wheels of a lock into a plain folder."""
        self._install("install", pylock, ("--target", str(folder), "--python", str(python), "--no-deps"), folder)

    def _install(
        self,
        verb: str,
        pylock: PurePath,
        where: tuple[str, ...],
        target: PurePath,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        source = (str(pylock),) if verb == "sync" else ("--requirements", str(pylock))
        mode = self._link_mode(target)
        with temporary() as folder:
            (folder / "pyproject.toml").write_text(_settings(self.surroundings), encoding="utf-8")
            done = self._run(
                "pip", verb, *source, *where, "--require-hashes", "--link-mode", mode, "--no-python-downloads",
                "--no-build", cwd=folder, on_error_line=on_line,
            )  # fmt: skip
        if not done.ok:
            raise _installation_error(done)

    def _link_mode(self, target: PurePath) -> str:
        """Clones where the file system has them, else copies. Never hard links, which uv falls back to by itself:
        a file that is emptied in the environment would be empty in uv's cache too, and in every other environment."""
        return "clone" if self.host.files.can_clone(self.cache_dir(), target) else "copy"

    def cache_dir(self) -> Path:
        """uv's own cache, by its rules."""
        environment = self.host.environment
        if environment.get("UV_CACHE_DIR"):
            return Path(environment["UV_CACHE_DIR"])
        if os.name == "nt":
            return Path(environment.get("LOCALAPPDATA") or self.host.home / "AppData" / "Local") / "uv" / "cache"
        return Path(environment.get("XDG_CACHE_HOME") or self.host.home / ".cache") / "uv"

    def _run(self, *argv: str | PurePath, cwd: Path, on_error_line: Callable[[str], None] | None = None) -> Completed:
        return self.host.programs.run(
            (find_uv(), *argv, "--no-progress", "--color", "never"),
            environment=self.environment() | self._settings_of_user(cwd),
            cwd=cwd,
            timeout=_HOUR,
            on_error_line=on_error_line,
            tied=True,
        )

    def _settings_of_user(self, folder: Path) -> dict[str, str]:
        """UV_CONFIG_FILE and UV_NO_CONFIG in another way: with either, uv no longer reads the project's own settings,
        and torch would come from any index. `folder` is private."""
        user = self.host.environment
        if user.get("UV_CONFIG_FILE"):
            text = self.host.files.read_text(Path(user["UV_CONFIG_FILE"])) or ""
            (folder / "uv").mkdir()
            (folder / "uv" / "uv.toml").write_text(text, encoding="utf-8")
            return {"XDG_CONFIG_HOME": str(folder), "APPDATA": str(folder)}
        if user.get("UV_NO_CONFIG"):
            return {"XDG_CONFIG_HOME": os.devnull, "XDG_CONFIG_DIRS": os.devnull, "APPDATA": os.devnull}
        return {}

    def environment(self) -> dict[str, str]:
        """What uv needs to see: caches, indexes, proxies, certificates; nothing of an active environment."""
        user = self.host.environment
        built = {name: user[name] for name in user if name in _NETWORK or _HONOURED.fullmatch(name)}
        built["HOME"] = str(self.host.home)
        built.setdefault("UV_SYSTEM_CERTS", "1")
        return built | as_environment(self.surroundings, built)


def _settings(surroundings: Surroundings) -> str:
    """A project of no content: uv looks no further up for one, and finds here the passwords of indexes.

    A lock holds bare addresses; argv and environment are for all to see, this folder is not.
    """
    secret = [url for url in surroundings.indexes if "@" in urlsplit(url).netloc]
    indexes = [{"name": f"secret-{number}", "url": url} for number, url in enumerate(secret, 1)]
    return tomli_w.dumps({"tool": {"uv": {"no-build": True, "index": indexes}}})


def find_uv() -> Path:
    """uv's binary from the package that we depend on; raises SystemRefused (6) when it is not there."""
    import uv

    try:
        return Path(os.fsdecode(uv.find_uv_bin()))
    except FileNotFoundError as error:
        raise SystemRefused(
            message("the uv program is missing from our own environment"),
            hint=message("install setup-llm-dev again"),
        ) from error


def _resolution_error(done: Completed) -> SetupError:
    text = cleaned(done.stderr)
    if "No solution found" in text or "no matching distribution" in text.lower():
        return Unsatisfiable(message("{why}", why=_reason(text)))
    return _network_error(text) or Unsatisfiable(message("uv could not resolve: {why}", why=_reason(text)))


def _installation_error(done: Completed) -> SetupError:
    text = cleaned(done.stderr)
    if "Hash mismatch" in text or ("hash" in text.lower() and "mismatch" in text.lower()):
        return Corrupt(
            message("a package is not what the lock says: {why}", why=_reason(text)),
            hint=message("nothing was installed; try another index, or --upgrade to lock anew"),
        )
    if "No space left" in text or "os error 28" in text:
        return SystemRefused(
            message("no space left while installing packages"),
            hint=message("free some space, then run the same command again"),
        )
    if _damaged(text):
        return Corrupt(
            message("a package is damaged: {why}", why=_reason(text)),
            hint=message("nothing was installed; try another index, or --upgrade to lock anew"),
        )
    network = _network_error(text)
    if network is not None:
        return network
    return SystemRefused(message("uv could not install: {why}", why=_reason(text)))


def _damaged(text: str) -> bool:
    """uv says «failed to download» of what it can't unpack, too; a connection that broke off is no damage."""
    broke_off = ("error decoding response body", "body error", "before message length", "connection reset", "timed out")
    if any(sign in text.lower() for sign in broke_off):
        return False
    return any(sign in text.lower() for sign in ("failed to extract", "decompression error", "corrupt", "invalid zip"))


def _network_error(text: str) -> Unreachable | None:
    signs = ("Failed to fetch", "error sending request", "dns error", "Could not connect", "Failed to download",
             "timed out", "invalid peer certificate", "tunnel error", "Request failed")  # fmt: skip
    if not any(sign in text for sign in signs):
        return None
    found = re.search(r"https?://[^\s`'\"<>)]+", text)
    url = without_credentials(found.group(0)) if found else ""
    return Unreachable(
        message("a package source did not answer: {why}", why=_reason(text)),
        url=url,
        hint=message("check the network; a mirror can be set in pip's configuration or SETUP_LLM_DEV_MIRRORS_PYPI"),
    )


def _reason(text: str) -> str:
    """The sentences that matter of uv's answer, one line."""
    lines = [re.sub(r"^(error|cause|Caused by): ", "", line.strip(" ×├╰─▶│•")) for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith(_CHATTER)]
    joined = " ".join(kept) or "no reason given"
    return joined if len(joined) <= 900 else joined[:900] + " …"
