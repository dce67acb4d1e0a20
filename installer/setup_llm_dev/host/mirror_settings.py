"""Our own `mirrors.*`: of config.toml, and of the variables SETUP_LLM_DEV_MIRRORS_*, which go before it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, cast

from setup_llm_dev.documents.recipe_values import nearest, shown
from setup_llm_dev.errors import UsageError
from setup_llm_dev.host.addresses import refuse_no_address
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message

MIRRORS = ("torch", "pypi", "hub", "jetbrains_feed", "jetbrains_downloads", "python")
FLAT = "flat+"  # before a mirror of torch that has one page of files a variant, as `--find-links` wants it
PRESETS = ("auto", "cn", "none")
Preset = Literal["auto", "cn", "none"]


@dataclass(frozen=True)
class MirrorSettings:
    """`written`: addresses by the names of MIRRORS, and `none` for what is switched off."""

    written: Mapping[str, str]
    preset: Preset

    @property
    def addresses(self) -> dict[str, str]:
        return {name: value for name, value in self.written.items() if value != "none"}


def mirror_settings(host: Host, config_folder: PurePath) -> MirrorSettings:
    """Raises UsageError (2) naming the file or the variable whose value is no address, preset or key."""
    place = config_folder / "config.toml"
    text = host.files.read_text(place)
    found = _mirrors_in(text, place) if text is not None else {}
    origins = {name: f"{place}, {name}" for name in found}
    for name in (*MIRRORS, "preset"):
        variable = variable_of(name)
        if value := host.environment.get(variable):
            found[name], origins[name] = value, variable
    preset = _preset(found.pop("preset", "auto"), origins.get("preset", ""))
    for name, value in found.items():
        if value != "none":
            refuse_no_address(value.removeprefix(FLAT) if name == "torch" else value, origins[name])
    return MirrorSettings(found, preset)


def variable_of(name: str) -> str:
    """The variable that says the same as a key of [mirrors]."""
    return f"SETUP_LLM_DEV_MIRRORS_{name.upper()}"


def _preset(word: str, place: str) -> Preset:
    if word in PRESETS:
        return cast(Preset, word)
    near = nearest(word, PRESETS)
    raise UsageError(
        message("{place}: “{word}” is no preset of mirrors", place=place, word=shown(word)),
        hint=message("did you mean {near}?", near=near) if near else _presets(),
    )


def _presets() -> Message:
    return message("write one of {words}", words=", ".join(PRESETS))


def _mirrors_in(text: str, path: PurePath) -> dict[str, str]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            message("{file}: {why}", file=str(path), why=str(error)), hint=message("mend that line, or remove the file")
        ) from error
    mirrors = table.get("mirrors", {})
    if not isinstance(mirrors, dict) or not all(isinstance(v, str) for v in mirrors.values()):
        raise UsageError(
            message("{file}: every value of [mirrors] must be a text in quotes", file=str(path)),
            hint=message("write such as {example}", example='[mirrors]  hub = "https://HOST"'),
        )
    unknown = sorted(set(mirrors) - {*MIRRORS, "preset"}) + [f"[{k}]" for k in sorted(set(table) - {"mirrors"})]
    if unknown:
        raise UsageError(
            message("{file}: unknown key {key}", file=str(path), key=", ".join(unknown)), hint=_known_keys(unknown)
        )
    return dict(mirrors)


def _known_keys(unknown: list[str]) -> Message:
    keys = (*MIRRORS, "preset")
    if len(unknown) == 1 and (near := nearest(unknown[0].strip("[]"), (*keys, "mirrors"))):
        return message("did you mean {near}?", near=near)
    return message("the keys of [mirrors] are: {keys}", keys=", ".join(keys))
