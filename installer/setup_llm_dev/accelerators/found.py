"""What a vendor's probe found: its GPUs, and what is wrong or worth knowing about them."""

from typing import NamedTuple

from setup_llm_dev.documents.machine import Accelerator, Finding


class Found(NamedTuple):
    """The GPUs of a vendor, the ones that can't be used among them, and the findings about them."""

    accelerators: tuple[Accelerator, ...] = ()
    findings: tuple[Finding, ...] = ()
