"""The variables SETUP_LLM_DEV_*: a misspelt one must not be passed over in silence."""

from collections.abc import Iterator, Mapping

from setup_llm_dev.documents.recipe_values import nearest, shown
from setup_llm_dev.errors import UsageError
from setup_llm_dev.host.mirror_settings import MIRRORS, variable_of
from setup_llm_dev.messages import Message, message

_OURS = "SETUP_LLM_DEV_"
_LARGE = "SETUP_LLM_DEV_LARGE_BYTES"
_MIRRORS = tuple(variable_of(name) for name in (*MIRRORS, "preset"))
# The last three are of the bootstrap scripts.
_KNOWN = (
    "SETUP_LLM_DEV_HOME", "SETUP_LLM_DEV_LANG", _LARGE, *_MIRRORS,
    "SETUP_LLM_DEV_VERSION", "SETUP_LLM_DEV_SHA256", "SETUP_LLM_DEV_BOOTSTRAP",
)  # fmt: skip
_OF_TESTS = "SETUP_LLM_DEV_TEST_"


def judged_variables(environment: Mapping[str, str]) -> tuple[Message, ...]:
    """A sentence for each variable that only begins like ours. Raises UsageError (2) for a misspelt one of ours, and
    for a value that can't be read."""
    large_bytes(environment)
    return tuple(_unknown(environment))


def large_bytes(environment: Mapping[str, str]) -> int | None:
    """From how many bytes on a wheel is large; None where nobody says. Raises UsageError (2)."""
    text = environment.get(_LARGE, "").strip()
    if not text:
        return None
    if not text.isdecimal():
        raise UsageError(
            message("{name} must be a number of bytes, not “{text}”", name=_LARGE, text=shown(text)),
            hint=message("write such as {example}", example=f"{_LARGE}={64 << 20}"),
        )
    return int(text)


def _unknown(environment: Mapping[str, str]) -> Iterator[Message]:
    for name in sorted(environment):
        if not name.startswith(_OURS) or name in _KNOWN or name.startswith(_OF_TESTS):
            continue
        near = _meant(name)
        if near is None and not name.startswith("SETUP_LLM_DEV_MIRRORS_"):
            yield message("note: {name} is no variable of setup-llm-dev; it changes nothing", name=shown(name))
            continue
        known = message("those of mirrors are: {names}", names=", ".join(_MIRRORS))
        raise UsageError(
            message("{name} is no variable of setup-llm-dev", name=shown(name)),
            hint=message("did you mean {near}?", near=near) if near else known,
        )


def _meant(name: str) -> str | None:
    """Compared without their common beginning, which would make all of them near."""
    near = nearest(name.removeprefix(_OURS), tuple(known.removeprefix(_OURS) for known in _KNOWN))
    return None if near is None else _OURS + near
