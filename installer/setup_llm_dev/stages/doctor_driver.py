"""Installing a driver: the commands of the catalogue, one after the other, only after a yes and only as root."""

from collections.abc import Callable, Mapping

from setup_llm_dev.documents.catalog import Catalog
from setup_llm_dev.documents.driver_catalog import Command, DriverCatalog
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.errors import Refused, SystemRefused
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.diagnoses.driver_step import DriverStep, NoStep, as_line, driver_step, needs_driver

_SECONDS = 3600.0  # of one command: a kernel module is built on the machine
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


def driver_to_install(machine: Machine, recipe: Recipe, catalog: Catalog, drivers: DriverCatalog) -> DriverStep | None:
    """The step for this machine, None where no card needs another driver.

    Raises Refused (3) in WSL, in a container, and where the catalogue knows no commands, or none that may be run by us.
    """
    if not needs_driver(machine, catalog.torch, recipe.torch.version):
        return None
    step = driver_step(machine, catalog.torch, drivers, recipe.torch.version)
    if isinstance(step, NoStep):
        raise Refused(message("no driver is installed here: {why}", why=step.why), hint=step.hint)
    if step.by_hand:
        raise Refused(
            message("the driver for {gpus} has to be installed by hand on {distribution}",
                    gpus=", ".join(step.gpus), distribution=step.distribution),
            hint=message("{commands}", commands=_lines(step, sudo=True)),
        )  # fmt: skip
    return step


def refuse_without_root(step: DriverStep, *, root: bool) -> None:
    """Raises Refused (3) with the commands to type: `sudo` is never called by us."""
    if not root:
        raise Refused(
            message("installing a driver takes the rights of root, and setup-llm-dev asks nobody for them"),
            hint=message("type these, restart, and run the same command again:\n{commands}",
                         commands=_lines(step, sudo=True)),
        )  # fmt: skip


def install(host: Host, step: DriverStep, say: Callable[[Message], None]) -> None:
    """Run every command, the first that fails ends it. Raises SystemRefused (6), Interrupted.

    Their words are shown as they come; nothing is taken back, that is the package manager's own business.
    """
    for command in step.commands:
        say(message("$ {command}", command=as_line(command, sudo=False)))
        _run(host, command, say)


def afterwards(step: DriverStep, secure: bool | None) -> Refused:
    """What a person still has to do before the rest can go on."""
    hint = message("restart the machine, then run the same command again")
    if step.enrol and secure is not False:
        lines = " && ".join(map(as_line, step.enrol))
        hint = message(
            "if Secure Boot is on (`mokutil --sb-state`), first: {commands}; then restart the machine, enrol the key "
            "on the blue screen, and run the same command again",
            commands=lines,
        )
    return Refused(message("the driver is installed; it works after a restart"), hint=hint)


def _run(host: Host, command: Command, say: Callable[[Message], None]) -> None:
    name, *arguments = command.run
    program = host.programs.find(name)
    if program is None:
        raise SystemRefused(
            message("{program} is not there", program=name),
            hint=message("this is not the distribution that it says it is; see nvidia.com/drivers"),
        )

    def show(line: str) -> None:
        say(message("  {line}", line=line.rstrip()))

    done = host.programs.run(
        (program, *arguments), environment=_environment(host), timeout=_SECONDS, stdin=command.input.encode(),
        on_line=show, on_error_line=show,
    )  # fmt: skip
    if not done.ok:
        why = (done.stderr.strip().splitlines() or done.stdout.strip().splitlines() or ["no output"])[-1]
        raise SystemRefused(
            message("{command} failed: {why}", command=as_line(command, sudo=False), why=why),
            hint=message("nothing after it was run; mend it, then run the same command again"),
        )


def _environment(host: Host) -> Mapping[str, str]:
    """What package managers and their scripts need: system programs, no questions, the proxy."""
    proxies = {name: value for name, value in host.environment.items() if name.lower() in _PASSED}
    return {"PATH": _PATH, "HOME": str(host.home), "DEBIAN_FRONTEND": "noninteractive"} | proxies


def _lines(step: DriverStep, *, sudo: bool) -> str:
    return "\n".join(f"  {as_line(command, sudo=sudo)}" for command in step.commands)
