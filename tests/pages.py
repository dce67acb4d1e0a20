"""Documents to be rendered, and what they are shown on: a pipe, or a real pseudo-terminal of some width."""

import io
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.progress import drawer
from setup_llm_dev.cli.render_machine import render_machine
from setup_llm_dev.cli.render_plan import render_plan
from setup_llm_dev.cli.render_report import render_report
from setup_llm_dev.documents.choices import Refusal
from setup_llm_dev.documents.events import Applied, Began, Event, Failed, Progressed, Skipped, Started, Undone
from setup_llm_dev.documents.lock import Gap
from setup_llm_dev.documents.machine import Accelerator, Finding, Ide, Interpreter, Machine
from setup_llm_dev.documents.plan import FileDiff, PlanDocument, PlannedStep, PlannedTorch
from setup_llm_dev.documents.report import Check, Report, StepOutcome
from setup_llm_dev.messages import Message, message

pytest.importorskip("pty", reason="pseudo-terminals exist on Linux and macOS only")


HOSTILE = "\x1b[2J\x1b]0;x\x07\u202eevil\r\n✓ all is well"
COLOR = re.compile(r"\x1b\[[0-9;]*m")
GAP = Gap(
    what="model",
    why=message("{model} could not be had ({why}); {fallback} stands in for it", model="hf:google-bert/bert",
                why=message("no connection to {host} ({url})", host="hub", url="https://hub/api"),
                fallback="pypi:minilm"),
    url="https://hub/api",
    command="setup-llm-dev apply text-classification --upgrade",
)  # fmt: skip
NO_GIT = message("git could not make a repository: {why}", why="out of luck")
LEFT_ALONE = message(
    "{place} was there already, so it stays; this PyCharm is started by {launcher}",
    place="/home/ann/.local/bin/pycharm", launcher="/home/ann/data/ide/pycharm/bin/pycharm",
)  # fmt: skip
REPORT = Report(
    verdict="partial",
    recipe="text-classification",
    gaps=(GAP, Gap(what="git", why=NO_GIT, command="setup-llm-dev apply text-classification")),
    notes=(message("running as root: what is made here belongs to root"), LEFT_ALONE),
    steps=(
        StepOutcome(id="packages", kind="packages", phase="stage", outcome="applied", seconds=12.3),
        StepOutcome(id="ide", kind="ide", phase="stage", outcome="applied", seconds=65.4),
        StepOutcome(id="ide-interpreter", kind="interpreter", phase="switch", outcome="skipped"),
        StepOutcome(id="git", kind="git", phase="switch", outcome="failed", why=NO_GIT),
    ),
    checks=(
        Check(id="variant", status="pass", measured="cpu", expected="cpu"),
        Check(id="loss-fell", status="pass", measured={"first": 0.69, "last": 0.0123}, expected="at most 0.5"),
        Check(id="budget", status="warn", measured={"training_seconds": 70.0}, expected="60 s", cause="over-budget"),
    ),
    device={"device": "cpu", "device_name": "EPYC", "precision": "fp32"},
    torch={"version": "2.13.0+cpu", "variant": "cpu", "index": "https://index/cpu"},
    versions={"python": "3.11.9", "torch": "2.13.0+cpu"},
    metrics={"loss_first": 0.69, "loss_last": 0.0123, "accuracy": 1.0, "accuracy_before": 0.5, "f1": 1.0,
             "f1_before": 0.333, "samples_per_second": 105.21, "peak_memory_bytes": 1 << 30, "steps": 24},
    places={"workspace": "/home/ann/llm", "report": "/home/ann/llm/report.json"},
    sizes={"wheels": 200 << 20, "ide": 3 << 30},
    phase_seconds={"stage": 12.1, "check": 75.2},
    next=(message("go on: cd {folder}", folder="/home/ann/llm"),),
    seconds=88.2,
    log="/home/ann/logs/1.log",
)  # fmt: skip
VERIFIED = Report(
    verdict="fail", recipe="text-classification", of="verify", seconds=3.1,
    checks=(
        Check(id="packages-intact", status="pass"),
        Check(id="ide-intact", status="fail", measured="not as unpacked: lib/app.jar (changed)",
              expected="as installed by the lock", cause="ide-drifted",
              cause_text=message("not as unpacked: {files}", files="lib/app.jar (changed)"),
              hint=message("`{command}` mends it", command="setup-llm-dev apply")),
    ),
    error={"step": "ide-intact", "exit_code": 8, "message": message("not as unpacked: {files}", files="lib/app.jar"),
           "hint": message("`{command}` mends it", command="setup-llm-dev apply")},
)  # fmt: skip
FAILURE = msgspec.structs.replace(
    REPORT,
    verdict="fail",
    checks=(
        *REPORT.checks,
        Check(id="finite", status="fail", measured={"losses": 24}, expected="all finite", cause="non-finite-loss"),
        Check(id="quality", status="could-not-run", expected="an answer", cause="earlier-failure"),
    ),
    steps=(StepOutcome(id="smoke", kind="smoke", phase="check", outcome="failed", seconds=3,
                       why=message("the smoke fine-tune did not end with a verdict")),),
    error={"step": "smoke", "exit_code": 8, "message": "no verdict", "hint": "look into the log"},
)  # fmt: skip
MACHINE = Machine(
    os="linux", arch="x86_64", distribution="Debian 12", libc="glibc 2.36", kernel="6.1", cpu="EPYC", cpu_count=2,
    memory_bytes=16 << 30, disk_free_bytes=100 << 30, environment="container",
    accelerators=(
        Accelerator(vendor="nvidia", name="RTX 3060", chip="sm_86", driver="576.80", memory_bytes=12 << 30),
        Accelerator(vendor="amd", name="Radeon", problem=message("runs without a GPU")),
    ),
    interpreters=(Interpreter(path="/usr/bin/python3.11", version="3.11.9", running=True),
                  Interpreter(path="/opt/py", version="3.15", problem=message("it is a pre-release of Python"))),
    ides=(Ide(name="PyCharm", version="2026.2", home="/opt/pycharm"),),
    findings=(Finding(id="root", text=message("running as root: what is made here belongs to root"),
                      hint=message("run the command without sudo")),),
)  # fmt: skip
PLAN = PlanDocument(
    recipe="text-classification", machine=MACHINE, pinned=False,
    torch=PlannedTorch(version="2.15.0+cu130", variant="cu130", index="https://index/cu130",
                       why=message("{gpu}: this build uses it", gpu="RTX 3060")),
    python="3.11.9",
    refusals=(Refusal(candidate="rocm7.2, rocm7.1", reason=message("no {vendor} GPU was found", vendor="AMD"),
                      hint=message("install one of these Pythons")),),
    gaps=(GAP,),
    steps=(
        PlannedStep(id="environment", kind="environment", phase="stage", optional=False, satisfied=False,
                    summary=message("make an environment"), why_not=message("there is no environment yet")),
        PlannedStep(id="model", kind="hub-model", phase="stage", optional=True, satisfied=True,
                    summary=message("get the model {name}", name="hf:google-bert/bert")),
        PlannedStep(id="ide", kind="ide", phase="stage", optional=True, satisfied=False,
                    summary=message("install PyCharm {version} ({size} MiB)", version="2026.2", size=1180),
                    why_not=message("PyCharm {version} is not installed yet", version="2026.2")),
        PlannedStep(id="ide-interpreter", kind="interpreter", phase="switch", optional=True, satisfied=False,
                    summary=message("tell PyCharm about the interpreter {name}", name="Python 3.11 (llm)"),
                    why_not=message("{path} has no interpreter {name}", path="/home/ann/jdk.table.xml",
                                    name="Python 3.11 (llm)")),
    ),
    workspace="/home/ann/llm", data="/home/ann/data",
    diffs=(FileDiff(path="/home/ann/x.xml", diff="-old\n+new", lines=1),
           FileDiff(path="/home/ann/new.xml", new=True, lines=12)),
)  # fmt: skip
PACKAGES = message("install the packages by a lock, and prove each file")
MODEL = message("get the model {name}", name="hf:google-bert/bert")
TRAIN = message("fine-tune for real and check what came out ({task})", task="text-classification")
WHY = message("the packages are not installed yet")
EVENTS: tuple[Event, ...] = (
    Began(recipe="text-classification", steps=("environment", "packages", "model", "smoke"), run="1"),
    Skipped(step="environment", phase="stage", summary=message("make an environment")),
    Started(step="packages", phase="stage", summary=PACKAGES, why=WHY, at=0.1),
    Started(step="model", phase="stage", summary=MODEL, why=message("the model is not there yet"), at=0.1),
    *(Progressed(step="model", done=n * 1e6, total=4e8, unit="bytes", at=n / 100) for n in range(401)),
    Applied(step="model", phase="stage", seconds=4.0, receipt={"bytes": 400_000_000}, at=4.1),
    Applied(step="packages", phase="stage", seconds=15.0, receipt={"packages": 31}, at=15.1),
    Started(step="smoke", phase="check", summary=TRAIN, why=WHY, at=15.2),
    Progressed(step="smoke", text=message("smoke: {phase} done", phase="import"), at=16),
    Progressed(step="smoke", done=12, total=24, unit="steps", text=message("loss {loss}", loss="0.31"), at=26),
    Failed(step="smoke", phase="check", seconds=20, text=message("the smoke fine-tune did not end with a verdict"),
           hint=message("read the log of this run for the reason"), exit_code=8, error=ValueError("x"), at=36),
    Undone(step="smoke", summary=TRAIN, left=(message("{path} was changed since, so it stays", path="/x"),)),
)  # fmt: skip
PAGES: dict[str, Callable[[Output], None]] = {
    "report": lambda output: render_report(REPORT, output),
    "failure": lambda output: render_report(FAILURE, output),
    "verify": lambda output: render_report(VERIFIED, output),
    "unchanged": lambda output: render_report(msgspec.structs.replace(REPORT, changed=False, gaps=(GAP,)), output),
    "machine": lambda output: render_machine(MACHINE, output),
    "plan": lambda output: render_plan(PLAN, output),
}


