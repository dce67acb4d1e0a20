"""Which language people get, and the translation of sentences through gettext."""

import gettext
import os
from collections.abc import Callable, Mapping
from pathlib import Path

DOMAIN = "setup_llm_dev"
FOLDER = Path(__file__).resolve().parent.parent / "locale"
CHINESE = "zh_CN"


def language_of(environment: Mapping[str, str]) -> str | None:
    """`zh_CN` for a Chinese locale, None for English, by SETUP_LLM_DEV_LANG, LC_ALL, LC_MESSAGES, LANG."""
    for name in ("SETUP_LLM_DEV_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name, "")
        if value:
            return CHINESE if value.lower().replace("-", "_").startswith("zh") else None
    return None


def translator(language: str | None = None) -> Callable[[str], str]:
    """From an English template to the template in that language; English where the catalogue has none."""
    chosen = language or language_of(os.environ)
    if chosen is None:
        return lambda template: template
    return gettext.translation(DOMAIN, FOLDER, [chosen], fallback=True).gettext
