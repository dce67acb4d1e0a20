"""The layout of `--help`: as argparse has it, but lines of Chinese break where they should."""

import argparse
import os
import re
import sys
from typing import Any

from setup_llm_dev.cli.widths import wrapped

_GROUP = re.compile(r"^([^\s:].*[\u3400-\u9fff]):$", re.MULTILINE)


class HelpText(argparse.HelpFormatter):
    """argparse counts characters and breaks at spaces; Chinese has none and takes two columns a character.

    Nor can its colon after the name of a group be translated, before Python 3.13.
    """

    def format_help(self) -> str:
        return _GROUP.sub(r"\1：", super().format_help())

    def __init__(self, prog: str, *words: Any, **settings: Any) -> None:
        super().__init__(prog, *words, **{"width": _columns() - 2} | settings)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return list(wrapped(" ".join(text.split()), width))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in wrapped(" ".join(text.split()), width - len(indent)))


def _columns() -> int:
    """Of the terminal. argparse would load `shutil` for that, and makes a formatter for each option that it is told."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80 if sys.__stdout__ else 80
    except (OSError, ValueError):
        return 80
