"""Where the command line prints: stdout is data, stderr is talk; sentences are translated here."""

import os
import sys
from typing import Any, TextIO

from setup_llm_dev.cli.language import translator
from setup_llm_dev.messages import Message


class Output:
    """One value for everything a command says. `json`: stdout is one JSON document; `quiet`: no talk."""

    def __init__(
        self,
        *,
        json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        color: bool = True,
        language: str | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self.color = color
        self._translate = translator(language)
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr

    def translate(self, sentence: Message) -> str:
        return sentence.render(self._translate)

    def document(self, document: object) -> None:
        """One JSON document on stdout, indented for a terminal, one line otherwise. Only with `--json`."""
        if self.json:
            self._write(self.stdout, _encode(document, indent=self.stdout.isatty()))

    def event(self, event: object) -> None:
        """One line of a stream of JSON objects."""
        if self.json:
            self._write(self.stdout, _encode(event, indent=False))

    def text(self, line: str = "") -> None:
        """A line of result on stdout; nothing with `--json`."""
        if not self.json:
            self._write(self.stdout, line)

    def sentence(self, sentence: Message) -> None:
        """A translated line of result on stdout."""
        self.text(self.translate(sentence))

    def say(self, sentence: Message) -> None:
        """A translated line of talk on stderr; nothing with `-q`."""
        if not self.quiet:
            self._write(self.stderr, self.translate(sentence))

    def complain(self, line: str) -> None:
        """A line on stderr that `-q` does not silence."""
        self._write(self.stderr, line)

    def _write(self, stream: TextIO, line: str) -> None:
        try:
            print(line, file=stream, flush=True)
        except UnicodeEncodeError:
            from setup_llm_dev.cli.widths import spelled

            print(spelled(line, stream.encoding or "ascii"), file=stream, flush=True)
        except BrokenPipeError:
            # The reader of our output is gone, which is no reason to leave the work half done.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _encode(document: object, *, indent: bool) -> str:
    import msgspec

    from setup_llm_dev.documents.codec import to_json

    encoded: Any = to_json(document)
    if indent:
        encoded = msgspec.json.format(encoded, indent=2)
    return bytes(encoded).decode()
