"""The Diagnosis: what is wrong with a computer, worst first, each with its repair; `diagnosis/1` in JSON."""

from typing import Literal

import msgspec

from setup_llm_dev.documents.machine import Finding, Level
from setup_llm_dev.messages import Message

Group = Literal["gpu", "environment", "python", "system", "disk", "network", "windows", "ours"]
Answer = Literal["answers", "refuses", "silent"]

WORST_FIRST: tuple[Level, ...] = ("error", "warning", "info", "ok")


class Entry(Finding, frozen=True, kw_only=True):
    """A finding, what it is about, the exact commands of its repair, and what `--fix` would do, if it can do it.

    commands: lines to type, one a line; `sudo` where it takes the rights of root.
    """

    group: Group
    commands: tuple[str, ...] = ()
    fix: Message | None = None


class ProbedHost(msgspec.Struct, frozen=True, kw_only=True):
    """A host that the recipe needs. seconds: until its first answer, the look-up of its name included.

    refuses: it answers, but not with what is needed. silent: no answer at all; `why` says which of name, connection,
    certificate, proxy and time it was.
    """

    what: str
    host: str
    url: str
    answer: Answer
    seconds: float | None = None
    why: Message | None = None


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """`findings` worst first, those of one group together; `level` is the worst of them.

    fixed: what `--fix` has just done. skipped: groups that were not looked at, because they would need the network
    (`--no-network`), or because the machine is not this one.
    """

    schema: Literal["diagnosis/1"] = "diagnosis/1"
    recipe: str
    level: Level
    findings: tuple[Entry, ...]
    hosts: tuple[ProbedHost, ...] = ()
    fixed: tuple[Message, ...] = ()
    skipped: tuple[str, ...] = ()
    seconds: float = 0.0


def ordered(findings: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Worst first; of one level, groups as they first appear, each in the order in which it was told."""
    groups = list(dict.fromkeys(entry.group for entry in findings))
    return tuple(sorted(findings, key=lambda entry: (WORST_FIRST.index(entry.level), groups.index(entry.group))))


def worst(findings: tuple[Entry, ...]) -> Level:
    """`ok` where there is nothing to tell."""
    return min((entry.level for entry in findings), key=WORST_FIRST.index, default="ok")
