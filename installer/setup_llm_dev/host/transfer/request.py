"""One question to one source, as everybody who works on a transfer sees it."""

from dataclasses import dataclass, field

from setup_llm_dev.host.transfer.job import Job
from setup_llm_dev.host.transfer.pieces import Lease
from setup_llm_dev.host.transfer.routes import Route
from setup_llm_dev.host.web.answers import Failed
from setup_llm_dev.host.web.sockets import Wire


@dataclass(eq=False)
class Request:
    """One question to one source, from the moment it is asked."""

    job: Job
    route: Route
    lease: Lease
    epoch: int
    began: float
    wire: Wire = field(default_factory=Wire)
    last: float = 0.0  # when bytes came
    received: int = 0
    pending: int = 0  # bytes of a piece that is not written yet
    stopped: Failed | None = None  # why the controller cut it
