"""The report as a page: what it came to, what is missing, what was measured, where things are, what next."""

from collections.abc import Iterator
from typing import Any

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.quantities import duration, measured_text, size_text
from setup_llm_dev.cli.report_names import BROKEN_OFF, CHECKS, PARTS, PHASES, PLACES, STATUSES
from setup_llm_dev.cli.sheet import Row, Sheet, Style, named
from setup_llm_dev.cli.widths import inert
from setup_llm_dev.documents.causes import CAUSES
from setup_llm_dev.documents.expectations import expectation
from setup_llm_dev.documents.lock import Gap
from setup_llm_dev.documents.report import Check, Report
from setup_llm_dev.messages import Message, message

_BAD = ("fail", "could-not-run")
_STYLES: dict[str, Style] = {"pass": "good", "warn": "warn", "fail": "bad", "could-not-run": "bad"}


def render_report(report: Report, output: Output) -> None:
    """Print `report` on stdout; nothing with `--json`. A run that changed nothing gets a few lines.

    With `-q` only what went wrong: a failure, and what a run that changed something could not do.
    """
    if output.json:
        return
    sheet = Sheet(output)
    if output.quiet and report.verdict != "fail":
        if report.changed:
            sheet.section(message("Gaps"), list(_gaps(report.gaps, sheet)))
        return
    if report.verdict == "fail":
        _failure(report, sheet, verbose=output.verbose)
    elif report.changed or report.of == "verify" or output.verbose:
        _success(report, sheet, verbose=output.verbose)
    else:
        _unchanged(report, sheet)


def _unchanged(report: Report, sheet: Sheet) -> None:
    took = duration(report.seconds)
    sheet.line(sheet.say(message("Nothing had to be done: all is as it should be ({time}).", time=took)), "good")
    if report.proved:
        proved = message("proved by a real fine-tune on {date} (not repeated)", date=_date(report.proved))
        sheet.rows([Row("", sheet.say(proved))])
    for gap in report.gaps:
        text = message("gap: {what}: {why}", what=_part(gap.what), why=gap.why)
        sheet.rows([Row("", sheet.say(text), "warn"), *_completing(gap, sheet)])


def _success(report: Report, sheet: Sheet, *, verbose: bool) -> None:
    style: Style = "good" if report.verdict == "pass" else "warn"
    sheet.line(sheet.say(_verdict(report)), style)
    sheet.section(message("Gaps"), list(_gaps(report.gaps, sheet)))
    sheet.section(message("Notes"), [Row("-", sheet.say(note)) for note in report.notes])
    sheet.section(message("Versions"), list(_versions(report, sheet)))
    sheet.section(_dated(report, message("The fine-tune, measured")), list(_metrics(report.metrics, sheet)))
    sheet.section(_dated(report, message("Checks")), list(_checks(report.checks, sheet, verbose=verbose)))
    if verbose:
        sheet.section(message("Steps"), list(_steps(report, sheet)))
    sheet.section(message("Sizes"), [Row(_size_name(k, sheet), size_text(v)) for k, v in report.sizes.items()])
    sheet.section(message("Time"), list(_times(report, sheet)))
    sheet.section(message("Where things are"), list(_places(report, sheet)))
    sheet.section(message("What next"), [Row("-", sheet.say(text)) for text in report.next])


def _failure(report: Report, sheet: Sheet, *, verbose: bool) -> None:
    sheet.line(sheet.say(_verdict(report)), "bad")
    sheet.section(message("What went wrong"), list(_wrong(report, sheet)))
    bad = tuple(c for c in report.checks if verbose or (c.status in _BAD and c.cause != "earlier-failure"))
    sheet.section(message("Checks"), list(_checks(bad, sheet, verbose=verbose)))
    sheet.section(message("Gaps"), list(_gaps(report.gaps, sheet)))
    sheet.section(message("Notes"), [Row("-", sheet.say(note)) for note in report.notes])
    if verbose:
        sheet.section(message("Steps"), list(_steps(report, sheet)))
        sheet.section(message("Time"), list(_times(report, sheet)))
    sheet.section(message("What next"), [Row("-", sheet.say(text)) for text in report.next])


