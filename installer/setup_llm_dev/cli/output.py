"""Where the command line prints: stdout is data, stderr is talk; sentences are translated here."""

import os
import sys
from collections import deque
from typing import Any, TextIO

from setup_llm_dev.cli.language import translator
from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.messages import Message, message

_REMEMBERED = 1000


class Output:
    """One value for everything a command says. `json`: stdout is one JSON document; `quiet`: no talk.

    `said` is the talk so far in English, for a log; `lost` is why results did not arrive, if they did not; `cancel` is
    set by the signals of the command's session.
    """

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
        self.said: deque[str] = deque(maxlen=_REMEMBERED)
        self.lost: SystemRefused | None = None
        self.cancel = Cancel()

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
        self.said.append(str(sentence))
        if not self.quiet:
            self._write(self.stderr, self.translate(sentence))

    def complain(self, line: str) -> None:
        """A line on stderr that `-q` does not silence."""
        self._write(self.stderr, line)

    def flush(self) -> None:
        """What others left in the buffers (the help of argparse), as if it were a line of ours."""
        for stream in (self.stdout, self.stderr):
            self._write(stream, "", end="")

    def _write(self, stream: TextIO, line: str, end: str = "\n") -> None:
        """Nobody who reads, or no space: no reason to leave the work half done; the second is told at the end."""
        try:
            _print(line, end, stream)
        except BrokenPipeError:
            _to_nowhere(stream)
        except OSError as error:
            _to_nowhere(stream)
            if stream is self.stdout:
                why = error.strerror or str(error)
                self.lost = SystemRefused(
                    message("the result could not be written: {why}", why=why),
                    hint=message("make room there, or send it elsewhere"),
                )


def _print(line: str, end: str, stream: TextIO) -> None:
    try:
        print(line, file=stream, end=end, flush=True)
    except UnicodeEncodeError:
        from setup_llm_dev.cli.widths import spelled

        print(spelled(line, stream.encoding or "ascii"), file=stream, end=end, flush=True)


def _to_nowhere(stream: TextIO) -> None:
    """What is left in its buffer goes there too, instead of failing once more when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _encode(document: object, *, indent: bool) -> str:
    import msgspec

    from setup_llm_dev.documents.codec import to_json

    encoded: Any = to_json(document)
    if indent:
        encoded = msgspec.json.format(encoded, indent=2)
    return bytes(encoded).decode()
