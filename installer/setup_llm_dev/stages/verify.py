"""verify: every check anew, without changing anything; a remembered proof does not count, and a refuted one goes."""

import queue
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from msgspec import structs

from setup_llm_dev.components.resources import smoke_archive
from setup_llm_dev.components.smoke import smoke_job
from setup_llm_dev.documents.events import Applied, Event, Failed, Progressed, Started
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import Gap
from setup_llm_dev.documents.recipe import Recipe
from setup_llm_dev.documents.report import Check, Report
from setup_llm_dev.errors import CheckFailed, Refused, SetupError, UsageError
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.compose import Plan
from setup_llm_dev.stages.installed_plan import installed_plan
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.summarize import read_check
from setup_llm_dev.steps.ide import InstallIde
from setup_llm_dev.steps.installed_ide import UseInstalledIde
from setup_llm_dev.steps.packages import InstallPackages
from setup_llm_dev.steps.smoke import RunSmoke, failure
from setup_llm_dev.steps.step import Progress, Satisfied, Step, Unsatisfied

_SUMMARIES = {
    "packages": message("compare every installed file with its wheel"),
    "variant": message("ask torch which build it is"),
    "model": message("compare the files of the model with the lock"),
    "ide": message("look whether PyCharm is as it was installed"),
}

_BAD = ("fail", "could-not-run")
_MENDED_BY_APPLY = ("import-failed", "file-missing", "variant-differs", "job-invalid")
"""Causes for which the smoke program advises to run us again, as it may where the environment is ours."""
_THEIRS = message("that environment was not made by setup-llm-dev, which changes nothing in it: mend it by hand")


