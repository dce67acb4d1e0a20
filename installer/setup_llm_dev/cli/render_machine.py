"""The machine as a page: system, processor, GPUs, Pythons, PyCharms, and what one should know about it."""

from collections.abc import Iterator

from setup_llm_dev.cli.output import Output
from setup_llm_dev.cli.quantities import size_text
from setup_llm_dev.cli.sheet import Row, Sheet
from setup_llm_dev.cli.widths import inert
from setup_llm_dev.documents.machine import Accelerator, Interpreter, Machine
from setup_llm_dev.messages import message

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
    sheet.section(message("Worth knowing"), list(_findings(machine, sheet)))


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
        yield Row("✗" if gpu.problem else "✓", inert(gpu.name), "bad" if gpu.problem else "good")
        facts = ", ".join(_facts(gpu, sheet))
        if facts:
            yield Row("", facts)
        if gpu.problem is not None:
            yield Row("", sheet.say(gpu.problem), "warn")
    if not machine.accelerators:
        yield Row("-", sheet.say(message("none found; PyTorch will run on the processor")))


def _facts(gpu: Accelerator, sheet: Sheet) -> Iterator[str]:
    if gpu.chip:
        yield inert(gpu.chip)
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


def _findings(machine: Machine, sheet: Sheet) -> Iterator[Row]:
    for finding in machine.findings:
        yield Row("!", sheet.say(finding.text), "warn")
        if finding.hint is not None:
            yield Row("", sheet.say(message("what to do: {hint}", hint=finding.hint)))
