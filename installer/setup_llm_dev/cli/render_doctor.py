"""The diagnosis as a page: what is wrong, worst first, with cause and repair; what is fine only with -v."""

from collections.abc import Iterator

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.sheet import Row, Sheet, Style
from setup_llm_dev.cli.widths import inert
from setup_llm_dev.documents.diagnosis import Diagnosis, Entry
from setup_llm_dev.documents.machine import Level
from setup_llm_dev.messages import Message, message

_HEADINGS: dict[Level, Message] = {
    "error": message("Must be mended"),
    "warning": message("Should be looked at"),
    "info": message("Good to know"),
    "ok": message("Fine"),
}
_MARKS: dict[Level, tuple[str, Style]] = {
    "error": ("✗", "bad"), "warning": ("!", "warn"), "info": ("·", ""), "ok": ("✓", "good"),
}  # fmt: skip


def render_diagnosis(diagnosis: Diagnosis, output: Output, *, again: str) -> None:
    """Print it on stdout; nothing with `--json`."""
    if output.json:
        return
    sheet = Sheet(output)
    sheet.section(message("Mended"), [Row("✓", sheet.say(what), "good") for what in diagnosis.fixed])
    for level, heading in _HEADINGS.items():
        entries = [entry for entry in diagnosis.findings if entry.level == level]
        if level != "ok" or output.verbose:
            sheet.section(heading, [row for entry in entries for row in _entry(entry, sheet, whole=output.verbose)])
    sheet.heading(_verdict(diagnosis))
    for line in _next(diagnosis, again):
        sheet.line(sheet.say(line))


def _entry(entry: Entry, sheet: Sheet, *, whole: bool) -> Iterator[Row]:
    mark, style = _MARKS[entry.level]
    yield Row(mark, sheet.say(entry.text), style)
    if entry.cause is not None and entry.level != "ok":
        yield Row("", sheet.say(message("because: {why}", why=entry.cause)), "dim")
    if entry.hint is not None:
        yield Row("", sheet.say(message("what to do: {hint}", hint=entry.hint)))
    for command in entry.commands:
        yield Row("", f"  {inert(command)}", "strong")
    if entry.fix is not None:
        yield Row("", sheet.say(message("`setup-llm-dev doctor --fix` does it")), "dim")
    for line in entry.evidence if whole else ():
        yield Row("", sheet.say(message("seen: {evidence}", evidence=line)), "dim")


def _verdict(diagnosis: Diagnosis) -> Message:
    """One line, the first that counts where there is nothing to do."""
    count = {level: sum(entry.level == level for entry in diagnosis.findings) for level in _HEADINGS}
    if not count["error"] and not count["warning"]:
        return message("Nothing to mend; checks passed: {count}", count=count["ok"])
    return message(
        "To be mended: {errors}; to be looked at: {warnings}; checks passed: {fine}",
        errors=count["error"], warnings=count["warning"], fine=count["ok"],
    )  # fmt: skip


def _next(diagnosis: Diagnosis, again: str) -> Iterator[Message]:
    if "python" in diagnosis.skipped:
        yield message("another machine: only what can be told of it from here was looked at")
    elif diagnosis.skipped:
        yield message("the network was not asked")
    not_set_up = any(entry.id == "not-set-up" for entry in diagnosis.findings)
    if diagnosis.level == "error":
        yield message("next: mend the first of these, then `setup-llm-dev doctor` again")
    elif not_set_up:
        yield message("next: `{command}`", command=again)
