"""Grammars of what a lock holds: each answers what is wrong with a value, or nothing.

For names that become files, for hashes, numbers, versions and addresses. Where they stand is up to `lock_rules`.
"""

import contextlib
import re
from urllib.parse import unquote, urlsplit

from packaging.version import InvalidVersion, Version

from setup_llm_dev.documents.ide_version import read_version
from setup_llm_dev.documents.recipe_values import RULES, Rule, shown
from setup_llm_dev.messages import Message, message

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FORBIDDEN = re.compile(r'[<>:"|?*/\\]')  # what Windows forbids in a name, and what parts names
_RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
_RESERVED |= {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}
_LONGEST = 255  # bytes of one name
_HIGHEST = 1 << 53  # what every reader of JSON and TOML can hold
_HERE = ("127.0.0.1", "localhost", "::1")
_ARCHIVES = (".tar.gz", ".tgz", ".zip")
_WHEEL = re.compile(r"[^-]+-[^-]+(-[0-9][^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
# Data only: what can run code when it is loaded (pickles, Python files) is not fetched.
_DATA = (".safetensors", ".json", ".txt", ".model", ".jinja")


def wanted(path: str) -> bool:
    """Which files of a model are fetched: weights as safetensors, configuration, tokenizer.

    Nothing in subfolders: those are exports for other frameworks.
    """
    return (
        "/" not in path
        and not path.startswith(".")
        and path.endswith(_DATA)
        and not path.endswith(".bin.index.json")
        and path.lower() not in ("readme.txt", "license.txt")
    )


# names ----------------------------------------------------------------------------------------------------


def name_problem(value: str) -> Message | None:
    """Why a text is not the name of one file or folder that every system takes, and takes for that; None if it is."""
    if (
        value in ("", ".", "..")
        or _FORBIDDEN.search(value)
        or _CONTROL.search(value)
        or value[-1] in ". "
        or value.partition(".")[0].rstrip().lower() in _RESERVED
        or len(value.encode("utf-8", "replace")) > _LONGEST
    ):
        return message("“{value}” is not the plain name of a file", value=shown(value))
    return None


def below_problem(value: str) -> Message | None:
    """Why a text is no path with slashes that stays below where it starts; None if it is one."""
    parts = re.split(r"[/\\]", value)
    if any(part in ("", ".", "..") for part in parts) or re.match("[A-Za-z]:", value) or _CONTROL.search(value):
        return message("“{value}” is no path below a folder", value=shown(value))
    return None


def settings_name_problem(value: str) -> Message | None:
    """Why a text is not the name of a folder with settings of PyCharm; None if it is one."""
    return _no("PyCharm2026.2", value) if not re.fullmatch(r"PyCharm(CE)?20\d\d\.\d{1,3}", value, re.ASCII) else None


def wheel_problem(url: str) -> Message | None:
    """Why an address does not end in the plain file name of a wheel; None if it does."""
    name = wheel_name(url)
    if _WHEEL.fullmatch(name) and name_problem(name) is None:
        return None
    return message("“{value}” does not end in the name of a wheel", value=shown(url))


def wheel_name(url: str) -> str:
    """The last part of an address or a path, unquoted; it may be anything."""
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def file_problem(value: str) -> Message | None:
    """Why a text is no file of a model that we fetch: those lie in one folder; None if it is one."""
    if wanted(value):
        return name_problem(value)
    return message("“{value}” is no file of a model that is fetched", value=shown(value))


def pylock_problem(value: str) -> Message | None:
    """Why a text is not the name of the packages' lock beside ours; None if it is."""
    return None if re.fullmatch(r"pylock\.[a-z0-9-]{1,64}\.toml", value) else _no("pylock.NAME.toml", value)


def archive_problem(value: str) -> Message | None:
    """The user's own archive may bear a name that other systems don't take; it is only ever compared."""
    if re.search(r"[/\\]", value) or _CONTROL.search(value) or not value.lower().endswith(_ARCHIVES):
        return message("“{value}” is not the name of an archive", value=shown(value))
    return None


def home_problem(value: str) -> Message | None:
    """Absolute on some system, and not on another machine: to look there would log in there."""
    there = re.match(r"/(?!/)|[A-Za-z]:[/\\]", value)
    if not there or ".." in re.split(r"[/\\]", value) or _CONTROL.search(value):
        return message("“{value}” is not the whole path of a folder of this machine", value=shown(value))
    return None


# hashes, numbers, versions --------------------------------------------------------------------------------


def hex_rule(digits: int) -> Rule:
    """For a hash or a commit of so many hex digits, in lower case."""

    def rule(value: str) -> Message | None:
        if re.fullmatch(f"[0-9a-f]{{{digits}}}", value):
            return None
        return message("“{value}” is not {digits} hex digits", value=shown(value), digits=digits)

    return rule


def count_problem(value: int) -> Message | None:
    """For sizes in bytes, and other numbers of things."""
    if 0 <= value <= _HIGHEST:
        return None
    return message("must be from {low} to {high}, not {value}", low=0, high=_HIGHEST, value=shown(value))


def version_problem(value: str) -> Message | None:
    """For a version of a package."""
    with contextlib.suppress(InvalidVersion):
        Version(value)
        if re.fullmatch(r"[A-Za-z0-9.+!_-]{1,64}", value):  # without the blanks that `Version` forgives
            return None
    return message("“{value}” is no version", value=shown(value))


def like(pattern: str, example: str) -> Rule:
    """For whatever a pattern says well enough."""
    return lambda value: None if re.fullmatch(pattern, value) else _no(example, value)


def ide_version_problem(value: str) -> Message | None:
    """For a version of PyCharm."""
    return _no("2026.2.1", value) if read_version(value) is None else None


def _no(example: str, value: str) -> Message:
    return message("must be such as {example}, not “{value}”", example=example, value=shown(value))


# addresses ------------------------------------------------------------------------------------------------


def address(*schemes: str) -> Rule:
    """For a URL of one of these schemes that names a host, or a file of this machine."""

    def rule(value: str) -> Message | None:
        scheme, host, _ = parsed(value)
        # A file on another machine is none: to look at it would log in there.
        if scheme in schemes and (host in ("", "localhost") if scheme == "file" else host):
            return None
        return message("“{value}” is no address that is asked", value=shown(value))

    return rule


def archive_address_problem(value: str) -> Message | None:
    """Over http only from this very machine, where tests and tunnels are."""
    scheme, host, _ = parsed(value)
    if scheme == "http" and host not in _HERE:
        return message("{url} is not https", url=shown(value))
    return address("https", "http", "file")(value)


def wheel_address_problem(value: str) -> Message | None:
    """For the whole address of a wheel."""
    return address("https", "http", "file")(value) or wheel_problem(value)


def readable_problem(value: str) -> Message | None:
    """For an address of which only the host is asked whether it answers."""
    return message("“{value}” can't be read as an address", value=shown(value)) if parsed(value)[2] else None


def parsed(url: str) -> tuple[str, str, bool]:
    """Scheme, host, and whether it is damaged."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "", "", True
    if _CONTROL.search(url) or " " in url or "\\" in url:
        return "", "", True
    return parts.scheme, host, False


def elsewhere_problem(value: str) -> Message | None:
    """For the id of the same model on another hub."""
    scheme, _, name = value.partition(":")
    return repository_problem(name) if scheme == "modelscope" and "/" in name else _no("modelscope:OWNER/NAME", value)


def repository_problem(value: str) -> Message | None:
    """For the id of a model on a hub: what a recipe may name."""
    return _no("OWNER/NAME", value) if RULES["model.source"](f"hf:{value}") else None


def revision_problem(value: str) -> Message | None:
    """For a branch, a tag or a commit: what a recipe may name and git allows."""
    parts = value.split("/")
    hidden = any(part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
    return RULES["model.revision"](value) or (_no("main", value) if hidden else None)
