"""The log of a run: everything that happened, with secrets masked before they reach the disk."""

import re
import traceback
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath
from urllib.parse import quote, unquote

_SECRET_NAME = re.compile(r"(TOKEN|PASSWORD|PASSWD|SECRET|API_?KEY|CREDENTIAL)", re.IGNORECASE)
_USERINFO = re.compile(r"(\w+://)[^/\s@'\"]+@")
_HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}\b")
_NAMES_URLS = re.compile(r"(_PROXY|INDEX|FIND_LINKS|MIRRORS|ENDPOINT)", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://([^/@\s]+)@")
_KEPT = 30
_OURS = re.compile(r"\d{8}T\d{12}Z-\d+\.log")


class Masker:
    """Replaces what must not be written down: values of secret variables, passwords in URLs, hub tokens."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        values = {v for n, v in environment.items() if _SECRET_NAME.search(n) and len(v) >= 6}
        for name, value in environment.items():
            if _NAMES_URLS.search(name):
                values |= {part for part in map(_secret_part, _CREDENTIALS.findall(value)) if len(part) >= 3}
        values |= {spelled for value in values for spelled in (quote(value, safe=""), unquote(value))}
        self._values = sorted(values, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, "***")
        return _HUB_TOKEN.sub("hf_***", _USERINFO.sub(r"\1***@", text))


def _secret_part(credentials: str) -> str:
    """The password; without one the user name is the secret (an access token)."""
    user, colon, password = credentials.partition(":")
    return password if colon else user


class Log:
    """Lines with the time since the start. The file is made by the first change, not by looking."""

    def __init__(self, folder: PurePath, name: str, environment: Mapping[str, str]) -> None:
        self.path = Path(folder) / f"{name}.log"
        self._mask = Masker(environment)
        self._waiting: list[str] = []
        self._open = False

    def line(self, text: str) -> None:
        masked = self._mask(text)
        if not self._open:
            self._waiting.append(masked)
            return
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(masked + "\n")

    def start(self) -> None:
        """From here on lines reach the disk; old logs beyond the last thirty go."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        ours = (path for path in self.path.parent.glob("*.log") if _OURS.fullmatch(path.name))
        for old in sorted(ours)[:-_KEPT]:
            old.unlink(missing_ok=True)
        self.path.touch(mode=0o600)
        self._open = True
        waiting, self._waiting = self._waiting, []
        for text in waiting:
            self.line(text)


def failure_log(
    error: BaseException, said: Iterable[str], environment: Mapping[str, str], folder: PurePath | None
) -> Path | None:
    """Keep what led to a failure that no run has logged: what was said, and the traceback with its causes.

    In `folder`, or where that is None or can't be written, in a temporary one that the next run removes; None where
    neither can.
    """
    from setup_llm_dev.host.temporary import left_temporary

    lines = [*said, "".join(traceback.format_exception(error)).rstrip()]
    for place in (folder, None):
        try:
            return _written(lines, environment, place or left_temporary())
        except OSError:
            continue
    return None


def _written(lines: Iterable[str], environment: Mapping[str, str], folder: PurePath) -> Path:
    from setup_llm_dev.host.state import run_name

    log = Log(folder, run_name(datetime.now(UTC)), environment)
    for line in lines:
        log.line(line)
    log.start()
    return log.path
