"""What pip's own configuration says of indexes, certificates and proxies, by pip's rules of precedence."""

import configparser
import os
from collections.abc import Iterable
from pathlib import Path, PurePath

from setup_llm_dev.errors import UsageError
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message

PIP_KEYS = ("index-url", "extra-index-url", "find-links", "cert", "client-cert", "proxy")


def pip_settings(host: Host) -> tuple[dict[str, str], dict[str, str]]:
    """Settings, and where each was read: global, user, PIP_CONFIG_FILE, then PIP_*; sections global and install."""
    found: dict[str, str] = {}
    origins: dict[str, str] = {}
    for path in _pip_files(host):
        text = host.files.read_text(path)
        settings = _pip_file(text, path) if text is not None else {}
        found |= settings
        origins |= dict.fromkeys(settings, str(path))
    for key in PIP_KEYS:
        name = "PIP_" + key.upper().replace("-", "_")
        if host.environment.get(name):
            found[key], origins[key] = host.environment[name], name
    return found, origins


def _pip_file(text: str, path: PurePath) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # Not the parser's own words: they quote the line, which may hold a password.
        line = getattr(error, "lineno", None) or getattr(error, "errors", [(0, "")])[0][0]
        raise UsageError(
            message("{file}: line {line} is not understood", file=str(path), line=line),
            hint=message("mend that line of pip's configuration; `pip config debug` lists its files"),
        ) from None
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    return {k: v for k, v in found.items() if k in PIP_KEYS}


def _pip_files(host: Host) -> Iterable[PurePath]:
    environment = host.environment
    single = environment.get("PIP_CONFIG_FILE")
    if single == os.devnull:
        return []
    system = host.system.platform
    files: list[PurePath] = []
    if system == "win32":
        files.append(Path(environment.get("PROGRAMDATA", "C:/ProgramData"), "pip", "pip.ini"))
        files.append(host.home / "pip" / "pip.ini")
        files.append(Path(environment.get("APPDATA", host.home / "AppData" / "Roaming"), "pip", "pip.ini"))
    else:
        folders = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        files += [Path(folder) / "pip" / "pip.conf" for folder in reversed(folders.split(":")) if folder]
        files += [Path("/etc/pip.conf"), host.home / ".pip" / "pip.conf"]
        if system == "darwin":
            files.append(host.home / "Library" / "Application Support" / "pip" / "pip.conf")
        files.append(Path(environment.get("XDG_CONFIG_HOME") or host.home / ".config") / "pip" / "pip.conf")
    return [*files, *([Path(single)] if single else [])]
