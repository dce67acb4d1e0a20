"""summarize: from the plan and what happened to the Report. Pure."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from setup_llm_dev.components.pycharm import how_to_open
from setup_llm_dev.documents.causes import CAUSES
from setup_llm_dev.documents.events import Applied, Event, Failed, Skipped
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Gap
from setup_llm_dev.documents.report import Check, Report, StepOutcome, Verdict
from setup_llm_dev.errors import Unreachable
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.compose import Plan


def summarize(
    plan: Plan,
    events: Sequence[Event],
    *,
    proof: Mapping[str, Any] | None,
    notes: tuple[Message, ...] = (),
    seconds: float,
    created: str,
    log: str | None,
) -> Report:
    """`proof` is the smoke's result, of this run or remembered, passed or not."""
    outcomes = tuple(_outcomes(plan, events))
    failed = [event for event in events if isinstance(event, Failed) and not event.forgiven]
    gaps = (*plan.gaps, *_forgiven(plan, events))
    proof = proof or {}
    return Report(
        verdict=_verdict(plan, failed, proof, gaps),
        recipe=plan.recipe.name,
        gaps=gaps,
        notes=(*notes, *plan.lock.torch.skipped),
        steps=outcomes,
        checks=tuple(read_check(check) for check in proof.get("checks", ())),
        device=_device(proof.get("facts", {})),
        torch={"version": plan.lock.torch.version, "variant": plan.lock.torch.variant, "index": plan.lock.torch.index},
        versions=_versions(plan, proof.get("facts", {})),
        metrics=dict(proof.get("metrics", {})),
        proved=proof.get("proved"),
        places=places(plan),
        sizes=_sizes(plan, events),
        phase_seconds=_phase_seconds(events),
        next=tuple(_next(plan, failed)),
        changed=any(isinstance(event, Applied) for event in events),
        seconds=round(seconds, 1),
        created=created,
        log=log,
        error=_error(failed),
    )


def read_check(check: Mapping[str, Any]) -> Check:
    """A line of the smoke program as a Check."""
    known = CAUSES.get(str(check.get("cause")))
    cause_text, hint = check.get("cause_text"), check.get("hint")
    return Check(
        id=str(check["id"]),
        status=check["status"],
        measured=check.get("measured"),
        expected=check.get("expected"),
        cause=check.get("cause"),
        cause_text=known.text if known else _as_said(cause_text),
        hint=known.hint if known else _as_said(hint),
    )


def _as_said(text: Any) -> Message | None:
    return message("{text}", text=str(text)) if text else None


def places(plan: Plan) -> dict[str, str]:
    """Where things are, for the report's table."""
    layout = plan.layout
    return {
        "workspace": str(layout.workspace),
        "python": str(layout.python_in(layout.venv)),
        "environment": str(plan.generation.folder),
        "data": str(layout.data),
        "report": str(layout.report),
        **({"model": str(dict(_job(plan)).get("model", ""))} if _job(plan) else {}),
    }


def _job(plan: Plan) -> tuple[tuple[str, Any], ...]:
    step = plan.step("smoke")
    return getattr(step, "job", ())


def _forgiven(plan: Plan, events: Sequence[Event]) -> Iterable[Gap]:
    """What an optional step could not get; the same command tries it again."""
    for event in events:
        if isinstance(event, Failed) and event.forgiven:
            url = event.error.url if isinstance(event.error, Unreachable) else None
            yield Gap(what=event.step, why=event.text, url=url, command=f"setup-llm-dev apply {plan.recipe.name}")


def _verdict(plan: Plan, failed: list[Failed], proof: Mapping[str, Any], gaps: tuple[Gap, ...]) -> Verdict:
    if failed or (plan.step("smoke") is not None and proof.get("verdict") != "pass"):
        return "fail"
    return "partial" if gaps else "pass"


def _outcomes(plan: Plan, events: Sequence[Event]) -> Iterable[StepOutcome]:
    seen: dict[str, Event] = {}
    for event in events:
        if isinstance(event, Applied | Skipped | Failed):
            seen[event.step] = event
    for step in plan.steps:
        match seen.get(step.id):
            case Applied(seconds=seconds):
                yield StepOutcome(id=step.id, kind=step.kind, phase=step.phase, outcome="applied",
                                  seconds=round(seconds, 2))  # fmt: skip
            case Failed(seconds=seconds, text=text):
                yield StepOutcome(id=step.id, kind=step.kind, phase=step.phase, outcome="failed",
                                  seconds=round(seconds, 2), why=text)  # fmt: skip
            case Skipped():
                yield StepOutcome(id=step.id, kind=step.kind, phase=step.phase, outcome="skipped")
            case _:
                yield StepOutcome(id=step.id, kind=step.kind, phase=step.phase, outcome="not-reached")


def _device(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    kept = {key: facts[key] for key in ("device", "device_name", "precision") if key in facts}
    return kept or None


def _versions(plan: Plan, facts: Mapping[str, Any]) -> dict[str, str]:
    versions = {"python": plan.lock.python.version, "torch": plan.lock.torch.version}
    for name in ("transformers", "accelerate", "tokenizers"):
        value = facts.get(name) or facts.get(f"{name}_version") or (facts.get("versions") or {}).get(name)
        if value:
            versions[name] = str(value)
    return versions


def _sizes(plan: Plan, events: Sequence[Event]) -> dict[str, int]:
    sizes = {e.step: int(e.receipt["bytes"]) for e in events if isinstance(e, Applied) and "bytes" in e.receipt}
    if plan.lock.packages.download_bytes:
        sizes["wheels"] = plan.lock.packages.download_bytes
    return sizes


def _phase_seconds(events: Sequence[Event]) -> dict[str, float]:
    spans: dict[str, tuple[float, float]] = {}
    for event in events:
        if isinstance(event, Applied | Failed):
            first, last = spans.get(event.phase, (event.at - event.seconds, event.at))
            spans[event.phase] = (min(first, event.at - event.seconds), max(last, event.at))
    return {phase: round(last - first, 2) for phase, (first, last) in spans.items()}


def _next(plan: Plan, failed: list[Failed]) -> Iterable[Message]:
    if failed:
        yield message("mend what is named above, then run the same command again: finished steps are kept")
        return
    python = plan.layout.python_in(plan.layout.venv)
    yield message("go on: cd {folder}", folder=_pasted(plan.layout))
    yield message("train: {python} train.py", python=str(python.relative_to(plan.layout.workspace)))
    yield message("try a sentence: {python} predict.py", python=str(python.relative_to(plan.layout.workspace)))
    if plan.step("ide-interpreter") is not None:
        yield message("open {folder} in PyCharm: it knows the interpreter", folder=str(plan.layout.workspace))
    elif plan.step("ide-project") is not None:
        yield how_to_open(plan.layout)


def _pasted(layout: Layout) -> str:
    """The project folder as a shell wants to read it."""
    folder = str(layout.workspace)
    if layout.windows:
        return f'"{folder}"' if " " in folder else folder
    return shlex.quote(folder)


def _error(failed: list[Failed]) -> dict[str, Any] | None:
    if not failed:
        return None
    first = failed[0]
    return {
        "step": first.step,
        "exit_code": first.exit_code,
        "message": first.text,
        "hint": first.hint,
    }
