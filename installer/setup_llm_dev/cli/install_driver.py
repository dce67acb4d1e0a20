"""`apply --install-driver`: the driver step before everything else, after its commands were shown and agreed to."""

import os
from typing import TYPE_CHECKING

from setup_llm_dev.messages import message

if TYPE_CHECKING:
    from setup_llm_dev.cli.session import Session
    from setup_llm_dev.stages.diagnoses.driver_step import DriverStep


def install_driver(session: "Session", *, yes: bool) -> None:
    """Nothing happens where no card needs a driver.

    Raises Refused (3) without a yes, without the rights of root, in WSL and in containers; and at the end of a good
    installation too, since the machine has to be restarted before anything can go on. SystemRefused (6).
    """
    from setup_llm_dev.documents.driver_catalog import read_drivers
    from setup_llm_dev.documents.manifests import manifests_folder
    from setup_llm_dev.errors import UsageError
    from setup_llm_dev.stages.diagnoses.driver import secure_boot
    from setup_llm_dev.stages.doctor_driver import afterwards, driver_to_install, install, refuse_without_root
    from setup_llm_dev.stages.here import catalogue, machine_here

    host, output, options = session.host, session.output, session.options
    if options.machine is not None or options.assume:
        raise UsageError(message("--install-driver is for this machine: leave out --machine and --assume"))
    machine = machine_here(host, session.layout, options, interpreters=False)
    drivers = read_drivers(manifests_folder() / "catalog")
    step = driver_to_install(machine, session.recipe, catalogue(), drivers)
    if step is None:
        output.say(message("no card needs another driver"))
        return
    refuse_without_root(step, root=hasattr(os, "geteuid") and os.geteuid() == 0)
    _agreed(session, step, yes=yes)
    install(host, step, output.say)
    raise afterwards(step, secure_boot(host))


def _agreed(session: "Session", step: "DriverStep", *, yes: bool) -> None:
    """Raises Refused (3) without a yes; Enter alone is none, and nobody at the keyboard is none."""
    from setup_llm_dev.cli.ask import agreed_to_remove, can_answer
    from setup_llm_dev.errors import Refused
    from setup_llm_dev.stages.diagnoses.driver_step import as_line

    output = session.output
    output.complain(output.translate(message("these commands install a driver for {gpus}:", gpus=", ".join(step.gpus))))
    for command in step.commands:
        output.complain(f"  {as_line(command, sudo=False)}")
    if yes:
        return
    if not can_answer(output) or not agreed_to_remove(output, session.host.cancel):
        raise Refused(
            message("a driver is installed only after a yes"),
            hint=message("answer the question, or say it beforehand with -y"),
        )