def calm_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the shell that runs the tests decides what is drawn."""
    for name in ("CI", "NO_COLOR", "COLUMNS", "LANG", "LC_ALL", "LC_MESSAGES", "SETUP_LLM_DEV_LANG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def piped(page: Callable[[Output], None], *, stderr: io.StringIO | None = None, **options: Any) -> str:
    stdout = io.StringIO()
    page(Output(stdout=stdout, stderr=stderr, **options))
    return stdout.getvalue()


def drawn(output: Output, *events: Event) -> None:
    with drawer(output) as drawing:
        for event in events:
            drawing.show(event)


def interrupted(output: Output) -> None:
    with drawer(output) as drawing:
        drawing.show(EVENTS[2])
        raise KeyboardInterrupt


def squeezed(text: str) -> str:
    return "".join(text.split())


@contextmanager
def terminal(columns: int) -> Iterator[tuple[io.TextIOWrapper, Callable[[], str]]]:
    """A real pseudo-terminal of that width, and what was shown on it."""
    import fcntl
    import pty
    import struct
    import termios

    outside, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    read = bytearray()
    reader = threading.Thread(target=_drain, args=(outside, read))
    reader.start()
    stream = open(inside, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - a descriptor, closed below
    try:
        yield stream, lambda: _settled(stream, reader, read)
    finally:
        _settled(stream, reader, read)
        os.close(outside)


def _drain(descriptor: int, into: bytearray) -> None:
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # Linux's way of saying that the other end is closed
            return
        if not data:
            return
        into += data


def _settled(stream: io.TextIOWrapper, reader: threading.Thread, read: bytearray) -> str:
    if not stream.closed:
        stream.flush()
        time.sleep(0)
        stream.close()
        reader.join()
    return read.decode("utf-8").replace("\r\n", "\n")


def poisoned(document: Any) -> Any:
    """The same document with every name from outside hostile; kinds, ids of phases and the like stay."""
    if isinstance(document, Message):
        return Message(document.template, {k: poisoned(v) for k, v in document.arguments.items()})
    if isinstance(document, msgspec.Struct):
        kept = {"verdict", "phase", "outcome", "status", "os", "vendor", "schema", "event", "unit", "error"}
        fields = {f: getattr(document, f) for f in document.__struct_fields__ if f not in kept}
        return msgspec.structs.replace(document, **{f: poisoned(v) for f, v in fields.items()})
    if isinstance(document, tuple):
        return tuple(poisoned(item) for item in document)
    if isinstance(document, dict):
        return {key: poisoned(value) for key, value in document.items()}
    return HOSTILE if isinstance(document, str) else document
