"""The grammar of each value in a recipe: a rule answers what is wrong with it, or nothing."""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from setup_llm_dev.documents.recipe import (
    BUDGET_SECONDS,
    DATASETS,
    IDE_VERSION_PATTERN,
    NAME_PATTERN,
    TASKS,
    VARIANT_PATTERN,
)
from setup_llm_dev.documents.toml_text import STEERING_IN_VALUE
from setup_llm_dev.messages import Message, message

Rule = Callable[[Any], Message | None]

# Their builds belong to one build of torch: they come from its source, or not at all.
TORCH_FAMILY = frozenset(
    {"torch", "torchvision", "torchaudio", "torchao", "torchcodec", "pytorch", "triton", "triton-rocm",
     "triton-windows", "triton-xpu", "pytorch-triton", "pytorch-triton-rocm", "pytorch-triton-xpu"}
)  # fmt: skip
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(10))})
_HUB_SEGMENT = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_PLUGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,98}[A-Za-z0-9])?")


def variant_problem(value: str) -> Message | None:
    """Why `value` names no build of PyTorch, such as `cuda`; None where it does."""
    if re.fullmatch(VARIANT_PATTERN, value):
        return None
    return message("“{value}” is no build; write auto, cpu, mps, xpu, or such as cu130, rocm7.2", value=shown(value))


def shown(value: object) -> str:
    """A value from outside, short and on one line."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**18:
        return "a very large number"
    text = value if isinstance(value, str) else repr(value)
    text = STEERING_IN_VALUE.sub(lambda m: m[0].encode("unicode_escape").decode(), text[:200])
    return text if len(text) <= 80 else text[:79] + "…"


def nearest(word: str, words: tuple[str, ...]) -> str | None:
    """The one of `words` that was probably meant."""
    found = difflib.get_close_matches(word[:100], words, 1)
    return found[0] if found else None


def name_problem(value: str) -> Message | None:
    if not re.fullmatch(NAME_PATTERN, value):
        return message(
            "“{value}” is no name of a recipe; use lower-case letters, digits and dashes", value=shown(value)
        )
    if value in _RESERVED:
        return message("“{value}” can't be the name of a folder on Windows", value=value)
    return None


def _specifiers(value: str) -> Message | None:
    try:
        empty = not list(SpecifierSet(value))
    except InvalidSpecifier:
        return message("“{value}” is no version range; write such as >=3.10,<3.15 or ==2.13.*", value=shown(value))
    return message("must not be empty; write such as >=2.6") if empty else None


def _requirement(value: str) -> Message | None:
    if value.lstrip().startswith("-"):
        return message("“{value}” is an option; only names and versions of packages can stand here", value=shown(value))
    if "://" in value or "@" in value or re.match(r"[\w+]+:", value):
        return message("“{value}” is an address; packages come from the configured index by name", value=shown(value))
    try:
        requirement = Requirement(value)
    except (InvalidRequirement, RecursionError):
        requirement = None
    if requirement is None or not value.isascii():
        return message("“{value}” is no requirement; write such as transformers>=5", value=shown(value))
    return _torch_free(requirement.name)


def _torch_free(name: str) -> Message | None:
    if canonicalize_name(name) in TORCH_FAMILY:
        return message("{name} comes with PyTorch, whose build must fit the machine; use [torch]", name=name)
    return None


def _model(value: str) -> Message | None:
    scheme, _, name = value.partition(":")
    match scheme:
        case "pypi":
            return _model_package(name)
        case "hf" if not _repository(name):
            return message("“{value}” is no repository of the hub; write hf:OWNER/NAME", value=shown(value))
        case "modelscope" if not _repository(name) or "/" not in name:
            return message("“{value}” is no repository of ModelScope; write modelscope:OWNER/NAME", value=shown(value))
        case "hf" | "modelscope":
            return None
    return message(
        "“{value}” is no model; write hf:OWNER/NAME, modelscope:OWNER/NAME or pypi:PACKAGE", value=shown(value)
    )


def _repository(name: str) -> bool:
    """Whether it can name a repository of a hub: OWNER/NAME, or a NAME alone."""
    segments = name.split("/")
    fits = len(segments) <= 2 and len(name) <= 96 and all(_HUB_SEGMENT.fullmatch(s) for s in segments)
    return fits and ".." not in name and "--" not in name and not name.endswith(".git")


def _fallback(value: str) -> Message | None:
    scheme, _, name = value.partition(":")
    if scheme in ("hf", "modelscope"):
        return message("a fallback is for when the hub can't be reached; write pypi:PACKAGE")
    if scheme != "pypi":
        return message("“{value}” is no fallback; write pypi:PACKAGE", value=shown(value))
    return _model_package(name)


def _model_package(name: str) -> Message | None:
    if not _PACKAGE.fullmatch(name):
        return message("“{value}” is no name of a package; write pypi:PACKAGE", value=shown(name))
    return _torch_free(name)


def _revision(value: str) -> Message | None:
    if _REVISION.fullmatch(value) and ".." not in value and "//" not in value and not value.endswith("/"):
        return None
    return message("“{value}” is no branch, tag or commit", value=shown(value))


def _dataset(value: str) -> Message | None:
    scheme, _, name = value.partition(":")
    if scheme in ("hf", "path", "url"):
        return message("data from {scheme}: can't be had in this version; only builtin: can", scheme=scheme)
    if scheme != "builtin":
        return message("“{value}” is no data set; write such as builtin:{name}", value=shown(value), name=DATASETS[0])
    return _one_of(name, DATASETS)


def _one_of(value: str, words: tuple[str, ...]) -> Message | None:
    if value in words:
        return None
    if near := nearest(value, words):
        return message("there is no “{value}”; did you mean {near}?", value=shown(value), near=near)
    return message("there is no “{value}”; there is {words}", value=shown(value), words=", ".join(words))


def _budget(value: int) -> Message | None:
    low, high = BUDGET_SECONDS
    if low <= value <= high:
        return None
    return message("must be from {low} to {high} seconds, not {value}", low=low, high=high, value=shown(value))


def _learning_rate(value: float) -> Message | None:
    if 0 < value < 1:  # false for NaN too
        return None
    return message("must be more than 0 and less than 1, not {value}", value=shown(value))


def _summary(value: str) -> Message | None:
    return message("is longer than {limit} characters", limit=200) if len(value) > 200 else None


def _ide_version(value: str) -> Message | None:
    if re.fullmatch(IDE_VERSION_PATTERN, value):
        return None
    return message("“{value}” is no version of PyCharm; write latest, 2026.2 or 2026.2.3", value=shown(value))


def _plugin(value: str) -> Message | None:
    if _PLUGIN.fullmatch(value):
        return None
    return message("“{value}” is no id of a plugin", value=shown(value))


RULES: Mapping[str, Rule] = {
    "name": name_problem,
    "summary": _summary,
    "python.version": _specifiers,
    "torch.version": _specifiers,
    "torch.variant": variant_problem,
    "packages.requires": _requirement,
    "ide.version": _ide_version,
    "ide.plugins": _plugin,
    "model.source": _model,
    "model.revision": _revision,
    "model.fallback": _fallback,
    "datasets.source": _dataset,
    "smoke.task": lambda value: _one_of(value, TASKS),
    "smoke.budget_seconds": _budget,
    "smoke.learning_rate": _learning_rate,
}
