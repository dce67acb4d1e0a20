"""Pages as people meet them: piped, on wide and narrow terminals, in Chinese, with hostile names."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.quantities import duration, size_text
from setup_llm_dev.cli.render_machine import render_machine
from setup_llm_dev.cli.render_plan import render_plan
from setup_llm_dev.cli.render_report import render_report
from setup_llm_dev.cli.widths import cells, wrapped
from setup_llm_dev.documents.report import Check, Report, StepOutcome, Verdict
from tests.pages import (
    COLOR,
    FAILURE,
    MACHINE,
    PAGES,
    PLAN,
    REPORT,
    calm_surroundings,
    piped,
    poisoned,
    squeezed,
    terminal,
)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    calm_surroundings(monkeypatch)


def test_the_report_says_what_it_came_to() -> None:
    page = piped(PAGES["report"])
    first = page.splitlines()[0]
    assert "proved by a real fine-tune, but with gaps (1 min 28 s)" in first
    for part in (
        "hf:google-bert/bert could not be had (no connection to hub (https://hub/api)); pypi:minilm stands in",
        "to complete it: setup-llm-dev apply text-classification --upgrade",
        "running as root", "2.13.0+cpu (cpu)", "cpu, EPYC, fp32", "0.500 → 1.000", "0.690 → 0.012",
        "105.2 samples/s", "1.0 GiB", "200 MiB", "1 min 15 s", "/home/ann/llm/report.json", "/home/ann/logs/1.log",
        "/home/ann/.local/bin/pycharm was there already, so it stays", "PyCharm                3.0 GiB",
        "version control", "git could not make a repository: out of luck",
        "go on: cd /home/ann/llm", "✓ loss-fell", "! budget", "cause: even the shortest useful training",
    ):  # fmt: skip
        assert part in page, part
    assert "measured: first 0.69" not in page  # of a check that passed only with -v
    whole = piped(PAGES["report"], verbose=True)
    assert "measured: first 0.69, last 0.0123" in whole
    for step, outcome in (("ide", "1 min 5 s"), ("ide-interpreter", "done already"), ("git", "failed after 0.0 s")):
        assert re.search(rf"^ *{step} +{outcome}$", whole, re.MULTILINE), step


def test_the_report_of_a_failure_names_the_check_and_what_to_do() -> None:
    page = piped(PAGES["failure"])
    for part in (
        "Failed: text-classification", "✗ finite", "cause: a loss was NaN or infinite", "measured: losses 24",
        "expected: all finite", "what to do: try fp32", "the smoke fine-tune did not end with a verdict",
        "look into the log", "/home/ann/logs/1.log",
    ):  # fmt: skip
        assert part in page, part
    assert "✓ variant" not in page and "quality" not in page  # what passed or was not reached is no news


def test_a_verification_names_what_drifted_and_who_mends_it() -> None:
    page = piped(PAGES["verify"])
    assert "A check failed" in page.splitlines()[0]
    for part in (
        "✗ ide-intact", "PyCharm is as it was installed", "cause: not as unpacked: lib/app.jar (changed)",
        "`setup-llm-dev apply` mends it",
    ):  # fmt: skip
        assert part in page, part


def test_a_second_run_is_told_in_a_few_lines() -> None:
    lines = piped(PAGES["unchanged"]).splitlines()
    assert "Nothing had to be done" in lines[0] and len(lines) <= 4
    assert "--upgrade" in "\n".join(lines)


@pytest.mark.parametrize(
    ("changed", "verdict", "told"), [(False, "partial", ""), (True, "pass", ""), (True, "partial", "Gaps")]
)
def test_quiet_says_only_what_went_wrong(changed: bool, verdict: Verdict, told: str) -> None:
    gaps = REPORT.gaps if verdict == "partial" else ()
    page = quietly(msgspec.structs.replace(REPORT, changed=changed, verdict=verdict, gaps=gaps))
    assert page.startswith(told) if told else page == ""
    assert "Versions" not in page
    assert "Failed" in quietly(FAILURE)


def quietly(report: Report) -> str:
    out = io.StringIO()
    render_report(report, Output(quiet=True, stdout=out))
    return out.getvalue()


def test_a_report_without_checks_claims_no_proof() -> None:
    page = piped(lambda o: render_report(msgspec.structs.replace(REPORT, verdict="pass", checks=(), gaps=()), o))
    assert "no fine-tune was run to prove it" in page


TRAINED = StepOutcome(id="smoke", kind="smoke", phase="check", outcome="applied", seconds=60)
KEPT = StepOutcome(id="smoke", kind="smoke", phase="check", outcome="skipped")
NEW = StepOutcome(id="environment", kind="environment", phase="stage", outcome="applied", seconds=5)


@pytest.mark.parametrize(
    ("verdict", "steps", "first"),
    [
        ("pass", (NEW, TRAINED), "Set up and proved: a real fine-tune ran in the new environment"),
        ("pass", (TRAINED,), "Set up and proved: a real fine-tune ran in this environment"),
        ("pass", (KEPT,), "Set up; proved on 2026-11-20, not repeated"),
        ("partial", (KEPT,), "Set up, with gaps; proved on 2026-11-20, not repeated"),
        ("fail", (KEPT,), "Failed: text-classification can be trained here, but"),
        ("fail", (TRAINED,), "Failed: text-classification can be trained here, but"),
    ],
)
def test_no_training_is_claimed_that_this_run_did_not_do(
    verdict: Verdict, steps: tuple[StepOutcome, ...], first: str
) -> None:
    report = msgspec.structs.replace(REPORT, verdict=verdict, steps=steps, gaps=(), proved="2026-11-20T21:05:00+00:00")
    page = piped(lambda output: render_report(report, output))
    assert page.startswith(first)
    if verdict != "fail":
        dated = "The fine-tune, measured, of 2026-11-20" in page and "Checks, of 2026-11-20" in page
        assert dated == (TRAINED not in steps), "whose figures they are"


def test_what_was_proved_before_is_dated_where_nothing_had_to_be_done() -> None:
    report = msgspec.structs.replace(REPORT, changed=False, gaps=(), proved="2026-11-20T21:05:00+00:00")
    page = piped(lambda output: render_report(report, output))
    assert "proved by a real fine-tune on 2026-11-20 (not repeated)" in page


def test_a_program_that_broke_off_is_not_said_to_have_ended() -> None:
    broken = Check(id="run", status="could-not-run", measured="x", expected="y", cause="import-failed")
    page = piped(lambda output: render_report(msgspec.structs.replace(FAILURE, checks=(broken,)), output))
    assert "the smoke program broke off" in page
    assert "ran to its end" not in page


def test_the_plan_says_why_and_what_is_not_known_yet() -> None:
    page = piped(PAGES["plan"])
    for part in (
        "2.15.0+cu130 (cu130)", "RTX 3060: this build uses it", "rocm7.2, rocm7.1", "reason: no AMD GPU was found",
        "what would help: install one of these Pythons", "because: there is no environment yet", "(optional)",
        "not known before pinning", "/home/ann/data", "+new",
        "install PyCharm 2026.2 (1180 MiB)", "because: PyCharm 2026.2 is not installed yet",
        "tell PyCharm about the interpreter Python 3.11 (llm)",
    ):  # fmt: skip
        assert part in page, part
    pinned = msgspec.structs.replace(PLAN, pinned=True, download_bytes=5 << 20, disk_bytes=3 << 30)
    assert "5.0 MiB" in piped(lambda o: render_plan(pinned, o))


def test_the_machine_names_what_it_has_and_what_is_wrong() -> None:
    page = piped(PAGES["machine"])
    for part in ("Debian 12 x86_64", "glibc 2.36", "16.0 GiB", "✓  RTX 3060", "✗  Radeon", "driver 576.80",
                 "(runs this tool)", "it is a pre-release of Python", "PyCharm 2026.2", "without sudo"):  # fmt: skip
        assert part in page, part


@pytest.mark.parametrize("name", PAGES)
def test_a_page_through_a_pipe_has_no_escapes_and_says_nothing_on_stderr(name: str) -> None:
    stderr = io.StringIO()
    assert "\x1b" not in piped(PAGES[name], stderr=stderr)
    assert stderr.getvalue() == ""


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", [None, "zh_CN"])
@pytest.mark.parametrize("columns", [20, 60, 120])
def test_a_page_on_a_terminal_fits_it_and_loses_no_word(name: str, language: str | None, columns: int) -> None:
    with terminal(columns) as (stream, shown):
        PAGES[name](Output(stdout=stream, language=language))
    text = COLOR.sub("", shown())
    assert "\x1b" not in text  # colours, but no cursor tricks
    assert squeezed(text) == squeezed(piped(PAGES[name], language=language))
    for line in text.splitlines():
        if cells(line) > columns:  # only a word that can't be broken may stand out, alone behind its label
            longest = max(map(cells, re.findall(r"[\x21-\x7e]+", line)), default=0)
            assert longest > columns - 40 and (columns > 40 or len(line.split()) == 1), line


@pytest.mark.parametrize("off", ["NO_COLOR", "TERM", "--no-color"])
def test_colour_can_be_turned_off(off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if off != "--no-color":
        monkeypatch.setenv(off, "dumb")
    with terminal(80) as (stream, shown):
        render_report(REPORT, Output(stdout=stream, color=off != "--no-color"))
    assert "\x1b" not in shown() and "Set up and proved" in shown()


def test_a_terminal_with_colour_has_colour() -> None:
    with terminal(80) as (stream, shown):
        render_report(REPORT, Output(stdout=stream))
    assert COLOR.search(shown())


def test_chinese_columns_stand_below_one_another() -> None:
    page = piped(PAGES["machine"], language="zh_CN").splitlines()
    section = page[page.index("系统") + 1 : page.index("系统") + 8]
    starts = {cells(line) - cells(re.split(r"\s{2,}", line.strip(), maxsplit=1)[1]) for line in section}
    assert len(starts) == 1, section


@pytest.mark.parametrize("columns", [None, 20, 120])
def test_hostile_names_are_inert(columns: int | None) -> None:
    report, machine, plan = (poisoned(d) for d in (FAILURE, MACHINE, PLAN))
    documents: tuple[Callable[[Output], None], ...] = (
        lambda o: render_report(report, o),
        lambda o: render_report(msgspec.structs.replace(report, verdict="partial"), o),
        lambda o: render_report(msgspec.structs.replace(report, verdict="partial", changed=False), o),
        lambda o: render_machine(machine, o),
        lambda o: render_plan(plan, o),
    )
    for page in documents:
        if columns is None:
            text = piped(page)
        else:
            with terminal(columns) as (stream, shown):
                page(Output(stdout=stream))
            text = COLOR.sub("", shown())
        assert "evil" in text
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", text), text
        own = r"^ {0,2}✓ all is well" if columns != 20 else r"^✓ all is well"  # so narrow, names break too
        assert not re.search(own, text, re.MULTILINE), text


def test_pages_are_silent_with_json() -> None:
    for page in PAGES.values():
        assert piped(page, json=True) == ""


def test_a_page_in_ascii_has_no_escapes_but_words() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    render_report(FAILURE, Output(stdout=stream))
    text = raw.getvalue().decode("ascii")
    assert "FAILED finite" in text and "\\u" not in text


def test_rich_is_not_imported_without_a_terminal() -> None:
    program = (
        "import sys, io\n"
        "from tests.pages import REPORT, EVENTS\n"
        "assert 'rich' not in sys.modules, 'by the test itself'\n"
        "from setup_llm_dev.cli.output import Output\n"
        "from setup_llm_dev.cli.progress import drawer\n"
        "from setup_llm_dev.cli.render_report import render_report\n"
        "render_report(REPORT, Output())\n"
        "with drawer(Output()) as drawing:\n"
        "    [drawing.show(event) for event in EVENTS]\n"
        "assert 'rich' not in sys.modules\n"
    )
    root = Path(__file__).resolve().parent.parent
    path = os.pathsep.join((str(root / "installer"), str(root)))
    done = subprocess.run(
        (sys.executable, "-c", program), env=os.environ | {"PYTHONPATH": path}, cwd=root, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (5 << 20, "5.0 MiB"), (200 << 20, "200 MiB"), (16 << 30, "16.0 GiB"),
     (3 << 40, "3.0 TiB"), (5 << 50, "5120.0 TiB")],
)  # fmt: skip
def test_sizes_are_short(count: int, text: str) -> None:
    assert size_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1 min 0 s"), (3599.6, "60 min 0 s")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert str(duration(seconds)) == text


def test_lines_break_where_chinese_allows() -> None:
    lines = wrapped("训练在预期的设备上进行，（损失下降了）。", 12)
    assert all(cells(line) <= 12 for line in lines)
    assert not any(line[0] in "，。）" or line[-1] == "（" for line in lines)
    assert "".join(lines) == "训练在预期的设备上进行，（损失下降了）。"
