"""answers: every step of a plan asked whether it is satisfied, and what follows from one for another."""

from collections.abc import Iterable, Mapping

from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.steps.step import Resting, Satisfied, Step, Unsatisfied

Answer = Satisfied | Unsatisfied


def answers(host: Host, steps: Iterable[Step], known: Mapping[str, Answer] | None = None) -> dict[str, Answer]:
    """By the steps' ids; `known` are given already. A step whose base has something to do has so too, and says why."""
    steps, known = tuple(steps), known or {}
    given: dict[str, Answer] = {step.id: known.get(step.id) or step.check(host) for step in steps}
    named = {step.id: step for step in steps}
    for step in steps:
        base = next(iter(_unsettled(step, given)), None)
        if base is not None:
            why = message("what it rests on comes first: {what}", what=named[base].describe())
            given[step.id] = Unsatisfied(why)
    return given


def _unsettled(step: Step, given: Mapping[str, Answer]) -> tuple[str, ...]:
    bases = step.bases if isinstance(step, Resting) else ()
    return tuple(name for name in bases if isinstance(given.get(name), Unsatisfied))
