"""The diagnoses in the order in which they are told, and what each of them needs to look."""

from typing import Literal, NamedTuple

from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.diagnoses import (
    driver,
    gpu,
    hub,
    installed,
    leftovers,
    memory,
    network,
    paths,
    project,
    proxy,
    python,
    shell,
    space,
    system,
    topology,
)
from setup_llm_dev.stages.diagnoses.situation import Look

Needs = Literal["machine", "recording", "here", "network"]


class Diagnosis(NamedTuple):
    """needs: a Machine is enough; or a recording, too; or it must be this computer; or its network, too."""

    name: str
    what: Message
    look: Look
    needs: Needs


DIAGNOSES = (
    Diagnosis("gpu", message("the GPUs"), gpu.look, "machine"),
    Diagnosis("driver", message("the driver"), driver.look, "machine"),
    Diagnosis("system", message("the system"), system.look, "machine"),
    Diagnosis("memory", message("the memory"), memory.look, "machine"),
    Diagnosis("topology", message("Windows and WSL"), topology.look, "machine"),
    Diagnosis("shell", message("the surroundings"), shell.look, "recording"),
    Diagnosis("paths", message("the folders"), paths.look, "recording"),
    Diagnosis("python", message("the Pythons"), python.look, "here"),
    Diagnosis("project", message("the project"), project.look, "here"),
    Diagnosis("installed", message("what is installed"), installed.look, "here"),
    Diagnosis("space", message("the disk"), space.look, "here"),
    Diagnosis("leftovers", message("our own folder"), leftovers.look, "here"),
    Diagnosis("proxy", message("proxy and certificates"), proxy.look, "here"),
    Diagnosis("clock", message("the clock"), system.early_clock, "here"),
    Diagnosis("offline", message("the hub's settings"), hub.offline, "here"),
    Diagnosis("network", message("the network"), network.look, "network"),
    Diagnosis("hub", message("the model"), hub.look, "network"),
)
