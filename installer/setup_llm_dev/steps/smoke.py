"""Run the smoke fine-tune with the staged generation's Python, and remember a proof that passed."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, ClassVar

from setup_llm_dev.documents.causes import CAUSES
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.plan import Phase
from setup_llm_dev.errors import CheckFailed
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.smoke_proof import Grounds, holds, read_proof, when_made, write_proof
from setup_llm_dev.steps.step import Progress, Satisfied, Unsatisfied

_PATIENCE = 20  # times the budget: importing and loading on a busy machine come on top
_LEAST_SECONDS = 900.0
_CHOSEN_DEVICES = (
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "ONEAPI_DEVICE_SELECTOR",
    "ZE_AFFINITY_MASK",
)
# Hosted notebooks, WSL and containers put the GPU's driver here, where no default of the loader looks.
_DRIVER_FOLDERS = (
    "/usr/lib64-nvidia",
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
)
_OTHER_PHASE = message("a part of the fine-tune is done")
_PHASES = {
    "import": message("libraries imported"),
    "load": message("model loaded"),
    "evaluate-before": message("tried before training"),
    "train": message("trained"),
    "evaluate-after": message("tried after training"),
    "save-reload": message("saved, and loaded again"),
}


@dataclass(frozen=True)
class RunSmoke:
    """`python` of the generation runs the archive `program` on `job`; a pass is kept in `proof`.

    It counts as long as nothing was made anew that it rests on: see the files `grounds`, and the steps `bases`.
    """

    kind: ClassVar[str] = "smoke"
    bases: ClassVar[tuple[str, ...]] = ("environment", "packages", "model")
    python: PurePath
    program: PurePath
    job: tuple[tuple[str, Any], ...]
    proof: PurePath
    scratch: PurePath
    grounds: Grounds = ()
    needs: tuple[str, ...] = ()
    optional: ClassVar[bool] = False
    phase: ClassVar[Phase] = "check"

    @property
    def id(self) -> str:
        return "smoke"

    def describe(self) -> Message:
        return message("fine-tune for real and check what came out ({task})", task=dict(self.job)["task"])

    def check(self, host: Host) -> Satisfied | Unsatisfied:
        proof = read_proof(host, self.proof)
        if proof is None:
            return Unsatisfied(message("not proved yet in this environment with this model"))
        if not holds(proof, self.grounds):
            return Unsatisfied(message("the environment or the model was made anew since it was proved"))
        return Satisfied()

    def apply(self, host: Host, progress: Progress) -> Receipt:
        made = when_made(self.grounds)
        result = self.run(host, progress)
        if result["verdict"] != "pass":
            raise failure(result, message("nothing was switched; `setup-llm-dev verify` runs the checks again"))
        write_proof(host, self.proof, result, made)
        return {"proof": str(self.proof), "verdict": result["verdict"], "seconds": result.get("seconds")}

    def run(self, host: Host, progress: Progress, *, fault: str | None = None) -> dict[str, Any]:
        """The program's answer: `verdict`, `checks`, `metrics`, `facts`, `phases`. Never raises for a failed check."""
        collector = _Collector(progress)
        with host.files.scratch(self.scratch) as scratch:
            job = dict(self.job) | {"scratch": str(scratch), "fault": fault}
            host.files.write(scratch / "job.json", json.dumps(job).encode())
            budget = float(job.get("budget_seconds") or 60)
            done = host.programs.run(
                (self.python, "-I", self.program, "--json", "--job", scratch / "job.json"),
                environment=_environment(host, scratch, int(job.get("threads") or 1)),
                cwd=scratch,
                timeout=max(_LEAST_SECONDS, budget * _PATIENCE),
                on_line=collector.line,
                tied=True,
            )
        return collector.result(done.code, done.stderr)

    def undo(self, host: Host, receipt: Receipt) -> tuple[Message, ...]:
        host.files.remove(self.proof)
        return ()

    def record(self) -> dict[str, Any]:
        return {"proof": str(self.proof)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "RunSmoke":
        nowhere = Path(record["proof"])
        return cls(nowhere, nowhere, (), nowhere, nowhere)


def failure(result: dict[str, Any], hint: Message | None = None) -> CheckFailed:
    """The first check that said no, in words; the whole result travels with the error.

    hint: what to do next; None says what the check itself advises.
    """
    bad = next((c for c in result["checks"] if c.get("status") in ("fail", "could-not-run")), None)
    if bad is None:
        text = message("the smoke fine-tune did not end with a verdict")
    else:
        text = message("the smoke fine-tune failed at “{check}”: {cause}", check=str(bad["id"]), cause=cause_text(bad))
        if isinstance(bad.get("measured"), int | float | str):
            text = message(
                "{text} (measured {measured}, expected {expected})",
                text=text,
                measured=_short(bad["measured"]),
                expected=_short(bad.get("expected")),
            )
    error = CheckFailed(text, hint=hint or _advice(bad or {}))
    error.result = result
    return error


def cause_text(check: dict[str, Any]) -> Message:
    """The named cause as a sentence."""
    known = CAUSES.get(str(check.get("cause")))
    if known is not None:
        return known.text
    return message("{text}", text=str(check.get("cause_text") or check.get("cause") or check["id"]))


def _advice(check: dict[str, Any]) -> Message | None:
    known = CAUSES.get(str(check.get("cause")))
    return known.hint if known is not None else None


def _short(value: Any) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= 120 else text[:120] + "…"


def _environment(host: Host, scratch: Path, threads: int) -> dict[str, str]:
    """Nothing of the user's but which GPUs it may use, and their driver: no token, no proxy; HOME is scratch."""
    built = {name: host.environment[name] for name in _CHOSEN_DEVICES if name in host.environment}
    count = str(threads)
    return (
        built
        | _driver_path(host)
        | {
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "HF_HOME": str(scratch / "hf"),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "OMP_NUM_THREADS": count,
            "MKL_NUM_THREADS": count,
            "OPENBLAS_NUM_THREADS": count,
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
        }
    )


def _driver_path(host: Host) -> dict[str, str]:
    """Of the folders in which the user lets libraries be looked for, those of a driver: the others could hold any."""
    named = {PurePosixPath(entry) for entry in host.environment.get("LD_LIBRARY_PATH", "").split(":") if entry}
    found = [name for name in _DRIVER_FOLDERS if PurePosixPath(name) in named and host.files.is_dir(Path(name))]
    return {"LD_LIBRARY_PATH": ":".join(found)} if found else {}


class _Collector:
    """Turns the program's lines into progress and one result."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._checks: list[dict[str, Any]] = []
        self._phases: dict[str, float] = {}
        self._facts: dict[str, Any] = {}
        self._verdict: dict[str, Any] = {}

    def line(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        match event.get("event"):
            case "phase":
                self._phases[str(event["name"])] = float(event.get("seconds") or 0.0)
                self._progress(None, None, "", _PHASES.get(str(event["name"]), _OTHER_PHASE))
            case "progress":
                loss = event.get("loss")
                text = message("loss {loss}", loss=f"{loss:.4f}") if isinstance(loss, float) else None
                self._progress(event.get("done"), event.get("total"), "steps", text)
            case "check":
                self._checks.append({k: v for k, v in event.items() if k != "event"})
            case "facts":
                self._facts |= {k: v for k, v in event.items() if k != "event"}
            case "verdict":
                self._verdict = {k: v for k, v in event.items() if k != "event"}

    def result(self, code: int | None, stderr: str) -> dict[str, Any]:
        """A program that died or lied by its exit code is a check that could not run."""
        verdict = self._verdict.get("verdict", "fail")
        if (verdict == "pass") != (code == 0) or not self._verdict:
            verdict = "fail"
            self._checks.append(_died(code, stderr))
        return {
            "verdict": verdict,
            "checks": self._checks,
            "metrics": self._verdict.get("metrics", {}),
            "facts": self._facts,
            "phases": self._phases,
            "seconds": sum(self._phases.values()),
            "stderr": stderr[-4000:] if verdict != "pass" else "",
        }


def _died(code: int | None, stderr: str) -> dict[str, Any]:
    last = (stderr.strip().splitlines() or ["no message"])[-1]
    how = "it did not end in time" if code is None else f"it ended with {code}"
    return {
        "id": "program",
        "status": "could-not-run",
        "measured": how,
        "expected": "exit code 0 and a verdict",
        "cause": "smoke-died",
        "cause_text": f"the smoke program {how}: {last[:200]}",
    }
