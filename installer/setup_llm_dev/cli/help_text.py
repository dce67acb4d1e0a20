"""The layout of `--help`: as argparse has it, but lines of Chinese break where they should."""

import argparse

from setup_llm_dev.cli.widths import wrapped


class HelpText(argparse.HelpFormatter):
    """argparse counts characters and breaks at spaces; Chinese has none and takes two columns a character."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return list(wrapped(" ".join(text.split()), width))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in wrapped(" ".join(text.split()), width - len(indent)))
