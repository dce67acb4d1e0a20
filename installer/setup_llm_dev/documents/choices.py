"""The Choices: the builds of PyTorch that fit a machine, best first, and why the others don't."""

import msgspec

from setup_llm_dev.documents.machine import Finding
from setup_llm_dev.messages import Message


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """One build of PyTorch: a release, a variant, and where it is published.

    release: public version, `2.15.0`. variant: `cpu`, `cu130`, `rocm7.2`, `xpu`, `mps`.
    label: the local version label of its wheels, which is the variant, or "" where the catalogue says that the
    unlabelled wheel of this release on this index is this variant.
    index: URL of the simple index that publishes it, "" for the default package index.
    pythons: feature releases it has wheels for on this machine, such as `3.11`, newest last.
    companions: requirements of other packages that belong to this release, such as `torchvision==0.29.2`.
    """

    release: str
    variant: str
    label: str
    index: str
    pythons: tuple[str, ...]
    why: Message
    companions: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """What is asked of the index: `2.15.0+cpu`, or `2.15.0` without a label."""
        return f"{self.release}+{self.label}" if self.label else self.release


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that does not fit: which, why, and what would help."""

    candidate: str
    reason: Message
    hint: Message | None = None


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """`builds` best first; `interpreters` (paths) in the order in which `pin` tries them.

    findings: each GPU that the first build leaves unused, with what would help.
    """

    builds: tuple[Build, ...]
    interpreters: tuple[str, ...]
    refusals: tuple[Refusal, ...] = ()
    findings: tuple[Finding, ...] = ()
