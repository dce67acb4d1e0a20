"""Progress without a terminal: one line an event, for people or for programs."""

import msgspec

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.quantities import duration, size_text
from setup_llm_dev.cli.report_names import PARTS
from setup_llm_dev.cli.widths import one_line, spelled
from setup_llm_dev.documents.codec import to_plain
from setup_llm_dev.documents.events import Applied, Began, Event, Failed, Progressed, Skipped, Started, Undone
from setup_llm_dev.messages import Message, message

_SECONDS = 10.0  # a step that goes on is heard of this often,
_SHARE = 0.1  # or whenever this much more of it is done,
_AT_LEAST = 1.0  # but never more often than this
_JSON_SECONDS = 0.2


class Pace:
    """Which progress events are worth a line, by their own times."""

    def __init__(self, seconds: float, share: float, at_least: float) -> None:
        self._seconds, self._share, self._at_least = seconds, share, at_least
        self._last: dict[str, tuple[float, float]] = {}

    def begin(self, step: str, at: float) -> None:
        self._last[step] = (at, 0.0)

    def due(self, event: Progressed) -> bool:
        at, share = self._last.setdefault(event.step, (event.at, 0.0))
        now = _share(event)
        waited = event.at - at
        if waited >= self._seconds or (waited >= self._at_least and now - share >= self._share):
            self._last[event.step] = (event.at, now)
            return True
        return False


class JsonLines:
    """Each event one JSON line on stdout, progress at most five times a second and step."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._pace = Pace(_JSON_SECONDS, 1.0, _JSON_SECONDS)

    def show(self, event: Event) -> None:
        if isinstance(event, Progressed) and event.text is None and not self._worth(event):
            return
        if isinstance(event, Failed):
            event = msgspec.structs.replace(event, error=None)  # an exception is for our own callers
        line = to_plain(event)
        line.pop("error", None)
        self._output.event(line)

    def say(self, sentence: Message) -> None:
        self._output.say(sentence)

    def _worth(self, event: Progressed) -> bool:
        return self._pace.due(event) or (event.total is not None and event.done == event.total)


class PlainLines:
    """One line an event on stderr; ASCII where the stream has nothing better."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._pace = Pace(_SECONDS, _SHARE, _AT_LEAST)
        self._summaries: dict[str, Message] = {}

    def show(self, event: Event) -> None:
        match event:
            case Began():
                return
            case Progressed():
                self._progress(event)
            case _:
                for mark, sentence in self._lines(event):
                    self._write(mark, sentence)

    def say(self, sentence: Message) -> None:
        for line in self._output.translate(sentence).split("\n"):
            self._put(line)

    def _lines(self, event: Event) -> list[tuple[str, Message]]:
        match event:
            case Skipped(summary=summary):
                done = message("{what}: done already", what=summary)
                return [("=", done)] if self._output.verbose else []
            case Started(step=step, summary=summary, why=why, at=at):
                self._summaries[step] = summary
                self._pace.begin(step, at)
                full = message("{what}: {why}", what=summary, why=why) if self._output.verbose else summary
                return [("·", full)]
            case Applied(step=step, seconds=seconds):
                return [("✓", message("{what} ({seconds})", what=self._summary(step), seconds=duration(seconds)))]
            case Failed(step=step, text=text):
                return [("✗", message("{what}: {why}", what=self._summary(step), why=text))]
            case Undone(summary=summary, left=left):
                return [("✓", message("taken back: {what}", what=summary)), *(("·", text) for text in left)]
            case _:
                return []

    def _progress(self, event: Progressed) -> None:
        """By the step's id, which is shorter than its summary; what a phase says of itself only with `-v`."""
        if not self._pace.due(event) and not (self._output.verbose and event.done is None):
            return
        told = amount_done(event)
        if event.total:
            told = message("{count} ({percent} %)", count=told, percent=round(100 * _share(event)))
        self._write(" ", message("{what}: {why}", what=PARTS.get(event.step, event.step), why=told))

    def _summary(self, step: str) -> Message:
        return self._summaries.get(step, message("{text}", text=step))

    def _write(self, mark: str, sentence: Message) -> None:
        self._put(f"{mark} {one_line(self._output.translate(sentence))}")

    def _put(self, line: str) -> None:
        self._output.say(message("{text}", text=spelled(line, self._output.stderr.encoding)))


def amount_done(event: Progressed) -> Message:
    """How far a step is: bytes in MiB, steps with what is said of them, else what is going on."""
    if event.done is None:
        return event.text or message("working")
    if event.unit == "bytes":
        done, total = size_text(event.done), size_text(event.total) if event.total else None
    else:
        done, total = f"{event.done:.0f}", f"{event.total:.0f}" if event.total else None
    counted = message("{count} files", count=done) if event.unit == "files" else message("{text}", text=done)
    if total is not None:
        counted = message("{done} of {total}", done=done, total=total)
    return message("{count}, {text}", count=counted, text=event.text) if event.text else counted


def _share(event: Progressed) -> float:
    return event.done / event.total if event.done is not None and event.total else 0.0
