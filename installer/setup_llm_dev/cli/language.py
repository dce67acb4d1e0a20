"""Which language people get, and the translation of sentences through gettext."""

import gettext
import os
import sys
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
    catalogue = _catalogue(language)
    if catalogue is None:
        return lambda template: template
    # gettext answers the empty template with the header of the catalogue.
    return lambda template: catalogue.gettext(template) if template else template


def install(language: str | None = None) -> None:
    """Give the words of argparse (`usage:`, its errors) the same language; to be called before parsing.

    argparse asks gettext's global domain in the language of the environment, which is not always the chosen one;
    the names under which it looks its words up are the one place to say so.
    """
    catalogue = _catalogue(language)
    if catalogue is not None:
        import argparse

        vars(argparse).update(_=catalogue.gettext, ngettext=catalogue.ngettext)


def _catalogue(language: str | None) -> gettext.NullTranslations | None:
    chosen = language or (language_of(os.environ) if _can_be_shown() else None)
    return gettext.translation(DOMAIN, FOLDER, [chosen], fallback=True) if chosen else None


def _can_be_shown() -> bool:
    """English is better than escapes where a stream has no Chinese characters."""
    try:
        for stream in (sys.stdout, sys.stderr):
            "微调".encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


ARGPARSE: tuple[str | tuple[str, str], ...] = (
    "usage: ",
    "positional arguments",
    "options",
    "show this help message and exit",
    "show program's version number and exit",
    "argument %(argument_name)s: %(message)s",
    "unrecognized arguments: %s",
    "ambiguous option: %(option)s could match %(matches)s",
    "invalid choice: %(value)r (choose from %(choices)s)",
    "invalid choice: %(value)r, maybe you meant %(suggestion)r? (choose from %(choices)s)",
    "unknown parser %(parser_name)r (choices: %(choices)s)",
    "expected one argument",
    "expected at most one argument",
    "expected at least one argument",
    ("expected %s argument", "expected %s arguments"),
    "invalid %(type)s value: %(value)r",
    "the following arguments are required: %s",
    "one of the arguments %s is required",
    "not allowed with argument %s",
    "ignored explicit argument %r",
)
"""What a user can meet of argparse's words, of Python 3.11 to 3.14; pairs are singular and plural."""
