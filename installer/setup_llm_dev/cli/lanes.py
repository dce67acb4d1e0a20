"""Progress on a terminal: one moving lane a running step, and a line for each that has ended."""

import os
from types import TracebackType

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.progress_lines import amount_done
from setup_llm_dev.cli.quantities import duration, size_text
from setup_llm_dev.cli.widths import one_line, speaks_unicode, spelled
from setup_llm_dev.documents.events import Applied, Began, Event, Failed, Progressed, Skipped, Started, Undone
from setup_llm_dev.messages import Message, message

_STYLES = {"✓": "bold green", "✗": "bold red", "=": "dim", "·": "dim"}


class _Summary(ProgressColumn):
    """What a lane does, cut to what fits."""

    def render(self, task: Task) -> Text:
        return Text(task.description, overflow="ellipsis", no_wrap=True)


class _Detail(ProgressColumn):
    """How far, how fast, how long still; the sentence is made when its event comes."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['detail']}{_speed(task)}", overflow="ellipsis", no_wrap=True)


class _Bar(BarColumn):
    """A bar only where the end is known; the spinner shows the rest."""

    def render(self, task: Task) -> RenderableType:  # type: ignore[override]  # rich wants a Text, and draws any renderable
        return super().render(task) if task.total else Text("")


class Lanes:
    """Rich's live lanes on stderr. As a context: leaving it stops them and gives the cursor back."""

    def __init__(self, output: Output) -> None:
        self._output = output
        color = output.color and not os.environ.get("NO_COLOR")
        console = Console(file=output.stderr, no_color=not color, highlight=False, markup=False, emoji=False)
        spinner = "dots" if speaks_unicode(output.stderr.encoding) else "line"
        self._lanes = Progress(
            SpinnerColumn(spinner),
            _Summary(Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            _Bar(bar_width=16),
            _Detail(Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=console, transient=True, expand=True, redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}
        self._summaries: dict[str, Message] = {}

    def __enter__(self) -> "Lanes":
        self._lanes.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lanes.stop()

    def show(self, event: Event) -> None:
        match event:
            case Began():
                return
            case Skipped(summary=summary):
                if self._output.verbose:
                    self._print("=", message("{what}: done already", what=summary))
            case Started(step=step, summary=summary, why=why):
                self._open(step, summary, why)
            case Progressed():
                self._move(event)
            case Applied(step=step, seconds=seconds):
                self._close(step)
                done = message("{what} ({seconds})", what=self._summary(step), seconds=duration(seconds))
                self._print("✓", done)
            case Failed(step=step, text=text):
                self._close(step)
                self._print("✗", message("{what}: {why}", what=self._summary(step), why=text))
            case Undone(summary=summary, left=left):
                self._print("✓", message("taken back: {what}", what=summary))
                for text in left:
                    self._print("·", text)

    def say(self, sentence: Message) -> None:
        self._lanes.console.print(Text(self._spelled(sentence)))

    def _open(self, step: str, summary: Message, why: Message) -> None:
        self._summaries[step] = summary
        description = one_line(self._spelled(summary))
        detail = one_line(self._spelled(why))
        self._tasks[step] = self._lanes.add_task(description, total=None, detail=detail, unit="")

    def _move(self, event: Progressed) -> None:
        task = self._tasks.get(event.step)
        if task is None:
            return
        detail = one_line(self._spelled(amount_done(event)))
        self._lanes.update(task, completed=event.done, total=event.total, detail=detail, unit=event.unit)

    def _close(self, step: str) -> None:
        task = self._tasks.pop(step, None)
        if task is not None:
            self._lanes.remove_task(task)

    def _summary(self, step: str) -> Message:
        return self._summaries.get(step, message("{text}", text=step))

    def _print(self, mark: str, sentence: Message) -> None:
        encoding = self._output.stderr.encoding
        text = one_line(self._spelled(sentence))
        self._lanes.console.print(Text.assemble((spelled(mark, encoding), _STYLES[mark]), " ", text))

    def _spelled(self, sentence: Message) -> str:
        return spelled(self._output.translate(sentence), self._output.stderr.encoding)


def _speed(task: Task) -> str:
    if task.fields["unit"] != "bytes" or not task.speed:
        return ""
    left = task.time_remaining
    eta = f" {int(left) // 60}:{int(left) % 60:02d}" if left is not None else ""
    return f" {size_text(task.speed)}/s{eta}"
