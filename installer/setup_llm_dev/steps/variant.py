"""Check that the torch which is installed is the build that was chosen, by what it says of itself."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.errors import CheckFailed
from setup_llm_dev.host.installed import site_packages
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied

_TOOLKITS = ("cuda", "hip", "xpu")


@dataclass(frozen=True)
class CheckVariant:
    """`folder` is an environment; `variant` what torch/version.py must show (package metadata can't tell: the
    default index carries CUDA builds without a label)."""

    kind: ClassVar[str] = "variant"
    folder: PurePath
    release: str
    variant: str
    optional: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("packages",)
    phase: ClassVar[Phase] = "check"

    @property
    def id(self) -> str:
        return "variant"

    def describe(self) -> Message:
        return message("torch is {release} for {variant}", release=self.release, variant=self.variant)

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        folder = site_packages(Path(self.folder))
        text = host.files.read_text(folder / "torch" / "version.py") if folder else None
        if text is None:
            return Unsatisfied(message("torch is not installed there"))
        found_release, found_variant = read_version(text)
        if found_release == self.release and _same(found_variant, self.variant):
            return Satisfied()
        return Unsatisfied(
            message("torch there is {release} for {variant}", release=found_release, variant=found_variant)
        )

    def apply(self, host: Host, progress: Progress) -> Receipt:
        answer = self.check(host)
        if isinstance(answer, Unsatisfied):
            raise CheckFailed(
                message(
                    "the installed torch is not the chosen build: {why}, wanted {release} for {variant}",
                    why=answer.why, release=self.release, variant=self.variant,
                )
            )  # fmt: skip
        return {}

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        return ()

    def record(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "release": self.release, "variant": self.variant}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "CheckVariant":
        return cls(Path(record["folder"]), record["release"], record["variant"])


def read_version(text: str) -> tuple[str, str]:
    """Release and variant out of torch/version.py: by its label, else by the toolkit that it names."""
    values = dict(re.findall(r"^(\w+)(?:\s*:[^=\n]+)?\s*=\s*['\"]([^'\"]*)['\"]", text, re.MULTILINE))
    release, _, label = values.get("__version__", "").partition("+")
    if label:
        return release, label
    for toolkit in _TOOLKITS:
        if values.get(toolkit):
            return release, _named(toolkit, values[toolkit])
    return release, "cpu"


def _named(toolkit: str, version: str) -> str:
    if toolkit == "cuda":
        return "cu" + "".join(version.split(".")[:2])
    return "xpu" if toolkit == "xpu" else "rocm" + ".".join(version.split(".")[:2])


def _same(found: str, wanted: str) -> bool:
    """A macOS wheel holds CPU and Metal kernels in one and names neither."""
    return found == wanted or (wanted == "mps" and found == "cpu")
