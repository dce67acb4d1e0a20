"""The plan as a page: the chosen build and why, what was refused, the steps in outline, what it will cost."""

from collections.abc import Iterator

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.quantities import size_text
from setup_llm_dev.cli.report_names import PARTS
from setup_llm_dev.cli.sheet import Row, Sheet, Style
from setup_llm_dev.cli.widths import inert
from setup_llm_dev.documents.machine import Level
from setup_llm_dev.documents.plan import CatalogueAge, FileDiff, PlanDocument, PlannedStep
from setup_llm_dev.messages import Message, message

_DIFF_HEAD = 2  # the lines that name the file before and after
_FEW = 5  # refusals that are shown without being asked for
_LEVELS: dict[Level, tuple[str, Style]] = {
    "ok": ("✓", "good"), "info": ("·", ""), "warning": ("!", "warn"), "error": ("✗", "bad"),
}  # fmt: skip
_DIFF_STYLES: dict[str, Style] = {"+": "good", "-": "bad", "@": "dim"}


def render_plan(plan: PlanDocument, output: Output) -> None:
    """Print `plan` on stdout; nothing with `--json`."""
    if output.json:
        return
    sheet = Sheet(output)
    sheet.line(sheet.say(_title(plan)), "strong")
    sheet.section(message("Your GPUs"), list(_findings(plan, sheet)))
    sheet.section(message("The build of PyTorch"), list(_torch(plan, sheet)))
    sheet.section(message("Builds that don't fit"), list(_refusals(plan, sheet, whole=output.verbose)))
    sheet.section(message("Gaps"), list(_gaps(plan, sheet)))
    sheet.section(message("Steps"), [row for step in plan.steps for row in _step(step, sheet)])
    sheet.section(message("What it takes"), list(_costs(plan, sheet)))
    sheet.section(message("Where it goes"), list(_places(plan, sheet)))
    sheet.section(message("New files in the project"), list(_new_files(plan, sheet)))
    for diff in plan.diffs:
        if not diff.new:
            _diff(diff, sheet)


def _title(plan: PlanDocument) -> Message:
    recipe = inert(plan.recipe)
    if plan.torch is None:
        return message("Plan for {recipe}: no build of PyTorch fits this machine", recipe=recipe)
    if plan.steps and all(step.satisfied for step in plan.steps):
        return message("Plan for {recipe}: nothing to do", recipe=recipe)
    return message("Plan for {recipe}", recipe=recipe)


def _findings(plan: PlanDocument, sheet: Sheet) -> Iterator[Row]:
    """Before anything else: what a person would not expect of the build."""
    for finding in plan.findings:
        mark, style = _LEVELS.get(finding.level, ("·", ""))
        yield Row(mark, sheet.say(finding.text), style)
        if finding.hint is not None:
            yield Row("", sheet.say(message("what would help: {hint}", hint=finding.hint)))


def _torch(plan: PlanDocument, sheet: Sheet) -> Iterator[Row]:
    if plan.torch is not None:
        yield Row("torch", inert(f"{plan.torch.version} ({plan.torch.variant})"), "good")
        yield Row(sheet.say(message("why")), sheet.say(plan.torch.why))
        for place in plan.torch.sources or ((plan.torch.index,) if plan.torch.index else ()):
            yield Row(sheet.say(message("from")), inert(place))
        if plan.torch.sources:
            known = message("configured here: which release it offers is known only with `plan --pin`")
            yield Row("", sheet.say(known), "warn")
        if plan.torch.companions:
            yield Row(sheet.say(message("with")), inert(", ".join(plan.torch.companions)))
    if plan.python:
        yield Row("Python", inert(plan.python))
    if plan.catalogue is not None:
        yield Row(sheet.say(message("catalogue")), _age(plan.catalogue, sheet))


def _age(catalogue: CatalogueAge, sheet: Sheet) -> str:
    collected = catalogue.collected.isoformat()
    if catalogue.days == 0:
        return sheet.say(message("of {collected}, today", collected=collected))
    return sheet.say(message("of {collected} (days old: {days})", collected=collected, days=catalogue.days))


def _refusals(plan: PlanDocument, sheet: Sheet, *, whole: bool) -> Iterator[Row]:
    """The shortest reason first, all of them with `-v`. Candidates can be many: they stand above their reason.

    A Python that does not fit comes before all: without one no build was looked at.
    """
    ordered = sorted(plan.refusals, key=lambda refusal: (refusal.candidate != "python", len(str(refusal.reason))))
    shown = ordered if whole else ordered[:_FEW]
    for refusal in shown:
        yield Row("-", inert(refusal.candidate))
        yield Row("", sheet.say(message("reason: {why}", why=refusal.reason)))
        if refusal.hint is not None:
            yield Row("", sheet.say(message("what would help: {hint}", hint=refusal.hint)))
    if len(shown) < len(ordered):
        yield Row("…", sheet.say(message("and {count} more: -v shows all", count=len(ordered) - len(shown))), "dim")


def _gaps(plan: PlanDocument, sheet: Sheet) -> Iterator[Row]:
    for gap in plan.gaps:
        name = sheet.say(PARTS[gap.what]) if gap.what in PARTS else inert(gap.what)
        yield Row(name, sheet.say(gap.why), "warn")
        if gap.command:
            yield Row("", sheet.say(message("to complete it: {command}", command=gap.command)))


def _step(step: PlannedStep, sheet: Sheet) -> Iterator[Row]:
    mark, style = _mark(step)
    text = sheet.say(step.summary)
    if step.optional:
        text = sheet.say(message("{what} (optional)", what=step.summary))
    yield Row(mark, text, style)
    if step.why_not is not None:
        yield Row("", sheet.say(message("because: {why}", why=step.why_not)), "dim")


def _mark(step: PlannedStep) -> tuple[str, Style]:
    match step.satisfied:
        case True:
            return "✓", "good"
        case False:
            return "+", "warn"
        case _:
            return "·", ""


def _costs(plan: PlanDocument, sheet: Sheet) -> Iterator[Row]:
    rows = ((message("to download"), plan.download_bytes), (message("disk space"), plan.disk_bytes))
    for name, count in rows:
        if count is not None:
            text = size_text(count)
        elif plan.pinned:
            text = sheet.say(message("not told by the package sources"))
        else:
            text = sheet.say(message("not known before pinning (`plan --pin`)"))
        yield Row(sheet.say(name), text)


def _places(plan: PlanDocument, sheet: Sheet) -> Iterator[Row]:
    if plan.workspace:
        yield Row(sheet.say(message("project")), inert(plan.workspace))
    if plan.data:
        yield Row(sheet.say(message("our data")), inert(plan.data))


def _new_files(plan: PlanDocument, sheet: Sheet) -> Iterator[Row]:
    for diff in plan.diffs:
        if diff.new:
            yield Row(
                "+", sheet.say(message("{path} (lines: {lines})", path=inert(diff.path), lines=diff.lines)), "good"
            )


def _diff(diff: FileDiff, sheet: Sheet) -> None:
    """A file of the user's that would change, line by line."""
    sheet.heading(message("Would change: {path}", path=inert(diff.path)))
    for number, line in enumerate(diff.diff.splitlines()):
        style: Style = "dim" if number < _DIFF_HEAD else _DIFF_STYLES.get(line[:1], "")
        sheet.line(f"| {inert(line.expandtabs(4))}", style, indent=2)
