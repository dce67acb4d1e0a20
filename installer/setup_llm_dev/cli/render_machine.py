"""The machine as a page: system, processor, GPUs, Pythons, PyCharms, and what one should know about it."""

from collections.abc import Iterator

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.quantities import size_text
from setup_llm_dev.cli.sheet import Row, Sheet, Style
from setup_llm_dev.cli.widths import inert
from setup_llm_dev.documents.machine import Accelerator, Interpreter, Kind, Level, Machine
from setup_llm_dev.messages import Message, message

_KINDS: dict[Kind, Message] = {
    "igpu": message("graphics of the processor"),
    "mig": message("divided by MIG"),
    "vgpu": message("a share of a GPU"),
}
_GPU_MARKS: dict[tuple[bool, bool], tuple[str, Style]] = {  # graphics of a processor are no loss
    (False, False): ("✓", "good"),
    (False, True): ("✗", "bad"),
    (True, False): ("-", ""),
    (True, True): ("-", ""),
}
_MARKS: dict[Level, tuple[str, Style]] = {  # the worst first
    "error": ("✗", "bad"),
    "warning": ("!", "warn"),
    "info": ("·", ""),
    "ok": ("✓", "good"),
}

_INSIDE = {"container": message("a container"), "wsl": message("WSL"), "colab": message("Google Colab")}


def render_machine(machine: Machine, output: Output) -> None:
    """Print `machine` on stdout; nothing with `--json`."""
    if output.json:
        return
    sheet = Sheet(output)
    sheet.section(message("System"), list(_system(machine, sheet)))
    sheet.section(message("GPUs"), list(_accelerators(machine, sheet)))
    sheet.section(message("Pythons"), list(_interpreters(machine, sheet)))
    sheet.section(message("PyCharms"), list(_ides(machine, sheet)))
    sheet.section(message("Worth knowing"), list(_findings(machine, sheet, whole=output.verbose)))


def _system(machine: Machine, sheet: Sheet) -> Iterator[Row]:
    system = " ".join(word for word in (machine.distribution or machine.os, machine.arch) if word)
    yield Row(sheet.say(message("system")), inert(system))
    if machine.kernel:
        yield Row(sheet.say(message("kernel")), inert(machine.kernel))
    if machine.libc:
        yield Row(sheet.say(message("C library")), inert(machine.libc))
    if machine.environment:
        known = _INSIDE.get(machine.environment)
        yield Row(sheet.say(message("inside")), sheet.say(known) if known else inert(machine.environment))
    processor = message("{name}, {count} cores", name=inert(machine.cpu or machine.arch), count=machine.cpu_count)
    yield Row(sheet.say(message("processor")), sheet.say(processor))
    if machine.memory_bytes is not None:
        yield Row(sheet.say(message("memory")), size_text(machine.memory_bytes))
    if machine.disk_free_bytes is not None:
        yield Row(sheet.say(message("free disk space")), size_text(machine.disk_free_bytes))


def _accelerators(machine: Machine, sheet: Sheet) -> Iterator[Row]:
    for gpu in machine.accelerators:
        mark, style = _GPU_MARKS[gpu.kind == "igpu", gpu.problem is not None]
        yield Row(mark, inert(gpu.name), style)
        facts = ", ".join(_facts(gpu, sheet))
        if facts:
            yield Row("", facts)
        if gpu.problem is not None:
            yield Row("", sheet.say(gpu.problem), "warn")
    if not machine.accelerators:
        yield Row("-", sheet.say(message("none found; PyTorch will run on the processor")))


def _facts(gpu: Accelerator, sheet: Sheet) -> Iterator[str]:
    if (kind := _KINDS.get(gpu.kind)) is not None:
        yield sheet.say(kind)
    if gpu.chip:
        yield inert(gpu.chip)
    yield from map(inert, gpu.instances)
    if gpu.memory_bytes is not None:
        yield size_text(gpu.memory_bytes)
    if gpu.driver:
        yield sheet.say(message("driver {version}", version=inert(gpu.driver)))


def _interpreters(machine: Machine, sheet: Sheet) -> Iterator[Row]:
    for python in machine.interpreters:
        bad = python.problem is not None or not python.has_venv
        yield Row("✗" if bad else "✓", _python(python, sheet), "bad" if bad else "good")
        if python.problem is not None:
            yield Row("", sheet.say(python.problem), "warn")
    if not machine.interpreters:
        yield Row("-", sheet.say(message("none found")))


def _python(python: Interpreter, sheet: Sheet) -> str:
    text = inert(f"{python.version}  {python.path}")
    return f"{text}  {sheet.say(message('(runs this tool)'))}" if python.running else text


def _ides(machine: Machine, sheet: Sheet) -> Iterator[Row]:
    for ide in machine.ides:
        yield Row("✓", inert(f"{ide.name} {ide.version}  {ide.home}"), "good")
    if not machine.ides:
        yield Row("-", sheet.say(message("none found")))


def _findings(machine: Machine, sheet: Sheet, *, whole: bool) -> Iterator[Row]:
    """What is wrong before what is only worth knowing; `whole` with what was read where."""
    for finding in sorted(
        machine.findings, key=lambda found: [*_MARKS].index(found.level) if found.level in _MARKS else 0
    ):
        label, style = _MARKS.get(finding.level, _MARKS["warning"])
        yield Row(label, sheet.say(finding.text), style)
        if finding.cause is not None:
            yield Row("", sheet.say(message("why: {cause}", cause=finding.cause)))
        if finding.hint is not None:
            yield Row("", sheet.say(message("what to do: {hint}", hint=finding.hint)))
        for line in finding.evidence if whole else ():
            yield Row("", inert(line), "dim")