def _verdict(report: Report) -> Message:
    took = duration(report.seconds)
    proved = any(check.status == "pass" for check in report.checks)
    if report.of == "verify":
        failed = report.verdict == "fail"
        return (
            message("A check failed ({time}).", time=took)
            if failed
            else message("Every check passed ({time}).", time=took)
        )
    match report.verdict, proved:
        case "fail", _:
            return _failed(report, took)
        case verdict, True if report.repeats:
            return _proved_before(verdict, str(report.proved), took)
        case "pass", True if any(step.id == "environment" and step.outcome == "applied" for step in report.steps):
            return message("Set up and proved: a real fine-tune ran in the new environment ({time}).", time=took)
        case "pass", True:
            return message("Set up and proved: a real fine-tune ran in this environment ({time}).", time=took)
        case "partial", True:
            return message("Set up and proved by a real fine-tune, but with gaps ({time}).", time=took)
        case "partial", False:
            return message("Set up, with gaps; no fine-tune was run to prove it ({time}).", time=took)
        case _:
            return message("Set up; no fine-tune was run to prove it ({time}).", time=took)


def _failed(report: Report, took: Message) -> Message:
    """What failed after the fine-tune does not take its proof back."""
    recipe = inert(report.recipe)
    if report.trained or report.repeats:
        return message(
            "Failed: {recipe} can be trained here, but is not wholly set up ({time}).", recipe=recipe, time=took
        )
    return message("Failed: {recipe} is not proved to work here ({time}).", recipe=recipe, time=took)


def _proved_before(verdict: str, proved: str, took: Message) -> Message:
    date = _date(proved)
    if verdict == "partial":
        return message("Set up, with gaps; proved on {date}, not repeated ({time}).", date=date, time=took)
    return message("Set up; proved on {date}, not repeated ({time}).", date=date, time=took)


def _dated(report: Report, title: Message) -> Message:
    """Whose figures follow: a reader must not take those of an earlier run for this one's."""
    if not report.repeats:
        return title
    return message("{title}, of {date}", title=title, date=_date(str(report.proved)))


def _date(moment: str) -> str:
    return inert(moment.partition("T")[0])


def _gaps(gaps: tuple[Gap, ...], sheet: Sheet) -> Iterator[Row]:
    for gap in gaps:
        yield Row(sheet.say(_part(gap.what)), sheet.say(gap.why), "warn")
        yield from _completing(gap, sheet)


def _completing(gap: Gap, sheet: Sheet) -> Iterator[Row]:
    if gap.command:
        yield Row("", sheet.say(message("to complete it: {command}", command=gap.command)))
    if gap.url:
        yield Row("", inert(gap.url))


def _wrong(report: Report, sheet: Sheet) -> Iterator[Row]:
    """The sentences of the steps are translatable, those of `error` are for programs and come second."""
    steps = [step for step in report.steps if step.outcome == "failed"]
    for step in steps:
        yield Row(inert(step.id), sheet.say(step.why) if step.why else "", "bad")
    error = report.error or {}
    if not steps and error.get("message"):
        yield Row(inert(str(error.get("step") or "")), _told(error["message"], sheet), "bad")
    if error.get("hint"):
        yield Row(sheet.say(message("what to do")), _told(error["hint"], sheet))
    if report.log:
        yield Row(sheet.say(message("log")), inert(report.log))


def _told(sentence: Any, sheet: Sheet) -> str:
    return sheet.say(sentence if isinstance(sentence, Message) else message("{text}", text=str(sentence)))


def _versions(report: Report, sheet: Sheet) -> Iterator[Row]:
    torch = report.torch or {}
    for name, version in report.versions.items():
        if name == "torch" and torch.get("variant"):
            yield Row("torch", inert(f"{version} ({torch['variant']})"))
            yield Row("", inert(str(torch.get("index") or "")))
        else:
            yield Row(inert(name), inert(version))
    device = report.device or {}
    words = [inert(str(device[key])) for key in ("device", "device_name", "precision") if device.get(key)]
    if words:
        yield Row(sheet.say(message("device")), ", ".join(dict.fromkeys(words)))


