"""What a lock may say: it names files, folders and addresses, and somebody else may have written it.

A lock travels with its project, and what stands in it was told by hubs and lists of releases. So nothing of it becomes
a path, an address or a number before these rules have seen it, wherever it comes from.
"""

import string
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from setup_llm_dev.documents import lock_values as values
from setup_llm_dev.documents.lock import (
    ArchiveIdeLock,
    Gap,
    HubModelLock,
    InstalledIdeLock,
    Lock,
    ModelFile,
    ModelScopeModelLock,
    PackageModelLock,
    PackagesLock,
    PythonLock,
    TorchLock,
)
from setup_llm_dev.documents.recipe_values import RULES, Rule, shown
from setup_llm_dev.messages import Message, message


class Problem(NamedTuple):
    """What is wrong at a place such as `model.files[3].sha256`."""

    place: str
    text: Message


def problems(document: msgspec.Struct, place: str = "") -> Iterator[Problem]:
    """Everything wrong in a lock, or in a part of one that stands at `place`; types are right already."""
    rules = _RULES.get(type(document), {})
    for name in document.__struct_fields__:
        yield from _value(getattr(document, name), f"{place}.{name}" if place else name, rules.get(name, _anything))
    for name, text in _WHOLE.get(type(document), _nothing_more)(document):
        yield Problem(f"{place}.{name}" if place else name, text)


def first_problem(document: msgspec.Struct, place: str = "") -> Message | None:
    """The first of them as a sentence, `model.commit: “../x” is not 40 hex digits`; None where all is well."""
    found = next(problems(document, place), None)
    return None if found is None else message("{place}: {why}", place=found.place, why=found.text)


def _value(value: Any, place: str, rule: Rule) -> Iterator[Problem]:
    if isinstance(value, msgspec.Struct):
        yield from problems(value, place)
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _value(item, f"{place}[{number}]", rule)
    elif isinstance(value, Message):
        yield from _sentence(value, place)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _value(item, f"{place}.{shown(key)}", rule)
    elif value is not None and (text := rule(value)):
        yield Problem(place, text)


def _sentence(value: Message, place: str) -> Iterator[Problem]:
    """Names in plain braces alone, all of them given: `str.format` could reach into values and fill the memory."""
    try:
        fields = [field for field in string.Formatter().parse(value.template) if field[1] is not None]
        sound = not any(form or turn or name not in value.arguments for _, name, form, turn in fields)
    except ValueError:
        sound = False
    if not sound:
        yield Problem(place, message("“{value}” is no sentence of ours", value=shown(value.template)))
    for name, argument in value.arguments.items():
        yield from _value(argument, f"{place}.{shown(name)}", _anything)


# parts of a lock that have to fit together ----------------------------------------------------------------


def _hub_model(model: HubModelLock) -> Iterator[Problem]:
    yield from _fetched(model.files, lambda file: file.sha256 or file.git_sha1)


def _modelscope_model(model: ModelScopeModelLock) -> Iterator[Problem]:
    yield from _fetched(model.files, lambda file: file.sha256)


def _fetched(files: tuple[ModelFile, ...], hash_of: Callable[[ModelFile], str | None]) -> Iterator[Problem]:
    seen = set()
    for number, file in enumerate(files):
        if text := values.file_problem(file.path):
            yield Problem(f"files[{number}].path", text)
        if file.path in seen:
            yield Problem(f"files[{number}].path", message("“{value}” comes twice", value=shown(file.path)))
        if not hash_of(file):
            yield Problem(f"files[{number}]", message("has no hash"))
        seen.add(file.path)


def _archive(ide: ArchiveIdeLock) -> Iterator[Problem]:
    if ide.evidence == "maker" and values.parsed(ide.url)[0] == "file":
        yield Problem("url", message("“{value}” is no address of the maker's", value=shown(ide.url)))
    if ide.evidence == "user" and values.parsed(ide.url)[0] != "file":
        yield Problem("evidence", message("a user vouches for a file alone, not for “{value}”", value=shown(ide.url)))


def _nothing_more(_: Any) -> Iterator[Problem]:
    return iter(())


def _anything(_: Any) -> Message | None:
    """What is only ever shown; whoever shows it takes the sting out of it."""
    return None


_WEB = values.address("https", "http")
_RATE = RULES["smoke.learning_rate"]
_WHOLE: Mapping[type, Callable[[Any], Iterator[Problem]]] = {
    HubModelLock: _hub_model,
    ModelScopeModelLock: _modelscope_model,
    ArchiveIdeLock: _archive,
}
_RULES: Mapping[type, Mapping[str, Rule]] = {
    Lock: {
        "recipe": RULES["name"],
        "recipe_digest": values.hex_rule(64),
        "request_digest": values.hex_rule(16),
        "os": values.like("[a-z]{1,16}", "linux"),
        "arch": values.like("[A-Za-z0-9_.-]{1,32}", "x86_64"),
    },
    PythonLock: {
        "version": values.like(r"3\.[0-9]{1,3}\.[0-9]{1,3}[a-z0-9+]{0,8}", "3.12.3"),
        "platform": values.like("[A-Za-z0-9._-]{0,64}", "linux-x86_64"),
    },
    TorchLock: {
        "version": values.version_problem,
        "wanted": values.version_problem,
        "variant": values.like(r"[a-z0-9.]{1,32}", "cu130"),
    },
    PackagesLock: {
        "pylock": values.pylock_problem,
        "sha256": values.hex_rule(64),
        "count": values.count_problem,
        "download_bytes": values.count_problem,
        "unpacked_bytes": values.count_problem,
    },
    ModelFile: {
        "path": values.below_problem,
        "size": values.count_problem,
        "sha256": values.hex_rule(64),
        "git_sha1": values.hex_rule(40),
        "xet_hash": values.hex_rule(64),
    },
    HubModelLock: {
        "source": RULES["model.source"],
        "repository": values.repository_problem,
        "revision": values.revision_problem,
        "commit": values.hex_rule(40),
        "endpoint": _WEB,
        "also": values.elsewhere_problem,
        "learning_rate": _RATE,
    },
    PackageModelLock: {
        "source": RULES["model.source"],
        "name": lambda value: RULES["model.fallback"](f"pypi:{value}"),
        "version": values.version_problem,
        "url": values.wheel_address_problem,
        "sha256": values.hex_rule(64),
        "size": values.count_problem,
        "learning_rate": _RATE,
    },
    ModelScopeModelLock: {
        "source": RULES["model.source"],
        "repository": values.repository_problem,
        "revision": values.revision_problem,
        "endpoint": _WEB,
        "commits": values.hex_rule(40),
        "learning_rate": _RATE,
    },
    ArchiveIdeLock: {
        "version": values.ide_version_problem,
        "settings_name": values.settings_name_problem,
        "file_name": values.archive_problem,
        "url": values.archive_address_problem,
        "sha256": values.hex_rule(64),
        "size": values.count_problem,
    },
    InstalledIdeLock: {
        "version": values.ide_version_problem,
        "home": values.home_problem,
        "settings_name": values.settings_name_problem,
    },
    Gap: {"url": values.readable_problem},
}