@dataclass
class Verification:
    """Checks of a plan that is installed, or of a foreign environment (`plan` is None then)."""

    host: Host
    recipe: Recipe
    layout: Layout
    smoke: RunSmoke | None
    plan: Plan | None
    fault: str | None
    again: str = "setup-llm-dev apply"
    gaps: tuple[Gap, ...] = ()
    """Grows while `events` are read, see `_is_gap`."""
    _forgotten: bool = False
    _checks: list[Check] = field(default_factory=list)
    _result: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, host: Host, recipe: Recipe, layout: Layout, options: Options, *,
        fault: str | None, python: str | None, model: str | None,
    ) -> "Verification":  # fmt: skip
        """Raises Refused (3) where there is nothing to check or to break, UsageError (2) for a path that is none."""
        if python is not None:
            foreign = _foreign_smoke(host, recipe, layout, options, Path(python).absolute(), model)
            return cls(host, recipe, layout, foreign, None, fault, options.again)
        plan = installed_plan(host, recipe, layout, options)
        found = plan.step("smoke")
        smoke = found if isinstance(found, RunSmoke) else None
        if smoke is None and fault is not None:
            raise Refused(
                message("there is no fine-tune to break: it was left out when this was set up"),
                hint=message("run `{command}` first", command=options.again),
            )
        return cls(host, recipe, layout, smoke, plan, fault, options.again, plan.gaps)

    def events(self) -> Iterator[Event]:
        """Files first, then the build of torch, then the model, then PyCharm, then the fine-tune."""
        for name, summary in _SUMMARIES.items():
            step = self.plan.step(name) if self.plan else None
            if step is None or self._is_gap(step):
                continue
            began = time.monotonic()
            yield Started(step=name, phase="check", summary=summary, why=message("asked for"))
            yield self._settled(name, self._answer(step), time.monotonic() - began)
        if self.smoke is not None:
            yield from self._smoke(self.smoke)
        self._forget_refuted()

    def report(self, seconds: float) -> Report:
        """All checks in one list; `verdict` fail when any said no or could not run."""
        read = tuple(read_check(check) for check in self._result.get("checks", ()))
        checks = (*self._checks, *(read if self.plan is not None else map(_of_foreign, read)))
        trained = self._result.get("verdict") == "pass"
        created = self.host.now().isoformat(timespec="seconds")
        return Report(
            verdict="fail" if self._failed else "partial" if self.gaps else "pass",
            recipe=self.recipe.name,
            of="verify",
            gaps=self.gaps,
            notes=self._notes(),
            checks=checks,
            metrics=dict(self._result.get("metrics", {})),
            torch=_torch(self.plan),
            changed=self._forgotten,
            seconds=round(seconds, 1),
            proved=created if trained else None,
            created=created,
            error=self._error(),
        )

    @property
    def _failed(self) -> bool:
        """Once the events are over: whether any check said no or could not run."""
        if any(check.status != "pass" for check in self._checks):
            return True
        return self.smoke is not None and self._result.get("verdict") != "pass"

    def _answer(self, step: Step) -> Satisfied | Unsatisfied:
        if isinstance(step, InstallPackages | InstallIde):
            return step.prove(self.host, full=True)
        return step.check(self.host)

    def _is_gap(self, step: Step) -> bool:
        """Of a PyCharm: one that could not be had when all else was set up, or that its user updated since."""
        match step:
            case InstallIde():
                wanting = step.optional and not self.host.files.exists(step.facts)
            case UseInstalledIde():
                wanting = True
            case _:
                return False
        answer = step.check(self.host) if wanting else Satisfied()
        if isinstance(answer, Unsatisfied):
            self.gaps += (Gap(what="ide", why=answer.why, command=self.again),)
        return isinstance(answer, Unsatisfied)

    def _forget_refuted(self) -> None:
        """The proof of what was just refuted goes, so that the next `apply` proves it again."""
        self.host.cancel.raise_if_set()  # a fine-tune that was stopped refutes nothing
        if self._failed and self.smoke is not None and self.plan is not None and self.fault is None:
            self._forgotten = self.host.files.exists(self.smoke.proof)
            self.host.files.remove(self.smoke.proof)

    def _settled(self, name: str, answer: Satisfied | Unsatisfied, seconds: float) -> Event:
        if isinstance(answer, Unsatisfied):
            check = Check(id=f"{name}-intact", status="fail", measured=str(answer.why),
                          expected="as installed by the lock", cause=f"{name}-drifted", cause_text=answer.why,
                          hint=message("`{command}` mends it", command=self.again))  # fmt: skip
            self._checks.append(check)
            return Failed(step=name, phase="check", seconds=seconds, text=answer.why, exit_code=8)
        self._checks.append(Check(id=f"{name}-intact", status="pass"))
        return Applied(step=name, phase="check", seconds=seconds, receipt={})

    def _smoke(self, smoke: RunSmoke) -> Iterator[Event]:
        began = time.monotonic()
        yield Started(step="smoke", phase="check", summary=smoke.describe(), why=message("asked for"))
        told: queue.SimpleQueue[Event | None] = queue.SimpleQueue()

        def tell(done: float | None, total: float | None, unit: str, text: Message | None = None) -> None:
            told.put(Progressed(step="smoke", done=done, total=total, unit=unit, text=text))

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self._fine_tune, smoke, tell)
            running.add_done_callback(lambda _: told.put(None))
            while (event := told.get()) is not None:
                yield event
            self._result = running.result()
        seconds = time.monotonic() - began
        if self._result["verdict"] == "pass":
            yield Applied(step="smoke", phase="check", seconds=seconds, receipt={})
            return
        error: SetupError = failure(self._result, self._hint())
        yield Failed(step="smoke", phase="check", seconds=seconds, text=error.message, exit_code=8, error=error)

    def _fine_tune(self, smoke: RunSmoke, tell: Progress) -> dict[str, Any]:
        """With the program of this version, in a folder that is gone afterwards; the one of `apply` stays as it is."""
        with self.host.files.scratch(self.layout.scratch) as folder:
            program = folder / "smoke.pyz"
            self.host.files.write(program, smoke_archive())
            result = replace(smoke, program=program, scratch=folder).run(self.host, tell, fault=self.fault)
        self.host.files.remove_empty_dir(self.layout.scratch)
        return result

    def _hint(self) -> Message | None:
        """None in an environment that is not ours to mend, if the check's own advice is the best there."""
        if self.fault is not None:
            return message("it was broken on purpose: without --fault it is checked as it is")
        if self.plan is None:
            causes = (c.get("cause") for c in self._result.get("checks", ()) if c.get("status") in _BAD)
            return _THEIRS if next(causes, None) in _MENDED_BY_APPLY else None
        return message("`{command}` mends what drifted, and proves it again", command=self.again)

    def _notes(self) -> tuple[Message, ...]:
        if self.fault is None:
            return ()
        return (message("the fine-tune was broken on purpose: {fault}", fault=self.fault),)

    def _error(self) -> dict[str, Any] | None:
        if self._result and self._result.get("verdict") != "pass":
            error: CheckFailed = failure(self._result, self._hint())
            return {"step": "smoke", "exit_code": 8, "message": error.message, "hint": error.hint}
        bad = next((check for check in self._checks if check.status != "pass"), None)
        if bad is None:
            return None
        return {"step": bad.id, "exit_code": 8, "message": bad.cause_text, "hint": bad.hint}


def _foreign_smoke(
    host: Host, recipe: Recipe, layout: Layout, options: Options, python: PurePath, model: str | None
) -> RunSmoke:
    """The same program in an environment that we did not make; which build it has is not ours to expect."""
    if not host.files.is_file(python):
        raise UsageError(
            message("{python} is not there", python=str(python)),
            hint=message("name the Python of an environment, such as {example}", example=".venv/bin/python"),
        )
    if model is not None:
        job: dict[str, Any] = {"model": str(Path(model).absolute())}
    else:
        plan = installed_plan(host, recipe, layout, options)
        if plan.lock.model is None:
            raise Refused(message("there is no model to train"), hint=message("name one with --model DIR"))
        job = smoke_job(recipe, plan.lock, layout)
    job |= {
        "schema": "smoke-job/1", "task": recipe.smoke.task, "budget_seconds": recipe.smoke.budget_seconds,
        "learning_rate": recipe.smoke.learning_rate, "device": "auto", "threads": 1, "expect_variant": None,
        "seed": 42,
    }  # fmt: skip
    return RunSmoke(
        python=python, program=layout.scratch / "smoke.pyz", job=tuple(job.items()), proof=layout.proofs / "none",
        scratch=layout.scratch,
    )  # fmt: skip


def _of_foreign(check: Check) -> Check:
    if check.cause not in _MENDED_BY_APPLY:
        return check
    return structs.replace(check, hint=_THEIRS)


def _torch(plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return {"version": plan.lock.torch.version, "variant": plan.lock.torch.variant, "index": plan.lock.torch.index}