def _metrics(metrics: dict[str, Any], sheet: Sheet) -> Iterator[Row]:
    pairs = (
        (message("accuracy"), "accuracy_before", "accuracy"),
        (message("F1"), "f1_before", "f1"),
        (message("loss"), "loss_first", "loss_last"),
    )
    for name, before, after in pairs:
        if metrics.get(after) is not None:
            first = metrics.get(before)
            change = message("{before} → {after}", before=_number(first), after=_number(metrics[after]))
            text = sheet.say(change) if first is not None else _number(metrics[after])
            yield Row(sheet.say(name), text)
    for key, name in (("precision", message("precision")), ("recall", message("recall"))):
        if metrics.get(key) is not None:
            yield Row(sheet.say(name), _number(metrics[key]))
    yield from _speed(metrics, sheet)


def _speed(metrics: dict[str, Any], sheet: Sheet) -> Iterator[Row]:
    if metrics.get("steps") is not None:
        yield Row(sheet.say(message("steps")), inert(measured_text(metrics["steps"])))
    if metrics.get("samples_per_second") is not None:
        speed = message("{count} samples/s", count=measured_text(metrics["samples_per_second"]))
        yield Row(sheet.say(message("speed")), sheet.say(speed))
    if isinstance(metrics.get("peak_memory_bytes"), int | float):
        yield Row(sheet.say(message("peak memory")), size_text(metrics["peak_memory_bytes"]))


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else inert(measured_text(value))


def _checks(checks: tuple[Check, ...], sheet: Sheet, *, verbose: bool) -> Iterator[Row]:
    for check in checks:
        mark = {"pass": "✓", "fail": "✗", "could-not-run": "✗", "warn": "!"}.get(check.status, "-")
        text = sheet.say(CHECKS[check.id]) if check.id in CHECKS else ""
        if check.status in _BAD and check.id in BROKEN_OFF:
            text = sheet.say(BROKEN_OFF[check.id])
        elif check.status not in ("pass", "fail"):
            status = STATUSES[check.status]
            text = sheet.say(message("{status}: {text}", status=status, text=text) if text else status)
        yield Row(f"{mark} {inert(check.id)}", text, _STYLES.get(check.status, "dim"))
        if verbose or check.status != "pass":
            yield from _details(check, sheet)


def _details(check: Check, sheet: Sheet) -> Iterator[Row]:
    known = CAUSES.get(check.cause or "")
    cause = check.cause_text or (known.text if known else None)
    hint = check.hint or (known.hint if known else None)
    if cause is not None:
        yield Row("", sheet.say(message("cause: {why}", why=cause)), "strong")
    if check.measured is not None:
        yield Row("", sheet.say(message("measured: {value}", value=measured_text(check.measured))))
        yield Row("", sheet.say(message("expected: {value}", value=_expected(check.expected))))
    if hint is not None:
        yield Row("", sheet.say(message("what to do: {hint}", hint=hint)))


def _expected(value: Any) -> Message:
    return expectation(value) if isinstance(value, str) else message("{text}", text=measured_text(value))


def _steps(report: Report, sheet: Sheet) -> Iterator[Row]:
    for step in report.steps:
        match step.outcome:
            case "applied":
                text = sheet.say(duration(step.seconds))
            case "skipped":
                text = sheet.say(message("done already"))
            case "failed":
                text = sheet.say(message("failed after {time}", time=duration(step.seconds)))
            case _:
                text = sheet.say(message("not reached"))
        yield Row(inert(step.id), text, "bad" if step.outcome == "failed" else "")


def _times(report: Report, sheet: Sheet) -> Iterator[Row]:
    for phase, seconds in report.phase_seconds.items():
        name = sheet.say(PHASES[phase]) if phase in PHASES else inert(phase)
        yield Row(name, sheet.say(duration(seconds)))
    if report.phase_seconds:
        yield Row(sheet.say(message("in all")), sheet.say(duration(report.seconds)))


def _places(report: Report, sheet: Sheet) -> Iterator[Row]:
    yield from named(dict(report.places), PLACES, sheet.say)
    if report.log:
        yield Row(sheet.say(message("log")), inert(report.log))


def _size_name(key: str, sheet: Sheet) -> str:
    return sheet.say(PARTS[key]) if key in PARTS else inert(key)


def _part(key: str) -> Message:
    return PARTS.get(key) or message("{text}", text=inert(key))
